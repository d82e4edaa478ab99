import { describe, expect, it } from 'vitest';
import { alertsCommand } from '../../../src/cli/alerts.ts';
import { fileWith, ordersConfig, runVerb } from '../../support/run-verb.ts';

async function test(...args: string[]): Promise<readonly string[]> {
  const { lines } = await runVerb(alertsCommand, ['test', '--shipped', '--json', ...args]);
  return lines.map((line) => {
    const { rule, state, message } = JSON.parse(line) as Record<string, string>;
    return `${rule} ${state}: ${message}`;
  });
}

describe('rowferry alerts test', () => {
  it('tells which rules fire on given values, exactly at their limits', async () => {
    expect(await test('--set', 'lag_seconds=60')).toEqual([]);
    expect(await test('--set', 'lag_seconds=61,topic=shop,partition=3,source=main')).toEqual([
      'lag_high fires after 10 s: Partition 3 of shop is 61 s behind main',
    ]);
    expect(await test('--set', 'disk_space=9.9%')).toEqual(['disk_low fires: 9.9 % of disk <disk> are free']);
    expect(await test('--set', 'disk_space=0.1')).toEqual([]);
  });

  it('takes how long the values hold', async () => {
    expect(await test('--set', 'lag_seconds=61', '--for', '9 s')).toEqual([
      expect.stringMatching(/^lag_high fires after 1 s more/),
    ]);
    expect(await test('--set', 'lag_seconds=61', '--for', '2m')).toEqual([
      expect.stringMatching(/^lag_high fires:/),
    ]);
  });

  it('takes several values', async () => {
    const fired = await test(
      '--set',
      'cpu_usage=95%',
      '--set',
      'missing_future_tables=3,table=orders',
      '--for',
      '1m',
    );
    expect(fired).toEqual([
      'future_tables_missing fires: 3 tables of coming periods of orders are missing at <target>',
      'cpu_high fires: The processors are in use to 95 %',
    ]);
  });

  it.each([
    ['lag_secnds=1', 'lag_secnds is no metric; did you mean lag_seconds?'],
    ['lag_seconds=1%', '% does not fit here'],
    ['lag_seconds', 'has no ='],
    ['disk_space=9', 'write 9% or 0.09'],
    ['lag_seconds=1,table=x', 'table is no label of lag_seconds; it has source, topic, partition'],
  ])('refuses %s', async (value, message) => {
    await expect(test('--set', value)).rejects.toThrow(message);
  });

  it('uses the rules of the configuration', async () => {
    const file = fileWith(
      `${ordersConfig(4)}\nalerts: { rules: { migration_alerts: { own: [{ name: mine, condition: cpu_usage > 1%, level: error, message: "{value}" }] } } }\n`,
    );
    const { lines } = await runVerb(alertsCommand, ['test', '-c', file, '--set', 'cpu_usage=2%']);
    expect(lines.slice(2)).toEqual(['mine  error  fires  2 %']);
    expect((await runVerb(alertsCommand, ['list', '-c', file])).lines.at(-1)).toBe(
      'mine  error  cpu_usage > 1%  at once',
    );
  });
});

describe('rowferry alerts', () => {
  it('lists rules and metrics', async () => {
    const { lines } = await runVerb(alertsCommand, ['list', '--shipped']);
    expect(lines.find((line) => line.startsWith('lag_high'))).toMatch(/critical +lag_seconds > 60 s +10 s$/);
    const metrics = (await runVerb(alertsCommand, ['metrics'])).lines;
    expect(metrics.find((line) => line.startsWith('lag_seconds'))).toMatch(
      /ms, s, min, h, d +source, topic, partition$/,
    );
  });

  it('prints Prometheus’ rules and the shipped file', async () => {
    expect((await runVerb(alertsCommand, ['prometheus', '--shipped'])).lines[0]).toMatch(/^groups:\n/);
    expect((await runVerb(alertsCommand, ['yaml'])).lines[0]).toContain('migration_alerts:');
  });
});
