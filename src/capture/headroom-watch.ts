/** Looks after the binlog that the saved position needs, while a capture runs and while it waits. Never stops anything. */
import { toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { namesGtidsAlone } from '../model/position.ts';
import { sleep } from '../runtime/backoff.ts';
import type { BinlogHeadroom, BinlogKept, HeadroomVerdict, ResumePoint } from './binlog-headroom.ts';
import { judgeHeadroom, measureHeadroom } from './binlog-headroom.ts';

interface HeadroomWatchOptions {
  /** Undefined while this process captures nothing. */
  readonly point: () => ResumePoint | undefined;
  readonly isCopying: () => boolean;
  /** Asks the source. */
  readonly look: () => Promise<BinlogKept>;
  readonly log: Log;
  /** How often the source is asked at most. */
  readonly lookMs?: number;
  readonly nowMs?: () => number;
}

const LOOK_MS = 60_000;
const STEP_MS = 1_000;

export class HeadroomWatch {
  readonly #options: HeadroomWatchOptions;
  #kept: BinlogKept | undefined;
  #lookedMs = -Infinity;
  /** At the last look the position had no place among the files. */
  #hadNoPlace = false;
  #headroom: BinlogHeadroom | undefined;
  #state: HeadroomVerdict['state'] = 'ample';
  #isBlind = false;

  constructor(options: HeadroomWatchOptions) {
    this.#options = options;
  }

  /** As of the last look; null while it is not known. */
  get headroom(): BinlogHeadroom | null {
    return this.#headroom ?? null;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.step();
      await sleep(STEP_MS, signal);
    }
  }

  /** Asks the source when it is time to, and judges anew: a copy may have begun since. A position that gets its place is time. */
  async step(): Promise<void> {
    const { point, isCopying, look, log, lookMs = LOOK_MS, nowMs = Date.now } = this.#options;
    const needed = point();
    if (needed === undefined) {
      this.#headroom = undefined;
      return;
    }
    const hasNoPlace = namesGtidsAlone(needed.position);
    if (nowMs() - this.#lookedMs >= lookMs || (this.#hadNoPlace && !hasNoPlace)) {
      this.#lookedMs = nowMs();
      this.#hadNoPlace = hasNoPlace;
      try {
        this.#kept = await look();
        this.#isBlind = false;
      } catch (thrown) {
        // Capture itself tells of a source that does not answer, and of grants; the numbers are for people.
        this.#kept = undefined;
        this.#headroom = undefined;
        const error = toRowferryError(thrown, 'looking at the binlog files');
        if (!this.#isBlind)
          log.warn({ code: error.code }, `binlog headroom is not known: ${error.describe()}`);
        this.#isBlind = true;
      }
      // Only with what was asked at the same time: the position may be in a file that the list does not have yet.
      if (this.#kept !== undefined) this.#headroom = measureHeadroom(needed, this.#kept, nowMs());
    }
    if (this.#kept === undefined) return;
    const { position } = needed;
    const { state, text } = judgeHeadroom(this.#headroom, this.#kept, { position, isCopying: isCopying() });
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'ample') log.info({}, text);
    else log.warn({ headroom: state }, text);
  }
}
