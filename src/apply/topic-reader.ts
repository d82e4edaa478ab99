/** How the records of a topic are read: by whoever wrote them. */
import type { Change } from '../model/change.ts';
import type { PartitionSequence } from '../targets/target.ts';
import { TableShapes } from '../wire/chunk.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import type { WireRecord } from '../wire/record.ts';
import { decodeRecord } from '../wire/record.ts';
import { SequenceFilter } from './sequence-filter.ts';

export type Ordered = Pick<Change, 'sequence' | 'timeMs' | 'snapshot'>;

/** Drops what a partition has already seen. */
export interface ChangeFilter {
  /** Where it stands, to be saved with the offset up to which records were shown to `accepts`. */
  readonly current: PartitionSequence;
  /** True when this change is new. */
  accepts(epoch: number, change: Ordered): boolean;
}

/** Reads one partition; made anew for each worker. */
export interface TopicReader {
  /** Throws a RowferryError without topic, partition and offset, which the caller adds. */
  readonly decode: (record: RawRecord) => WireRecord;
  readonly filterFrom: (start: PartitionSequence) => ChangeFilter;
  /** The writer may leave offsets out, as transactions do; elsewhere a missing one is a lost record (I-4). */
  readonly allowsHoles: boolean;
  /** Its writer marks how far the source was read; elsewhere the end of the log is asked for. */
  readonly hasMarkers: boolean;
}

/** For topics that rowferry wrote. */
export function ownReader(): TopicReader {
  const shapes = new TableShapes();
  return {
    decode: (record) => decodeRecord(record, shapes),
    filterFrom: (start) => new SequenceFilter(start),
    allowsHoles: false,
    hasMarkers: true,
  };
}
