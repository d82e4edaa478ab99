/**
 * Up to which commit time the source has been read, as one incarnation knows (I-9): the end of a transaction tells, and that
 * the source is idle.
 *
 * That it is idle, its binlog's heartbeats tell. Where a heartbeat row is written they do not count: a replica sends them
 * however far its primary is ahead, and so does a link that something stands in. Then only a row that came at once shows that
 * nothing is behind; and a source of which nothing comes for longer than rows may take is not known to be idle: its horizon
 * ages.
 */
import type { HeartbeatEvent } from '../drivers/binlog-event.ts';
import type { Log } from '../model/log.ts';
import { comparePlace } from '../model/position-order.ts';
import type { TransactionEnd } from './assembled.ts';
import { ROW_LATE_MS } from './commit-bounds.ts';

/** A row that came within this time of its being written came at once; a longer way is the lag. */
const AT_ONCE_MS = 100;

interface HorizonOptions {
  readonly source: string;
  /** Where the source stood when the incarnation began. */
  readonly current: { readonly file: string; readonly offset: number };
  /** How often the heartbeat row is written; null where none is. */
  readonly rowMs: number | null;
  readonly log: Log;
}

export class Horizon {
  readonly #options: HorizonOptions;
  #ms: number | null = null;
  /** When that was known. */
  #readMs = 0;
  /** When anything told of the horizon, or this was looked at first. */
  #signMs: number | undefined;
  /** Time of the heartbeat row in the transaction that was read last. */
  #rowMs: number | undefined;
  #isCurrent = false;
  #isOverdue = false;

  constructor(options: HorizonOptions) {
    this.#options = options;
  }

  /** All commits of the source up to this time have been read; null before that is known. */
  get ms(): number | null {
    return this.#ms;
  }

  /** Everything that stood in the binlog when this incarnation began has been read. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** A transaction was read to its end. */
  transaction(end: TransactionEnd, nowMs: number): void {
    this.#isCurrent ||= comparePlace(end, this.#options.current) >= 0;
    this.#know(end.commitMs, nowMs, nowMs);
    this.#rowMs = end.rowMs;
  }

  /**
   * The binlog's heartbeat; answers whether the source is idle at this place, with everything read that is committed by now.
   * Not so while it still skips what a GTID start covers (it sends heartbeats then, with a backlog behind them), nor when more
   * events wait behind the heartbeat.
   */
  heartbeat(place: HeartbeatEvent, isLast: boolean, nowMs: number): boolean {
    if (!isLast || comparePlace(place, this.#options.current) < 0) return false;
    this.#isCurrent = true;
    if (this.#options.rowMs !== null) return false;
    this.#know(nowMs, nowMs, nowMs);
    return true;
  }

  /**
   * Nothing waits behind the transaction that was read; answers whether that was a heartbeat row which came at once: the source
   * was idle when it was written.
   */
  drained(nowMs: number): boolean {
    const rowMs = this.#rowMs;
    this.#rowMs = undefined;
    if (rowMs === undefined || !this.#isCurrent || nowMs - rowMs > AT_ONCE_MS) return false;
    this.#know(rowMs, rowMs, nowMs);
    return true;
  }

  /** Nothing has come for longer than heartbeat rows may take, one of them lost. Each change is told once. */
  isOverdue(nowMs: number): boolean {
    const { rowMs, source, log } = this.#options;
    if (rowMs === null) return false;
    this.#signMs ??= nowMs;
    const silentMs = nowMs - this.#signMs;
    const isOverdue = silentMs > 2 * rowMs + ROW_LATE_MS;
    if (isOverdue && !this.#isOverdue)
      log.warn(
        { silentMs },
        `no heartbeat row comes from ${source}: lag counts from what is known to be read`,
      );
    if (!isOverdue && this.#isOverdue) log.info({}, `the heartbeat row comes from ${source} again`);
    this.#isOverdue = isOverdue;
    return isOverdue;
  }

  /** When the horizon was known, for a marker that is sent now: one that is overdue is known to be no later by now. */
  readMs(nowMs: number): number {
    return this.isOverdue(nowMs) ? nowMs : this.#readMs;
  }

  #know(ms: number, readMs: number, nowMs: number): void {
    this.#ms = ms;
    this.#readMs = readMs;
    this.#signMs = nowMs;
  }
}
