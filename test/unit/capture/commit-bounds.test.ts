import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommitBounds, ROW_LATE_MS } from '../../../src/capture/commit-bounds.ts';

const EVERY = 1_000;

describe('commit times between heartbeat rows (LAG-3)', () => {
  it('are as they are told before the first row', () => {
    const bounds = new CommitBounds(EVERY);
    expect([bounds.came(5), bounds.began(7)]).toEqual([5, 7]);
  });

  it('are as long after the last row as a transaction came after it', () => {
    const bounds = new CommitBounds(EVERY);
    bounds.row(10_000, 13_000);
    expect(bounds.came(13_250)).toBe(10_250);
  });

  it('are those of the last row where a statement began before it, or a session says tomorrow', () => {
    const bounds = new CommitBounds(EVERY);
    bounds.row(10_000, 10_000);
    expect(bounds.began(6_000)).toBe(10_000);
    expect(bounds.began(10_700)).toBe(10_700);
    expect(bounds.began(10_000 + 86_400_000)).toBe(10_000);
  });

  it('are those of the last row while the next one is overdue', () => {
    const bounds = new CommitBounds(EVERY);
    bounds.row(10_000, 10_002);
    expect(bounds.came(10_002 + EVERY + ROW_LATE_MS)).toBe(10_000 + EVERY + ROW_LATE_MS);
    expect(bounds.came(10_003 + EVERY + ROW_LATE_MS)).toBe(10_000);
  });

  /** Commits and rows in the order of the binlog, each with what the way to the reader took longer than for the one before. */
  const history = fc.array(
    fc.record({
      afterMs: fc.nat({ max: 900 }),
      isRow: fc.boolean(),
      slowerMs: fc.integer({ min: -200, max: 500 }),
      beganMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
    }),
    { maxLength: 200 },
  );

  it('lie between the last row and the next, whatever sessions say and however long the way is', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const bounds = new CommitBounds(EVERY);
        let [committedMs, wayMs, readMs, rowMs] = [1_000_000, 5_000, 0, -1];
        for (const { afterMs, isRow, slowerMs, beganMs } of steps) {
          committedMs += afterMs;
          wayMs = Math.max(0, wayMs + slowerMs);
          readMs = Math.max(readMs, committedMs + wayMs);
          // A row that is late makes no promise.
          if (isRow || (rowMs >= 0 && committedMs - rowMs > EVERY)) bounds.row((rowMs = committedMs), readMs);
          if (rowMs < 0) continue;
          for (const told of [bounds.came(readMs), bounds.began(committedMs + beganMs)]) {
            expect(told).toBeGreaterThanOrEqual(rowMs);
            expect(Math.abs(told - committedMs)).toBeLessThanOrEqual(EVERY + ROW_LATE_MS);
          }
          // An honest header is never later than the commit, and then the time is not either: lag is not told too small.
          expect(bounds.began(committedMs - Math.abs(beganMs))).toBeLessThanOrEqual(committedMs);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('are exact where the way always takes as long', () => {
    fc.assert(
      fc.property(history, fc.nat({ max: 60_000 }), (steps, wayMs) => {
        const bounds = new CommitBounds(EVERY);
        let [committedMs, rowMs] = [1_000_000, -1];
        for (const { afterMs, isRow } of steps) {
          committedMs += afterMs;
          if (isRow || committedMs - rowMs > EVERY) bounds.row((rowMs = committedMs), committedMs + wayMs);
          expect(bounds.came(committedMs + wayMs)).toBe(committedMs);
        }
      }),
    );
  });
});
