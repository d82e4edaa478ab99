/**
 * Tells a thread whose event loop stands still for good from a process that was held up as a whole (suspended, frozen, without
 * a processor): then the looks come late, too, and what they are late by counts against no thread. Pure but for what it
 * remembers.
 */

/** A thread that tells nothing for so long does not come back: its longest honest work in one go is a few seconds. */
export const STUCK_MS = 60_000;
/** What passes between two looks counts up to here. */
const LONGEST_STEP_MS = 2_000;

/** A thread as far as it matters here. */
interface WatchedThread {
  readonly name: string;
  /** Changes with each report. */
  readonly reportedMs: number;
}

interface StuckThread {
  readonly name: string;
  readonly silentMs: number;
}

interface Silence {
  readonly reportedMs: number;
  readonly silentMs: number;
}

export class StuckWatch {
  #lookedMs: number | undefined;
  #silences: ReadonlyMap<string, Silence> = new Map();

  /** The threads that are stuck now. To be called about twice a second, by a clock that never steps back. */
  look(threads: readonly WatchedThread[], nowMs: number): StuckThread[] {
    const stepMs = Math.min(LONGEST_STEP_MS, nowMs - (this.#lookedMs ?? nowMs));
    this.#lookedMs = nowMs;
    const silences = new Map<string, Silence>();
    for (const { name, reportedMs } of threads) {
      const before = this.#silences.get(name);
      const isSilent = before?.reportedMs === reportedMs;
      silences.set(name, { reportedMs, silentMs: isSilent ? before.silentMs + stepMs : 0 });
    }
    this.#silences = silences;
    return [...silences].flatMap(([name, { silentMs }]) => (silentMs < STUCK_MS ? [] : [{ name, silentMs }]));
  }
}
