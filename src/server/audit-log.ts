/** What operators did through the API: one line in the log each, and the newest of them at hand. */
import type { Log } from '../model/log.ts';

export interface PartChange {
  readonly part: string;
  readonly from: string;
  readonly to: string;
}

interface AuditEntry {
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
/** Of what programs try, who may go on for ever: it must not push out what people did. */
const KEPT_OF_PROGRAMS = 20;

export class AuditLog {
  readonly #log: Log;
  #entries: readonly AuditEntry[] = [];
  #ofPrograms: readonly AuditEntry[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** Newest first. */
  get entries(): readonly AuditEntry[] {
    return [...this.#entries, ...this.#ofPrograms].toSorted((a, b) => b.timeMs - a.timeMs);
  }

  add(entry: AuditEntry, byProgram = false): void {
    if (byProgram) this.#ofPrograms = [entry, ...this.#ofPrograms].slice(0, KEPT_OF_PROGRAMS);
    else this.#entries = [entry, ...this.#entries].slice(0, KEPT);
    const line = { audit: entry };
    if (entry.outcome === 'done') this.#log.info(line, `operator: ${entry.action}`);
    else this.#log.warn(line, `operator: ${entry.action} failed`);
  }
}
