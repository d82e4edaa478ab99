/** Cuts what waits in a partition's queue into a batch of changes that are new to it. */
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import type { PartitionId, PartitionSequence } from '../targets/target.ts';
import type { Marker } from '../wire/marker.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import type { RecordQueue } from './record-queue.ts';
import type { ChangeFilter, TopicReader } from './topic-reader.ts';

/** There is no way to mend a gap in place: what was deleted is unknown. */
export const OFFSET_LOST_HINT =
  'records were deleted before they were applied: fill emptied targets by a pipeline with a new "name", ' +
  'and raise kafka.retentionMs above the longest stop';

export interface BatchLimits {
  readonly rows: number;
  readonly bytes: number;
}

export interface Batch {
  readonly start: number;
  /** Offset after the last record of the batch. */
  readonly end: number;
  /** Changes that are new, in order. */
  readonly changes: readonly Change[];
  /** The last marker, when there was one. */
  readonly marker: Marker | undefined;
  /** Where the filter stands at `end`. */
  readonly sequence: PartitionSequence;
  /** Commit time of the oldest and newest change, or null without changes. */
  readonly oldestMs: number | null;
  readonly newestMs: number | null;
  readonly bytes: number;
}

/**
 * Takes records from the queue until a limit is reached or nothing waits. A batch that has to reach `mustReach` (A2) ends no
 * earlier and answers undefined while those records have not arrived. A record that cannot be read ends the batch before it;
 * at the head of a batch it throws, with topic, partition and offset.
 */
export class BatchCutter {
  readonly #id: PartitionId;
  readonly #queue: RecordQueue;
  readonly #reader: TopicReader;
  readonly #filter: ChangeFilter;
  readonly #limits: BatchLimits;
  #start: number;
  #changes: Change[] = [];
  #marker: Marker | undefined;
  #end: number;
  #bytes = 0;

  constructor(options: {
    readonly id: PartitionId;
    readonly queue: RecordQueue;
    readonly reader: TopicReader;
    readonly filter: ChangeFilter;
    readonly limits: BatchLimits;
    readonly start: number;
  }) {
    this.#id = options.id;
    this.#queue = options.queue;
    this.#reader = options.reader;
    this.#filter = options.filter;
    this.#limits = options.limits;
    this.#start = options.start;
    this.#end = options.start;
  }

  /** The next batch, or undefined when there is nothing to do yet. */
  cut(mustReach: number): Batch | undefined {
    for (;;) {
      const full = this.#changes.length >= this.#limits.rows || this.#bytes >= this.#limits.bytes;
      if (full && this.#end >= mustReach) break;
      const record = this.#queue.peek();
      if (record === undefined) break;
      if (record.offset < this.#end) {
        this.#queue.shift();
        continue;
      }
      const unreadable = this.#take(record);
      if (unreadable !== undefined) {
        if (this.#end > this.#start && this.#end >= mustReach) break;
        throw unreadable;
      }
      this.#queue.shift();
    }
    if (this.#end === this.#start || this.#end < mustReach) return undefined;
    return this.#finish();
  }

  /** Adds a record to the batch, or answers why it cannot be read. */
  #take(record: RawRecord): RowferryError | undefined {
    if (record.offset > this.#end && !this.#reader.allowsHoles) return this.#gap(record.offset);
    try {
      const decoded = this.#reader.decode(record);
      // A zombie's marker of an epoch that is over tells of another past.
      if (decoded.kind === 'marker' && decoded.marker.epoch >= this.#filter.current.epoch)
        this.#marker = decoded.marker;
      if (decoded.kind === 'changes') {
        const { epoch, changes } = decoded.chunk;
        for (const change of changes) {
          if (this.#filter.accepts(epoch, change)) this.#changes.push(change);
        }
      }
    } catch (error) {
      const { topic, partition } = this.#id;
      return toRowferryError(error, 'reading a record').at({
        topic,
        partition,
        offset: String(record.offset),
      });
    }
    this.#end = record.offset + 1;
    this.#bytes += record.value?.length ?? 0;
    return undefined;
  }

  /** I-4: an offset that is missing was deleted before it was applied; going on would lose its rows in silence. */
  #gap(offset: number): RowferryError {
    const { topic, partition } = this.#id;
    return new RowferryError(
      'ROWFERRY_KAFKA_OFFSET_LOST',
      `offset ${this.#end} was expected, ${offset} came`,
      {
        where: { topic, partition, offset: String(this.#end) },
        hint: OFFSET_LOST_HINT,
      },
    );
  }

  #finish(): Batch {
    let oldestMs: number | null = null;
    let newestMs: number | null = null;
    for (const { timeMs } of this.#changes) {
      if (oldestMs === null || timeMs < oldestMs) oldestMs = timeMs;
      if (newestMs === null || timeMs > newestMs) newestMs = timeMs;
    }
    const batch: Batch = {
      start: this.#start,
      end: this.#end,
      changes: this.#changes,
      marker: this.#marker,
      sequence: this.#filter.current,
      oldestMs,
      newestMs,
      bytes: this.#bytes,
    };
    this.#start = this.#end;
    this.#changes = [];
    this.#marker = undefined;
    this.#bytes = 0;
    return batch;
  }
}
