import { SNAPSHOT_SESSION, SnapshotReader } from '../../src/capture/snapshot-reader.ts';
import type { KeyValues } from '../../src/capture/snapshot-sql.ts';
import { describeSnapshotTable } from '../../src/capture/snapshot-table.ts';
import type { SnapshotTable } from '../../src/capture/snapshot-table.ts';
import { Secret } from '../../src/config/secret.ts';
import { MysqlConnection } from '../../src/drivers/mysql.ts';
import type { Row, Table } from '../../src/model/table.ts';
import type { TestServer } from '../support/global-setup.ts';

export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export function never(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

/** A connection as a snapshot wants it, whatever was set `before`. */
export function openSnapshot(server: TestServer, before: readonly string[] = []): Promise<MysqlConnection> {
  return MysqlConnection.connect({
    url: {
      engine: 'mysql',
      host: server.host,
      port: server.port,
      user: server.user,
      password: new Secret(server.password),
      database: '',
      tls: null,
    },
    side: 'source',
    where: { source: 'test' },
    session: [...before, ...SNAPSHOT_SESSION],
  });
}

/** A table as it travels, whoever described it: only a table map tells how much a column holds. */
export function travelling(table: Table | undefined): Table | undefined {
  if (table === undefined) return undefined;
  const columns = table.columns.map(({ name, type, compares }) =>
    compares === undefined ? { name, type } : { name, type, compares },
  );
  return { ...table, columns };
}

export async function describeOn(
  server: TestServer,
  schema: string,
  name: string,
  before: readonly string[] = [],
  declared?: readonly string[],
): Promise<SnapshotTable> {
  const connection = await openSnapshot(server, before);
  try {
    const query = async (sql: string) => (await connection.query(sql)).rows;
    return await describeSnapshotTable(query, schema, name, declared);
  } finally {
    connection.destroy();
  }
}

export async function withReader<T>(
  server: TestServer,
  work: (reader: SnapshotReader) => Promise<T>,
): Promise<T> {
  const reader = new SnapshotReader(() => openSnapshot(server));
  try {
    return await work(reader);
  } finally {
    reader.close();
  }
}

export interface Walk {
  readonly rowsPerChunk: number;
  readonly limitBytes?: number;
  readonly between?: () => Promise<void>;
}

/** All rows, chunk by chunk; keys pass through JSON at every step, as after a restart. */
export async function walk(
  reader: SnapshotReader,
  table: SnapshotTable,
  { rowsPerChunk, limitBytes = NO_LIMIT, between }: Walk,
): Promise<Row[]> {
  const signal = never();
  const rows: Row[] = [];
  const last = await reader.lastKey(table, signal);
  if (last === null) return rows;
  const to = saved(last);
  let after: KeyValues | null = null;
  for (;;) {
    const end: KeyValues = saved(await reader.boundary(table, { after, to }, rowsPerChunk, signal));
    let from: KeyValues | null = after;
    for (;;) {
      const chunk = await reader.read(table, { range: { after: from, to: end }, limitBytes }, signal);
      rows.push(...chunk.rows);
      if (chunk.last === null) break;
      from = saved(chunk.last);
    }
    if (JSON.stringify(end) === JSON.stringify(to)) return rows;
    after = end;
    await between?.();
  }
}

function saved(key: KeyValues): KeyValues {
  return JSON.parse(JSON.stringify(key)) as KeyValues;
}

/** The whole table at once. */
export async function readWhole(reader: SnapshotReader, table: SnapshotTable): Promise<readonly Row[]> {
  const signal = never();
  const to = await reader.lastKey(table, signal);
  if (to === null) return [];
  return (await reader.read(table, { range: { after: null, to }, limitBytes: NO_LIMIT }, signal)).rows;
}
