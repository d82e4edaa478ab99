import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml, stringify } from 'yaml';
import { describe, expect, it, onTestFinished } from 'vitest';
import { METRICS } from '../../../src/server/metric-table.ts';
import { runDebianTool, whyNoDebian } from '../../support/debian-tool.ts';

const DEPLOY = fileURLToPath(new URL('../../../deploy/', import.meta.url));
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

/** What a daemon exports. */
const metrics = new Map(METRICS.map((metric) => [metric.name, metric]));
const dashboard = JSON.parse(read('grafana/rowferry.json')) as Dashboard;
const ruleFiles = readdirSync(join(DEPLOY, 'prometheus')).filter((file) => file.endsWith('.rules.yaml'));
const rules = ruleFiles.flatMap((file) => {
  const { groups } = parseYaml(read(`prometheus/${file}`)) as {
    groups: { rules: { expr: string }[] }[];
  };
  return groups.flatMap((group) => group.rules);
});
const targets = dashboard.panels.flatMap(({ targets = [] }) => targets);
const variables = dashboard.templating.list.map(({ name }) => name);

/** Labels that Prometheus gives: from the scrape, and `le` of a histogram. */
const SCRAPED = ['pipeline', 'instance', 'job', 'le'];

function unknownIn(expression: string): string[] {
  const used = [...expression.matchAll(/\b(?:rowferry|process)_\w+/g)].map(([name]) => name);
  const declared = used.map(
    (name) => metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, '')),
  );
  const labels = new Set([...SCRAPED, ...declared.flatMap((metric) => metric?.labels ?? [])]);
  const inside = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    [...list.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  );
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(/,\s*/),
  );
  return [
    ...used.filter((_, at) => declared[at] === undefined),
    ...[...inside, ...grouped].filter((label) => !labels.has(label)),
  ];
}

describe('the dashboard and the rules', () => {
  it('ask for metrics and labels that daemons export', () => {
    const expressions = [
      ...targets.map(({ expr }) => expr),
      ...rules.map(({ expr }) => expr),
      ...dashboard.templating.list.map(({ definition = '' }) => definition.replace(/, \w+\)$/, ')')),
    ];
    expect(expressions.length).toBeGreaterThan(25);
    for (const expression of expressions) expect(unknownIn(expression), expression).toEqual([]);
  });

  it('notices a metric and a label that are not there', () => {
    expect(unknownIn('max by (shard) (rowferry_lags{source="a", tag="b"})')).toEqual([
      'rowferry_lags',
      'source',
      'tag',
      'shard',
    ]);
    expect(unknownIn('rate(process_cpu_seconds[1m])')).toEqual(['process_cpu_seconds']);
  });

  it('leave out only what is for looking closer', () => {
    const shown = JSON.stringify([targets, rules, dashboard]);
    expect([...metrics.keys()].filter((name) => !shown.includes(name))).toEqual([
      'rowferry_target_lag_seconds',
      'rowferry_capture_lag_seconds',
      'rowferry_source_clock_offset_seconds',
      'rowferry_capture_read_age_seconds',
      'rowferry_changes_applied_total',
      'rowferry_moves_total',
      'rowferry_batch_rows',
      'rowferry_batch_bytes',
      'rowferry_apply_delay_seconds',
      'rowferry_reconnects_total',
      'rowferry_rebalances_total',
      'rowferry_retries_total',
      'rowferry_outage_seconds',
      'rowferry_events_read_total',
      'rowferry_bytes_read_total',
      'rowferry_paused',
      'rowferry_throttle',
      'rowferry_copy_speed_ratio',
      'process_open_fds',
      'rowferry_write_rate',
      'rowferry_write_seconds',
      'rowferry_report_age_seconds',
    ]);
  });
});

describe('the dashboard', () => {
  it('uses variables that it has, the pipeline in every query', () => {
    for (const { expr } of targets) {
      expect(expr).toContain('pipeline="$pipeline"');
      for (const [, name = ''] of expr.matchAll(/\$(\w+)/g))
        expect([...variables, '__rate_interval']).toContain(name);
    }
  });

  it('has panels with numbers of their own that do not overlap', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [at, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      for (const { gridPos: b, title: other } of panels.slice(at + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, `${title} and ${other}`).toBe(true);
      }
    }
  });
});

const missing = whyNoDebian();

describe.skipIf(missing !== undefined)(
  `Prometheus' own promtool${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const promtool = async (...args: string[]) => await runDebianTool('prometheus', 'usr/bin/promtool', args);

    it('takes the rules', async () => {
      const { code, output } = await promtool(
        'check',
        'rules',
        ...ruleFiles.map((file) => join(DEPLOY, 'prometheus', file)),
      );
      expect(code, output).toBe(0);
    }, 300_000);

    it('takes prometheus.yml', async () => {
      const args = ['check', 'config', '--syntax-only', join(DEPLOY, 'prometheus/prometheus.yml')];
      const { code, output } = await promtool(...args);
      expect(code, output).toBe(0);
    }, 300_000);

    it('can read every query of the dashboard', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'rowferry-queries-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(folder, 'queries.yaml');
      const records = targets.map(({ expr }, at) => ({
        record: `query:${at}`,
        expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, 'x'),
      }));
      writeFileSync(file, stringify({ groups: [{ name: 'queries', rules: records }] }));
      const { code, output } = await promtool('check', 'rules', '--lint=none', file);
      expect(code, output).toBe(0);
      expect(output).toContain(`${targets.length} rules found`);
    }, 300_000);
  },
);
