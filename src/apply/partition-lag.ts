/**
 * How far one partition is behind its source (I-9), in the order of what is known:
 *
 * 1. A change is at hand, in the batch or in the queue: the age of its commit. All before it is applied, so this is exact.
 * 2. Nothing is at hand, and the last sign that all is well is fresh: the delay that the last change or marker had, 0 when a
 *    marker told of an idle source. How long the source had nothing to tell is no delay.
 * 3. The next sign is overdue: the age of what is known to be applied. Silence is not caught up.
 *
 * Commit times are the source's, ages go by this machine's clock.
 */
import type { Lag } from '../model/lag.ts';
import { risingLag, steadyLag, UNKNOWN_LAG } from '../model/lag.ts';
import type { Batch } from './batch.ts';
import type { OldestWaiting } from './oldest-waiting.ts';

/** How late a marker may be before its silence counts: a busy machine delays it on each leg of its way. */
const LATE_MS = 1_000;

export class PartitionLag {
  readonly #overdueMs: number;
  #queue: OldestWaiting | undefined;
  #batch: Batch | undefined;
  /** Everything that the source committed until then for this partition is applied. */
  #untilMs: number | null;
  #epoch: number | undefined;
  /** The last sign: when it came, and with what delay. */
  #sign: { readonly atMs: number; readonly delayMs: number } | undefined;
  #horizonMs: number | null = null;

  /** `untilMs`: what an earlier worker of the partition left behind. */
  constructor(heartbeatMs: number, untilMs: number | null = null) {
    this.#overdueMs = heartbeatMs + LATE_MS;
    this.#untilMs = untilMs;
  }

  /** Commit time up to which the source is applied, as a marker told. */
  get horizonMs(): number | null {
    return this.#horizonMs;
  }

  /** What the next worker of the partition knows: its lag goes on from here. */
  get basisMs(): number | null {
    return this.#oldestMs ?? this.#untilMs;
  }

  claimed(queue: OldestWaiting, storedMs: number | null): void {
    this.#queue = queue;
    this.#untilMs = latest(this.#untilMs, storedMs);
  }

  /** A batch was cut; it is at hand until it is applied. */
  cut(batch: Batch): void {
    this.#batch = batch;
  }

  get hasBatch(): boolean {
    return this.#batch !== undefined;
  }

  applied({ marker, newestMs, sequence }: Batch, nowMs: number): void {
    this.#batch = undefined;
    const isReplay = this.#epoch !== undefined && this.#epoch !== sequence.epoch;
    this.#epoch ??= sequence.epoch;
    if (marker !== undefined) this.#horizonMs = marker.horizonMs;
    const untilMs = latest(marker?.horizonMs ?? null, newestMs);
    // What closes a place tells of no time, and may be the first of its epoch.
    if (untilMs === null) return;
    this.#epoch = sequence.epoch;
    this.#untilMs = isReplay ? untilMs : latest(this.#untilMs, untilMs);
    if (marker !== undefined && untilMs === marker.horizonMs) {
      const { horizonMs, sentMs, readMs = sentMs } = marker;
      const isIdle = readMs === horizonMs;
      this.#came(nowMs, isIdle ? 0 : Math.max(0, readMs - horizonMs) + Math.max(0, nowMs - sentMs));
    } else {
      this.#came(nowMs, Math.max(0, nowMs - untilMs));
    }
  }

  /** Everything that stood in the topic at that time is applied: for topics without markers. */
  reached(timeMs: number, nowMs: number): void {
    this.#untilMs = latest(this.#untilMs, timeMs);
    this.#came(nowMs, 0);
  }

  at(nowMs: number): Lag {
    return this.#at(this.#oldestMs, this.#untilMs, nowMs);
  }

  /** That of one target, which stands at `next` and has what the source committed until `sourceTimeMs`. */
  ofTarget(
    { next, sourceTimeMs }: { readonly next: number; readonly sourceTimeMs: number | null },
    nowMs: number,
  ): Lag {
    const hasBatch = this.#batch !== undefined && next >= this.#batch.end;
    if (!hasBatch) return this.at(nowMs);
    return this.#at(this.#queue?.timeMs ?? null, latest(this.#untilMs, sourceTimeMs), nowMs);
  }

  #at(oldestMs: number | null, untilMs: number | null, nowMs: number): Lag {
    if (oldestMs !== null) return risingLag(oldestMs, nowMs);
    const sign = this.#sign;
    if (sign !== undefined && nowMs - sign.atMs <= this.#overdueMs) return steadyLag(sign.delayMs);
    return untilMs === null ? UNKNOWN_LAG : risingLag(untilMs, nowMs);
  }

  get #oldestMs(): number | null {
    return this.#batch?.oldestMs ?? this.#queue?.timeMs ?? null;
  }

  #came(atMs: number, delayMs: number): void {
    this.#sign = { atMs, delayMs };
  }
}

function latest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
