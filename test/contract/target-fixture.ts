/** What the contract suite needs of an engine, and short forms for batches. */
import { onTestFinished } from 'vitest';
import type { TestContext } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { parseDatabaseUrl } from '../../src/config/database-url.ts';
import type { DatabaseUrl } from '../../src/config/config.ts';
import type { Log } from '../../src/model/log.ts';
import type { Table, WireValue } from '../../src/model/table.ts';
import { openTarget } from '../../src/targets/open-target.ts';
import type { OpenTargetOptions } from '../../src/targets/open-target.ts';
import type {
  KeyValues,
  PartitionId,
  PartitionSequence,
  RowWrite,
  TableBatch,
  TableWriter,
  Target,
  WriteBatch,
} from '../../src/targets/target.ts';
import { mysqlDatabase, postgresDatabase, testServers } from '../support/servers.ts';

export type EngineName = 'mysql' | 'mariadb' | 'postgres';

export interface ContractDatabase {
  readonly engine: EngineName;
  readonly url: string;
  /** Runs one statement on a connection that is not the target's. */
  readonly exec: (sql: string) => Promise<void>;
  /** Rows as text, NULL as null. */
  readonly rows: (sql: string) => Promise<(string | null)[][]>;
  /** A connection of its own, for locks; released after the test. */
  session(): Promise<{ exec(sql: string): Promise<void> }>;
}

/** An empty database for one test. */
export async function contractDatabase(test: TestContext, engine: EngineName): Promise<ContractDatabase> {
  if (engine === 'postgres') {
    const { pool, url } = await postgresDatabase(test);
    return {
      engine,
      url,
      exec: async (sql) => void (await pool.query(sql)),
      rows: async (sql) => {
        const { rows } = await pool.query<unknown[]>({ text: sql, rowMode: 'array' });
        return rows.map((row) => row.map(asText));
      },
      session: async () => {
        const client = await pool.connect();
        onTestFinished(() => client.release(true));
        return { exec: async (sql) => void (await client.query(sql)) };
      },
    };
  }
  const { shard, mariadb } = testServers();
  const { pool, url } = await mysqlDatabase(test, engine === 'mysql' ? shard : mariadb);
  return {
    engine,
    url,
    exec: async (sql) => void (await pool.query(sql)),
    rows: async (sql) => {
      const [rows] = await pool.query({ sql, rowsAsArray: true });
      return (rows as unknown[][]).map((row) => row.map(asText));
    },
    session: async () => {
      const connection = await pool.getConnection();
      onTestFinished(() => connection.destroy());
      return { exec: async (sql) => void (await connection.query(sql)) };
    },
  };
}

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export const silentLog: Log = { debug: noop, info: noop, warn: noop, error: noop };
function noop(): void {}

export function databaseUrl(url: string): DatabaseUrl {
  const parsed = parseDatabaseUrl(url, 'target');
  if ('wrong' in parsed) throw new Error(parsed.wrong);
  return { ...parsed.value, tls: null };
}

/** Opens a target on the database, closed after the test. */
export async function openedTarget(
  url: string,
  options: Partial<Omit<OpenTargetOptions, 'url'>> = {},
): Promise<Target> {
  const target = openTarget({
    name: 'shard-1',
    pipeline: 'shop',
    connections: 4,
    zeroDates: 'stop',
    log: silentLog,
    ...options,
    url: databaseUrl(url),
  });
  onTestFinished(() => target.close());
  await target.open(new AbortController().signal);
  return target;
}

export const NEVER = new AbortController().signal;
export const P0: PartitionId = { topic: 'shop.changes', partition: 0 };
export const P1: PartitionId = { topic: 'shop.changes', partition: 1 };

export function sequence(end: number): PartitionSequence {
  return { epoch: 1, file: 1, end, half: 0 };
}

/** `id bigint primary key` and the columns of `item`, which every engine can create alike. */
export const ITEM: Table = {
  schema: 'shop',
  name: 'item',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'name', type: 'varchar' },
    { name: 'qty', type: 'int' },
  ],
  key: [0],
};
export const CREATE_ITEM =
  'CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name varchar(20), qty int NOT NULL)';

/** A table with a secondary unique key. */
export const ACCOUNT: Table = {
  schema: 'shop',
  name: 'account',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'email', type: 'varchar' },
  ],
  key: [0],
};
export const CREATE_ACCOUNT =
  'CREATE TABLE account (id bigint NOT NULL PRIMARY KEY, email varchar(20), UNIQUE (email))';

export async function writerOf(
  target: Target,
  source: Table,
  to: string = source.name,
): Promise<TableWriter> {
  const table = (await target.describe([to])).get(to);
  if (table === undefined) throw new Error(`no table ${to}`);
  return target.writer(source, table);
}

export interface TableWork {
  readonly deletes?: readonly KeyValues[];
  readonly upserts?: readonly (readonly WireValue[])[];
  readonly unpark?: readonly KeyValues[];
}

export function tableBatch(writer: TableWriter, work: TableWork): TableBatch {
  const upserts = (work.upserts ?? []).map((row, i): RowWrite => ({
    key: writer.key.map((position) => row[writer.columns[position]!.index] ?? null),
    row,
    sequence: sequence(i + 1),
  }));
  return { writer, deletes: work.deletes ?? [], upserts, unpark: work.unpark ?? [] };
}

export function batch(
  from: number,
  to: number,
  tables: readonly TableBatch[],
  options: Partial<Pick<WriteBatch, 'id' | 'owner' | 'onBadRow' | 'save'>> = {},
): WriteBatch {
  return {
    id: P0,
    owner: 1,
    expectNext: from,
    tables,
    save: { kind: 'next', next: to, sequence: sequence(to), sourceTimeMs: 1_700_000_000_000 + to },
    onBadRow: 'stop',
    ...options,
  };
}

/** A target on an empty database with one table, whose partition 0 is claimed by owner 1. */
export async function claimedTarget(
  test: TestContext,
  engine: EngineName,
  create: string,
  source: Table,
  options: Partial<Omit<OpenTargetOptions, 'url'>> = {},
): Promise<{ readonly database: ContractDatabase; readonly target: Target; readonly writer: TableWriter }> {
  const database = await contractDatabase(test, engine);
  await database.exec(create);
  const target = await openedTarget(database.url, options);
  const writer = await writerOf(target, source);
  await target.claim(P0, 1);
  return { database, target, writer };
}

export async function nextOf(target: Target, id: PartitionId = P0): Promise<number | undefined> {
  return (await target.watermarks()).find(
    ({ topic, partition }) => topic === id.topic && partition === id.partition,
  )?.next;
}

/** Waits until a session of this database waits for a lock. */
export async function lockWait(database: ContractDatabase, what: string): Promise<void> {
  // InnoDB shows its list anew only to someone who has not looked for 100 ms.
  await waitUntil(async () => (await lockWaits(database)) > 0, { what, intervalMs: 150 });
}

/** How many sessions of this database wait for a lock. */
async function lockWaits({ engine, rows }: ContractDatabase): Promise<number> {
  const sql =
    engine === 'postgres'
      ? "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
      : `SELECT count(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p
         ON p.ID = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()`;
  return Number((await rows(sql))[0]?.[0]);
}

/** Kills the sessions that wait for a lock. */
export async function killWaiting({ engine, rows, exec }: ContractDatabase): Promise<void> {
  if (engine === 'postgres') {
    await exec(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return;
  }
  const waiting = await rows(
    `SELECT p.ID FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p
     ON p.ID = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()`,
  );
  for (const [id] of waiting) await exec(`KILL ${id}`);
}
