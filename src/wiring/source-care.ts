/** Whether a source should be spared now: too busy, replicas behind, or not the hours for it (CPY-7, CPY-10). */
import type { DatabaseUrl, SnapshotSettings, SourceSettings } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { toRowferryError } from '../errors.ts';

/** A look is good for so long: the copy asks before every chunk. */
const LOOK_MS = 1_000;

export class SourceCare {
  readonly #source: SourceSettings;
  readonly #settings: SnapshotSettings;
  readonly #connections = new Map<string, MysqlConnection>();
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
    const { name, url } = this.#source;
    return await this.#ask(`source ${name}`, url, "SHOW GLOBAL STATUS LIKE 'Threads_running'", ([row]) => {
      const running = Number(row?.['Value']);
      return running > most ? `source ${name} runs ${running} threads, more than ${most}` : null;
    });
  }

  async #behind(): Promise<string | null> {
    const { replicas, replicaLagMs } = this.#settings;
    for (const { name, url } of replicas) {
      const reason = await this.#ask(`replica ${name}`, url, 'SHOW REPLICA STATUS', ([row]) => {
        const lag = row?.['Seconds_Behind_Source'] ?? row?.['Seconds_Behind_Master'] ?? null;
        if (lag === null) return `replica ${name} does not replicate`;
        return Number(lag) * 1_000 > replicaLagMs ? `replica ${name} is ${lag} s behind` : null;
      });
      if (reason !== null) return reason;
    }
    return null;
  }

  async #ask(
    name: string,
    url: DatabaseUrl,
    sql: string,
    judge: (rows: readonly Readonly<Record<string, string | null>>[]) => string | null,
  ): Promise<string | null> {
    try {
      let connection = this.#connections.get(name);
      if (connection?.isUsable !== true) {
        connection = await MysqlConnection.connect({
          url,
          side: 'source',
          where: { source: name },
          session: [],
        });
        this.#connections.set(name, connection);
      }
      return judge((await connection.query(sql)).rows);
    } catch (thrown) {
      return `${name} does not answer: ${toRowferryError(thrown, 'looking at a server').describe()}`;
    }
  }
}

/** Whether a minute of the day lies within hours that may go past midnight. */
export function isWithin(
  { from, to }: { readonly from: number; readonly to: number },
  minute: number,
): boolean {
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
