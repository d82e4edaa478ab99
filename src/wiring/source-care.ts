/** Whom a copy should spare now: a source that is busy, replicas that are behind; and the hours for it. */
import type { DatabaseUrl, ReplicaSettings, SnapshotSettings, SourceSettings } from '../config/config.ts';
import type { MysqlRow } from '../drivers/mysql.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { toRowferryError } from '../errors.ts';
import type { ThrottleCause, ThrottleSignal } from '../runtime/throttle.ts';

/** Below this part of a limit things are calm again. */
const CALM = 0.8;
/** A server that does not answer for so long is spared; nobody waits longer for it, not at the end either. */
const ANSWER_MS = 5_000;

export class SourceCare {
  readonly #source: SourceSettings;
  readonly #settings: SnapshotSettings;
  readonly #connections = new Map<string, MysqlConnection>();
  /** The statement that each replica understands. */
  readonly #statements = new Map<string, string>();

  constructor(source: SourceSettings, settings: SnapshotSettings) {
    this.#source = source;
    this.#settings = settings;
  }

  /** Why nothing may be copied now, in words for the operator; null when it may. */
  closed(now = new Date()): string | null {
    const { hours } = this.#settings;
    const isOpen = hours === null || isWithin(hours, now.getHours() * 60 + now.getMinutes());
    return isOpen ? null : 'it is not the time of day for it (snapshot.hours)';
  }

  /** How the source and its replicas are. A server that does not answer is to be spared. */
  async signals(): Promise<ThrottleSignal[]> {
    return (
      await Promise.all([
        this.#threads(),
        ...this.#source.replicas.map(async (replica) => await this.#lagOf(replica)),
      ])
    ).flat();
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.destroy();
    this.#connections.clear();
  }

  async #threads(): Promise<ThrottleSignal[]> {
    const { threadsRunning: most } = this.#settings;
    if (most === null) return [];
    const name = `source ${this.#source.name}`;
    const look = async (connection: MysqlConnection): Promise<ThrottleSignal> =>
      threadsSignal(name, (await connection.query("SHOW GLOBAL STATUS LIKE 'Threads_running'")).rows, most);
    return [await this.#ask(name, this.#source.url, 'source-threads', look)];
  }

  async #lagOf({ name: replica, url }: ReplicaSettings): Promise<ThrottleSignal> {
    const name = `replica ${replica}`;
    return await this.#ask(name, url, 'replica-lag', async (connection) => {
      let statement = this.#statements.get(name);
      if (statement === undefined) {
        const [row] = (await connection.query('SELECT VERSION() AS version')).rows;
        statement = replicaStatement(row?.['version'] ?? '');
        this.#statements.set(name, statement);
      }
      return replicaSignal(name, (await connection.query(statement)).rows, this.#settings.replicaLagMs);
    });
  }

  async #ask(
    name: string,
    url: DatabaseUrl,
    cause: ThrottleCause,
    look: (connection: MysqlConnection) => Promise<ThrottleSignal>,
  ): Promise<ThrottleSignal> {
    try {
      let connection = this.#connections.get(name);
      if (connection?.isUsable !== true) {
        connection = await MysqlConnection.connect({
          url,
          side: 'source',
          where: { source: this.#source.name },
          session: [],
          connectTimeoutMs: ANSWER_MS,
          queryTimeoutMs: ANSWER_MS,
        });
        this.#connections.set(name, connection);
      }
      return await look(connection);
    } catch (thrown) {
      const error = toRowferryError(thrown, 'looking at a server');
      return unknown(cause, `${name} does not answer: ${error.describe()}`);
    }
  }
}

function unknown(cause: ThrottleCause, what: string): ThrottleSignal {
  return { cause, value: Infinity, slowAbove: 0, calmAt: 0, what };
}

/** NaN for NULL and for whatever is no number: `Number` takes nothing for 0, which would be calm. */
function numberIn(text: string | null | undefined): number {
  return /^\d+(\.\d+)?$/.test(text ?? '') ? Number(text) : NaN;
}

export function threadsSignal(name: string, [row]: readonly MysqlRow[], most: number): ThrottleSignal {
  const value = numberIn(row?.['Value']);
  if (!Number.isFinite(value)) return unknown('source-threads', `${name} does not tell Threads_running`);
  const what = `${name} runs ${value} threads, more than ${most}`;
  // Whoever asks runs as a thread, too: no source is calmer than 1.
  const calmAt = Math.max(1, Math.floor(most * CALM));
  return { cause: 'source-threads', value, slowAbove: most, calmAt, what };
}

/** MySQL changed its words in 8.0.22 and dropped the old ones in 8.4; MariaDB shows connections with names in its own way only. */
export function replicaStatement(version: string): string {
  if (version.includes('MariaDB')) return 'SHOW ALL SLAVES STATUS';
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const isOld = major < 8 || (major === 8 && minor === 0 && patch < 22);
  return isOld ? 'SHOW SLAVE STATUS' : 'SHOW REPLICA STATUS';
}

/** One row a channel: the one that is furthest behind counts, and one that stands still more than any. */
export function replicaSignal(name: string, rows: readonly MysqlRow[], mostMs: number): ThrottleSignal {
  const cause = 'replica-lag';
  const lags = rows.map((row) => row['Seconds_Behind_Source'] ?? row['Seconds_Behind_Master'] ?? null);
  if (lags.length === 0) return unknown(cause, `${name} is no replica`);
  if (lags.includes(null)) return unknown(cause, `${name} does not replicate`);
  const seconds = Math.max(...lags.map(numberIn));
  if (!Number.isFinite(seconds)) return unknown(cause, `${name} does not tell how far it is behind`);
  const what = `${name} is ${seconds} s behind`;
  return { cause, value: seconds * 1_000, slowAbove: mostMs, calmAt: mostMs * CALM, what };
}

/** Whether a minute of the day lies within hours that may go past midnight. */
export function isWithin(
  { from, to }: { readonly from: number; readonly to: number },
  minute: number,
): boolean {
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
