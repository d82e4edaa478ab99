/** Reads a table of the source in ranges of its key; rows have the wire form that the binlog gives the same rows. */
import { DecodeFault } from '../drivers/binlog-cursor.ts';
import type { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import { tableName } from '../model/table.ts';
import type { Row, WireValue } from '../model/table.ts';
import type { ColumnPlan } from './snapshot-columns.ts';
import { boundaryKeySql, chunkSql, extraKeys, lastKeySql } from './snapshot-sql.ts';
import type { KeyRange, KeyValues } from './snapshot-sql.ts';
import type { SnapshotTable } from './snapshot-table.ts';

/**
 * What a connection needs before it describes or reads: nothing here may depend on the server's own defaults, several of which
 * change or cut what a SELECT answers.
 */
export const SNAPSHOT_SESSION: readonly string[] = [
  'SET NAMES utf8mb4',
  // Each chunk sees what was committed when its own SELECT began.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  // Zero and invalid dates are keys like others; CHAR without its padding, backslashes in literals.
  `SET SESSION autocommit = 1, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', ` +
    'sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_safe_updates = 0, sql_buffer_result = 0, ' +
    // The server waits for a reader that is held up by Kafka or by a slow target.
    'net_write_timeout = 3600, net_read_timeout = 3600, wait_timeout = 28800, lock_wait_timeout = 60' +
    ' /*!80000 , max_execution_time = 0, information_schema_stats_expiry = 0 */' +
    ' /*M!100200 , max_statement_time = 0 */',
];

interface ChunkOptions {
  readonly range: KeyRange;
  /** No row is begun once the chunk's values have so many bytes; one row is always read. */
  readonly limitBytes: number;
  /** SQL over the table's columns: only rows for which it is true. */
  readonly where?: string;
}

export interface SnapshotChunk {
  /** In key order. */
  readonly rows: readonly Row[];
  /** About so many bytes in wire form. */
  readonly bytes: number;
  /** The key at which the limit stopped the reading: the rest lies after it. Null when the whole range was read. */
  readonly last: KeyValues | null;
}

/** One connection that reads one chunk at a time, opened when it is needed. */
export class SnapshotReader {
  readonly #connect: () => Promise<MysqlConnection>;
  #connection: MysqlConnection | undefined;

  /** `connect` opens a connection to the source with `SNAPSHOT_SESSION`. */
  constructor(connect: () => Promise<MysqlConnection>) {
    this.#connect = connect;
  }

  /** The last key in the index's order; null when the table is empty. */
  async lastKey(table: SnapshotTable, signal: AbortSignal): Promise<KeyValues | null> {
    return await this.#readKey(table, lastKeySql(table), signal);
  }

  /** The key that ends the first `rows` rows of a range: the range's own end when it has fewer. */
  async boundary(
    table: SnapshotTable,
    range: KeyRange,
    rows: number,
    signal: AbortSignal,
  ): Promise<KeyValues> {
    return (await this.#readKey(table, boundaryKeySql(table, range, rows), signal)) ?? range.to;
  }

  /**
   * Stopping at the limit or by the signal cuts the connection, since the server would send the rest of the range; the next
   * call opens another one.
   */
  async read(table: SnapshotTable, options: ChunkOptions, signal: AbortSignal): Promise<SnapshotChunk> {
    const { range, limitBytes, where } = options;
    const extra = extraKeys(table);
    const width = table.plans.length;
    const rows: WireValue[][] = [];
    let bytes = 0;
    let lastExtra: readonly WireValue[] = [];
    const sql = chunkSql(table, range, where);
    const complete = await this.#run(table, sql, [...table.plans, ...extra], signal, (row) => {
      if (extra.length > 0) lastExtra = row.splice(width);
      rows.push(row);
      bytes += sizeOf(row);
      return bytes < limitBytes;
    });
    return { rows, bytes, last: complete ? null : keyOfRow(table, rows.at(-1) ?? [], lastExtra) };
  }

  /** Idempotent. */
  close(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  async #readKey(table: SnapshotTable, sql: string, signal: AbortSignal): Promise<KeyValues | null> {
    let key: KeyValues | null = null;
    await this.#run(table, sql, table.key, signal, (row) => {
      key = row;
      return true;
    });
    return key;
  }

  /** False when `take` wanted no more. */
  async #run(
    table: SnapshotTable,
    sql: string,
    plans: readonly ColumnPlan[],
    signal: AbortSignal,
    take: (row: WireValue[]) => boolean,
  ): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#connection?.isUsable !== true) {
      this.close();
      this.#connection = await this.#connect();
    }
    let column = 0;
    const readers = plans.map(({ read }, index) => (sent: Parameters<typeof read>[0]) => {
      column = index;
      return read(sent);
    });
    try {
      return await this.#connection.readRows(sql, readers, take, signal);
    } catch (error) {
      if (!(error instanceof DecodeFault)) throw error;
      throw new RowferryError('ROWFERRY_SOURCE_DECODE', `a row of a snapshot holds ${error.message}`, {
        where: { table: tableName(table.table), column: table.table.columns[column]?.name ?? '' },
        hint: 'mend the value at the source; if the table was changed meanwhile, begin its snapshot anew',
        cause: error,
      });
    }
  }
}

/** A row's key as the statements take it: where its own value is not exact enough, what was read behind its columns. */
function keyOfRow({ key, plans }: SnapshotTable, row: Row, extra: readonly WireValue[]): KeyValues {
  let next = 0;
  return key.map(({ column, select }) => {
    const own = plans[column]?.select === select;
    return (own ? row[column] : extra[next++]) ?? null;
  });
}

const NUMBER_BYTES = 8;

/** About so many bytes in wire form. */
export function sizeOf(row: readonly WireValue[]): number {
  let bytes = 0;
  for (const value of row) bytes += typeof value === 'string' ? value.length : NUMBER_BYTES;
  return bytes;
}
