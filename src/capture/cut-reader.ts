/** Reads all of a table in one statement of one transaction, for tables without a key. */
import { DecodeFault } from '../drivers/binlog-cursor.ts';
import type { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import { quoteName } from '../model/mysql-literals.ts';
import type { Row } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import type { SnapshotTable } from './snapshot-table.ts';

/**
 * Whoever asks for the lock holds up later writers while it waits for earlier ones, so that it asks for a short time only. A
 * capture that is suspended in between must not keep it: the server ends its session.
 */
export const LOCK_SESSION: readonly string[] = [
  'SET SESSION lock_wait_timeout = 5, wait_timeout = 10, autocommit = 1',
];

export const CUT_SESSION: readonly string[] = [
  'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
  'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
];

/** Every row, in whatever order; the connection is gone when it ends. The server waits while nobody asks for the next row. */
export async function* readAll(
  connection: MysqlConnection,
  table: SnapshotTable,
  where: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Row, void, undefined> {
  const { plans, table: shape } = table;
  const list = plans.map(({ select }) => select).join(', ');
  // On a line of its own, so that a comment at its end does not swallow what follows.
  const filter = where === undefined ? '' : ` WHERE (${where}\n)`;
  const sql = `SELECT ${list} FROM ${quoteName(shape.schema)}.${quoteName(shape.name)}${filter}`;
  let column = 0;
  const readers = plans.map(({ read }, index) => (sent: Parameters<typeof read>[0]) => {
    column = index;
    return read(sent);
  });
  try {
    yield* connection.streamRows(sql, readers, signal);
  } catch (error) {
    if (!(error instanceof DecodeFault)) throw error;
    throw new RowferryError('ROWFERRY_SOURCE_DECODE', `a row of a snapshot holds ${error.message}`, {
      where: { table: tableName(shape), column: shape.columns[column]?.name ?? '' },
      hint: 'mend the value at the source; if the table was changed meanwhile, begin its snapshot anew',
      cause: error,
    });
  } finally {
    connection.destroy();
  }
}
