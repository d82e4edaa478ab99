/**
 * Business numbers: order numbers of 32 digits whose last four are the slots of the key that the order belongs to,
 * so that a row is found by its number without the key.
 *
 *     23111422132000000010100660511540
 *     time, to ms    seq type machine│└ table slot    40 = 1000 mod 64
 *                                    └─ database slot 15 = floor(1000 / 64) mod 64
 *
 * With 16 databases and 16 tables slot 15 is in database 12 and slot 40 in table 40. The number stores slots (0 to 63) and
 * not the suffixes of today, so it stays right when tables are added: table slot 07 is in table 04 of 16 tables and
 * in table 06 of 32.
 */
import { RowferryError } from '../errors.ts';
import type { Layout, Place } from './layout.ts';
import type { RuleSpec, SlotHalf } from './rule.ts';

const DIGITS = 32;
/** Slots that two digits of a number count: those of two levels of `segments`. */
const SLOTS = 64;
const NUMBER = /^\d{32}$/;

/** The two independent slots of a key: `database` is `floor(key / 64) mod 64`, `table` is `key mod 64`. */
export interface NumberSlots {
  readonly database: number;
  readonly table: number;
}

/** Whether a text has the form of a business number, whatever its slots are. */
export function isBusinessNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** The slots in a number's last four digits. Throws ROWFERRY_ROUTE_KEY, by what is wrong and never by the number. */
export function slotsOfNumber(number: string): NumberSlots {
  if (!isBusinessNumber(number)) {
    const found = /^\d*$/.test(number) ? `${number.length} digits` : 'something else than digits';
    throw wrongNumber(`has ${found}, not ${DIGITS} digits`);
  }
  const database = Number(number.slice(-4, -2));
  const table = Number(number.slice(-2));
  if (database >= SLOTS) throw wrongNumber(`has a database slot past ${SLOTS - 1}`);
  if (table >= SLOTS) throw wrongNumber(`has a table slot past ${SLOTS - 1}`);
  return { database, table };
}

/**
 * The physical table of the row that a number belongs to: `1540` is in database 12, table 40 of 16 databases and 16 tables.
 *
 * A number tells these two slots and nothing else. Throws ROWFERRY_ROUTE_KEY for a layout that decides by something else,
 * rather than to name a table where the row is not.
 */
export function locateNumber(layout: Layout, number: string): Place {
  const slots = slotsOfNumber(number);
  refuseOther(layout.spec.shards, 'high', 'the rule over the targets');
  refuseOther(layout.spec.tables?.rule ?? null, 'low', 'the rule over the tables');
  return layout.locateSlots(slots);
}

/** Whether `locateNumber` can answer for a layout. */
export function routesNumbers({ spec }: Layout): boolean {
  const rules = [spec.shards, spec.tables?.rule ?? null];
  return rules.some((rule) => rule !== null) && isSlotted(rules[0]!, 'high') && isSlotted(rules[1]!, 'low');
}

function refuseOther(rule: RuleSpec | null, half: SlotHalf, what: string): void {
  if (isSlotted(rule, half)) return;
  throw new RowferryError('ROWFERRY_ROUTE_KEY', `${what} does not go by the slots of a business number`, {
    hint:
      `a number holds the ${half} one of ${SLOTS} slots for it: slot rules with half "${half}" and ` +
      `${SLOTS} slots can be asked; give the key instead`,
  });
}

function isSlotted(rule: RuleSpec | null, half: SlotHalf): boolean {
  if (rule === null) return true;
  if (rule.algorithm === 'virtual-nodes') return half === 'low' && rule.max === SLOTS;
  if (rule.algorithm !== 'segments' && rule.algorithm !== 'slot-map') return false;
  return (rule.slots ?? SLOTS) === SLOTS && (rule.half ?? 'low') === half;
}

function wrongNumber(what: string): RowferryError {
  return new RowferryError('ROWFERRY_ROUTE_KEY', `the business number ${what}`, {
    hint: 'its last four digits are the database slot and the table slot, 00 to 63 each',
  });
}
