import { describe, expect, it } from 'vitest';
import { EMPTY_BOOK, look } from '../../../../src/observe/alerts/alert-book.ts';
import type { AlertBook } from '../../../../src/observe/alerts/alert-book.ts';
import { Measures, MOST_SETS, readMeasure } from '../../../../src/observe/alerts/measures.ts';
import type { Measure } from '../../../../src/observe/alerts/measures.ts';
import { parseCondition } from '../../../../src/observe/alerts/condition.ts';
import { prometheusRules } from '../../../../src/observe/alerts/prometheus.ts';
import { catalogOf } from '../../../../src/observe/alerts/reported-metrics.ts';
import type { ReportedMetric } from '../../../../src/observe/alerts/reported-metrics.ts';
import { rule } from './rules.ts';

const NOW = 1_800_000_000_000;
const RATE: ReportedMetric = {
  name: 'data_inconsistency_rate',
  dimension: 'share',
  labels: ['table'],
  meaning: 'Rows that differ.',
  series: null,
  staleMs: 60_000,
};
const ERRORS: ReportedMetric = { ...RATE, name: 'failed_rollbacks', dimension: 'count', labels: [] };
const orders = { metric: RATE.name, labels: { table: 'orders' } };

function reported(value: number | string, atMs = NOW): Measures {
  const measures = new Measures([RATE, ERRORS], []);
  measures.report([{ ...orders, value }], atMs, 'kim');
  return measures;
}

describe('a report', () => {
  it('counts until it is older than staleMs, then its value is not known', () => {
    const measures = reported('0.2 %');
    const at = (ms: number) => measures.samples(NOW + ms).get(RATE.name);
    expect(at(60_000)).toEqual([{ labels: { table: 'orders' }, value: 0.002 }]);
    expect(at(60_001)).toEqual([{ labels: { table: 'orders' }, value: null }]);
    // A clock that was set back makes it no older.
    expect(at(-86_400_000)).toEqual([{ labels: { table: 'orders' }, value: 0.002 }]);
  });

  it('takes the place of the one before it and tells what was there', () => {
    const measures = reported('0.1 %');
    expect(measures.report([{ ...orders, value: 0.002 }], NOW + 1, 'lee')).toEqual([
      { part: 'data_inconsistency_rate{table="orders"}', from: '0.1 %', to: '0.2 %' },
    ]);
    expect(measures.all).toMatchObject([{ value: 0.002, atMs: NOW + 1, by: 'lee' }]);
  });

  it('of several values counts with all of them or not at all', () => {
    const measures = reported('0.1 %');
    const wrong = { metric: 'nothing', labels: {}, value: 1 };
    expect(() => measures.report([{ ...orders, value: '5 %' }, wrong], NOW, 'kim')).toThrow('no metric');
    expect(measures.all).toMatchObject([{ value: 0.001 }]);
  });

  it.each([
    [{ ...orders, metric: 'data_inconsistency_rat', value: 1 }, 'did you mean data_inconsistency_rate?'],
    [{ ...orders, metric: 'lag_seconds', value: 1 }, 'lag_seconds is no metric that is reported'],
    [{ ...orders, value: '3 s' }, 's does not fit here, where % is meant'],
    [{ ...orders, value: '3' }, 'needs a unit: %'],
    [{ ...orders, value: 9 }, 'write 9% or 0.09'],
    [{ ...orders, value: -0.1 }, 'must be a number from 0 on'],
    [{ ...orders, value: NaN }, 'must be a number from 0 on'],
    [{ ...orders, labels: {}, value: 0 }, 'the label table is missing; each report carries table'],
    [{ ...orders, labels: { table: 'a', shard: 'b' }, value: 0 }, 'shard is no label of it; it has table'],
    [{ ...orders, labels: { table: 'a\nb' }, value: 0 }, 'must be one line of 1 to 200 characters'],
    [{ ...orders, labels: { table: '' }, value: 0 }, 'must be one line of 1 to 200 characters'],
    [{ ...orders, labels: { table: 'x'.repeat(201) }, value: 0 }, 'must be one line of 1 to 200 characters'],
  ])('%j is refused', (report, message) => {
    const measures = new Measures([RATE, ERRORS], []);
    expect(() => measures.report([report], NOW, 'kim')).toThrow(message);
    expect(measures.all).toEqual([]);
  });

  it('past the most sets of labels is refused, until one is withdrawn; those that are there go on', () => {
    const measures = new Measures([RATE, ERRORS], []);
    const set = (i: number) => ({ metric: RATE.name, labels: { table: `t${i}` }, value: 0 });
    measures.report(
      Array.from({ length: MOST_SETS }, (_, i) => set(i)),
      NOW,
      'kim',
    );
    expect(() => measures.report([set(MOST_SETS)], NOW, 'kim')).toThrow(
      `would have ${MOST_SETS + 1} sets of labels (table), and may have ${MOST_SETS}`,
    );
    measures.report([set(7), { metric: ERRORS.name, labels: {}, value: 1 }], NOW, 'kim');
    measures.withdraw([{ metric: RATE.name, labels: { table: 't3' } }]);
    measures.report([set(MOST_SETS)], NOW, 'kim');
    expect(measures.all.length).toBe(MOST_SETS + 1);
  });
});

it('the age of the oldest report of each metric is told, of none before the first', () => {
  expect(new Measures([RATE], []).samples(NOW).size).toBe(0);
  const measures = reported(0);
  measures.report([{ metric: RATE.name, labels: { table: 'users' }, value: 0 }], NOW + 5_000, 'kim');
  expect(measures.samples(NOW + 9_000).get('report_age_seconds')).toEqual([
    { labels: { metric: RATE.name }, value: 9 },
  ]);
});

describe('an alert on a reported metric', () => {
  const parsed = parseCondition('data_inconsistency_rate > 0.1%', catalogOf([RATE]));
  if ('wrong' in parsed) throw new Error(parsed.wrong);
  const inconsistent = rule('cpu_usage > 0%', { name: 'inconsistent', condition: parsed.value });
  const after = (book: AlertBook, measures: Measures, ms: number): AlertBook =>
    look(book, [inconsistent], measures.samples(NOW + ms), NOW + ms, { repeatMs: 1e9, historySize: 1 }).book;
  const fires = (book: AlertBook) => [...book.active.values()].some(({ firedMs }) => firedMs !== null);

  it('goes on while the report is stale, and ends with a good one or when it is withdrawn', () => {
    const measures = reported('0.2 %');
    const firing = after(EMPTY_BOOK, measures, 0);
    const stale = after(firing, measures, 600_000);
    expect([fires(firing), fires(stale)]).toEqual([true, true]);
    const good = reported('0.1 %', NOW + 600_000);
    expect(fires(after(stale, good, 600_001))).toBe(false);
    measures.withdraw([orders]);
    expect(fires(after(stale, measures, 600_001))).toBe(false);
  });

  it('goes on over a restart by what was kept, of what is still declared in the same unit', () => {
    const firing = after(EMPTY_BOOK, reported('0.2 %'), 0);
    const kept = JSON.parse(JSON.stringify(reported('0.2 %').all)) as Measure[];
    expect(fires(after(firing, new Measures([RATE], kept), 600_000))).toBe(true);
    for (const other of [ERRORS, { ...RATE, labels: ['shard'] }, { ...RATE, dimension: 'count' as const }])
      expect(new Measures([other], kept).all).toEqual([]);
  });

  it('never begins by a stale report', () => {
    expect(fires(after(EMPTY_BOOK, reported('0.2 %'), 60_001))).toBe(false);
  });

  it('is a rule for Prometheus like any other', () => {
    expect(prometheusRules([inconsistent])).toContain('expr: rowferry_data_inconsistency_rate > 0.001');
  });
});

it('numbers are in the metric’s own unit, text says its unit', () => {
  expect(readMeasure('0.1 %', 'share')).toEqual({ value: 0.001 });
  expect(readMeasure(0.001, 'share')).toEqual({ value: 0.001 });
  expect(readMeasure('120 ms', 'duration')).toEqual({ value: 0.12 });
  expect(readMeasure(3, 'count')).toEqual({ value: 3 });
});
