/** What an apply role writes: rows a second by table, and how long transactions take at each target. Pure but for what it remembers. */
import type { ApplyCounts, TargetWrites } from '../apply/apply-counters.ts';

/** Rates are told of so much time, and of no less. */
const WINDOW_MS = 60_000;
/** A mark for each of up to 500 tables is kept so often. */
const MARK_MS = 5_000;

interface Mark {
  readonly timeMs: number;
  readonly counts: Counts;
}

type Counts = Pick<ApplyCounts, 'rows' | 'writes'>;

interface WritePace {
  readonly rates: readonly {
    readonly target: string;
    readonly table: string;
    /** Null unless there is a minute to tell it of. */
    readonly rowsPerSecond: number | null;
  }[];
  /** Seconds that a transaction takes, by target; those that nothing is written to are left out. */
  readonly seconds: ReadonlyMap<string, number>;
}

export class WriteWatch {
  #marks: readonly Mark[] = [];

  look({ rows, writes }: Counts, nowMs: number): WritePace {
    // A clock that was set back would make the last minute last for long.
    const marks = this.#marks.filter(({ timeMs }) => timeMs <= nowMs);
    const isDue = nowMs - (marks.at(-1)?.timeMs ?? -Infinity) >= MARK_MS;
    const all = isDue ? [...marks, { timeMs: nowMs, counts: { rows, writes } }] : marks;
    // The newest mark that is a window old, and all after it.
    const from = all.findLastIndex(({ timeMs }) => nowMs - timeMs >= WINDOW_MS);
    this.#marks = all.slice(Math.max(0, from));
    const first = this.#marks[0];
    const isWhole = from >= 0 && first !== undefined;
    const before = new Map(
      first?.counts.rows.map(({ target, table, upserts, deletes }) => [
        `${target}/${table}`,
        upserts + deletes,
      ]),
    );
    const rates = rows.map(({ target, table, upserts, deletes }) => {
      const count = Math.max(0, upserts + deletes - (before.get(`${target}/${table}`) ?? 0));
      return { target, table, rowsPerSecond: isWhole ? (count * 1000) / (nowMs - first.timeMs) : null };
    });
    const seconds = writes.flatMap((now): [string, number][] => {
      const last = first?.counts.writes.find(({ target }) => target === now.target);
      const average = averageOf(now, last);
      return average === null ? [] : [[now.target, average]];
    });
    return { rates, seconds: new Map(seconds) };
  }
}

/** Of the transactions since; one that still runs counts once it can only make the average larger. */
function averageOf(now: TargetWrites, before: TargetWrites | undefined): number | null {
  const count = now.count - (before?.count ?? 0);
  const sum = Math.max(0, now.seconds - (before?.seconds ?? 0));
  const average = count > 0 ? sum / count : null;
  const running = now.runningSeconds;
  if (running === null || (average !== null && running <= average)) return average;
  return (sum + running) / (count + 1);
}
