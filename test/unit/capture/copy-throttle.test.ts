import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readersAt, restMs } from '../../../src/capture/copy-throttle.ts';
import { CopyWindow } from '../../../src/capture/copy-window.ts';

const pace = fc.record({
  readers: fc.integer({ min: 1, max: 32 }),
  leastPercent: fc.constant(5),
  rowsPerSecond: fc.constant(null),
});
const share = fc.double({ min: 0.01, max: 1, noNaN: true });
const chunk = fc.record({
  rows: fc.integer({ min: 1, max: 50_000 }),
  readMs: fc.double({ min: 1, max: 5_000, noNaN: true }),
});

describe('the pace of a copy', () => {
  it('is the share of the full speed: fewer readers first, pauses for the rest', () => {
    fc.assert(
      fc.property(pace, share, chunk, (pace, share, chunk) => {
        const atWork = readersAt(share, pace.readers);
        expect(atWork).toBeGreaterThanOrEqual(1);
        expect(atWork).toBeLessThanOrEqual(pace.readers);
        const speed = (atWork * chunk.readMs) / (chunk.readMs + restMs(chunk, share, pace));
        expect(speed / pace.readers).toBeCloseTo(share, 6);
      }),
    );
  });

  it('never goes past a ceiling', () => {
    fc.assert(
      fc.property(
        pace,
        share,
        chunk,
        fc.integer({ min: 100, max: 1e6 }),
        (pace, share, chunk, rowsPerSecond) => {
          const capped = { ...pace, rowsPerSecond };
          const seconds = (chunk.readMs + restMs(chunk, share, capped)) / 1_000;
          const speed = (readersAt(share, pace.readers) * chunk.rows) / seconds;
          expect(speed).toBeLessThanOrEqual(rowsPerSecond * 1.000_001);
        },
      ),
    );
  });

  it('has no pauses at full speed', () => {
    expect(
      restMs({ rows: 1_000, readMs: 500 }, 1, { readers: 4, leastPercent: 5, rowsPerSecond: null }),
    ).toBe(0);
  });
});

describe('the window of copied rows', () => {
  const options = { lagMs: 1_000, leastRows: 100, mostRows: 10_000 };

  it('stays within its bounds, and always lets one chunk through', () => {
    const arrivals = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 0, max: 5_000 })),
    );
    fc.assert(
      fc.property(arrivals, (arrivals) => {
        const window = new CopyWindow(options);
        for (const [rows, elapsedMs] of arrivals) {
          expect(window.isOpen).toBe(true);
          window.begun(rows);
          window.arrived(rows, elapsedMs);
          expect(window.allowed).toBeGreaterThanOrEqual(options.leastRows);
          expect(window.allowed).toBeLessThanOrEqual(options.mostRows);
        }
      }),
    );
  });

  it('does not swing while rows arrive in a little less than the time that they may take', () => {
    const window = new CopyWindow(options);
    const { allowed } = window;
    for (const elapsedMs of [801, 900, 1_000, 801]) {
      window.begun(allowed);
      window.arrived(allowed, elapsedMs);
      expect(window.allowed).toBe(allowed);
    }
  });
});
