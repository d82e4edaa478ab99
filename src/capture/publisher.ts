/**
 * Gathers changes into records, sends them, and knows which position is durable (I-1).
 *
 * Each partition has one open chunk. Chunks leave when they are big enough, before a marker, and at the end of each pull of
 * events: under load a pull holds much and chunks grow, when idle a single row goes at once.
 */
import type { RowferryError } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import type { Writer } from '../wire/chunk.ts';
import { ChunkBuilder } from '../wire/chunk.ts';
import type { Marker } from '../wire/marker.ts';
import { encodeMarker } from '../wire/marker.ts';
import { RowRecordEncoder } from '../wire/row-record.ts';
import { killPoint } from '../runtime/kill-points.ts';
import { AckTracker } from './ack-tracker.ts';

export interface OutgoingRecord {
  readonly key?: Buffer;
  readonly value: Buffer;
  readonly headers?: Readonly<Record<string, Buffer>>;
}

/** Sends records of one partition in order. */
export interface RecordSender {
  /** Resolves when all are acknowledged by all replicas, with the offset after the last of them. */
  send(partition: number, records: readonly OutgoingRecord[]): Promise<number>;
}

interface PublisherOptions {
  readonly partitions: number;
  readonly writer: Writer;
  readonly source: string;
  readonly format: 'chunk' | 'row';
  readonly chunkBytes: number;
}

export class Publisher<P> {
  readonly #options: PublisherOptions;
  readonly #sender: RecordSender;
  readonly #acks = new AckTracker<P>();
  readonly #chunks: ChunkBuilder[];
  readonly #rows: RowRecordEncoder;
  readonly #waiting: OutgoingRecord[][];
  readonly #waitingBytes: number[];
  readonly #ends: number[];
  #pendingBytes = 0;
  #failure: RowferryError | undefined;
  #onProgress: (() => void)[] = [];

  constructor(options: PublisherOptions, sender: RecordSender) {
    this.#options = options;
    this.#sender = sender;
    const partitions = Array.from({ length: options.partitions });
    this.#chunks = partitions.map(() => new ChunkBuilder(options.writer));
    this.#rows = new RowRecordEncoder(options.writer, options.source);
    this.#waiting = partitions.map(() => []);
    this.#waitingBytes = partitions.map(() => 0);
    this.#ends = partitions.map(() => 0);
  }

  /** Bytes of records that Kafka has not acknowledged. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get durable(): P | undefined {
    return this.#acks.durable;
  }

  /** Number of the newest record that was sent. */
  get issued(): number {
    return this.#acks.issued;
  }

  /** Every record up to this number is acknowledged. */
  get acknowledged(): number {
    return this.#acks.acknowledged;
  }

  /** The offset after the last acknowledged record of each partition; 0 where nothing was sent yet. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  /** Throws what stopped the sender, if anything did. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  add(partition: number, change: Change): void {
    if (this.#options.format === 'row') {
      const record = this.#rows.encode(change, Date.now());
      this.#waiting[partition]!.push(record);
      this.#waitingBytes[partition]! += record.value.length + 200;
      if (this.#waitingBytes[partition]! >= this.#options.chunkBytes) this.#send(partition);
      return;
    }
    const chunk = this.#chunks[partition]!;
    if (chunk.mustFlushBefore(change.sequence)) this.#send(partition);
    chunk.add(change);
    if (chunk.bytes >= this.#options.chunkBytes) this.#send(partition);
  }

  /** Everything added so far leads up to this transaction end. The open chunks are sent with the next `flush`. */
  flush(position: P | undefined): void {
    for (let partition = 0; partition < this.#chunks.length; partition++) this.#send(partition);
    if (position !== undefined) this.#acks.mark(position);
  }

  /** Broadcasts a marker behind all rows added so far. */
  marker(marker: Marker): void {
    const value = encodeMarker(marker);
    for (let partition = 0; partition < this.#chunks.length; partition++) {
      this.#waiting[partition]!.push({ value });
      this.#send(partition);
    }
  }

  /** Waits until fewer than `bytes` are unacknowledged, the sender failed (throws), or `timeoutMs` passed (false). */
  async waitBelow(bytes: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      this.check();
      if (this.#pendingBytes < bytes) return true;
      const left = until - Date.now();
      if (left <= 0 || signal.aborted) return false;
      await this.#progress(left, signal);
    }
  }

  #send(partition: number): void {
    const chunk = this.#chunks[partition]!;
    const records = this.#waiting[partition]!;
    if (!chunk.isEmpty) records.unshift({ value: chunk.take() });
    if (records.length === 0) return;
    this.#waiting[partition] = [];
    this.#waitingBytes[partition] = 0;
    const size = records.reduce((sum, record) => sum + record.value.length, 0);
    this.#pendingBytes += size;
    const number = this.#acks.issue();
    const sent = this.#sender.send(partition, records);
    void sent.then(
      (end) => {
        killPoint('capture.after-produce');
        this.#ends[partition] = end;
        this.#pendingBytes -= size;
        this.#acks.acknowledge(number);
        killPoint('capture.after-ack');
        this.#wake();
      },
      (error: unknown) => {
        this.#failure ??= toRowferryError(error, 'publishing');
        this.#wake();
      },
    );
  }

  #wake(): void {
    const waiting = this.#onProgress;
    this.#onProgress = [];
    for (const wake of waiting) wake();
  }

  async #progress(timeoutMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.#onProgress.push(done);
    });
  }
}
