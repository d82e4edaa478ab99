/**
 * A layout: one logical table spread over targets and over tables within them. Two levels, each with a rule of its own: which
 * target, and which table suffix there. A *cell* is one physical table, numbered so that an open-ended date rule can go on
 * for ever: `table index * number of targets + target index`.
 */
import { RowferryError } from '../errors.ts';
import { refuseCorrelated } from './correlation.ts';
import { createRule } from './create-rule.ts';
import type { RouteKey, RuleSpec, ShardRule } from './rule.ts';

/** Leads the name of a source in `targets`: rows of this shard stay where they are. */
export const STAYS = 'source:';

export interface LayoutSpec {
  /** Table name at the targets; suffixes are added to it. */
  readonly to: string;
  /** Target names in the order of the shards; `source:<name>` for rows that stay in that source. */
  readonly targets: readonly string[];
  /** Which target; null when there is one. */
  readonly shards: RuleSpec | null;
  /** Which table of the target; null when there is one. */
  readonly tables: TableLevel | null;
}

export interface TableLevel {
  readonly rule: RuleSpec;
  /** Digits to which a numeric suffix is padded with zeros; default 2. */
  readonly digits?: number;
  /** Stands between name and suffix; default `_`. */
  readonly separator?: string;
  /** Of a date rule without an end: periods after the present one whose tables must be there; default 0. */
  readonly ahead?: number;
}

/** One physical table. */
export interface Place {
  readonly target: string;
  readonly table: string;
}

/** Values of the sharding columns by name; names are compared without case, as MySQL does. */
export type KeyedRow = Readonly<Record<string, RouteKey>>;

export class Layout {
  readonly spec: LayoutSpec;
  readonly shards: ShardRule | null;
  readonly tables: ShardRule | null;
  /** The columns that decide, each once, those of the target level first. */
  readonly by: readonly string[];
  /** How many physical tables there are; null when a date rule goes on for ever. */
  readonly cells: number | null;
  readonly #places: Place[] = [];

  /** Throws ROWFERRY_CONFIG_INVALID for rules that cannot be, or that leave cells empty for ever. */
  constructor(spec: LayoutSpec) {
    this.spec = spec;
    this.shards = spec.shards === null ? null : createRule(spec.shards);
    this.tables = spec.tables === null ? null : createRule(spec.tables.rule);
    checkTargets(spec, this.shards);
    if (this.shards !== null && this.tables !== null) refuseCorrelated(this.shards, this.tables);
    this.by = distinct([...(this.shards?.by ?? []), ...(this.tables?.by ?? [])]);
    const tableCount = this.tables === null ? 1 : this.tables.count;
    this.cells = tableCount === null ? null : tableCount * spec.targets.length;
  }

  /** The physical table of a row. Throws ROWFERRY_ROUTE_KEY. */
  locate(row: KeyedRow): Place {
    const byName = new Map(Object.entries(row).map(([name, key]) => [name.toLowerCase(), key]));
    const keys = this.by.map((name) => {
      const key = byName.get(name.toLowerCase());
      if (key === undefined) throw missingKey(name);
      return key;
    });
    return this.place(this.cellFinder(this.by)(keys));
  }

  /** The physical table of a key, for a layout that one column decides. Throws ROWFERRY_ROUTE_KEY. */
  locateKey(key: RouteKey): Place {
    const [name, ...others] = this.by;
    if (others.length > 0) {
      throw new RowferryError('ROWFERRY_ROUTE_KEY', `the layout needs values of ${this.by.join(' and ')}`, {
        hint: 'give each of them by its name',
      });
    }
    return this.locate(name === undefined ? {} : { [name]: key });
  }

  /** The physical table that holds a pair of slots. Throws ROWFERRY_ROUTE_KEY for rules without slots. */
  locateSlots(slots: { readonly database: number; readonly table: number }): Place {
    const target = slotIndex(this.shards, slots.database);
    const table = slotIndex(this.tables, slots.table);
    return this.place(this.cell(target, table));
  }

  /** Number of the cell of a target and a table. */
  cell(targetIndex: number, tableIndex: number): number {
    return tableIndex * this.spec.targets.length + targetIndex;
  }

  place(cell: number): Place {
    let place = this.#places[cell];
    if (place === undefined) {
      const { targets } = this.spec;
      const target = targets[cell % targets.length]!;
      this.#places[cell] = place = { target, table: this.tableAt(Math.floor(cell / targets.length)) };
    }
    return place;
  }

  /** The physical table's name for an index of the table level. */
  tableAt(index: number): string {
    const { to, tables } = this.spec;
    if (tables === null || this.tables === null) return to;
    return `${to}${tables.separator ?? '_'}${suffixOf(this.tables.label(index), tables.digits ?? 2)}`;
  }

  /** Every physical table; of an open-ended table level the first `tableCount` tables. */
  places(tableCount?: number): readonly Place[] {
    const count = this.tables === null ? 1 : (this.tables.count ?? tableCount ?? 0);
    return Array.from({ length: count * this.spec.targets.length }, (_, cell) => this.place(cell));
  }

  /**
   * A function from a row to its cell. `columns` names the values of the rows by position; `decode` makes a key of the value
   * at a position, where the row's form is not the key's. Throws ROWFERRY_ROUTE_KEY when a sharding column is not among them.
   */
  cellFinder(
    columns: readonly string[],
    decode: Decoders = NO_DECODERS,
  ): (row: readonly RouteKey[]) => number {
    const target = indexFinder(this.shards, columns, decode);
    const table = indexFinder(this.tables, columns, decode);
    const count = this.spec.targets.length;
    return (row) => table(row) * count + target(row);
  }
}

/** 4 -> `04`, a text as it is. */
export function suffixOf(label: number | string, digits: number): string {
  return typeof label === 'number' ? String(label).padStart(digits, '0') : label;
}

/** By position of the value in a row. */
export type Decoders = ReadonlyMap<number, (value: RouteKey) => RouteKey>;

const NO_DECODERS: Decoders = new Map();

function indexFinder(
  rule: ShardRule | null,
  columns: readonly string[],
  decoders: Decoders,
): (row: readonly RouteKey[]) => number {
  if (rule === null) return () => 0;
  const positions = rule.by.map((name) => {
    const position = columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
    if (position < 0) throw missingKey(name);
    return position;
  });
  const keyAt = (row: readonly RouteKey[], position: number): RouteKey => {
    const value = row[position] ?? null;
    const decode = decoders.get(position);
    return decode === undefined ? value : decode(value);
  };
  const [first = 0] = positions;
  const isPlain = positions.length === 1 && !decoders.has(first);
  const find = isPlain
    ? (row: readonly RouteKey[]) => rule.indexOf(row[first] ?? null)
    : (row: readonly RouteKey[]) => rule.indexOf(...positions.map((position) => keyAt(row, position)));
  return (row) => {
    try {
      return find(row);
    } catch (error) {
      throw error instanceof RowferryError ? error.at({ column: rule.by.join(', ') }) : error;
    }
  };
}

function slotIndex(rule: ShardRule | null, slot: number): number {
  if (rule === null) return 0;
  if (rule.indexOfSlot === undefined) {
    throw new RowferryError('ROWFERRY_ROUTE_KEY', `${rule.spec.algorithm} knows no slots`, {
      hint: 'a business number carries slots: it routes by segments and slot-map rules only',
    });
  }
  return rule.indexOfSlot(slot);
}

function checkTargets({ targets, shards: spec }: LayoutSpec, rule: ShardRule | null): void {
  const problem = (message: string, hint: string): never => {
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', message, { hint });
  };
  if (new Set(targets).size !== targets.length) problem('a target is named twice', 'name each once');
  if (rule === null) {
    if (targets.length !== 1) problem('several targets need a rule that shares the rows', 'add a rule');
  } else if (rule.count !== targets.length) {
    const count = rule.count ?? 'any number of';
    problem(
      `${spec?.algorithm} gives ${count} shards for ${targets.length} targets`,
      'name one target for each shard',
    );
  }
}

function missingKey(name: string): RowferryError {
  return new RowferryError('ROWFERRY_ROUTE_KEY', `there is no column ${name} to shard by`, {
    where: { column: name },
    hint: 'correct "by" of the rule; rows written before a renaming need the old name',
  });
}

function distinct(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => {
    const isNew = !seen.has(name.toLowerCase());
    seen.add(name.toLowerCase());
    return isNew;
  });
}
