/** Whether a source should be spared now: too busy, replicas behind, or not the hours for it (CPY-7, CPY-10). */
import type { DatabaseUrl, ReplicaSettings, SnapshotSettings, SourceSettings } from '../config/config.ts';
import type { MysqlRow } from '../drivers/mysql.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { toRowferryError } from '../errors.ts';

/** A look is good for so long: the copy asks before every chunk. */
const LOOK_MS = 1_000;
/** A server that does not answer for so long is a reason to wait; nobody waits longer for it, not at the end either. */
const ANSWER_MS = 5_000;

export class SourceCare {
  readonly #source: SourceSettings;
  readonly #settings: SnapshotSettings;
  readonly #connections = new Map<string, MysqlConnection>();
  /** The statement that each replica understands. */
  readonly #statements = new Map<string, string>();
  #lookedMs = -Infinity;
  #reason: string | null = null;

  constructor(source: SourceSettings, settings: SnapshotSettings) {
    this.#source = source;
    this.#settings = settings;
  }

  /** Why the copy should wait, in words for the operator; null when it may go on. A server that does not answer is a reason. */
  async reason(now = new Date()): Promise<string | null> {
    const { hours } = this.#settings;
    if (hours !== null && !isWithin(hours, now.getHours() * 60 + now.getMinutes())) {
      return 'it is not the time of day for it (snapshot.hours)';
    }
    if (performance.now() - this.#lookedMs < LOOK_MS) return this.#reason;
    this.#reason = (await this.#busy()) ?? (await this.#behind());
    this.#lookedMs = performance.now();
    return this.#reason;
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.destroy();
    this.#connections.clear();
  }

  async #busy(): Promise<string | null> {
    const { threadsRunning: most } = this.#settings;
    if (most === null) return null;
    const name = `source ${this.#source.name}`;
    return await this.#ask(name, this.#source.url, async (connection) =>
      judgeThreads(name, (await connection.query("SHOW GLOBAL STATUS LIKE 'Threads_running'")).rows, most),
    );
  }

  async #behind(): Promise<string | null> {
    const asked = this.#source.replicas.map(async (replica) => await this.#lagOf(replica));
    return (await Promise.all(asked)).find((reason) => reason !== null) ?? null;
  }

  async #lagOf({ name: replica, url }: ReplicaSettings): Promise<string | null> {
    const name = `replica ${replica}`;
    return await this.#ask(name, url, async (connection) => {
      let statement = this.#statements.get(name);
      if (statement === undefined) {
        const [row] = (await connection.query('SELECT VERSION() AS version')).rows;
        statement = replicaStatement(row?.['version'] ?? '');
        this.#statements.set(name, statement);
      }
      return judgeReplica(name, (await connection.query(statement)).rows, this.#settings.replicaLagMs);
    });
  }

  async #ask(
    name: string,
    url: DatabaseUrl,
    look: (connection: MysqlConnection) => Promise<string | null>,
  ): Promise<string | null> {
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
      return `${name} does not answer: ${toRowferryError(thrown, 'looking at a server').describe()}`;
    }
  }
}

export function judgeThreads(name: string, [row]: readonly MysqlRow[], most: number): string | null {
  const running = Number(row?.['Value']);
  if (!Number.isFinite(running)) return `${name} does not tell Threads_running`;
  return running > most ? `${name} runs ${running} threads, more than ${most}` : null;
}

/** MySQL changed its words in 8.0.22 and dropped the old ones in 8.4; MariaDB shows connections with names in its own way only. */
export function replicaStatement(version: string): string {
  if (version.includes('MariaDB')) return 'SHOW ALL SLAVES STATUS';
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const isOld = major < 8 || (major === 8 && minor === 0 && patch < 22);
  return isOld ? 'SHOW SLAVE STATUS' : 'SHOW REPLICA STATUS';
}

/** One row a channel: the one that is furthest behind counts, and one that stands still more than any. */
export function judgeReplica(name: string, rows: readonly MysqlRow[], mostMs: number): string | null {
  const lags = rows.map((row) => row['Seconds_Behind_Source'] ?? row['Seconds_Behind_Master'] ?? null);
  if (lags.length === 0) return `${name} is no replica`;
  if (lags.includes(null)) return `${name} does not replicate`;
  const seconds = Math.max(...lags.map(Number));
  return seconds * 1_000 > mostMs ? `${name} is ${seconds} s behind` : null;
}

/** Whether a minute of the day lies within hours that may go past midnight. */
export function isWithin(
  { from, to }: { readonly from: number; readonly to: number },
  minute: number,
): boolean {
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
