/** What operators did through the API: one line in the log each, and the newest of them at hand. */
import type { Log } from '../model/log.ts';

export interface PartChange {
  readonly part: string;
  readonly from: string;
  readonly to: string;
}

export interface AuditEntry {
  readonly timeMs: number;
  readonly action: string;
  /** Whose credentials were used, and from where. */
  readonly who: string;
  readonly remote: string;
  /** What was asked for; names and places, never values of rows. */
  readonly request: object;
  readonly changes: readonly PartChange[];
  /** `done`, or the code of what went wrong. */
  readonly outcome: string;
  readonly tookMs: number;
}

const KEPT = 200;

export class AuditLog {
  readonly #log: Log;
  #entries: AuditEntry[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Newest first. */
  get entries(): readonly AuditEntry[] {
    return this.#entries;
  }

  add(entry: AuditEntry): void {
    this.#entries = [entry, ...this.#entries].slice(0, KEPT);
    const line = { audit: entry };
    if (entry.outcome === 'done') this.#log.info(line, `operator: ${entry.action}`);
    else this.#log.warn(line, `operator: ${entry.action} failed`);
  }
}
