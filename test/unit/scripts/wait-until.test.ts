import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';

describe('waitUntil', () => {
  it('resolves with the first truthy value, errors of the probe counting as "not yet"', async () => {
    const answers = [() => Promise.reject(new Error('starting')), () => 0, () => Promise.resolve(7)];
    const value = await waitUntil(() => answers.shift()?.(), { what: 'seven', intervalMs: 1 });
    expect(value).toBe(7);
  });

  it('names what it waited for and the last value', async () => {
    const waiting = waitUntil(() => false, { what: 'the lag to fall', timeoutMs: 20, intervalMs: 1 });
    await expect(waiting).rejects.toThrow('waiting for the lag to fall; last value: false');
  });

  it('names the last error and keeps it as the cause', async () => {
    const refused = new Error('refused');
    const waiting = waitUntil(() => Promise.reject(refused), { what: 'the server', timeoutMs: 20 });
    await expect(waiting).rejects.toMatchObject({ message: /last error: refused/, cause: refused });
  });

  it('ends at once with an error that leaves nothing to wait for', async () => {
    const gone = new Error('exit code 2');
    const waiting = waitUntil(() => Promise.reject(gone), {
      what: 'the daemon',
      onError: 'fail',
      details: () => 'the end of its log',
    });
    await expect(waiting).rejects.toMatchObject({
      message: 'failed while waiting for the daemon; last error: exit code 2\nthe end of its log',
      cause: gone,
    });
  });

  it('ends in time although the probe hangs', async () => {
    const hanging = new Promise<never>(() => undefined);
    const waiting = waitUntil(() => hanging, { what: 'an answer', timeoutMs: 20 });
    await expect(waiting).rejects.toThrow('the probe never answered');
  });
});
