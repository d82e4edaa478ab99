/**
 * Times of a source by this machine's clock (LAG-3). The clocks of two machines differ, and a time in the binlog can be any:
 * a session may set it, and MariaDB tells when a statement began, in whole seconds, not when its transaction was committed.
 */
import type { BinlogEvent } from '../drivers/binlog-event.ts';
import type { Log } from '../model/log.ts';
import { comparePlace } from '../model/position-order.ts';

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

/** Gives the events of one link their times by this machine's clock. */
export class EventTimes {
  readonly #clock: SourceClock;
  readonly #current: Place;
  #file: string;
  #isCurrent = false;

  /** `current` is where the source stood before the link was made: what comes before it is old. */
  constructor(clock: SourceClock, file: string, current: Place) {
    this.#clock = clock;
    this.#file = file;
    this.#current = current;
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
        return { ...event, commitTimeMs, timeMs: this.#clock.localMs(event.timeMs, nowMs) };
      }
      case 'rows':
      case 'commit':
      case 'xa':
        return { ...event, timeMs: this.#clock.localMs(event.timeMs, nowMs) };
      default:
        return event;
    }
  }

  /** A source that does not tell sends a transaction when it is committed: when it comes, as long as none waits before it. */
  #commitMs(commitTimeMs: number | null, isNew: boolean, nowMs: number): number | null {
    if (commitTimeMs !== null) return this.#clock.localMs(commitTimeMs, nowMs);
    return this.#isCurrent && isNew ? nowMs : null;
  }
}
