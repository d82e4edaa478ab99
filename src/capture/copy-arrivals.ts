/**
 * Follows copied rows to the targets: a chunk is on its way from when it is queued until the appliers have passed the last
 * record that holds a row of it. So the copy goes no faster than the targets take it, and live changes wait no longer.
 */
import { toRowferryError } from '../errors.ts';
import { sleep } from '../runtime/backoff.ts';
import { CopyWindow } from './copy-window.ts';

/** What the publisher tells of its records. */
export interface SentRecords {
  /** Bytes that wait for Kafka. */
  readonly pendingBytes: number;
  /** Every record up to this number is acknowledged. */
  readonly acknowledged: number;
  /** Offset after the last acknowledged record of each partition. */
  readonly ends: readonly number[];
}

interface Underway {
  readonly table: string;
  readonly rows: number;
  readonly queuedMs: number;
  /** Number of the last record that may hold a row of it; undefined until it is sent. */
  record: number | undefined;
  /** Offsets that the appliers must reach; undefined until the record is acknowledged. */
  ends: readonly number[] | undefined;
}

interface CopyArrivalsOptions {
  readonly lagMs: number;
  readonly leastRows: number;
  readonly mostRows: number;
  readonly readers: number;
}

const LOOK_MS = 100;

export class CopyArrivals {
  readonly #window: CopyWindow;
  readonly #leastRows: number;
  #underway: Underway[] = [];
  #failure: string | null = null;

  constructor({ lagMs, leastRows, mostRows, readers }: CopyArrivalsOptions) {
    this.#leastRows = leastRows;
    this.#window = new CopyWindow({ lagMs, leastRows, mostRows: mostRows * readers });
  }

  /** Why no more should be read now, or null. */
  get reason(): string | null {
    if (this.#window.isOpen) return null;
    return this.#failure ?? `the targets have yet to take ${this.#window.underway} copied rows`;
  }

  /** The largest chunk to begin now, such that several of them fill the window. */
  get largestChunk(): number {
    return Math.max(this.#leastRows, Math.floor(this.#window.allowed / 2));
  }

  begun(rows: number): void {
    this.#window.begun(rows);
  }

  /** A chunk was given up. */
  dropped(begun: number): void {
    this.#window.corrected(begun, 0);
  }

  /** Tables of which rows are on their way. */
  get tables(): ReadonlySet<string> {
    return new Set(this.#underway.map(({ table }) => table));
  }

  queued(table: string, begun: number, rows: number): void {
    this.#window.corrected(begun, rows);
    if (rows === 0) return;
    this.#underway.push({ table, rows, queuedMs: performance.now(), record: undefined, ends: undefined });
  }

  flushed(issued: number): void {
    for (let i = this.#underway.length - 1; i >= 0; i--) {
      const chunk = this.#underway[i]!;
      if (chunk.record !== undefined) return;
      chunk.record = issued;
    }
  }

  async watch(
    sent: SentRecords,
    applied: () => Promise<readonly number[]>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      await sleep(LOOK_MS, signal);
      if (this.#underway.length === 0) continue;
      try {
        this.#settle(sent, await applied());
        this.#failure = null;
      } catch (error) {
        // Kafka does not answer: the window stays as full as it is, and says so.
        this.#failure = `how far the targets are is not known: ${toRowferryError(error, 'asking Kafka').describe()}`;
      }
    }
  }

  #settle({ acknowledged, ends }: SentRecords, applied: readonly number[]): void {
    const nowMs = performance.now();
    const left: Underway[] = [];
    for (const chunk of this.#underway) {
      if (chunk.ends === undefined && chunk.record !== undefined && chunk.record <= acknowledged) {
        chunk.ends = [...ends];
      }
      const isThere = chunk.ends?.every((end, partition) => (applied[partition] ?? 0) >= end) === true;
      if (isThere) this.#window.arrived(chunk.rows, nowMs - chunk.queuedMs);
      else left.push(chunk);
    }
    this.#underway = left;
  }
}
