/**
 * Records of one partition that wait to be applied, bounded by bytes (I-10). Whoever fills it asks `isFull` and pauses the
 * partition; `onRoom` says when half of it is free again.
 */
import { Fifo } from '../model/fifo.ts';
import type { RawRecord } from '../wire/raw-record.ts';

export class RecordQueue {
  readonly #limitBytes: number;
  readonly #onRoom: () => void;
  readonly #records = new Fifo<RawRecord>();
  #bytes = 0;
  #wasFull = false;
  #wake: (() => void) | undefined;

  constructor(limitBytes: number, onRoom: () => void) {
    this.#limitBytes = limitBytes;
    this.#onRoom = onRoom;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#records.length;
  }

  /** True once the limit is passed, until half is free again. */
  get isFull(): boolean {
    return this.#wasFull;
  }

  push(records: readonly RawRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += sizeOf(record);
    }
    if (this.#bytes >= this.#limitBytes) this.#wasFull = true;
    this.#wake?.();
  }

  peek(): RawRecord | undefined {
    return this.#records.peek();
  }

  /** All that wait, in order. */
  records(): Iterable<RawRecord> {
    return this.#records;
  }

  shift(): RawRecord | undefined {
    const record = this.#records.shift();
    if (record === undefined) return undefined;
    this.#bytes -= sizeOf(record);
    if (this.#wasFull && this.#bytes * 2 <= this.#limitBytes) {
      this.#wasFull = false;
      this.#onRoom();
    }
    return record;
  }

  /** Ends a wait for records early. */
  wake(): void {
    this.#wake?.();
  }

  /** Waits for a record, for `timeoutMs`, or for the signal; whoever waits looks again itself. */
  async waitForRecords(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.length > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.min(timeoutMs, 2 ** 31 - 1));
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }
}

function sizeOf(record: RawRecord): number {
  return 64 + (record.value?.length ?? 0) + (record.key?.length ?? 0);
}
