/** A histogram in plain numbers, which can be sent to another thread. Counting costs a short loop. */

export interface HistogramCounts {
  /** Upper bounds, ascending; the last bucket has none. */
  readonly bounds: readonly number[];
  /** One count a bucket, not cumulative; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** `times`: so many of the same value. */
  observe(value: number, times = 1): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++;
    this.#counts[bucket]! += times;
    this.#sum += value * times;
    this.#count += times;
  }

  get current(): HistogramCounts {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}

/** Several of the same bounds as one. */
export function mergeHistograms(all: readonly HistogramCounts[]): HistogramCounts | null {
  const [first, ...others] = all;
  if (first === undefined) return null;
  return others.reduce(
    (one, other) => ({
      bounds: one.bounds,
      counts: one.counts.map((count, bucket) => count + (other.counts[bucket] ?? 0)),
      sum: one.sum + other.sum,
      count: one.count + other.count,
    }),
    first,
  );
}

/** The value that this share (0 to 1) does not exceed, even within a bucket; null without values. The last bucket tells its lower bound. */
export function quantile({ bounds, counts, count }: HistogramCounts, share: number): number | null {
  if (count === 0) return null;
  const rank = share * count;
  let below = 0;
  for (const [bucket, inBucket] of counts.entries()) {
    if (inBucket > 0 && below + inBucket >= rank) {
      const lower = bounds[bucket - 1] ?? 0;
      const upper = bounds[bucket] ?? lower;
      return lower + ((upper - lower) * Math.max(0, rank - below)) / inBucket;
    }
    below += inBucket;
  }
  return bounds.at(-1) ?? null;
}
