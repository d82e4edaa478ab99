import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { nameMistake } from '../../../src/observe/alerts/reported-metrics.ts';
import { METRICS, split } from '../../../src/server/metric-table.ts';
import { MetricsRegistry } from '../../../src/server/metrics-registry.ts';
import type { RoleStatus } from '../../../src/wiring/role-messages.ts';
import { GOOD, parse } from '../config/config-text.ts';
import { applyRole, captureRole, partition, StillDaemon, view } from './daemon-fixture.ts';

const MANUAL = new URL('../../../docs/metrics.md', import.meta.url);
const TABLE = /(?<=<!-- metrics:begin[^>]*-->\n\n).*?(?=\n\n<!-- metrics:end -->)/s;

async function scrape(roles: readonly RoleStatus[], registry = new MetricsRegistry()): Promise<string> {
  const daemon = new StillDaemon(
    parse(GOOD),
    roles.map((role) => view(role.role, role)),
  );
  return await registry.scrape({
    status: daemon.status,
    ...split(roles),
    threads: roles.map((role) => ({ name: role.role, health: role.thread })),
    process: { cpuSeconds: 1, residentBytes: 2, openFiles: null },
    alerts: daemon.alerts.samples,
    sourceOf: () => 'main',
    nodeVersion: 'v20',
  });
}

test('the manual lists the metrics as they are declared (UPDATE_DOCS=1 writes them anew)', () => {
  const manual = readFileSync(MANUAL, 'utf8');
  expect(manual).toMatch(TABLE);
  if (process.env['UPDATE_DOCS'] === '1')
    writeFileSync(
      MANUAL,
      manual.replace(TABLE, () => metricTable()),
    );
  expect(TABLE.exec(readFileSync(MANUAL, 'utf8'))?.[0]).toBe(metricTable());
});

test('names say their unit, counters end in _total, and labels are few', () => {
  for (const { name, type, labels } of METRICS) {
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(labels.length, name).toBeLessThanOrEqual(4);
  }
  expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
});

test('no reported metric may take a name that is exported already', () => {
  for (const { name, type } of METRICS.filter(({ name }) => name.startsWith('rowferry_'))) {
    const own = name.slice('rowferry_'.length);
    const names = type === 'histogram' ? ['', '_bucket', '_sum', '_count'].map((end) => own + end) : [own];
    for (const taken of names) expect(nameMistake(taken), taken).toContain('choose another name');
  }
  expect(nameMistake('data_inconsistency_rate')).toBeUndefined();
});

describe('a scrape', () => {
  it('tells what the threads counted, buckets adding up', async () => {
    const text = await scrape([applyRole(), captureRole()]);
    expect(text).toContain('rowferry_moves_total 1');
    expect(text).toContain('rowferry_batch_seconds_bucket{le="0.01"} 0');
    expect(text).toContain('rowferry_batch_seconds_bucket{le="0.025"} 1');
    expect(text).toContain('rowferry_batch_seconds_bucket{le="+Inf"} 1');
    expect(text).toContain('# TYPE rowferry_batch_seconds histogram');
    expect(text).toContain('rowferry_retries_total{code="ROWFERRY_TARGET_LINK"} 1');
    expect(text).toContain('rowferry_bytes_read_total{source="main"} 700');
    expect(text).toContain('rowferry_capture_state{source="main",state="reading"} 1');
    expect(text).toContain('rowferry_capture_state{source="main",state="paused"} 0');
  });

  it('says nothing of what is not known, and forgets parts that are gone', async () => {
    const registry = new MetricsRegistry();
    const before = await scrape(
      [applyRole([partition({ lagMs: null }), partition({ partition: 1, lagMs: 2_500 })])],
      registry,
    );
    expect(before).not.toMatch(/rowferry_lag_seconds\{.*partition="0"/);
    expect(before).toMatch(/rowferry_lag_seconds\{.*partition="1"\} 2.5/);
    expect(before).not.toMatch(/^process_open_fds /m);
    const after = await scrape([applyRole([partition()])], registry);
    expect(after).not.toMatch(/rowferry_lag_seconds\{.*partition="1"/);
  });

  it('tells of numbers that captures may add: headroom and tables held', async () => {
    const held = [
      {
        table: 'shop.orders',
        statement: 'binlog.000001:77',
        why: 'ALTER TABLE',
        sinceMs: 1,
        acknowledged: null,
        waits: null,
      },
    ];
    const capture = { ...captureRole().capture, binlogHeadroomMs: 90_000, held };
    const text = await scrape([captureRole(capture)]);
    expect(text).toContain('rowferry_binlog_headroom_seconds{source="main"} 90');
    expect(text).toContain('rowferry_held_tables{source="main",table="shop.orders"} 1');
  });
});

function metricTable(): string {
  const rows = METRICS.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  const cells = [['Metric', 'Type', 'Labels', 'Meaning'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const draw = (row: readonly string[], fill = ' '): string =>
    `| ${widths.map((width, i) => (row[i] ?? '').padEnd(width, fill)).join(' | ')} |`;
  return [draw(cells[0] ?? []), draw([], '-'), ...cells.slice(1).map((row) => draw(row))].join('\n');
}
