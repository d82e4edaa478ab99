/** Progress and time left. Pure. */

export interface Progress {
  /** 0 to 100. */
  readonly percent: number;
  /** Milliseconds; null when nothing tells it. */
  readonly remainingMs: number | null;
}

/**
 * `percent = done / total * 100`, `remaining = elapsed * total / done - elapsed`: 250,000 of 1,000,000 after 10 minutes are
 * 25 % with 30 minutes left. `elapsedMs` and `doneMeanwhile` are of a recent stretch of time, so that neither a stop nor a
 * slow beginning counts. Nothing to do is done; more than expected is not more than all.
 */
export function progressOf(work: {
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
  readonly doneMeanwhile: number;
}): Progress {
  const { total, elapsedMs, doneMeanwhile } = work;
  if (total <= 0) return { percent: 100, remainingMs: 0 };
  const done = Math.min(work.done, total);
  const percent = (done / total) * 100;
  if (done === total) return { percent, remainingMs: 0 };
  if (doneMeanwhile <= 0) return { percent, remainingMs: null };
  return { percent, remainingMs: (elapsedMs * (total - done)) / doneMeanwhile };
}

/** A count over the last while, for a rate that follows what happens now. */
export class RateWindow {
  readonly #windowMs: number;
  readonly #samples: { readonly timeMs: number; readonly count: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(timeMs: number, count: number): void {
    this.#samples.push({ timeMs, count });
    while (this.#samples.length > 2 && timeMs - this.#samples[0]!.timeMs > this.#windowMs)
      this.#samples.shift();
  }

  /** What the window holds: how long it is and how far the count came in it. */
  get stretch(): { readonly elapsedMs: number; readonly count: number } {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return { elapsedMs: 0, count: 0 };
    return { elapsedMs: last.timeMs - first.timeMs, count: last.count - first.count };
  }
}

/** `12 s`, `3 min 30 s`, `30 min`, `1 h 05 min`: as much as a person wants to know, rounded up. */
export function showDuration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600)
    return `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? '' : ` ${seconds % 60} s`}`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
