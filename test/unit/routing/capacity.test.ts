import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capacityOf, dateAfterMonths } from '../../../src/routing/capacity.ts';

const M = 1_000_000;
const example = { rows: 50 * M, growthPerMonth: 20 * M, tables: 64, rowLimit: 10 * M };

describe('capacityOf', () => {
  it('SHR-14: 64 tables of 10 M with 50 M rows and 20 M a month last 29.5 months', () => {
    expect(capacityOf(example)).toEqual({ capacity: 640 * M, free: 590 * M, used: 50 / 640, months: 29.5 });
  });

  it('never fills without growth, and is full at once when it is full', () => {
    expect(capacityOf({ ...example, growthPerMonth: 0 }).months).toBeNull();
    expect(capacityOf({ ...example, rows: 640 * M }).months).toBe(0);
    expect(capacityOf({ ...example, rows: 700 * M, growthPerMonth: 0 })).toMatchObject({
      free: 0,
      months: 0,
    });
  });

  it('ends with exactly as many rows as fit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 1, max: 4_096 }),
        fc.integer({ min: 1, max: 1e8 }),
        (rows, growthPerMonth, tables, rowLimit) => {
          const { months, capacity } = capacityOf({ rows, growthPerMonth, tables, rowLimit });
          if (rows >= capacity) expect(months).toBe(0);
          else expect((rows + months! * growthPerMonth) / capacity).toBeCloseTo(1, 9);
        },
      ),
    );
  });

  it.each([{ rows: -1 }, { growthPerMonth: NaN }, { tables: 0 }, { tables: 1.5 }, { rowLimit: 0 }])(
    'refuses %j',
    (wrong) => {
      expect(() => capacityOf({ ...example, ...wrong })).toThrow(
        expect.objectContaining({ code: 'ROWFERRY_CONFIG_INVALID' }),
      );
    },
  );
});

describe('dateAfterMonths', () => {
  const from = new Date('2026-01-31T22:00:00Z');

  it('counts whole months by the calendar and the rest by days of the month that follows', () => {
    expect(dateAfterMonths(from, 0)).toBe('2026-01-31');
    expect(dateAfterMonths(from, 1)).toBe('2026-02-28');
    expect(dateAfterMonths(new Date('2026-11-01'), 29.5)).toBe('2029-04-16');
  });

  it('has no date past the year 9999', () => {
    expect(dateAfterMonths(from, 1e9)).toBeNull();
    expect(dateAfterMonths(from, 95_999)).toBeNull();
    expect(dateAfterMonths(from, Infinity)).toBeNull();
  });
});
