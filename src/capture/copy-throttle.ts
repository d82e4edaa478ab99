/** How fast a source is copied: a throttle over what the source, its replicas and this capture show, and how to keep its pace. */
import type { Log } from '../model/log.ts';
import { sleep } from '../runtime/backoff.ts';
import type { ThrottleCause, ThrottleSignal } from '../runtime/throttle.ts';
import { Throttle, THROTTLE_CAUSES } from '../runtime/throttle.ts';

/** Why a copy goes slower, or not at all: nothing is wrong with the targets, they only have to catch up. */
export type CopyCause = ThrottleCause | (typeof HOLDS)[number];
const HOLDS = ['hours', 'targets', 'outage', 'statement'] as const;
export const COPY_CAUSES: readonly CopyCause[] = [...THROTTLE_CAUSES, ...HOLDS];

/** Plain data, also for another thread. */
export interface CopyThrottleStatus {
  /** Part of the full speed that is allowed, above 0 and at most 1. */
  readonly share: number;
  readonly causes: readonly CopyCause[];
}

export interface CopyPace {
  /** Chunks that are read at the same time at full speed. */
  readonly readers: number;
  /** Percent of the full speed that are left when it is slowed most. */
  readonly leastPercent: number;
  /** The ceiling; null for none. */
  readonly rowsPerSecond: number | null;
}

/** Readers that may be at work, for a share of the full speed. Pure. */
export function readersAt(share: number, readers: number): number {
  return Math.max(1, Math.ceil(readers * share - 1e-9));
}

/**
 * How long a reader rests after a chunk, such that all readers together keep to the share of their speed and to the ceiling:
 * first fewer readers, then pauses. Pure.
 */
export function restMs(
  chunk: { readonly rows: number; readonly readMs: number },
  share: number,
  { readers, rowsPerSecond }: CopyPace,
): number {
  const atWork = readersAt(share, readers);
  const duty = Math.min(1, (readers * share) / atWork);
  const slowed = chunk.readMs * (1 / duty - 1);
  const capped = rowsPerSecond === null ? 0 : (chunk.rows * atWork * 1_000) / rowsPerSecond - chunk.readMs;
  return Math.max(0, slowed, capped);
}

const LOOK_MS = 1_000;
const REST_MS = 50;

export class CopyThrottle {
  readonly #pace: CopyPace;
  readonly #look: () => Promise<readonly ThrottleSignal[]>;
  readonly #throttle: Throttle;
  readonly #log: Log;
  #hasLooked = false;

  constructor(pace: CopyPace, look: () => Promise<readonly ThrottleSignal[]>, log: Log) {
    this.#pace = pace;
    this.#look = look;
    this.#throttle = new Throttle(pace.leastPercent / 100);
    this.#log = log;
  }

  /** Nothing is known of the source before. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  get share(): number {
    return this.#throttle.share;
  }

  get cause(): ThrottleCause | null {
    return this.#throttle.cause?.cause ?? null;
  }

  /** Why it is slow, in words for the operator. */
  get reason(): string | null {
    const { cause, share } = this.#throttle;
    return cause === null ? null : `slowed to ${Math.round(share * 100)} %: ${cause.what}`;
  }

  get readers(): number {
    return readersAt(this.share, this.#pace.readers);
  }

  /** Most rows of a chunk, such that a ceiling is kept second by second. */
  get mostRows(): number {
    return this.#pace.rowsPerSecond ?? Infinity;
  }

  /** Looks once a second while there is something to copy. */
  async watch(isCopying: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (isCopying()) await this.#lookOnce();
      else this.#hasLooked = false;
      await sleep(LOOK_MS, signal);
    }
  }

  /** The pause of a reader after a chunk; shorter when things become calm meanwhile, or when it is not wanted any more. */
  async rest(
    chunk: { readonly rows: number; readonly readMs: number },
    isWanted: () => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const leftMs = restMs(chunk, this.share, this.#pace) - (performance.now() - startedMs);
      if (!(leftMs > 0) || !isWanted() || signal.aborted) return;
      await sleep(Math.min(REST_MS, leftMs), signal);
    }
  }

  async #lookOnce(): Promise<void> {
    const before = this.#throttle.cause;
    this.#throttle.look(await this.#look());
    this.#hasLooked = true;
    const { cause } = this.#throttle;
    if (before === null && cause !== null)
      this.#log.debug({ cause: cause.cause }, `the copy is ${this.reason}`);
    if (before !== null && cause === null) this.#log.debug({}, 'the copy goes at full speed again');
  }
}
