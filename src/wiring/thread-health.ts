/** How a thread fares: its heap, and how long its event loop kept others waiting. */
import type { IntervalHistogram } from 'node:perf_hooks';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** Plain numbers that can be sent to another thread. */
export interface ThreadHealth {
  readonly heapBytes: number;
  readonly heapLimitBytes: number;
  /** The longest delay of the last ten to twenty seconds. */
  readonly loopDelayMs: number;
}

const WINDOW_MS = 10_000;
const RESOLUTION_MS = 20;

export class ThreadWatch {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #lastMs = 0;
  #turnedAt = performance.now();

  constructor() {
    this.#delay.enable();
  }

  read(): ThreadHealth {
    const nowMs = performance.now();
    // The histogram counts from one tick of its timer to the next.
    const longestMs = Math.max(0, this.#delay.max / 1e6 - RESOLUTION_MS);
    const loopDelayMs = Math.max(this.#lastMs, longestMs);
    if (nowMs - this.#turnedAt >= WINDOW_MS) {
      this.#lastMs = longestMs;
      this.#turnedAt = nowMs;
      this.#delay.reset();
    }
    const { used_heap_size: heapBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
    return { heapBytes, heapLimitBytes, loopDelayMs: Math.round(loopDelayMs * 10) / 10 };
  }

  stop(): void {
    this.#delay.disable();
  }
}
