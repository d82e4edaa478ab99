/** Prometheus' rules and rowferry's own are the same: the committed file, and what fires when. */
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { describe, expect, it } from 'vitest';
import { shippedRules } from '../../../../src/config/alert-rules.ts';
import { EMPTY_BOOK, look } from '../../../../src/observe/alerts/alert-book.ts';
import { metricsOf } from '../../../../src/observe/alerts/condition.ts';
import type { Condition } from '../../../../src/observe/alerts/condition.ts';
import { DEFAULT_RULES } from '../../../../src/observe/alerts/default-rules.ts';
import { deliveryJson, deliveryOf } from '../../../../src/observe/alerts/delivery.ts';
import { BUILT_IN, seriesOf } from '../../../../src/observe/alerts/metrics.ts';
import type { AlertMetric, AlertSample, AlertSamples } from '../../../../src/observe/alerts/metrics.ts';
import { prometheusRules, promql } from '../../../../src/observe/alerts/prometheus.ts';
import type { AlertRule } from '../../../../src/observe/alerts/rule.ts';
import { PromAlert } from '../../../support/promql.ts';
import type { Series } from '../../../support/promql.ts';
import { condition, rule } from './rules.ts';

const DEPLOY = new URL('../../../../deploy/', import.meta.url);

/** The committed file; UPDATE_DOCS=1 writes it anew. */
function committed(path: string, text: string): string {
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(new URL(path, DEPLOY), text);
  return readFileSync(new URL(path, DEPLOY), 'utf8');
}

const SHIPPED = shippedRules();

describe('the files of deploy/', () => {
  it('the shipped rules have no mistake', () => {
    expect(SHIPPED.problems).toEqual([]);
  });

  it('alerts/rowferry-alerts.yaml is what rowferry ships', () => {
    expect(committed('alerts/rowferry-alerts.yaml', DEFAULT_RULES)).toBe(DEFAULT_RULES);
  });

  it('prometheus/rowferry.rules.yaml is made from them', () => {
    const text = `# Made from deploy/alerts/rowferry-alerts.yaml by \`rowferry alerts prometheus --shipped\`; do not edit.\n${prometheusRules(SHIPPED.rules)}`;
    expect(committed('prometheus/rowferry.rules.yaml', text)).toBe(text);
  });

  it('each shipped rule has the runbook that a webhook is told, and its entry is in the manual', () => {
    const manual = readFileSync(new URL('../docs/alerts.md', DEPLOY), 'utf8');
    const { groups } = parseYaml(readFileSync(new URL('prometheus/rowferry.rules.yaml', DEPLOY), 'utf8')) as {
      groups: { rules: { labels: { rule: string }; annotations: { runbook?: string } }[] }[];
    };
    const told = groups.flatMap(({ rules }) =>
      rules.map((one) => [one.labels.rule, one.annotations.runbook]),
    );
    expect(told).toEqual(SHIPPED.rules.map(({ name }) => [name, webhookRunbook(name)]));
    for (const [name, runbook] of told) {
      expect(runbook).toBe(`docs/alerts.md#${name}`);
      expect(manual).toContain(`\n### ${name}\n`);
    }
    expect(prometheusRules([rule('cpu_usage > 1%', { name: 'mine' })])).not.toContain('runbook');
  });

  it('each requirement of monitoring has its rule', () => {
    const texts = SHIPPED.rules.map(({ text, forMs, level }) => `${text}, ${forMs} ms, ${level}`);
    for (const wanted of [
      'progress_speed < 1000 records/minute, 60000 ms, warning',
      'no_progress_for > 5 minutes, 0 ms, critical',
      'cpu_usage > 90%, 60000 ms, warning',
      'disk_space < 10%, 0 ms, critical',
      'lag_seconds > 60 s, 10000 ms, critical',
      'reconnect_failures >= 3, 0 ms, critical',
      'progress_speed < 500 records/minute, 0 ms, warning',
    ])
      expect(texts).toContain(wanted);
    expect(new Set(SHIPPED.rules.map(({ group }) => group))).toEqual(
      new Set(['progress_alerts', 'data_quality_alerts', 'system_alerts']),
    );
  });
});

describe('PromQL', () => {
  it.each([
    ['lag_seconds > 60 s', 'rowferry_lag_seconds > 60'],
    ['disk_space < 0.1%', 'rowferry_disk_space < 0.001'],
    ['partition_stopped > 0', 'rowferry_partition_stopped > 0'],
    ['lag_seconds{source!="a b"} > 1 min', 'rowferry_lag_seconds{source!="a b"} > 60'],
    [
      'capture_stopped > 0 and lag_seconds > 1 s',
      'rowferry_lag_seconds > 1 and ignoring (topic, partition, state) rowferry_capture_state{state="stopped"} > 0',
    ],
    [
      'cpu_usage > 1% and (cpu_usage > 2% or memory_usage > 3%)',
      'rowferry_cpu_usage > 0.01 and (rowferry_cpu_usage > 0.02 or rowferry_memory_usage > 0.03)',
    ],
  ])('%s', (text, expression) => {
    expect(promql(condition(text))).toBe(expression);
  });
});

const OWN = [
  rule('lag_seconds > 60 s and capture_stopped > 0', { name: 'both', forMs: 10_000 }),
  rule('capture_stopped > 0 and lag_seconds{partition!="1"} >= 60 s', { name: 'swapped' }),
  rule('parked_rows > 0 or oldest_parked_seconds > 60 s', { name: 'either', forMs: 10_000 }),
  rule('capture_stopped{source!="1"} > 0 or no_progress_for > 60 s', { name: 'states', keepFiringMs: 7_000 }),
  rule('(cpu_usage > 90% or memory_usage > 90%) and lag_seconds > 60 s', { name: 'nested' }),
];

describe('both fire at the same looks', () => {
  it.each([...SHIPPED.rules, ...OWN].map((one) => [one.name, one] as const))('%s', (_, one) => {
    fc.assert(
      fc.property(looks(one), (list) => {
        expect(ours(one, list)).toEqual(theirs(one, list));
      }),
      { numRuns: 60 },
    );
  });
});

/** What the body of a webhook says of a rule. */
function webhookRunbook(name: string): string | null {
  const samples = new Map([['cpu_usage', [{ labels: {}, value: 1 }]]]);
  const one = rule('cpu_usage > 1%', { name });
  const { notices } = look(EMPTY_BOOK, [one], samples, 0, { repeatMs: 1e9, historySize: 1 });
  const teller = { pipeline: 'p', host: 'h', role: 'all', pid: 1, startedMs: 0, key: 'k' };
  const body = JSON.parse(deliveryJson(deliveryOf(notices, { id: 'i', teller, atMs: 0 }))) as {
    readonly alerts: readonly { readonly runbook: string | null }[];
  };
  return body.alerts[0]?.runbook ?? null;
}

interface Look {
  readonly atMs: number;
  readonly samples: AlertSamples;
}

/** Values around the limits of a rule, for two sets of labels that come and go, at times around its duration. */
function looks(one: AlertRule): fc.Arbitrary<Look[]> {
  const limits = limitsOf(one.condition);
  const value = fc.constantFrom(
    ...limits.flatMap((limit) => [0, limit, limit * (1 + 1e-9), limit * 0.999, limit * 2, 1]),
  );
  const list = (metric: AlertMetric): fc.Arbitrary<AlertSample[]> =>
    fc
      .tuple(fc.option(value), metric.labels.length === 0 ? fc.constant(null) : fc.option(value))
      .map((values) =>
        values.flatMap((value, i) =>
          value === null
            ? []
            : [{ value, labels: Object.fromEntries(metric.labels.map((name) => [name, String(i)])) }],
        ),
      );
  const metrics = metricsOf(one.condition);
  const samples = fc
    .tuple(...metrics.map(list))
    .map((lists) => new Map(metrics.map((metric, i) => [metric.name, lists[i] ?? []])));
  const wait = fc.constantFrom(
    1,
    Math.max(1, one.forMs - 1),
    Math.max(1, one.forMs),
    Math.max(1, Math.floor(one.forMs / 2)),
    Math.max(1, one.keepFiringMs - 1),
    Math.max(1, Math.floor(one.keepFiringMs / 2)),
  );
  return fc.array(fc.tuple(wait, samples), { maxLength: 12 }).map((steps) => {
    let atMs = 0;
    return steps.map(([wait, samples]) => ({ atMs: (atMs += wait), samples }));
  });
}

function limitsOf(condition: Condition): number[] {
  return condition.kind === 'compare'
    ? [condition.limit]
    : [...limitsOf(condition.left), ...limitsOf(condition.right)];
}

function ours(one: AlertRule, list: readonly Look[]): string[][] {
  let book = EMPTY_BOOK;
  return list.map(({ atMs, samples }) => {
    book = look(book, [one], samples, atMs, { repeatMs: 1e9, historySize: 1 }).book;
    return [...book.active.values()]
      .filter(({ firedMs }) => firedMs !== null)
      .map(({ labels }) => show(labels))
      .toSorted();
  });
}

function theirs(one: AlertRule, list: readonly Look[]): string[][] {
  const file = parseYaml(prometheusRules([one])) as {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly expr: string;
        readonly for?: string;
        readonly keep_firing_for?: string;
      }[];
    }[];
  };
  const { expr, for: duration, keep_firing_for: keep } = file.groups[0]!.rules[0]!;
  const alert = new PromAlert(expr, duration, keep);
  return list.map(({ atMs, samples }) => {
    const series = [...samples].flatMap(([name, list]) =>
      list.map(({ labels, value }): Series => {
        const { name: exported, labels: fixed } = seriesOf(BUILT_IN.get(name)!);
        return { name: exported, labels: { ...labels, ...fixed }, value: value! };
      }),
    );
    // Two sides of `or` whose series are told apart are two alerts of Prometheus.
    return [...new Set(alert.evaluate(series, atMs).map(show))].toSorted();
  });
}

function show(labels: Readonly<Record<string, string>>): string {
  // What tells series apart is no label of rowferry's alerts.
  const own = Object.entries(labels).filter(([name]) => name !== 'state');
  return JSON.stringify(own.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
