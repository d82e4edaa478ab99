/** `docs/alerts.md` says only what is true: its rules are read, its table is the code's, every shipped alert has its entry. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ANYTHING, readRulesText, shippedRules } from '../../../src/config/alert-rules.ts';
import { EMPTY_BOOK, look } from '../../../src/observe/alerts/alert-book.ts';
import { metricsOf } from '../../../src/observe/alerts/condition.ts';
import { Measures } from '../../../src/observe/alerts/measures.ts';
import type { MeasureReport } from '../../../src/observe/alerts/measures.ts';
import { ALERT_METRICS } from '../../../src/observe/alerts/metrics.ts';
import { UNITS } from '../../../src/observe/alerts/quantity.ts';
import { GOOD, parse } from '../config/config-text.ts';

const NOW = 1_800_000_000_000;
const MANUAL = new URL('../../../docs/alerts.md', import.meta.url);
const TABLE = /(?<=<!-- metrics:begin[^>]*-->\n\n).*?(?=<!-- metrics:end -->)/s;
const text = readFileSync(MANUAL, 'utf8');
const yaml = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => block);

function metricTable(): string {
  const cells = [
    ['Metric', 'Unit', 'Labels', 'Meaning'],
    ...ALERT_METRICS.map(({ name, dimension, labels, meaning }) => [
      `\`${name}\``,
      UNITS[dimension],
      labels.join(', '),
      meaning,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => line[column]!.length)));
  const draw = (line: readonly string[], fill = ' '): string =>
    `| ${widths.map((width, i) => (line[i] ?? '').padEnd(width, fill)).join(' | ')} |`;
  return `${[draw(cells[0]!), draw([], '-'), ...cells.slice(1).map((line) => draw(line))].join('\n')}\n\n`;
}

describe('docs/alerts.md', () => {
  it('lists the metrics as the code has them (UPDATE_DOCS=1 writes them anew)', () => {
    expect(text).toMatch(TABLE);
    if (process.env['UPDATE_DOCS'] === '1')
      writeFileSync(
        MANUAL,
        text.replace(TABLE, () => metricTable()),
      );
    expect(TABLE.exec(readFileSync(MANUAL, 'utf8'))?.[0]).toBe(metricTable());
  });

  it('has an entry for every shipped alert, and for no other', () => {
    const entries = [...text.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
    expect(entries).toEqual(shippedRules().rules.map(({ name }) => name));
  });

  it('is where the runbook of operations.md leads', () => {
    const operations = readFileSync(new URL('operations.md', MANUAL), 'utf8');
    expect(operations).toContain('[alerts.md](alerts.md#what-to-do)');
    expect(text).toMatch(/^## What to do$/m);
    const alerts = readFileSync(new URL('../deploy/prometheus/availability.rules.yaml', MANUAL), 'utf8');
    for (const name of ['RowferryDown', 'RowferryRestarts', 'RowferryVersionsDiffer']) {
      expect(operations).toContain(name);
      expect(alerts).toContain(`alert: ${name}`);
    }
  });

  it('its rules are good', () => {
    const read = readRulesText('alerts.md', yaml[0] ?? '', ANYTHING, { env: {}, readFile: () => '' });
    expect(read.problems).toEqual([]);
    expect(read.rules.length).toBe(5);
  });

  it('its configuration is good', () => {
    const env = {
      SRC_PASSWORD: 'x',
      HOOK_URL: 'https://h/x',
      HOOK_SECRET: 'sixteen letters!',
      HOOK_TOKEN: 't',
      SMTP_PASSWORD: 'p',
    };
    const { alerts } = parse(`${GOOD}${yaml[1]}`, { env, readFile: () => yaml[0] ?? '' });
    expect(alerts.channels.map(({ name }) => name)).toEqual(['log', 'ops', 'developers', 'pager']);
    expect(Object.keys(parseYaml(yaml[1] ?? '') as object)).toEqual(['alerts']);
  });
});

/** What other programs report (MON-3, MON-4, MON-9, MON-10, MON-14), as the manual shows it. */
describe('the rules on reported metrics', () => {
  const surroundings = { env: { SRC_PASSWORD: 'x' }, readFile: () => yaml[3] ?? '' };
  const { alerts } = parse(`${GOOD}${yaml[2]}  rules: reported.yaml\n`, surroundings);

  /** Rules that fire `afterMs` behind such a report, with their level and message. */
  function firing(report: MeasureReport, afterMs: number): string[] {
    const measures = new Measures(alerts.metrics, []);
    measures.report([report], NOW, 'a test');
    const settings = { repeatMs: 1e9, historySize: 10 };
    const first = look(EMPTY_BOOK, alerts.rules, measures.samples(NOW), NOW, settings).book;
    const atMs = NOW + afterMs;
    const { book } = look(first, alerts.rules, measures.samples(atMs), atMs, settings);
    return [...book.active.values()]
      .filter(({ firedMs }) => firedMs !== null)
      .map(({ rule, level, message }) => `${rule}, ${level}: ${message}`);
  }

  it.each<
    [
      string,
      string,
      Readonly<Record<string, string>>,
      number,
      readonly (readonly [string | number, string])[],
    ]
  >([
    [
      'MON-3',
      'data_inconsistency_rate',
      { table: 'orders' },
      0,
      [
        ['0.1 %', ''],
        [0.001, ''],
        ['0.11 %', 'data_inconsistent, error: 0.11 % of the compared rows of orders differ'],
        [0.00101, 'data_inconsistent, error: 0.101 % of the compared rows of orders differ'],
      ],
    ],
    [
      'MON-4',
      'missing_records',
      { table: 'orders' },
      0,
      [
        ['0', ''],
        [1, 'records_missing, critical: 1 rows of orders are missing at the targets'],
      ],
    ],
    [
      'MON-9',
      'failed_repairs',
      { table: 'orders', id: '77' },
      0,
      [
        [0, ''],
        [1, 'repair_failed, error: Repair 77 of orders failed; somebody must decide'],
      ],
    ],
    [
      'MON-10',
      'failed_rollbacks',
      { service: 'shop' },
      0,
      [
        [0, ''],
        [1, 'rollback_failed, emergency: The roll-back of shop failed: it is on the standby system'],
      ],
    ],
    [
      'MON-14',
      'application_error_rate',
      { service: 'shop' },
      60_000,
      [
        ['1 %', ''],
        ['1.01 %', 'application_errors, critical: 1.01 % of the requests of shop fail'],
      ],
    ],
    [
      'MON-14',
      'application_response_seconds',
      { service: 'shop' },
      60_000,
      [
        ['500 ms', ''],
        ['501 ms', 'application_slow, error: shop answers in 501 ms on average'],
      ],
    ],
  ])('%s: %s fires exactly past its limit', (_, metric, labels, forMs, cases) => {
    for (const [value, told] of cases) {
      expect(firing({ metric, labels, value }, forMs)).toEqual(told === '' ? [] : [told]);
      if (forMs > 0) expect(firing({ metric, labels, value }, forMs - 1)).toEqual([]);
    }
  });

  it('are all that the manual declares', () => {
    const asked = alerts.rules.flatMap(({ condition }) => metricsOf(condition).map(({ name }) => name));
    expect(asked.toSorted()).toEqual(alerts.metrics.map(({ name }) => name).toSorted());
    expect(alerts.rules.length).toBe(6);
  });
});
