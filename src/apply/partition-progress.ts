/** What one partition's worker is doing, for status, lag and metrics. Written by the worker, read by whoever reports. */
import type { RowferryError } from '../errors.ts';
import type { Batch } from './batch.ts';
import type { TargetState } from './batch-writer.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { RecordQueue } from './record-queue.ts';

export type PartitionState = 'claiming' | 'running' | 'paused' | 'waiting' | 'stopped';

/** A snapshot that can be sent to another thread. */
export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly state: PartitionState;
  /** When it entered that state, and when it last got on: milliseconds since 1970. */
  readonly sinceMs: number;
  readonly progressedMs: number | null;
  /** A batch is on its way to the targets. */
  readonly writing: boolean;
  readonly owner: number | null;
  /** Next offset to apply. */
  readonly next: number | null;
  readonly rows: number;
  readonly moves: number;
  readonly batches: number;
  readonly parked: number;
  /** Since when the oldest parked row waits, milliseconds since 1970. */
  readonly oldestParkedMs: number | null;
  readonly queueBytes: number;
  /** Milliseconds behind the source (I-9); null before the first record or marker. */
  readonly lagMs: number | null;
  /** Commit time up to which the source is applied. */
  readonly appliedUntilMs: number | null;
  /** What stopped it or what it waits for; `errorCode` is null when nothing is wrong. */
  readonly error: string | null;
  readonly errorCode: string | null;
  readonly nextTryMs: number | null;
}

export class PartitionProgress {
  #state: PartitionState = 'claiming';
  #sinceMs = Date.now();
  #progressedMs: number | null = null;
  #writing = false;
  #owner: number | null = null;
  #next: number | null = null;
  #rows = 0;
  #moves = 0;
  #batches = 0;
  /** What the worker holds of its targets; shared, read when somebody asks. */
  #held: { readonly states: readonly TargetState[]; readonly parked: ParkedKeys } | undefined;
  #queueBytes = 0;
  #error: RowferryError | null = null;
  #nextTryMs: number | null = null;
  /** What it waits for though nothing is wrong. */
  #waitsFor: string | null = null;
  /** Commit time of the oldest change of the batch that is being written. */
  #pendingMs: number | null = null;
  /** Every commit of the source up to this time is applied, as a marker told. */
  #horizonMs: number | null = null;
  #newestMs: number | null = null;

  claimed(
    owner: number,
    next: number,
    held: { readonly states: readonly TargetState[]; readonly parked: ParkedKeys },
  ): void {
    this.#enter('running');
    this.#held = held;
    this.#owner = owner;
    this.#next = next;
    this.#error = null;
  }

  queued(queue: RecordQueue): void {
    this.#queueBytes = queue.bytes;
  }

  writing(batch: Batch): void {
    this.#pendingMs = batch.oldestMs;
    this.#writing = true;
  }

  applied(
    batch: Batch,
    written: { readonly upserts: number; readonly deletes: number; readonly moves: number },
    queue: RecordQueue,
  ): void {
    this.#enter('running');
    this.#progressedMs = Date.now();
    this.#writing = false;
    this.#error = null;
    this.#nextTryMs = null;
    this.#waitsFor = null;
    this.#next = batch.end;
    this.#batches += 1;
    this.#rows += batch.changes.length;
    this.#moves += written.moves;
    this.#queueBytes = queue.bytes;
    this.#pendingMs = null;
    if (batch.newestMs !== null) this.#newestMs = Math.max(this.#newestMs ?? 0, batch.newestMs);
    if (batch.marker !== undefined) this.#horizonMs = batch.marker.horizonMs;
  }

  waiting(error: RowferryError, nextTryMs: number): void {
    this.#waitsFor = null;
    this.#enter('waiting');
    this.#error = error;
    this.#nextTryMs = nextTryMs;
  }

  /** It waits for others, which have errors of their own when they do not come. Answers true when this is news. */
  waitingFor(what: string): boolean {
    const news = this.#waitsFor === null;
    this.#enter('waiting');
    this.#error = null;
    this.#nextTryMs = null;
    this.#waitsFor = what;
    return news;
  }

  stopped(error: RowferryError, nextTryMs: number): void {
    this.#enter('stopped');
    this.#waitsFor = null;
    this.#error = error;
    this.#nextTryMs = nextTryMs;
  }

  paused(): void {
    this.#enter('paused');
  }

  resumed(): void {
    this.#enter('running');
  }

  #enter(state: PartitionState): void {
    if (state !== this.#state) this.#sinceMs = Date.now();
    this.#state = state;
  }

  /** What the worker knows of its targets; undefined before it has claimed them. */
  get held(): { readonly states: readonly TargetState[]; readonly parked: ParkedKeys } | undefined {
    return this.#held;
  }

  /**
   * Lag in milliseconds (LAG-3, I-9). A change that is being written counts from its commit. Otherwise the last marker's
   * horizon tells how far the source was read when the marker was queued; a marker comes each `heartbeatMs`, so up to two of
   * them and the way through Kafka are no lag. When nothing arrives any more the horizon ages, and the lag rises with it. Until
   * the first marker the watermarks tell.
   */
  lagMs(nowMs: number, heartbeatMs: number): number | null {
    if (this.#pendingMs !== null) return Math.max(0, nowMs - this.#pendingMs);
    return lagOf(this.appliedUntilMs ?? this.#storedMs, nowMs, heartbeatMs);
  }

  get appliedUntilMs(): number | null {
    return this.#horizonMs;
  }

  get #storedMs(): number | null {
    const times = this.#held?.states.map(({ sourceTimeMs }) => sourceTimeMs) ?? [];
    return leastOf(times);
  }

  status(
    id: { readonly topic: string; readonly partition: number },
    nowMs: number,
    heartbeatMs: number,
  ): PartitionStatus {
    return {
      topic: id.topic,
      partition: id.partition,
      state: this.#state,
      sinceMs: this.#sinceMs,
      progressedMs: this.#progressedMs,
      writing: this.#writing,
      owner: this.#owner,
      next: this.#next,
      rows: this.#rows,
      moves: this.#moves,
      batches: this.#batches,
      parked: this.#held?.parked.size ?? 0,
      oldestParkedMs: this.#held?.parked.oldestMs ?? null,
      queueBytes: this.#queueBytes,
      lagMs: this.lagMs(nowMs, heartbeatMs),
      appliedUntilMs: this.appliedUntilMs,
      error: this.#error?.describe() ?? this.#waitsFor,
      errorCode: this.#error?.code ?? null,
      nextTryMs: this.#nextTryMs,
    };
  }
}

/** How far behind something is that has all that the source committed until `untilMs`; null when that is not known. */
export function lagOf(untilMs: number | null, nowMs: number, heartbeatMs: number): number | null {
  if (untilMs === null) return null;
  const age = nowMs - untilMs;
  return age > 2 * heartbeatMs + 500 ? age : 0;
}

/** The least of all; null when one is not known, or when there is none. */
export function leastOf(times: readonly (number | null)[]): number | null {
  let least: number | null = null;
  for (const time of times) {
    if (time === null) return null;
    if (least === null || time < least) least = time;
  }
  return least;
}
