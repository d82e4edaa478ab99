/**
 * Records of one partition that wait to be applied, bounded by bytes (I-10). Whoever fills it asks `isFull` and pauses the
 * partition; `onRoom` says when half of it is free again.
 */
import type { RawRecord } from '../wire/raw-record.ts';

export class RecordQueue {
  readonly #limitBytes: number;
  readonly #onRoom: () => void;
  #records: (RawRecord | undefined)[] = [];
  #head = 0;
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
    return this.#records.length - this.#head;
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
    return this.#records[this.#head];
  }

  /** All that wait, in order. */
  *records(): Generator<RawRecord> {
    for (let i = this.#head; i < this.#records.length; i++) {
      const record = this.#records[i];
      if (record !== undefined) yield record;
    }
  }

  shift(): RawRecord | undefined {
    const record = this.#records[this.#head];
    if (record === undefined) return undefined;
    // Its bytes must not wait for the array to be cut: 1024 records may be a gigabyte.
    this.#records[this.#head] = undefined;
    this.#head++;
    this.#bytes -= sizeOf(record);
    if (this.#head > 1024 && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
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
