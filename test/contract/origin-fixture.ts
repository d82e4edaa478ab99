/** Two source tables that are written to one target table, for the contract suite. */
import type { TestContext } from 'vitest';
import type { Table, WireValue } from '../../src/model/table.ts';
import type { TableWriter, Target } from '../../src/targets/target.ts';
import {
  batch,
  contractDatabase,
  NEVER,
  nextOf,
  openedTarget,
  P0,
  P1,
  tableBatch,
  writerOf,
} from './target-fixture.ts';
import type { ContractDatabase, EngineName } from './target-fixture.ts';

export const A = 'a:shop.users';
export const B = 'b:shop.users';

/** The shape that apply makes of a source table: its columns, and the origin. */
export function users(value: string, more: Partial<Table> = {}): Table {
  return {
    schema: 'shop',
    name: 'users',
    columns: [
      { name: 'id', type: 'bigint' },
      { name: 'email', type: 'varchar' },
      { name: 'origin', type: 'varchar' },
    ],
    key: [0],
    origin: { column: 2, value },
    ...more,
  };
}

export const COLUMNS = 'id bigint NOT NULL PRIMARY KEY, email varchar(20), origin varchar(200)';
export const PLAIN = `CREATE TABLE users (${COLUMNS})`;
export const UNIQUE = `CREATE TABLE users (${COLUMNS}, UNIQUE (email))`;
export const FORMS: readonly (readonly [string, string])[] = [
  ['without other unique keys', PLAIN],
  ['with another unique key', UNIQUE],
];
/** What a row waits for whose key another source has. */
export const FOREIGN_KEY = 'a row with this key came from another source';

/** What a batch answers in which rows of these ids met their key with another origin. */
export function waiting(from: WriterName, ...ids: readonly string[]): object {
  const origin = from === 'a' ? A : B;
  const reason = 'conflict';
  return { kind: 'done', parked: ids.map((id) => ({ key: [id], origin, reason, detail: FOREIGN_KEY })) };
}

export interface TwoSources {
  readonly database: ContractDatabase;
  readonly target: Target;
  readonly a: TableWriter;
  readonly b: TableWriter;
  /** One batch of one source: `a` writes partition 0, `b` partition 1. */
  readonly write: (
    from: WriterName,
    work: Parameters<typeof tableBatch>[1],
    onBadRow?: 'stop' | 'park',
  ) => Promise<unknown>;
  readonly rows: () => Promise<(string | null)[][]>;
  /** Tries every parked entry once; how it went, oldest entry first. */
  readonly retry: () => Promise<string[]>;
}
export type WriterName = 'a' | 'b';

export async function twoSources(
  context: TestContext,
  engine: EngineName,
  create: string,
  shape: (value: string) => Table = users,
): Promise<TwoSources> {
  const database = await contractDatabase(context, engine);
  await database.exec(create);
  const target = await openedTarget(database.url);
  const writers = { a: await writerOf(target, shape(A)), b: await writerOf(target, shape(B)) };
  await target.claim(P0, 1);
  await target.claim(P1, 1);
  const partitions = { a: P0, b: P1 };
  return {
    database,
    target,
    ...writers,
    write: async (from, work, onBadRow = 'stop') => {
      const id = partitions[from];
      const next = (await nextOf(target, id)) ?? 0;
      const tables = [tableBatch(writers[from], work)];
      return await target.write(batch(next, next + 1, tables, { id, onBadRow }), NEVER);
    },
    rows: () => database.rows('SELECT id, email, origin FROM users ORDER BY id, origin'),
    retry: async () => {
      const outcomes: string[] = [];
      for (const entry of await target.parked()) outcomes.push(await target.retryParked(entry, 1, NEVER));
      return outcomes;
    },
  };
}

export const row = (from: WriterName, id: string, email: string): WireValue[] => [
  id,
  email,
  from === 'a' ? A : B,
];
export const stored = (from: WriterName, id: string, email: string): string[] => [
  id,
  email,
  from === 'a' ? A : B,
];
export const DONE = { kind: 'done', parked: [] };

/** The same table, its origin compared without case, accents and, at MySQL, spaces at the end. */
export function looseOrigin(engine: EngineName, create: string): string {
  return engine === 'postgres'
    ? `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false); ${create}`
    : create.replace(
        'origin varchar(200)',
        'origin varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
      );
}
