/** The heartbeat row of one source: its writer, and how it is read. */
import type { HeartbeatOwner } from '../capture/heartbeat-row.ts';
import { isHeartbeatTable, readHeartbeat } from '../capture/heartbeat-row.ts';
import { checkHeartbeat, HeartbeatWriter } from '../capture/heartbeat-writer.ts';
import type { HeartbeatTimes } from '../capture/source-clock.ts';
import { SourceClock } from '../capture/source-clock.ts';
import type { HeartbeatRowSettings, SourceSettings } from '../config/config.ts';
import type { RowsEvent } from '../drivers/binlog-event.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import type { Log } from '../model/log.ts';
import type { OutageStatus } from '../runtime/outages.ts';
import { Outages } from '../runtime/outages.ts';

/** A server that does not answer for so long is tried anew. */
const ANSWER_MS = 5_000;
/**
 * Shorter than that: a statement that waits for a lock does not see that its client is gone, and each new try would leave one
 * more of them at the server.
 */
const SHORT_LOCKS = 'SET SESSION lock_wait_timeout = 3, innodb_lock_wait_timeout = 3';
/** Lag grows until the row comes again: nobody waits long to try. */
const LONGEST_WAIT_MS = 4_000;

export class HeartbeatRows {
  readonly #source: SourceSettings;
  readonly #row: HeartbeatRowSettings | null;
  readonly #owner: HeartbeatOwner;
  readonly #outages: Outages;
  /** Of the server that is written to. */
  readonly #clock: SourceClock;

  /** `clock` is that of the source. */
  constructor(pipeline: string, source: SourceSettings, clock: SourceClock, log: Log) {
    this.#source = source;
    this.#row = source.heartbeatRow;
    this.#owner = { pipeline, source: source.name };
    this.#outages = new Outages({ maxMs: LONGEST_WAIT_MS, log });
    this.#clock = this.#row?.isElsewhere === true ? new SourceClock(log) : clock;
  }

  get outages(): OutageStatus[] {
    return this.#outages.current;
  }

  /** For the times of what is read; undefined where no row is written. */
  get times(): HeartbeatTimes | undefined {
    const row = this.#row;
    if (row === null) return undefined;
    const of = (event: RowsEvent): number | undefined => this.writtenMs(event);
    return { everyMs: this.#source.heartbeatMs, isElsewhere: row.isElsewhere, of };
  }

  /** Whether the table's rows are to be read. */
  wants(schema: string, table: string): boolean {
    return this.#row !== null && isHeartbeatTable(schema, table);
  }

  /** When our row was written, by this machine's clock; undefined for any other row. */
  writtenMs(event: RowsEvent): number | undefined {
    if (!this.wants(event.table.schema, event.table.name)) return undefined;
    const writtenMs = readHeartbeat(event, this.#owner);
    return writtenMs === undefined ? undefined : this.#clock.localMs(writtenMs, Date.now());
  }

  /** Writes it while `leads` until the signal aborts, where one is to be written. */
  async write(leads: () => boolean, signal: AbortSignal): Promise<void> {
    const row = this.#row;
    if (row === null) return;
    const { name, heartbeatMs } = this.#source;
    await new HeartbeatWriter({
      ...this.#owner,
      everyMs: heartbeatMs,
      connect: async () => await connectTo(row, name),
      leads,
      clock: this.#clock,
      outage: this.#outages.of(`heartbeat row ${name}`, { atOnce: true }),
    }).run(signal);
  }
}

/** Looks whether a source's row can be written, and writes nothing. Throws what keeps it from being written. */
export async function checkHeartbeatRow(
  pipeline: string,
  source: string,
  row: HeartbeatRowSettings,
): Promise<void> {
  const connection = await connectTo(row, source);
  try {
    await checkHeartbeat(async (sql) => (await connection.query(sql)).rows, { pipeline, source });
  } finally {
    connection.destroy();
  }
}

async function connectTo({ url }: HeartbeatRowSettings, source: string): Promise<MysqlConnection> {
  return await MysqlConnection.connect({
    url,
    side: 'source',
    where: { source },
    session: [SHORT_LOCKS],
    connectTimeoutMs: ANSWER_MS,
    queryTimeoutMs: ANSWER_MS,
  });
}
