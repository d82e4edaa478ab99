/**
 * Times of a source by this machine's clock. The clocks of two machines differ, and a time in the binlog can be any:
 * a session may set it, and MariaDB tells when a statement began, in whole seconds, not when its transaction was committed.
 */
import type { BinlogEvent, RowsEvent } from '../drivers/binlog-event.ts';
import type { Log } from '../model/log.ts';
import { comparePlace } from '../model/position-order.ts';
import { CommitBounds } from './commit-bounds.ts';
import { utcMs } from './heartbeat-row.ts';

/** Clocks that are further apart deserve a word. */
const APART_MS = 1_000;

/** How far the source's clock is ahead of this machine's. */
export class SourceClock {
  readonly #log: Log;
  #offsetMs: number | null = null;
  #isApart = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Milliseconds that the source is ahead; null before it was asked. */
  get offsetMs(): number | null {
    return this.#offsetMs;
  }

  /** The source answered with its time. It was read somewhere between the two; what may come of that alone is no offset. */
  measured(sourceMs: number, askedMs: number, answeredMs: number): void {
    const doubtMs = (answeredMs - askedMs) / 2;
    const offsetMs = sourceMs - askedMs - doubtMs;
    this.#offsetMs = Math.abs(offsetMs) <= doubtMs ? 0 : Math.round(offsetMs);
    const isApart = Math.abs(this.#offsetMs) > APART_MS;
    if (isApart && !this.#isApart)
      this.#log.warn(
        { offsetMs: this.#offsetMs },
        'the clock of the source is not that of this machine: lag is told without the difference; keep both by NTP',
      );
    this.#isApart = isApart;
  }

  /** A time of the source by this machine's clock. Nothing was committed later than it was read. */
  localMs(sourceMs: number, nowMs: number): number {
    return Math.min(nowMs, sourceMs - (this.#offsetMs ?? 0));
  }
}

interface Place {
  readonly file: string;
  readonly offset: number;
}

/** Heartbeat rows, for the times of what comes between them. */
export interface HeartbeatTimes {
  readonly everyMs: number;
  /** They are written at another server, which the one that is read replicates: the times of this one are too late. */
  readonly isElsewhere: boolean;
  /** When our row was written, by this machine's clock; undefined for all other rows. */
  readonly of: (event: RowsEvent) => number | undefined;
}

/** Gives the events of one link their times by this machine's clock. */
export class EventTimes {
  readonly #clock: SourceClock;
  readonly #current: Place;
  readonly #rows: HeartbeatTimes | undefined;
  readonly #bounds: CommitBounds | undefined;
  #file: string;
  #isCurrent = false;
  /** When the transaction that is read came, or was committed by the source's word. */
  #cameMs = 0;

  /** `current` is where the source stood before the link was made: what comes before it is old. */
  constructor(clock: SourceClock, file: string, current: Place, rows?: HeartbeatTimes) {
    this.#clock = clock;
    this.#file = file;
    this.#current = current;
    this.#rows = rows;
    this.#bounds = rows === undefined ? undefined : new CommitBounds(rows.everyMs);
  }

  /** `isNew`: the reader waited for it, so nothing stood between it and the source. */
  of(event: BinlogEvent, isNew: boolean, nowMs: number): BinlogEvent {
    if (event.kind === 'rotate') this.#file = event.file;
    else if (!this.#isCurrent && 'end' in event)
      this.#isCurrent = comparePlace({ file: this.#file, offset: event.end }, this.#current) > 0;
    switch (event.kind) {
      case 'begin':
        return { ...event, commitTimeMs: this.#commitMs(event.commitTimeMs, isNew, nowMs) };
      case 'statement': {
        const commitTimeMs = this.#commitMs(event.commitTimeMs, isNew, nowMs);
        return { ...event, commitTimeMs, timeMs: this.#headerMs(event.timeMs, nowMs) };
      }
      case 'rows': {
        const writtenMs = this.#rows?.of(event);
        if (writtenMs !== undefined) this.#bounds?.row(writtenMs, this.#cameMs);
        return { ...event, timeMs: this.#headerMs(event.timeMs, nowMs) };
      }
      case 'commit':
      case 'xa':
        return { ...event, timeMs: this.#headerMs(event.timeMs, nowMs) };
      default:
        return event;
    }
  }

  /** A source that does not tell sends a transaction when it is committed: when it comes, as long as none waits before it. */
  #commitMs(commitTimeMs: number | null, isNew: boolean, nowMs: number): number | null {
    const toldMs = commitTimeMs === null ? null : this.#clock.localMs(commitTimeMs, nowMs);
    this.#cameMs = toldMs ?? nowMs;
    if (this.#rows?.isElsewhere === true) {
      // When the replica committed it hides how far that is behind. Statements keep the times that they had at the primary.
      if (this.#bounds?.hasRow !== true) return null;
    } else if (toldMs !== null) return toldMs;
    if (toldMs === null && !(this.#isCurrent && isNew)) return null;
    return Math.min(nowMs, this.#bounds?.came(this.#cameMs) ?? this.#cameMs);
  }

  /** The header tells when a statement began, or what its session says of it. */
  #headerMs(timeMs: number, nowMs: number): number {
    const localMs = this.#clock.localMs(timeMs, nowMs);
    return Math.min(nowMs, this.#bounds?.began(localMs) ?? localMs);
  }
}

/** Asks a server for its time. */
export async function askTime(
  query: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>,
  clock: SourceClock,
): Promise<void> {
  const askedMs = Date.now();
  const now = (await query('SELECT UTC_TIMESTAMP(6) AS now'))[0]?.['now'];
  const sourceMs = typeof now === 'string' ? utcMs(now) : NaN;
  if (Number.isFinite(sourceMs)) clock.measured(sourceMs, askedMs, Date.now());
}
