/** How late this thread's event loop is, as a signal to slow a copy down: live changes go through the same loop. */
import type { IntervalHistogram } from 'node:perf_hooks';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ThrottleSignal } from '../runtime/throttle.ts';

const RESOLUTION_MS = 20;
/** The mean since the last look: one long pause of the garbage collector is none of the copy's business. */
const LIMITS = { slowAbove: 200, calmAt: 100 };

export class LoopDelay {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  signal(): ThrottleSignal {
    const { count, mean } = this.#delay;
    // A loop that had no turn since the last look has measured nothing, and its mean is no number.
    const value = count === 0 ? 0 : Math.max(0, mean / 1e6 - RESOLUTION_MS);
    this.#delay.reset();
    const what = `capture is held up for ${Math.round(value)} ms at a time by its own work`;
    return { cause: 'event-loop', value, ...LIMITS, what };
  }

  stop(): void {
    this.#delay.disable();
  }
}
