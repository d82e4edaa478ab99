import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Forecast } from '../../../src/routing/forecast.ts';
import type { ForecastLimits } from '../../../src/routing/forecast.ts';
import type { Layout } from '../../../src/routing/layout.ts';
import type { RouteKey } from '../../../src/routing/rule.ts';
import { databases, modulo, tables, twoLevels } from './layouts.ts';

const LIMITS: ForecastLimits = { maxSkew: 1.2, allowEmpty: false };

function forecast(layout: Layout, keys: Iterable<RouteKey>, limits = LIMITS) {
  const forecast = new Forecast(layout);
  for (const key of keys) forecast.add([key]);
  return forecast.result(limits);
}

const firstIds = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

describe('Forecast', () => {
  it('SHR-5: the ids 0 to 4095 hit every cell of 64 databases with 64 tables once', () => {
    const { byCell, byTarget, byTable, verdict, rows } = forecast(twoLevels(64, 64), firstIds(4_096));
    expect(byCell).toEqual({ places: 4_096, min: 1, max: 1, mean: 1, skew: 1, empty: 0 });
    expect(byTarget).toMatchObject({ places: 64, min: 64, max: 64 });
    expect(byTable).toMatchObject({ places: 64, min: 64, max: 64 });
    expect([rows, verdict]).toEqual([4_096, { ok: true, broken: [] }]);
  });

  it('counts rows by target, by table and by cell', () => {
    const result = forecast(twoLevels(2, 2), [0, 32, 64, 2_048, 2_048]);
    expect(result.targets).toEqual([
      { target: 'db0', rows: 3 },
      { target: 'db1', rows: 2 },
    ]);
    expect(result.tables).toEqual([
      { table: 'orders_00', rows: 4 },
      { table: 'orders_32', rows: 1 },
    ]);
    expect(result.cells).toEqual([
      { target: 'db0', table: 'orders_00', rows: 2 },
      { target: 'db1', table: 'orders_00', rows: 2 },
      { target: 'db0', table: 'orders_32', rows: 1 },
      { target: 'db1', table: 'orders_32', rows: 0 },
    ]);
  });

  it('skew is the largest count over the mean, and the limit itself is still accepted', () => {
    const keys = [0, 0, 0, 1, 1, 2, 3, 3, 3, 3];
    const { byCell, verdict } = forecast(databases(4, modulo(4)), keys, { ...LIMITS, maxSkew: 1.6 });
    expect(byCell).toMatchObject({ mean: 2.5, max: 4, min: 1, skew: 1.6 });
    expect(verdict.ok).toBe(true);
    expect(forecast(databases(4, modulo(4)), keys).verdict).toEqual({
      ok: false,
      broken: [{ limit: 'skew', skew: 1.6, maxSkew: 1.2 }],
    });
  });

  it('tells cells without a row, which may be allowed', () => {
    const evenIds = firstIds(1_000).map((id) => id * 2);
    expect(forecast(databases(2, modulo(2)), evenIds, { maxSkew: 9, allowEmpty: false }).verdict).toEqual({
      ok: false,
      broken: [{ limit: 'empty', cells: 1 }],
    });
    expect(forecast(databases(2, modulo(2)), evenIds, { maxSkew: 9, allowEmpty: true }).verdict.ok).toBe(
      true,
    );
  });

  it('counts refused keys by their kind, keeps none of them, and is never content with one', () => {
    const { refused, rows, verdict } = forecast(databases(2, modulo(2)), [1, 2, null, 'x', 'secret', '']);
    expect(rows).toBe(2);
    expect(refused).toEqual([
      { kind: 'user_id: the sharding key is not an integer, modulo needs an integer', rows: 2 },
      { kind: 'user_id: the sharding key is NULL, modulo needs an integer', rows: 1 },
      { kind: 'user_id: the sharding key is an empty text, modulo needs an integer', rows: 1 },
    ]);
    expect(verdict).toEqual({ ok: false, broken: [{ limit: 'refused', rows: 4 }] });
  });

  it('without any row knows nothing', () => {
    const { byCell, verdict } = forecast(databases(2, modulo(2)), []);
    expect(byCell).toMatchObject({ skew: null, mean: 0, empty: 2 });
    expect(verdict).toEqual({ ok: false, broken: [{ limit: 'no rows' }] });
  });

  it('of a layout without an end shows the tables up to the last one with a row', () => {
    const monthly = tables({ algorithm: 'date', by: 'placed', period: 'month', since: '2026-01' });
    const { cells, byCell } = forecast(monthly, ['2026-02-28 23:59:59', '2026-04-01', '2026-02-01']);
    expect(cells.map(({ table, rows }) => [table, rows])).toEqual([
      ['orders_2026_01', 0],
      ['orders_2026_02', 2],
      ['orders_2026_03', 0],
      ['orders_2026_04', 1],
    ]);
    expect(byCell).toMatchObject({ places: 4, empty: 2 });
  });

  it('SHR-9: shows that phone numbers avoid a 4 at the end', () => {
    const lastDigit = tables({ algorithm: 'substring', by: 'phone', at: -1, length: 1 });
    const phones = firstIds(1_000).filter((n) => n % 10 !== 4 || n % 50 === 4);
    const { tables: counted, verdict } = forecast(
      lastDigit,
      phones.map((n) => `1380000${String(n).padStart(4, '0')}`),
    );
    expect(counted[4]).toEqual({ table: 'orders_04', rows: 20 });
    expect(verdict.ok).toBe(true);
    expect(counted.filter(({ rows }) => rows === 100)).toHaveLength(9);
  });

  it('takes the sharding columns from wherever they stand in the rows', () => {
    const forecast = new Forecast(databases(2, modulo(2)), ['name', 'USER_ID']);
    forecast.add(['a', 1]);
    expect(forecast.result(LIMITS).targets).toEqual([
      { target: 'db0', rows: 0 },
      { target: 'db1', rows: 1 },
    ]);
    expect(() => new Forecast(databases(2, modulo(2)), ['name'])).toThrow('there is no column user_id');
  });

  it('counts every key exactly once, where the layout puts it', () => {
    const layout = twoLevels(4, 8);
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n })), (keys) => {
        const { cells, rows, targets, tables, byCell } = forecast(layout, keys);
        const expected = new Map<string, number>();
        for (const key of keys) {
          const { target, table } = layout.locateKey(key);
          expected.set(`${target}/${table}`, (expected.get(`${target}/${table}`) ?? 0) + 1);
        }
        for (const cell of cells) expect(cell.rows).toBe(expected.get(`${cell.target}/${cell.table}`) ?? 0);
        const sums = [targets, tables, cells].map((list) => list.reduce((sum, { rows }) => sum + rows, 0));
        expect(sums).toEqual([rows, rows, rows]);
        expect(rows).toBe(keys.length);
        expect(byCell.places).toBe(32);
      }),
    );
  });
});
