/**
 * Applies one partition, from the moment Kafka assigns it until the signal aborts or something stops it.
 *
 *     claiming ──all targets taken──> running ──retry-class error──> waiting ──backoff──> running
 *        │ lost                          │ stale
 *        └────────> ends 'lost' <────────┘            any other error: run() rejects, nothing of the batch is skipped
 *
 * A pause holds it between batches and between tries of one: it keeps its place, its records and its ownership, and lag rises.
 *
 * The order of events that ownership (A2) makes harmless: an applier is suspended in the middle of a batch, its session ends,
 * another one claims every target and goes on; the first wakes and commits. Its transaction checks `owner` and `next`, meets
 * the new number and changes nothing.
 */
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { SourceRouter } from '../routing/router.ts';
import type { Gate } from '../runtime/gate.ts';
import { killPoint } from '../runtime/kill-points.ts';
import type { Outages } from '../runtime/outages.ts';
import type { ParkedEntry, PartitionId, Target, Watermark } from '../targets/target.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import type { ApplyCounters } from './apply-counters.ts';
import type { Batch, BatchLimits } from './batch.ts';
import { BatchCutter, OFFSET_LOST_HINT } from './batch.ts';
import type { TargetState } from './batch-writer.ts';
import type { WrittenBatch } from './batch-writer.ts';
import { BatchWriter } from './batch-writer.ts';
import { EmptiedTables } from './emptied-tables.ts';
import type { FoldedRow } from './fold.ts';
import { foldChanges } from './fold.ts';
import { OldestWaiting } from './oldest-waiting.ts';
import { ParkedKeys } from './parked-keys.ts';
import { ParkedRetry } from './parked-retry.ts';
import type { PartitionLag } from './partition-lag.ts';
import { PartitionProgress } from './partition-progress.ts';
import { RecordQueue } from './record-queue.ts';
import { emptyTable, truncateId } from './table-emptier.ts';
import type { TableEvolver } from './table-evolver.ts';
import type { TableLocks } from './table-locks.ts';
import type { TopicReader } from './topic-reader.ts';

/** What the worker asks of the consumer that feeds it. */
interface PartitionFeed {
  /** Deliver records from this offset on. */
  seek(offset: number): void;
  pause(): void;
  resume(): void;
  /** A hint for lag tools and for snapshots, which go no faster than this: everything before it is at the targets. */
  commitHint(offset: number): void;
  /** Offset that comes next; undefined before `seek`. */
  position(): number | undefined;
  /** The log's bounds now. */
  bounds(signal: AbortSignal): Promise<{ readonly low: number; readonly high: number }>;
}

interface PartitionWorkerOptions {
  readonly id: PartitionId;
  readonly targets: readonly Target[];
  readonly router: SourceRouter;
  readonly reader: TopicReader;
  readonly feed: PartitionFeed;
  readonly limits: BatchLimits;
  readonly queueBytes: number;
  readonly onBadRow: 'stop' | 'park';
  /** Shared by all partitions of the process. */
  readonly locks: TableLocks;
  readonly evolver: TableEvolver;
  /** Closed while an operator has paused applying. */
  readonly gate: Gate;
  readonly counters: ApplyCounters;
  readonly outages: Outages;
  readonly lag: PartitionLag;
  readonly log: Log;
}

const CLAIM_TRIES = 3;
/**
 * Records between the targets' watermarks. One that is behind is at most a batch and a few markers behind; further apart means
 * that a target is new, or was emptied or restored, and the log cannot tell what it lacks.
 */
const LARGEST_GAP = 10_000;

export class PartitionWorker {
  readonly id: PartitionId;
  readonly progress: PartitionProgress;
  readonly #options: PartitionWorkerOptions;
  readonly #queue: RecordQueue;
  #logEnd: { readonly offset: number; readonly timeMs: number } | undefined;
  /** Before the first `seek` whatever arrives was meant for an earlier worker of this partition. */
  #listening = false;

  constructor(options: PartitionWorkerOptions) {
    this.#options = options;
    this.id = options.id;
    this.progress = new PartitionProgress(options.lag);
    this.#queue = new RecordQueue(options.queueBytes, () => options.feed.resume());
  }

  get hasMarkers(): boolean {
    return this.#options.reader.hasMarkers;
  }

  /** Records in offset order from where `seek` asked; the partition is paused while more than `queueBytes` wait. */
  push(records: readonly RawRecord[]): void {
    if (!this.#listening) return;
    this.#queue.push(records);
    this.progress.queued(this.#queue);
    if (this.#queue.isFull) this.#options.feed.pause();
  }

  /** The topic ended there at that time. Kept until all before it is applied: the oldest such place comes first. */
  logEnd(offset: number, timeMs: number): void {
    this.#logEnd ??= { offset, timeMs };
    this.#checkLogEnd();
  }

  /**
   * Resolves with `lost` when another owner was met, with `stopped` when the signal aborted; rejects with what stopped it.
   * `onClaimed`: it is taken at every target.
   */
  async run(signal: AbortSignal, onClaimed: () => void = () => {}): Promise<'lost' | 'stopped'> {
    const forget = this.#options.gate.onClose(() => this.#queue.wake());
    try {
      return await this.#run(signal, onClaimed);
    } catch (error) {
      if (signal.aborted) return 'stopped';
      const { topic, partition } = this.id;
      throw toRowferryError(error, 'applying a partition').at({ topic, partition });
    } finally {
      forget();
    }
  }

  async #run(signal: AbortSignal, onClaimed: () => void): Promise<'lost' | 'stopped'> {
    const { id, feed, router, reader, limits, onBadRow, locks, gate, counters, log } = this.#options;
    const claimed = await this.#claim(signal);
    if (claimed === 'lost') return 'lost';
    const { owner, states, start, mustReach, sequence } = claimed;
    if (mustReach - start > LARGEST_GAP) throw tooFarApart(states, mustReach, id);
    await this.#checkBounds(start, mustReach, signal);
    const parked = new ParkedKeys();
    parked.replace(await this.#listParked());
    const emptied = new EmptiedTables();
    for (const target of this.#options.targets)
      for (const truncation of await target.truncations(id.topic)) emptied.add(truncation);
    const cutter = new BatchCutter({
      id,
      queue: this.#queue,
      reader,
      filter: reader.filterFrom(sequence),
      limits,
      emptied,
      start,
    });
    const writer = new BatchWriter({ id, owner, states, parked, onBadRow, locks, counters });
    const retry = new ParkedRetry({ owner, parked, targets: this.#options.targets, locks, gate, log });
    this.progress.claimed(owner, start, { states, parked }, new OldestWaiting(this.#queue, reader));
    onClaimed();
    this.#listening = true;
    feed.seek(start);
    while (!signal.aborted) {
      await this.#hold(signal);
      const batch = cutter.cut(mustReach);
      if (batch === undefined) {
        await this.#queue.waitForRecords(retry.dueInMs(), signal);
        if ((await retry.runDue(signal)) === 'stale') return 'lost';
        continue;
      }
      this.progress.lag.cut(batch);
      const rows = foldAt(batch, router, id);
      const hasMarker =
        batch.marker !== undefined || batch.truncate !== undefined || batch.additive.length > 0;
      const touchIdle = hasMarker || batch.start < mustReach;
      const startedMs = performance.now();
      const written = await this.#persist(
        async () => {
          if ((await this.#changeTables(batch, writer, { parked, emptied }, signal)) === 'stale')
            return STALE;
          return writer.write(batch, { rows, places: router.places }, touchIdle, signal);
        },
        batch,
        signal,
      );
      if (written.kind === 'stale') return 'lost';
      this.progress.applied(batch, written, this.#queue);
      this.#checkLogEnd();
      const seconds = (performance.now() - startedMs) / 1000;
      counters.visible(batch.changes, Date.now());
      counters.applied({ changes: batch.changes.length, bytes: batch.bytes, seconds, moves: written.moves });
      killPoint('apply.after-commit');
      feed.commitHint(batch.end);
      if (rows.length > 0) retry.tablesChanged();
      if ((await retry.runDue(signal)) === 'stale') return 'lost';
    }
    return 'stopped';
  }

  /** Records that are no rows, such as the ends of transactions, never arrive: the consumer's place tells of them. */
  #checkLogEnd(): void {
    const end = this.#logEnd;
    if (end === undefined || !this.#listening || this.#queue.length > 0 || this.progress.lag.hasBatch) return;
    if ((this.#options.feed.position() ?? 0) < end.offset) return;
    this.#logEnd = undefined;
    this.progress.lag.reached(end.timeMs, Date.now());
  }

  /** What must be done to the targets' tables before the batch is written; may be repeated as often as need be. */
  async #changeTables(
    batch: Batch,
    writer: BatchWriter,
    { parked, emptied }: { readonly parked: ParkedKeys; readonly emptied: EmptiedTables },
    signal: AbortSignal,
  ): Promise<'done' | 'stale'> {
    const { id, targets, router, evolver, log } = this.#options;
    for (const marker of batch.additive) await evolver.evolve(targets, router, id.topic, marker, signal);
    if (batch.additive.length > 0) writer.forgetTables();
    const { truncate } = batch;
    if (truncate === undefined) return 'done';
    // Targets that had no rows of late stand further back, and the tables are emptied only where all have come so far.
    const before: Batch = { ...batch, end: batch.start, truncate: undefined };
    const reached = await writer.write(before, { rows: [], places: router.places }, true, signal);
    if (reached.kind === 'stale') return 'stale';
    const onWait = (what: string): void => {
      if (this.progress.waitingFor(what)) log.info({ ...id, offset: batch.start }, what);
    };
    await emptyTable(truncate, { targets, router, topic: id.topic, log, onWait }, signal);
    emptied.add(truncateId(id.topic, truncate));
    parked.replace(await this.#listParked());
    return 'done';
  }

  /** Repeats what failed for a reason that goes away by itself, until it works or the signal aborts. */
  async #persist<T>(work: () => Promise<T>, batch: Batch, signal: AbortSignal): Promise<T> {
    const { outages, counters } = this.#options;
    const { topic, partition } = this.id;
    const write = async (): Promise<T> => {
      await this.#hold(signal);
      signal.throwIfAborted();
      this.progress.writing();
      try {
        return await work();
      } catch (thrown) {
        throw toRowferryError(thrown, 'writing a batch').at({ offset: String(batch.start) });
      }
    };
    return await outages.retrying(`${topic}/${partition}`, write, signal, {
      fields: { topic, partition, offset: batch.start },
      onWait: (error, nextTryMs) => {
        counters.retried(error.code);
        this.progress.waiting(error, nextTryMs);
      },
    });
  }

  /** Waits while an operator has paused applying. */
  async #hold(signal: AbortSignal): Promise<void> {
    const { gate } = this.#options;
    if (!gate.isClosed) return;
    this.progress.paused();
    await gate.opened(signal);
    this.progress.resumed();
  }

  /** A2: takes every target with one number, in fixed order; plans only when all are taken. */
  async #claim(signal: AbortSignal) {
    const { id, targets } = this.#options;
    for (let attempt = 0; attempt < CLAIM_TRIES && !signal.aborted; attempt++) {
      const stored = await Promise.all(targets.map((target) => target.watermarks()));
      const owners = stored
        .flat()
        .filter((mark) => mark.topic === id.topic && mark.partition === id.partition);
      const owner = Math.max(0, ...owners.map((mark) => mark.owner)) + 1;
      const marks: Watermark[] = [];
      for (const target of targets) {
        const claim = await target.claim(id, owner);
        if (claim.kind === 'lost') break;
        marks.push(claim.watermark);
      }
      if (marks.length === targets.length) return claimedState(owner, targets, marks);
    }
    return 'lost' as const;
  }

  /** I-4: an offset that the log no longer (or not yet) holds must never be answered with another one. */
  async #checkBounds(start: number, mustReach: number, signal: AbortSignal): Promise<void> {
    const { low, high } = await this.#options.feed.bounds(signal);
    const { topic, partition } = this.id;
    const where = { topic, partition, offset: String(start) };
    if (start < low) {
      throw new RowferryError(
        'ROWFERRY_KAFKA_OFFSET_LOST',
        `the log starts at ${low}, a target needs ${start}`,
        {
          where,
          hint: OFFSET_LOST_HINT,
        },
      );
    }
    if (Math.max(start, mustReach) > high) {
      throw new RowferryError(
        'ROWFERRY_CONFIG_STATE_MISMATCH',
        `the log ends at ${high}, the targets stand at ${start}`,
        {
          where,
          hint: 'the topic was deleted and made anew, or this is another Kafka: restore it, or start a pipeline with a new name',
        },
      );
    }
  }

  async #listParked(): Promise<(readonly ParkedEntry[])[]> {
    return Promise.all(this.#options.targets.map((target) => target.parked(this.id)));
  }
}

const STALE: WrittenBatch = { kind: 'stale', upserts: 0, deletes: 0, moves: 0 };

function claimedState(owner: number, targets: readonly Target[], marks: readonly Watermark[]) {
  const states: TargetState[] = targets.map((target, index) => {
    const { next, sourceTimeMs } = marks[index]!;
    return { target, next, sourceTimeMs };
  });
  const behind = marks.reduce((least, mark) => (mark.next < least.next ? mark : least));
  return {
    owner,
    states,
    start: behind.next,
    /** The first batch reaches what any target has, or had planned to have. */
    mustReach: Math.max(...marks.map((mark) => Math.max(mark.next, mark.plannedEnd ?? 0))),
    sequence: behind.sequence,
  };
}

function tooFarApart(states: readonly TargetState[], furthest: number, id: PartitionId): RowferryError {
  const behind = states.reduce((least, state) => (state.next < least.next ? state : least));
  return new RowferryError(
    'ROWFERRY_CONFIG_STATE_MISMATCH',
    `target ${behind.target.name} stands at offset ${behind.next}, another one at ${furthest}: it is new, or was emptied or restored`,
    {
      where: { target: behind.target.name, topic: id.topic, partition: id.partition },
      hint: 'restore it as it was, or give the new target a pipeline with a "name" of its own',
    },
  );
}

function foldAt(batch: Batch, router: SourceRouter, id: PartitionId): FoldedRow[] {
  try {
    return foldChanges(batch.changes, router, batch.offsets);
  } catch (error) {
    const { topic, partition } = id;
    throw toRowferryError(error, 'routing a batch').at({ topic, partition, offset: String(batch.start) });
  }
}
