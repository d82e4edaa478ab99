/** Histories of rows that source tables hand to and fro: what each source's log says, and which rows are there at the end. */
import type { Change } from '../../src/model/change.ts';
import type { Row, Table } from '../../src/model/table.ts';

export const SOURCES = ['a', 'b'] as const;
export const TARGETS = ['t0', 't1'] as const;
export const TABLES = ['users_0', 'users_1'] as const;

const sourceTable = (name: string): Table => ({
  schema: 'shop',
  name,
  key: [0],
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'email', type: 'varchar' },
    { name: 'shard', type: 'int' },
    { name: 'part', type: 'int' },
  ],
});

/** Source tables by index of their source: two of one partition, which share batches, and one of another. */
const ORIGINS = [
  { source: 0, table: sourceTable('users') },
  { source: 0, table: sourceTable('clients') },
  { source: 1, table: sourceTable('users') },
] as const;
type Origin = (typeof ORIGINS)[number];

const IDS = ['1', '2', '3', '4', '5'];
const EMAILS = ['u', 'v', 'w', 'x', 'y', 'z'];
const CHANGES = 40;

export interface Random {
  /** A whole number from 0. */
  below(end: number): number;
  pick<T>(items: readonly T[]): T;
}

/** The same numbers for the same seed. */
export function random(seed: number): Random {
  let state = seed;
  const below = (end: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % end;
  };
  return { below, pick: (items) => items[below(items.length)]! };
}

export interface History {
  /** Changes of each source, in order. */
  readonly logs: readonly (readonly Change[])[];
  /** `target table id email origin` of each row that is there at the end, sorted. */
  readonly end: readonly string[];
}

interface Live {
  readonly origin: Origin;
  readonly email: string;
  readonly shard: number;
  readonly part: number;
}

/** Rows come, change, move and go; one that is gone may come again from another table. Keys and emails are never held twice. */
export function handOvers(rand: Random): History {
  const live = new Map<string, Live>();
  const logs: Change[][] = SOURCES.map(() => []);
  const change = (id: string, before: Live | undefined, after: Live | undefined): void => {
    const { source, table } = (after ?? before)!.origin;
    const log = logs[source]!;
    const sequence = { file: 1, end: log.length + 1, half: 0 } as const;
    log.push({ table, before: rowOf(id, before), after: rowOf(id, after), timeMs: 0, sequence });
    if (after === undefined) live.delete(id);
    else live.set(id, after);
  };
  for (let i = 0; i < CHANGES; i++) {
    const id = rand.pick(IDS);
    const row = live.get(id);
    const held = new Set([...live.values()].map(({ email }) => email));
    const free = EMAILS.filter((email) => !held.has(email));
    if (row === undefined) {
      const [shard, part] = [rand.below(2), rand.below(2)];
      change(id, undefined, { origin: rand.pick(ORIGINS), email: rand.pick(free), shard, part });
    } else if (rand.below(3) === 0) {
      change(id, row, undefined);
    } else if (rand.below(2) === 0) {
      change(id, row, { ...row, email: rand.pick(free) });
    } else {
      change(id, row, { ...row, shard: rand.below(2), part: rand.below(2) });
    }
  }
  const end = [...live].map(([id, { origin, email, shard, part }]) =>
    [TARGETS[shard], TABLES[part], id, email, `${SOURCES[origin.source]}:shop.${origin.table.name}`].join(
      ' ',
    ),
  );
  return { logs, end: end.toSorted() };
}

function rowOf(id: string, row: Live | undefined): Row | null {
  return row === undefined ? null : [id, row.email, row.shard, row.part];
}
