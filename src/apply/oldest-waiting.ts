/** When the oldest change was committed that waits in a partition's queue. */
import type { RawRecord } from '../wire/raw-record.ts';
import type { RecordQueue } from './record-queue.ts';
import type { TopicReader } from './topic-reader.ts';

/**
 * Looks into records that wait to be cut into a batch, each once at most. A repetition that will be dropped counts as well:
 * what it is worth only the filter knows, which must see it once.
 */
export class OldestWaiting {
  readonly #queue: RecordQueue;
  readonly #reader: TopicReader;
  /** No record before it holds a change. */
  #from = 0;
  #found: { readonly offset: number; readonly timeMs: number } | undefined;

  constructor(queue: RecordQueue, reader: TopicReader) {
    this.#queue = queue;
    this.#reader = reader;
  }

  /** Its commit time; null when no change waits, or when the record cannot be read. */
  get timeMs(): number | null {
    const head = this.#queue.peek();
    if (head === undefined) return null;
    if (this.#found !== undefined && this.#found.offset >= head.offset) return this.#found.timeMs;
    this.#found = undefined;
    for (const record of this.#queue.records()) {
      if (record.offset < this.#from) continue;
      const timeMs = this.#timeOf(record);
      if (timeMs !== null) {
        this.#found = { offset: record.offset, timeMs };
        return timeMs;
      }
      this.#from = record.offset + 1;
    }
    return null;
  }

  #timeOf(record: RawRecord): number | null {
    try {
      const decoded = this.#reader.decode(record);
      return decoded.kind === 'changes' ? (decoded.chunk.changes[0]?.timeMs ?? null) : null;
    } catch {
      // Whoever applies it tells what is wrong with it.
      return null;
    }
  }
}
