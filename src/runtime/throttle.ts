/**
 * Slows work down for the sake of others, and lets it recover. Pure: what is measured comes in, a share of the full
 * speed comes out, and why it is less than all.
 *
 *     a signal above its limit ──> half the share, never below the floor: slower never means stuck
 *     every signal at or below its calm value ──> a step more
 *     anything between ──> as it is: a signal that stands there makes nothing swing
 */
export type ThrottleCause = 'source-threads' | 'replica-lag' | 'capture-lag' | 'capture-queue' | 'event-loop';

export const THROTTLE_CAUSES: readonly ThrottleCause[] = [
  'source-threads',
  'replica-lag',
  'capture-lag',
  'capture-queue',
  'event-loop',
];

/** One measurement. */
export interface ThrottleSignal {
  readonly cause: ThrottleCause;
  /** Infinity when it cannot be had: who does not answer is spared as well. What is no number is taken as that. */
  readonly value: number;
  readonly slowAbove: number;
  /** At most `slowAbove`. */
  readonly calmAt: number;
  /** What is wrong when it is above, in words for the operator. */
  readonly what: string;
}

const SLOWER = 0.5;
const FASTER = 0.1;

export class Throttle {
  readonly #floor: number;
  #share = 1;
  #cause: ThrottleSignal | null = null;

  /** `floor`: the least share, above 0 and at most 1; a TypeError when it is not. */
  constructor(floor: number) {
    if (!(floor > 0 && floor <= 1)) throw new TypeError(`a throttle cannot have a floor of ${floor}`);
    this.#floor = floor;
  }

  /** How much of the full speed is allowed: `floor` to 1. */
  get share(): number {
    return this.#share;
  }

  /** What slowed it last; null exactly when the share is 1. */
  get cause(): ThrottleSignal | null {
    return this.#cause;
  }

  /** To be called at a steady pace. */
  look(signals: readonly ThrottleSignal[]): void {
    // Asked this way round, NaN is above every limit, and every value above a limit that is NaN.
    const over = signals.filter(({ value, slowAbove }) => !(value <= slowAbove));
    const [worst] = over.toSorted((a, b) => excessOf(b) - excessOf(a));
    if (worst !== undefined) this.#become(this.#share * SLOWER, worst);
    else if (signals.every(({ value, calmAt }) => value <= calmAt))
      this.#become(this.#share + FASTER, this.#cause);
  }

  #become(share: number, cause: ThrottleSignal | null): void {
    // Steps of a tenth do not add up to exactly 1.
    this.#share = share > 0.999 ? 1 : Math.max(this.#floor, share);
    this.#cause = this.#share === 1 ? null : cause;
  }
}

/** How far it is above its limit, as a number that can be compared: the largest when that is unknown or without bounds. */
function excessOf({ value, slowAbove }: ThrottleSignal): number {
  const excess = value / slowAbove;
  return Number.isFinite(excess) ? excess : Number.MAX_VALUE;
}
