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

/**
 * For work that may not heed a signal: rejects with what `late` makes once `ms` have passed, and with the signal's reason when it
 * aborts. What the work comes to after that is nobody's business.
 */
export async function answerWithin<T>(
  signal: AbortSignal,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => Error,
): Promise<T> {
  return await withDeadline(signal, ms, async (bounded) => {
    let tell = (): void => {};
    const over = new Promise<never>((_, reject) => {
      tell = () => reject(signal.aborted ? (signal.reason as Error) : late());
    });
    bounded.addEventListener('abort', tell, { once: true });
    if (bounded.aborted) tell();
    try {
      return await Promise.race([work(bounded), over]);
    } catch (error) {
      // Work that heeds the signal may be the first to say so, in its own words.
      throw bounded.aborted && !signal.aborted ? late() : error;
    } finally {
      bounded.removeEventListener('abort', tell);
    }
  });
}
