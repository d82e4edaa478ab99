/**
 * Writes the heartbeat row while this process leads its source's capture, also while that is paused or its link is broken: what
 * is read later is dated by it. Never stops anything. While it cannot write no row comes, and lag grows (`Horizon`).
 */
import type { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { ErrorWhere } from '../errors.ts';
import { sleep } from '../runtime/backoff.ts';
import type { Outage } from '../runtime/outages.ts';
import type { HeartbeatOwner } from './heartbeat-row.ts';
import { CREATE_HEARTBEAT_TABLE, FIND_HEARTBEAT_TABLE, writeHeartbeat } from './heartbeat-row.ts';
import { LEAVE_OWN_SCHEMA } from './mark.ts';
import type { SourceQuery } from './source-query.ts';
import type { SourceClock } from './source-clock.ts';
import { askTime } from './source-clock.ts';

interface HeartbeatWriterOptions extends HeartbeatOwner {
  readonly everyMs: number;
  /** Opens a connection whose statements are given up soon. */
  readonly connect: () => Promise<MysqlConnection>;
  readonly leads: () => boolean;
  /** Of the server that is written to. */
  readonly clock: SourceClock;
  readonly outage: Outage;
}

/** How often the server is asked for its time. */
const CLOCK_MS = 60_000;

export class HeartbeatWriter {
  readonly #options: HeartbeatWriterOptions;
  #connection: MysqlConnection | undefined;
  #askedMs = -Infinity;

  constructor(options: HeartbeatWriterOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, leads, outage } = this.#options;
    try {
      while (!signal.aborted) {
        const begunMs = performance.now();
        let waitMs = everyMs;
        if (leads()) {
          try {
            await this.#write();
            outage.over();
          } catch (thrown) {
            if (signal.aborted) return;
            this.#close();
            waitMs = Math.max(everyMs, outage.failed(toRowferryError(thrown, 'writing the heartbeat row')));
          }
        } else {
          this.#close();
          outage.close();
        }
        await sleep(Math.max(0, waitMs - (performance.now() - begunMs)), signal);
      }
    } finally {
      this.#close();
      outage.close();
    }
  }

  async #write(): Promise<void> {
    const connection = (this.#connection ??= await this.#open());
    const { clock } = this.#options;
    if (performance.now() - this.#askedMs >= CLOCK_MS) {
      await askTime(async (sql) => (await connection.query(sql)).rows, clock);
      this.#askedMs = performance.now();
    }
    const where = whereOf(this.#options);
    try {
      const { affectedRows } = await connection.query(writeHeartbeat(this.#options));
      if (affectedRows === 0) throw readOnly(where);
    } catch (error) {
      if (!connection.isUsable) throw error;
      // A server that was made read-only says so in words that do not say what to do.
      const query: SourceQuery = async (sql) => (await connection.query(sql)).rows;
      await refuseObstacles(query, where);
      throw refused(error, where);
    }
  }

  async #open(): Promise<MysqlConnection> {
    const connection = await this.#options.connect();
    try {
      const query: SourceQuery = async (sql) => (await connection.query(sql)).rows;
      await prepareHeartbeat(query, whereOf(this.#options));
      this.#askedMs = -Infinity;
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  #close(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }
}

/** Looks whether the row can be written, and writes nothing. Throws ROWFERRY_SOURCE_PREFLIGHT or _ACCESS. */
export async function checkHeartbeat(query: SourceQuery, owner: HeartbeatOwner): Promise<void> {
  const where = whereOf(owner);
  await refuseObstacles(query, where);
  try {
    if ((await query(FIND_HEARTBEAT_TABLE)).length > 0) await query(`EXPLAIN ${writeHeartbeat(owner)}`);
  } catch (error) {
    throw refused(error, where);
  }
}

async function prepareHeartbeat(query: SourceQuery, where: ErrorWhere): Promise<void> {
  await refuseObstacles(query, where);
  try {
    // An account that may only write there need not be able to create it.
    if ((await query(FIND_HEARTBEAT_TABLE)).length > 0) return;
    for (const sql of [...CREATE_HEARTBEAT_TABLE, LEAVE_OWN_SCHEMA]) await query(sql);
  } catch (error) {
    throw refused(error, where);
  }
}

async function refuseObstacles(query: SourceQuery, where: ErrorWhere): Promise<void> {
  const rows = await query("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'binlog_format')");
  const variables = new Map(rows.map((row) => [row['Variable_name'], row['Value']]));
  if (variables.get('read_only') !== 'OFF') throw readOnly(where);
  const format = variables.get('binlog_format') ?? 'ROW';
  if (format === 'ROW') return;
  throw new RowferryError(
    'ROWFERRY_SOURCE_PREFLIGHT',
    'the heartbeat row would not come by as a row: binlog_format of the server that it is written at is not ROW',
    { where, hint: 'SET GLOBAL binlog_format = ROW there, and in its my.cnf' },
  );
}

function readOnly(where: ErrorWhere): RowferryError {
  return new RowferryError(
    'ROWFERRY_SOURCE_PREFLIGHT',
    'the heartbeat row cannot be written: the server is read-only (read_only, super_read_only)',
    {
      where,
      hint: 'of a source that is a replica, give the URL of its primary as heartbeatRow.url; otherwise make the server writable, or set heartbeatRow to false',
    },
  );
}

function refused(thrown: unknown, where: ErrorWhere): unknown {
  if (!(thrown instanceof RowferryError) || thrown.action === 'retry') return thrown;
  return new RowferryError(thrown.code, `the heartbeat row cannot be written: ${thrown.message}`, {
    where: { ...thrown.where, ...where },
    hint: 'GRANT CREATE, SELECT, INSERT, UPDATE ON rowferry.* to the account that writes it',
    cause: thrown,
  });
}

function whereOf({ source }: HeartbeatOwner): ErrorWhere {
  return { source, table: 'rowferry.heartbeat' };
}
