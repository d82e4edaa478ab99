import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import type { Log } from '../../../src/model/log.ts';
import type { OutageOptions } from '../../../src/runtime/outages.ts';
import { Outages, waitBeforeTry } from '../../../src/runtime/outages.ts';

const LOST = new RowferryError('ROWFERRY_SOURCE_LINK', 'the server is gone');
const MAX_MS = 30_000;

/** A clock that goes on by what is waited, chance that is always the same, and what was logged. */
function outagesAt(random = 1): {
  readonly outages: Outages;
  readonly clock: { ms: number };
  readonly lines: string[];
} {
  const clock = { ms: 0 };
  const lines: string[] = [];
  const write =
    (level: string): Log['info'] =>
    (_, message) =>
      void lines.push(`${level} ${message.split(':')[0]}`);
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const outages = new Outages({ maxMs: MAX_MS, log, now: () => clock.ms, random: () => random });
  return { outages, clock, lines };
}

/** Waits of so many failures in a row. */
function failures(count: number, options: OutageOptions = {}) {
  const { outages, clock, lines } = outagesAt();
  const outage = outages.of('capture main', options);
  const waits = Array.from({ length: count }, () => {
    const waitMs = outage.failed(LOST);
    clock.ms += waitMs;
    return waitMs;
  });
  return { outages, outage, clock, lines, waits };
}

describe('an outage', () => {
  it('is tried after 1, 2 and 4 s: 7 s in all, then the part is probing', () => {
    const { outages, outage, clock, waits } = failures(3);
    expect(waits).toEqual([1_000, 2_000, 4_000]);
    expect(clock.ms).toBe(7_000);
    expect(outage.status).toMatchObject({ phase: 'trying', tries: 2, nextTryMs: 7_000 });
    outage.failed(LOST);
    expect(outages.current).toEqual([
      {
        part: 'capture main',
        phase: 'probing',
        server: null,
        tries: 3,
        sinceMs: 0,
        nextTryMs: 7_000 + 8_000,
        error: LOST.describe(),
        errorCode: 'ROWFERRY_SOURCE_LINK',
      },
    ]);
  });

  it('is probed for ever, with waits that grow to the longest one', () => {
    const { waits } = failures(8);
    expect(waits.slice(3)).toEqual([8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('waits by chance, never longer than asked nor less than half of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 1e6 }),
        fc.integer({ min: 4_000, max: 3.6e6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (tries, maxMs, random) => {
          const waitMs = waitBeforeTry(tries, maxMs, random);
          expect(waitMs).toBeLessThanOrEqual(maxMs);
          expect(waitMs).toBeGreaterThanOrEqual(Math.min(maxMs, 8_000) / 2);
        },
      ),
    );
  });

  it('of a link that nobody has tried to make anew begins with a try at once, which does not count', () => {
    const { waits, outage } = failures(4, { atOnce: true });
    expect(waits).toEqual([100, 1_000, 2_000, 4_000]);
    expect(outage.status).toMatchObject({ phase: 'trying', tries: 2 });
  });

  it('tells each change of its state once', () => {
    const { outage, outages, lines } = failures(20);
    outage.over();
    outage.over();
    expect(lines).toEqual([
      'warn capture main waits',
      'error capture main is probing',
      'info capture main works again',
    ]);
    expect(outages.current).toEqual([]);
  });

  it('tells another error once, however often the two take turns', () => {
    const { outage, lines } = failures(4);
    const other = new RowferryError('ROWFERRY_KAFKA_LINK', 'so is the other one');
    for (let i = 0; i < 10; i++) {
      outage.failed(other);
      outage.failed(LOST);
    }
    expect(lines).toEqual([
      'warn capture main waits',
      'error capture main is probing',
      'warn capture main waits',
    ]);
  });

  it('goes on where it was when what came back breaks again soon, and is a new one after a while', () => {
    const { outage, clock } = failures(4, { steadyMs: 10_000 });
    outage.over();
    clock.ms += 9_999;
    expect(outage.failed(LOST)).toBe(16_000);
    outage.over();
    clock.ms += 10_000;
    expect(outage.failed(LOST)).toBe(1_000);
  });

  it('that nobody waits for any more is shown no longer', () => {
    const { outage, outages, lines } = failures(2);
    outage.close();
    expect(outages.current).toEqual([]);
    expect(outage.failed(LOST)).toBe(1_000);
    expect(lines).not.toContain('info capture main works again');
  });
});

describe('work that is tried again', () => {
  const never = new AbortController().signal;

  it('answers what it answers in the end', async () => {
    const { outages, lines } = outagesAt();
    let tries = 0;
    const work = async (): Promise<number> => {
      if (tries++ === 0) throw LOST;
      return tries;
    };
    expect(await outages.retrying('kafka', work, never, { atOnce: true })).toBe(2);
    expect(lines).toEqual(['warn kafka waits', 'info kafka works again']);
    expect(outages.current).toEqual([]);
  });

  it('tries at once when somebody hurries, and waits as long as before for the next try', async () => {
    const { outages } = outagesAt();
    const waits: number[] = [];
    let tries = 0;
    const work = async (): Promise<number> => {
      if (tries++ < 2) throw LOST;
      return tries;
    };
    const onWait = (_: RowferryError, nextTryMs: number): void => {
      waits.push(nextTryMs);
      // Once the wait has begun.
      queueMicrotask(() => queueMicrotask(() => outages.hurry()));
    };
    const startedMs = performance.now();
    expect(await outages.retrying('kafka', work, never, { onWait })).toBe(3);
    expect(waits).toEqual([1_000, 2_000]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it('that nobody waits in is hurried by nobody', async () => {
    const { outages } = outagesAt();
    outages.hurry();
    const stop = new AbortController();
    const waited = outages.wait(60_000, stop.signal).then(() => 'waited');
    expect(await Promise.race([waited, new Promise((resolve) => setImmediate(resolve, 'waits'))])).toBe(
      'waits',
    );
    stop.abort();
    expect(await waited).toBe('waited');
  });

  it('ends with an error that does not pass', async () => {
    const { outages } = outagesAt();
    const refused = new RowferryError('ROWFERRY_KAFKA_REFUSED', 'no');
    await expect(outages.retrying('kafka', () => Promise.reject(refused), never)).rejects.toBe(refused);
    expect(outages.current).toEqual([]);
  });

  it('ends with its signal, by the signal’s reason, also in the middle of a wait', async () => {
    const { outages } = outagesAt();
    const stop = new AbortController();
    const onWait = (): void => queueMicrotask(() => stop.abort());
    const work = outages.retrying('kafka', () => Promise.reject(LOST), stop.signal, { onWait });
    const ended = await work.catch((error: unknown) => error);
    expect(stop.signal.aborted).toBe(true);
    expect(ended).toBe(stop.signal.reason);
    expect(outages.current).toEqual([]);
  });
});
