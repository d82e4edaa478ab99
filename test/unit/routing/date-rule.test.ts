import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRule } from '../../../src/routing/create-rule.ts';
import { currentIndex, indexRange } from '../../../src/routing/date-rule.ts';
import type { Period, RouteKey } from '../../../src/routing/rule.ts';

const by = 'created_at';
const rule = (period: Period, since: string, count?: number) =>
  createRule({ algorithm: 'date', by, period, since, ...(count === undefined ? {} : { count }) });
const byMonth = rule('month', '2025-11');
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'ROWFERRY_ROUTE_KEY', message: expect.stringMatching(message) });

describe('date rules (SHR-8)', () => {
  it('count years, quarters and months from the first one', () => {
    const labels = (['year', 'quarter', 'month'] as const).map((period) => {
      const since = { year: '2024', quarter: '2024q2', month: '2024-02' }[period];
      const dated = rule(period, since);
      const index = dated.indexOf('2026-11-30 23:59:59.999999');
      return [index, dated.label(index), dated.label(0)];
    });
    expect(labels).toEqual([
      [2, '2026', '2024'],
      [10, '2026q4', '2024q2'],
      [33, '2026_11', '2024_02'],
    ]);
  });

  it('change shard exactly between the periods', () => {
    const keys = [
      '2025-12-31 23:59:59.999999',
      '2026-01-01',
      '2026-01-01 00:00:00',
      '2026-01-31',
      '2026-02-01',
    ];
    expect(keys.map((key) => byMonth.label(byMonth.indexOf(key)))).toEqual([
      '2025_12',
      '2026_01',
      '2026_01',
      '2026_01',
      '2026_02',
    ]);
    const quarters = rule('quarter', '2025Q4');
    expect(
      ['2025-12-31', '2026-01-01', '2026-03-31', '2026-04-01'].map((key) => quarters.indexOf(key)),
    ).toEqual([0, 1, 1, 2]);
  });

  it('agree with the calendar for every day', () => {
    const years = rule('year', '1970');
    const months = rule('month', '1970-01');
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        const text = date.toISOString();
        expect(years.label(years.indexOf(text.slice(0, 10)))).toBe(text.slice(0, 4));
        expect(months.label(months.indexOf(text))).toBe(text.slice(0, 7).replace('-', '_'));
        expect(currentIndex(months, date.getTime())).toBe(months.indexOf(text));
      }),
    );
  });

  it('refuse what lies outside of their periods, with a hint', () => {
    expect(() => byMonth.indexOf('2025-10-31')).toThrow(refusal(/before the first month, 2025-11/));
    const three = rule('month', '2025-11', 3);
    expect(three.indexOf('2026-01-31')).toBe(2);
    expect(() => three.indexOf('2026-02-01')).toThrow(refusal(/after the last of 3 months from 2025-11/));
    expect(three.count).toBe(3);
    expect(byMonth.count).toBeNull();
  });

  it.each<[RouteKey, RegExp]>([
    [null, /is NULL/],
    ['', /is an empty text/],
    ['0000-00-00', /is a zero date/],
    ['2026-00-10', /is a zero date/],
    ['2026-05-00 00:00:00', /is a zero date/],
    ...[
      '2026-13-01',
      '2026-01-32',
      '2026-1-1',
      '20260101',
      '2026-01-01 10',
      '2026-01-01T00:00:00+08:00',
      'x2026-01-01',
    ].map((key): [RouteKey, RegExp] => [key, /is not a date/]),
    [20260101, /is not a date/],
    [20260101n, /is not a date/],
  ])('refuse %s', (key, message) => {
    expect(() => byMonth.indexOf(key)).toThrow(refusal(message));
  });

  it.each([
    ['month', '2024'],
    ['month', '2024-13'],
    ['quarter', '2024q5'],
    ['quarter', '2024-01'],
    ['year', '24'],
  ] as const)('want a first %s and not %s', (period, since) => {
    expect(() => rule(period, since)).toThrow(
      new RegExp(`"since" must name the first ${period}, not "${since}"`),
    );
  });
});

describe('indexRange', () => {
  const labels = (from: string, to: string, dated = byMonth) =>
    indexRange(dated, from, to).map((i) => dated.label(i));

  it('spans two months for "last 3 days" on the 2nd of a month', () => {
    expect(labels('2025-12-31', '2026-01-02')).toEqual(['2025_12', '2026_01']);
    expect(labels('2026-01-04', '2026-01-06 12:00:00')).toEqual(['2026_01']);
  });

  it('lists shards in the order of time', () => {
    expect(labels('2025-11-30', '2026-02-01')).toEqual(['2025_11', '2025_12', '2026_01', '2026_02']);
  });

  it('leaves out what no shard holds', () => {
    expect(labels('2020-01-01', '2025-12-01')).toEqual(['2025_11', '2025_12']);
    expect(labels('2025-12-01', '2099-01-01', rule('month', '2025-11', 3))).toEqual(['2025_12', '2026_01']);
    expect(labels('2020-01-01', '2021-01-01')).toEqual([]);
    expect(labels('2026-02-01', '2026-01-01')).toEqual([]);
  });

  it('refuses texts that are no dates, and rules that know no dates', () => {
    expect(() => labels('yesterday', '2026-01-01')).toThrow(refusal(/is not a date/));
    expect(() =>
      indexRange(createRule({ algorithm: 'modulo', by, count: 2 }), '2026-01-01', '2026-01-01'),
    ).toThrow(/a modulo rule has no periods/);
  });
});

describe('currentIndex', () => {
  it('goes on past either end, so that missing tables can be told', () => {
    const three = rule('month', '2025-11', 3);
    const at = (text: string) => currentIndex(three, Date.parse(text));
    expect([at('2025-10-31T23:59:59Z'), at('2025-11-01T00:00:00Z'), at('2026-02-01T00:00:00Z')]).toEqual([
      -1, 0, 3,
    ]);
  });
});
