import { setTimeout as delay } from 'node:timers/promises';

/** Sleeps; returns early (without an error) when the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Exponential backoff with full jitter in its upper half: the wait before try n is between half and the whole of
 * `min(maxMs, firstMs * 2^n)`. `reset` after success.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #tries = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  get tries(): number {
    return this.#tries;
  }

  nextMs(): number {
    const { firstMs, maxMs } = this.#options;
    const full = Math.min(maxMs, firstMs * 2 ** Math.min(this.#tries++, 30));
    return full / 2 + Math.random() * (full / 2);
  }

  reset(): void {
    this.#tries = 0;
  }

  async wait(signal: AbortSignal): Promise<void> {
    await sleep(this.nextMs(), signal);
  }
}
