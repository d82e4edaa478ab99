import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/runtime/deadline.ts';

const never = () => new AbortController().signal;

/** Work that ends with its signal only; rejects with what aborted it. */
const untilAborted = async (signal: AbortSignal): Promise<never> =>
  await new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
  });

describe('withDeadline', () => {
  it('answers what the work answers, and leaves nothing behind at the signal', async () => {
    const signal = never();
    expect(await withDeadline(signal, 60_000, async () => 'done')).toBe('done');
    await expect(
      withDeadline(signal, 60_000, async () => await Promise.reject(new Error('no'))),
    ).rejects.toThrow('no');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('aborts the work when the time is up', async () => {
    await expect(withDeadline(never(), 20, untilAborted)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('aborts the work with its signal and for the same reason, also one that aborted before', async () => {
    const stop = new AbortController();
    const working = withDeadline(stop.signal, 60_000, untilAborted);
    stop.abort(new Error('enough'));
    await expect(working).rejects.toThrow('enough');
    await expect(withDeadline(stop.signal, 60_000, untilAborted)).rejects.toThrow('enough');
  });

  it('does not abort work that ended in time', async () => {
    let given: AbortSignal | undefined;
    await withDeadline(never(), 10, async (signal) => void (given = signal));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(given?.aborted).toBe(false);
  });
});
