/** A link to a source's binlog that yields events by pull, with bounded memory. */
import { RowferryError } from '../errors.ts';
import { Fifo } from '../model/fifo.ts';
import { BinlogDecoder, type BinlogDecoderOptions } from './binlog-decoder.ts';
import { BinlogDump, type BinlogDumpOptions } from './binlog-dump.ts';
import type { BinlogEvent } from './binlog-event.ts';

export interface BinlogLinkOptions extends BinlogDumpOptions, BinlogDecoderOptions {
  /** Bytes of events that may wait to be read; past it the source is held back. */
  readonly queueBytes: number;
  /** The link counts as broken when nothing came for so long; by default three heartbeats, at least 10 s. */
  readonly silenceMs?: number;
  /** Has the last word on an event's times; `isNew`: the reader had to wait for it. */
  readonly timed?: (event: BinlogEvent, isNew: boolean) => BinlogEvent;
}

interface BinlogLinkStats {
  /** Of all events that came, wanted or not. */
  readonly bytes: number;
  readonly events: number;
}

/** Bytes of events that one `read` decodes at most, so that timers run in between. */
const BATCH_BYTES = 256 * 1024;
/** What a waiting event costs beyond its bytes. */
const EVENT_OVERHEAD = 100;
/** COM_BINLOG_DUMP takes a file offset of 32 bits. */
const LARGEST_START = 0xffff_ffff;

/**
 * One connection's life: `open`, then `read` until it rejects, then `close`. It does not reconnect; after an error make a new
 * one from the saved position.
 *
 * Waiting events are raw bytes and decoded when they are read: what waits is bounded by `queueBytes`, and an event that cannot
 * be decoded is met only after everything before it was read. Only `#arrived` pauses the connection and only `read` resumes
 * it.
 */
export class BinlogLink {
  readonly #options: BinlogLinkOptions;
  readonly #decoder: BinlogDecoder;
  readonly #dump: BinlogDump;
  readonly #silenceMs: number;
  readonly #queue = new Fifo<Buffer>();
  #queuedBytes = 0;
  #failure: RowferryError | undefined;
  #closed = false;
  /** The read under way found nothing at first. */
  #waited = false;
  #wake: (() => void) | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #heardAtMs = 0;
  #pausedAtMs: number | undefined;
  #bytes = 0;
  #events = 0;

  constructor(options: BinlogLinkOptions) {
    this.#options = options;
    this.#silenceMs = options.silenceMs ?? Math.max(3 * options.heartbeatMs, 10_000);
    this.#decoder = new BinlogDecoder(options);
    this.#dump = new BinlogDump(options, {
      event: (bytes) => this.#arrived(bytes),
      failed: (error) => this.#fail(error),
    });
  }

  get stats(): BinlogLinkStats {
    return { bytes: this.#bytes, events: this.#events };
  }

  /** How long the source has been held back by now because nobody read; 0 when it is not. */
  get pausedMs(): number {
    return this.#pausedAtMs === undefined ? 0 : performance.now() - this.#pausedAtMs;
  }

  /**
   * Connects and resolves when the first event is there. Rejects with ROWFERRY_SOURCE_POSITION_LOST, _SERVER_ID_TAKEN,
   * _ACCESS, _LINK …, or with the signal's reason.
   */
  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { start } = this.#options;
    if ('offset' in start && start.offset > LARGEST_START) {
      throw new RowferryError('ROWFERRY_SOURCE_UNSUPPORTED', 'a start past 4 GiB of a binlog file', {
        where: { position: `${start.file}:${start.offset}` },
        hint: 'start by GTID',
      });
    }
    const aborted = (): void => this.#wake?.();
    signal.addEventListener('abort', aborted);
    this.#heardAtMs = performance.now();
    this.#watchdog = setInterval(() => this.#watch(), Math.min(1_000, this.#silenceMs / 4));
    this.#dump.start();
    try {
      while (this.#events === 0 && this.#failure === undefined && !this.#closed && !signal.aborted) {
        await this.#sleep();
      }
    } finally {
      signal.removeEventListener('abort', aborted);
    }
    if (this.#events > 0 && this.#failure === undefined && !signal.aborted) return;
    const failure = await this.#explain(this.#failure ?? closedError());
    await this.close();
    signal.throwIfAborted();
    throw failure;
  }

  /**
   * The next events, at least one; waits for them when there are none. Rejects with the error that ended the link once
   * everything before it was read, and when the link was closed. One call at a time.
   */
  async read(): Promise<readonly BinlogEvent[]> {
    this.#waited = false;
    for (;;) {
      const events = this.#closed ? [] : this.#decodeBatch();
      if (events.length > 0) return events;
      if (this.#closed) throw closedError();
      if (this.#queue.length > 0) continue;
      if (this.#failure !== undefined) throw await this.#explain(this.#failure);
      this.#waited = true;
      await this.#sleep();
    }
  }

  /** Idempotent; a waiting `read` rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watchdog);
    this.#drop();
    this.#wake?.();
    await this.#dump.stop();
  }

  #arrived(bytes: Buffer): void {
    this.#heardAtMs = performance.now();
    this.#bytes += bytes.length;
    this.#events += 1;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length + EVENT_OVERHEAD;
    if (this.#queuedBytes > this.#options.queueBytes && this.#pausedAtMs === undefined) {
      this.#pausedAtMs = this.#heardAtMs;
      this.#dump.pause();
    }
    this.#wake?.();
  }

  #decodeBatch(): BinlogEvent[] {
    const events: BinlogEvent[] = [];
    let bytes = 0;
    try {
      while (bytes < BATCH_BYTES) {
        const raw = this.#queue.shift();
        if (raw === undefined) break;
        bytes += raw.length;
        this.#queuedBytes -= raw.length + EVENT_OVERHEAD;
        const event = this.#decoder.decode(raw);
        if (event !== undefined) events.push(this.#options.timed?.(event, this.#waited) ?? event);
      }
    } catch (error) {
      // Nothing behind it can be read; what came before it is still handed out.
      this.#fail(error instanceof RowferryError ? error : undecodable(error));
      this.#drop();
      return events;
    }
    this.#resumeWhenDrained();
    return events;
  }

  #resumeWhenDrained(): void {
    if (this.#pausedAtMs === undefined || this.#queuedBytes > this.#options.queueBytes / 2) return;
    this.#pausedAtMs = undefined;
    this.#heardAtMs = performance.now();
    this.#dump.resume();
  }

  #drop(): void {
    this.#queue.clear();
    this.#queuedBytes = 0;
  }

  #watch(): void {
    const silentMs = performance.now() - this.#heardAtMs;
    // While it is paused nothing can come.
    if (this.#pausedAtMs !== undefined || silentMs < this.#silenceMs) return;
    this.#fail(
      new RowferryError('ROWFERRY_SOURCE_LINK', `the source has been silent for ${Math.round(silentMs)} ms`, {
        where: { position: `${this.#decoder.file}:${this.#decoder.offset}` },
        hint: 'check the network and the source; rowferry connects again by itself',
      }),
    );
  }

  #fail(error: RowferryError): void {
    this.#failure ??= error;
    clearInterval(this.#watchdog);
    this.#wake?.();
  }

  /** Adds to a lost position what the source still has. */
  async #explain(failure: RowferryError): Promise<RowferryError> {
    if (failure.code !== 'ROWFERRY_SOURCE_POSITION_LOST' || this.#closed) return failure;
    const logs = await this.#dump.ask('SHOW BINARY LOGS');
    const oldest = logs?.[0]?.['Log_name'];
    if (typeof oldest !== 'string') return failure;
    return new RowferryError(failure.code, `${failure.message}; its oldest binlog is ${oldest}`, {
      where: failure.where,
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
      cause: failure,
    });
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

function closedError(): RowferryError {
  return new RowferryError('ROWFERRY_SOURCE_LINK', 'the binlog link was closed');
}

function undecodable(error: unknown): RowferryError {
  const name = error instanceof Error ? error.name : typeof error;
  return new RowferryError('ROWFERRY_INVARIANT', `decoding the binlog failed with ${name}`, { cause: error });
}
