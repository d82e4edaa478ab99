/** What one partition's worker is doing, for status, lag and metrics. Written by the worker, read by whoever reports. */
import type { RowferryError } from '../errors.ts';
import type { Lag } from '../model/lag.ts';
import type { Batch } from './batch.ts';
import type { TargetState } from './batch-writer.ts';
import type { OldestWaiting } from './oldest-waiting.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { PartitionLag } from './partition-lag.ts';
import type { RecordQueue } from './record-queue.ts';

type PartitionState = 'claiming' | 'running' | 'paused' | 'waiting' | 'stopped';

/** A snapshot that can be sent to another thread. */
export interface PartitionStatus extends Lag {
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
  /** Commit time up to which the source is applied. */
  readonly appliedUntilMs: number | null;
  /** What stopped it or what it waits for; `errorCode` is null when nothing is wrong. */
  readonly error: string | null;
  readonly errorCode: string | null;
  readonly nextTryMs: number | null;
}

/** What a worker holds of its targets. */
interface HeldTargets {
  readonly states: readonly TargetState[];
  readonly parked: ParkedKeys;
}

export class PartitionProgress {
  readonly lag: PartitionLag;
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
  #held: HeldTargets | undefined;
  #queueBytes = 0;
  #error: RowferryError | null = null;
  #nextTryMs: number | null = null;
  /** What it waits for though nothing is wrong. */
  #waitsFor: string | null = null;

  constructor(lag: PartitionLag) {
    this.lag = lag;
  }

  claimed(owner: number, next: number, held: HeldTargets, waiting: OldestWaiting): void {
    this.lag.claimed(waiting, leastOf(held.states.map(({ sourceTimeMs }) => sourceTimeMs)));
    this.#enter('running');
    this.#held = held;
    this.#owner = owner;
    this.#next = next;
    this.#error = null;
  }

  queued(queue: RecordQueue): void {
    this.#queueBytes = queue.bytes;
  }

  writing(): void {
    this.#writing = true;
  }

  applied(
    batch: Batch,
    written: { readonly upserts: number; readonly deletes: number; readonly moves: number },
    queue: RecordQueue,
  ): void {
    this.#enter('running');
    this.#progressedMs = Date.now();
    this.lag.applied(batch, this.#progressedMs);
    this.#writing = false;
    this.#error = null;
    this.#nextTryMs = null;
    this.#waitsFor = null;
    this.#next = batch.end;
    this.#batches += 1;
    this.#rows += batch.changes.length;
    this.#moves += written.moves;
    this.#queueBytes = queue.bytes;
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
  get held(): HeldTargets | undefined {
    return this.#held;
  }

  status(id: { readonly topic: string; readonly partition: number }, nowMs: number): PartitionStatus {
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
      ...this.lag.at(nowMs),
      appliedUntilMs: this.lag.horizonMs,
      error: this.#error?.describe() ?? this.#waitsFor,
      errorCode: this.#error?.code ?? null,
      nextTryMs: this.#nextTryMs,
    };
  }
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
