/** Cuts what waits in a partition's queue into a batch of changes that are new to it. */
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import type { PartitionId, PartitionSequence } from '../targets/target.ts';
import { statementPlace } from '../targets/truncation.ts';
import type { SchemaChange } from '../model/schema-change.ts';
import type { Marker, SchemaMarker } from '../wire/marker.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import type { EmptiedTables } from './emptied-tables.ts';
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

/** A change of a source table's schema, at its place among the rows. */
export type SchemaMarkerOf<K extends SchemaChange['kind']> = SchemaMarker & {
  readonly change: Extract<SchemaChange, { readonly kind: K }>;
};

export interface Batch {
  readonly start: number;
  /** Offset after the last record of the batch. */
  readonly end: number;
  /** Changes that are new, in order. */
  readonly changes: readonly Change[];
  /** For each of them the offset of its record. */
  readonly offsets: readonly number[];
  /** The last marker that tells how far the source was read, when there was one. */
  readonly marker: Marker | undefined;
  /** Changes of tables that the rows of this batch may need already, in order. */
  readonly additive: readonly SchemaMarkerOf<'additive'>[];
  /** The only record of its batch: all before it must be at the targets, and nothing behind it may be, when its table is emptied. */
  readonly truncate: SchemaMarkerOf<'truncate'> | undefined;
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
 *
 * A TRUNCATE ends the batch before it and is a batch of its own, `mustReach` or not: a target passes it only when every target
 * has taken it, and has reached it before. So what a target had planned or has beyond it begins behind it for all of them, and
 * the batch that is the TRUNCATE writes no row.
 */
export class BatchCutter {
  readonly #id: PartitionId;
  readonly #queue: RecordQueue;
  readonly #reader: TopicReader;
  readonly #filter: ChangeFilter;
  readonly #limits: BatchLimits;
  readonly #emptied: EmptiedTables;
  #start: number;
  #changes: Change[] = [];
  #offsets: number[] = [];
  #marker: Marker | undefined;
  #additive: SchemaMarkerOf<'additive'>[] = [];
  #truncate: SchemaMarkerOf<'truncate'> | undefined;
  #end: number;
  #bytes = 0;

  constructor(options: {
    readonly id: PartitionId;
    readonly queue: RecordQueue;
    readonly reader: TopicReader;
    readonly filter: ChangeFilter;
    readonly limits: BatchLimits;
    readonly emptied: EmptiedTables;
    readonly start: number;
  }) {
    this.#id = options.id;
    this.#queue = options.queue;
    this.#reader = options.reader;
    this.#filter = options.filter;
    this.#limits = options.limits;
    this.#emptied = options.emptied;
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
      const taken = this.#take(record);
      if (taken === 'left') return this.#finish();
      if (taken !== 'taken') {
        if (this.#end > this.#start && this.#end >= mustReach) break;
        throw taken;
      }
      this.#queue.shift();
      if (this.#truncate !== undefined) return this.#finish();
    }
    if (this.#end === this.#start || this.#end < mustReach) return undefined;
    return this.#finish();
  }

  /** Adds a record to the batch, leaves it for the next one, or answers why it cannot be read. */
  #take(record: RawRecord): RowferryError | 'taken' | 'left' {
    if (record.offset > this.#end && !this.#reader.allowsHoles) return this.#gap(record.offset);
    try {
      const decoded = this.#reader.decode(record);
      // A zombie's marker of an epoch that is over tells of another past.
      if (decoded.kind === 'marker' && decoded.marker.epoch >= this.#filter.current.epoch) {
        const { marker } = decoded;
        if (isOf(marker, 'truncate')) {
          if (this.#end > this.#start) return 'left';
          this.#truncate = marker;
        } else if (isOf(marker, 'additive')) {
          if (!this.#isPassed(marker)) this.#additive.push(marker);
        } else if (marker.kind !== 'schema' && marker.closes === true) this.#close(marker);
        else this.#marker = marker;
      }
      if (decoded.kind === 'changes') {
        const { epoch, changes } = decoded.chunk;
        for (const change of changes) {
          if (!this.#filter.accepts(epoch, change) || this.#emptied.removed(epoch, change)) continue;
          this.#changes.push(change);
          this.#offsets.push(record.offset);
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
    return 'taken';
  }

  /** What comes behind it by an older name is dropped, as if a row of that place had been here. */
  #close({ epoch, position, horizonMs: timeMs }: Marker): void {
    const place = statementPlace(position);
    if (place === undefined)
      throw new RowferryError(
        'ROWFERRY_WIRE_CORRUPT',
        `a marker names its place ${JSON.stringify(position)}`,
        {
          hint: 'find out who wrote it; rowferry changes nothing and waits here',
        },
      );
    this.#filter.accepts(epoch, { sequence: { ...place, half: 0 }, timeMs });
  }

  /**
   * Rows of later names have come by, and the change in front of them: one that comes again is of a capture that is over. By
   * now an operator may have given its column another default, or dropped it.
   */
  #isPassed({ epoch, position }: Marker): boolean {
    const { current } = this.#filter;
    const place = statementPlace(position);
    if (place === undefined || epoch !== current.epoch) return false;
    return (place.file - current.file || place.end - current.end) <= 0;
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
      offsets: this.#offsets,
      marker: this.#marker,
      additive: this.#additive,
      truncate: this.#truncate,
      sequence: this.#filter.current,
      oldestMs,
      newestMs,
      bytes: this.#bytes,
    };
    this.#start = this.#end;
    this.#changes = [];
    this.#offsets = [];
    this.#marker = undefined;
    this.#additive = [];
    this.#truncate = undefined;
    this.#bytes = 0;
    return batch;
  }
}

function isOf<K extends SchemaChange['kind']>(marker: Marker, kind: K): marker is SchemaMarkerOf<K> {
  return marker.kind === 'schema' && marker.change.kind === kind;
}
