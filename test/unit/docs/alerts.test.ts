/** `docs/alerts.md` says only what is true: its rules are read, its table is the code's, every shipped alert has its entry. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { describe, expect, it } from 'vitest';
import { readRulesText, shippedRules } from '../../../src/config/alert-rules.ts';
import { ALERT_METRICS } from '../../../src/observe/alerts/metrics.ts';
import { UNITS } from '../../../src/observe/alerts/quantity.ts';
import { GOOD, parse } from '../config/config-text.ts';

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
    const read = readRulesText('alerts.md', yaml[0] ?? '', null, { env: {}, readFile: () => '' });
    expect(read.problems).toEqual([]);
    expect(read.rules.length).toBe(3);
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
