/**
 * What an apply role has done since its process began, over all workers that came and went. Counted once a batch and
 * transaction; of a row, only that its delay belongs to that of the commit before it.
 */
import type { ErrorCode } from '../errors.ts';
import type { HistogramCounts } from '../observe/histogram.ts';
import { Histogram } from '../observe/histogram.ts';
import type { Change } from '../model/change.ts';
import type { TableBatch } from '../targets/target.ts';

/** Plain numbers that can be sent to another thread. */
export interface ApplyCounts {
  /** Changes of the source that were applied; one that is written to several targets counts once. */
  readonly changes: number;
  readonly moves: number;
  readonly batches: number;
  readonly rows: readonly AppliedRows[];
  readonly batchRows: HistogramCounts;
  readonly batchBytes: HistogramCounts;
  readonly batchSeconds: HistogramCounts;
  /** Time from the commit of a change at the source until it was at all its targets; copied rows have no commit. */
  readonly delaySeconds: HistogramCounts;
  /** Transactions with rows, by target. */
  readonly writes: readonly TargetWrites[];
  readonly rebalances: number;
  /** Batches and partitions that were tried again, by the error's code. */
  readonly retries: Readonly<Partial<Record<ErrorCode, number>>>;
}

/** Rows that were written to one table of a target. */
interface AppliedRows {
  readonly target: string;
  /** The table, or `other` beyond the most that are counted apart. */
  readonly table: string;
  readonly upserts: number;
  readonly deletes: number;
}

/** Transactions with rows of one target. */
export interface TargetWrites {
  readonly target: string;
  /** Those that committed, and the time that they took together. */
  readonly count: number;
  readonly seconds: number;
  /** How long the one that has run longest has run so far; null when none runs. */
  readonly runningSeconds: number | null;
}

/** Tables that are counted apart, all targets together: each is a time series wherever metrics are kept. */
const MOST_TABLES = 500;
const OTHER = 'other';

const ROW_BOUNDS = [1, 10, 50, 100, 500, 1000, 2000, 5000, 10_000, 50_000];
const BYTE_BOUNDS = [1e3, 1e4, 1e5, 5e5, 1e6, 2e6, 4e6, 8e6, 16e6, 64e6];
const SECOND_BOUNDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const DELAY_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
  3600,
];

interface Written {
  readonly target: string;
  readonly table: string;
  upserts: number;
  deletes: number;
}

interface Writes {
  count: number;
  seconds: number;
  readonly begun: Set<{ readonly startedMs: number }>;
}

export class ApplyCounters {
  #changes = 0;
  #moves = 0;
  #batches = 0;
  #rebalances = 0;
  readonly #rows = new Map<string, Written>();
  readonly #writes = new Map<string, Writes>();
  readonly #clock: () => number;
  readonly #batchRows = new Histogram(ROW_BOUNDS);
  readonly #batchBytes = new Histogram(BYTE_BOUNDS);
  readonly #batchSeconds = new Histogram(SECOND_BOUNDS);
  readonly #delaySeconds = new Histogram(DELAY_BOUNDS);
  readonly #retries: Partial<Record<ErrorCode, number>> = {};

  /** `clock`: milliseconds, never set back. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /**
   * Times a transaction with rows. What failed counts as running until then and not as written: a refusal that comes at once would
   * hide that a target is slow.
   */
  async timed<T>(target: string, work: () => Promise<T>): Promise<T> {
    let writes = this.#writes.get(target);
    if (writes === undefined) this.#writes.set(target, (writes = { count: 0, seconds: 0, begun: new Set() }));
    const run = { startedMs: this.#clock() };
    writes.begun.add(run);
    try {
      const result = await work();
      writes.count += 1;
      writes.seconds += (this.#clock() - run.startedMs) / 1000;
      return result;
    } finally {
      writes.begun.delete(run);
    }
  }

  /** A batch is at all its targets. Those that hold only markers are no work that anybody waits for. */
  applied(batch: {
    readonly changes: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly moves: number;
  }): void {
    if (batch.changes === 0) return;
    this.#changes += batch.changes;
    this.#moves += batch.moves;
    this.#batches += 1;
    this.#batchRows.observe(batch.changes);
    this.#batchBytes.observe(batch.bytes);
    this.#batchSeconds.observe(batch.seconds);
  }

  /** These changes are at all their targets. Those of one commit stand together and are counted at once. */
  visible(changes: readonly Change[], nowMs: number): void {
    let times = 0;
    let commitMs = NaN;
    const observe = (): void => {
      if (times > 0) this.#delaySeconds.observe(Math.max(0, nowMs - commitMs) / 1000, times);
      times = 0;
    };
    for (const { timeMs, snapshot } of changes) {
      if (snapshot === 'row') continue;
      if (timeMs !== commitMs) observe();
      commitMs = timeMs;
      times += 1;
    }
    observe();
  }

  /** A transaction of a target has committed; parked rows are not written. */
  committed(
    target: string,
    tables: readonly TableBatch[],
    parked: readonly { readonly table: string }[],
  ): void {
    for (const { writer, upserts, deletes } of tables) {
      const written = this.#of(target, writer.table.name);
      written.upserts += upserts.length;
      written.deletes += deletes.length;
    }
    for (const { table } of parked) this.#of(target, table).upserts -= 1;
  }

  rebalanced(): void {
    this.#rebalances += 1;
  }

  retried(code: ErrorCode): void {
    this.#retries[code] = (this.#retries[code] ?? 0) + 1;
  }

  get current(): ApplyCounts {
    return {
      changes: this.#changes,
      moves: this.#moves,
      batches: this.#batches,
      rows: [...this.#rows.values()].map((written) => ({ ...written })),
      batchRows: this.#batchRows.current,
      batchBytes: this.#batchBytes.current,
      batchSeconds: this.#batchSeconds.current,
      delaySeconds: this.#delaySeconds.current,
      writes: [...this.#writes].map(([target, { count, seconds, begun }]) => {
        // They stand in the order in which they began.
        const [oldest] = begun;
        const runningSeconds = oldest === undefined ? null : (this.#clock() - oldest.startedMs) / 1000;
        return { target, count, seconds, runningSeconds };
      }),
      rebalances: this.#rebalances,
      retries: { ...this.#retries },
    };
  }

  #of(target: string, name: string): Written {
    const known = this.#rows.get(`${target}/${name}`);
    if (known !== undefined) return known;
    const table = this.#rows.size < MOST_TABLES ? name : OTHER;
    const key = `${target}/${table}`;
    let written = this.#rows.get(key);
    if (written === undefined) this.#rows.set(key, (written = { target, table, upserts: 0, deletes: 0 }));
    return written;
  }
}
