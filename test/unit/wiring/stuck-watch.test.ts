import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STUCK_MS, StuckWatch } from '../../../src/wiring/stuck-watch.ts';

/** Looks twice a second for so long; `reports` tells whether the thread of a name has told something since the last look. */
function watch(ms: number, reports: (name: string, nowMs: number) => boolean, stepMs = 500) {
  const watch = new StuckWatch();
  const told = new Map([['apply', 0], ['capture main', 0]]); // prettier-ignore
  let found: ReturnType<StuckWatch['look']> = [];
  for (let nowMs = 0; nowMs <= ms && found.length === 0; nowMs += stepMs) {
    for (const name of told.keys()) if (reports(name, nowMs)) told.set(name, nowMs);
    found = watch.look([...told].map(([name, reportedMs]) => ({ name, reportedMs })), nowMs); // prettier-ignore
  }
  return found;
}

describe('a thread', () => {
  it('that tells nothing for a minute while the others go on is stuck, and no sooner', () => {
    const silent = (name: string, nowMs: number): boolean => name === 'apply' || nowMs < 10_000;
    expect(watch(10_000 + STUCK_MS - 1_000, silent)).toEqual([]);
    expect(watch(200_000, silent)).toEqual([{ name: 'capture main', silentMs: STUCK_MS }]);
  });

  it('that never told anything is stuck after a minute, too', () => {
    expect(watch(200_000, (name) => name === 'apply')).toMatchObject([{ name: 'capture main' }]);
  });

  it('that tells something every now and then is not', () => {
    expect(watch(600_000, (_, nowMs) => nowMs % 59_500 === 0)).toEqual([]);
  });
});

describe('a process that was held up as a whole', () => {
  const thread = (reportedMs: number) => [{ name: 'apply', reportedMs }];

  it('has no stuck thread: its looks were as late as the reports', () => {
    const stuck = new StuckWatch();
    stuck.look(thread(1), 0);
    // Suspended for a day; what the thread told before is looked at first.
    expect(stuck.look(thread(1), 86_400_000)).toEqual([]);
    expect(stuck.look(thread(86_400_001), 86_400_500)).toEqual([]);
  });

  it('has none either when it gets a moment every ten seconds', () => {
    const stuck = new StuckWatch();
    const found = Array.from({ length: 25 }, (_, i) => stuck.look(thread(1), i * 10_000));
    expect(found.flat()).toEqual([]);
  });

  it('has one only when looks that were in time make up the minute', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 200 }), (steps) => {
        const stuck = new StuckWatch();
        stuck.look(thread(1), 0);
        let nowMs = 0;
        let countedMs = 0;
        for (const step of steps) {
          nowMs += step;
          countedMs += Math.min(step, 2_000);
          expect(stuck.look(thread(1), nowMs).length > 0).toBe(countedMs >= STUCK_MS);
        }
      }),
    );
  });
});
