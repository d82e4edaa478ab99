import { describe, expect, it } from 'vitest';
import { ApplyCounters } from '../../../src/apply/apply-counters.ts';
import type { TargetWrites } from '../../../src/apply/apply-counters.ts';
import { WriteWatch } from '../../../src/wiring/write-watch.ts';

const NOW = 1_800_000_000_000;

const rows = (upserts: number, deletes = 0, table = 'orders') => ({ target: 'a', table, upserts, deletes });
const writes = (count: number, seconds: number, runningSeconds: number | null = null): TargetWrites => ({
  target: 'a',
  count,
  seconds,
  runningSeconds,
});

describe('the rate of writing', () => {
  const rate = (watch: WriteWatch, ms: number, ...tables: ReturnType<typeof rows>[]) =>
    watch.look({ rows: tables, writes: [] }, NOW + ms).rates.map(({ rowsPerSecond }) => rowsPerSecond);

  it('is that of the last minute, and not known before there is one', () => {
    const watch = new WriteWatch();
    expect(rate(watch, 0, rows(1_000))).toEqual([null]);
    expect(rate(watch, 59_999, rows(7_000))).toEqual([null]);
    expect(rate(watch, 60_000, rows(6_000, 1_000))).toEqual([100]);
    // A table that is written to for the first time.
    expect(rate(watch, 60_500, rows(7_000), rows(605, 0, 'users'))[1]).toBe(10);
  });

  it('forgets what is older, looked at twice a second', () => {
    const watch = new WriteWatch();
    let last: (number | null)[] = [];
    for (let ms = 0; ms <= 200_000; ms += 500) last = rate(watch, ms, rows(Math.min(ms, 100_000)));
    expect(last).toEqual([0]);
    for (let ms = 200_500; ms <= 300_000; ms += 500)
      last = rate(watch, ms, rows(100_000 + (ms - 200_000) / 10));
    expect(last).toEqual([100]);
  });

  it('is told anew when the clock was set back', () => {
    const watch = new WriteWatch();
    rate(watch, 0, rows(0));
    expect(rate(watch, -3_600_000, rows(50))).toEqual([null]);
    expect(rate(watch, -3_540_000, rows(110))).toEqual([1]);
  });
});

describe('the time that a transaction takes', () => {
  const time = (watch: WriteWatch, ms: number, one: TargetWrites) =>
    watch.look({ rows: [], writes: [one] }, NOW + ms).seconds.get('a');

  it('is the average of the last minute; a target that nothing is written to has none', () => {
    const watch = new WriteWatch();
    expect(time(watch, 0, writes(10, 50))).toBeUndefined();
    expect(time(watch, 10_000, writes(14, 50.4))).toBeCloseTo(0.1);
    expect(time(watch, 80_000, writes(14, 50.4))).toBeUndefined();
  });

  it('counts one that still runs as soon as it takes longer than the others', () => {
    const watch = new WriteWatch();
    time(watch, 0, writes(0, 0));
    expect(time(watch, 1_000, writes(1, 0.1, 0.05))).toBeCloseTo(0.1);
    expect(time(watch, 2_000, writes(1, 0.1, 0.9))).toBeCloseTo(0.5);
    // Nothing else has ended for a minute.
    expect(time(watch, 5_000, writes(1, 0.1, 3))).toBeCloseTo(1.55);
    expect(time(watch, 70_000, writes(1, 0.1, 68))).toBeCloseTo(68);
  });
});

it('what failed is not taken as written quickly', async () => {
  let nowMs = 0;
  const counters = new ApplyCounters(() => nowMs);
  let end = (): void => {};
  const slow = counters.timed('a', async () => await new Promise<void>((resolve) => (end = resolve)));
  nowMs = 250;
  const failed = counters.timed('a', async () => await Promise.reject(new Error('gone')));
  await expect(failed).rejects.toThrow('gone');
  nowMs = 1_000;
  expect(counters.current.writes).toEqual([writes(0, 0, 1)]);
  end();
  await slow;
  expect(counters.current.writes).toEqual([writes(1, 1)]);
});
