/** A bound in time for work that takes a signal. */

/**
 * Runs `work` with a signal that aborts with `signal` or after `ms`. A timer of its own, held for as long as the work lasts: a
 * signal made of `AbortSignal.timeout` by `AbortSignal.any` may be collected as garbage and then never abort.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const bounded = new AbortController();
  const abort = (): void => bounded.abort(signal.reason);
  const timer = setTimeout(() => bounded.abort(new DOMException('the time is up', 'TimeoutError')), ms);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await work(bounded.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
