import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { alertsCommand } from '../../../src/cli/alerts.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { HttpServer } from '../../../src/server/http-server.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';
import { StatusFile } from '../../../src/wiring/status-file.ts';
import { StillDaemon } from '../server/daemon-fixture.ts';
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
      'future_tables_missing fires: Tables of coming periods of orders that are missing at <target>: 3',
      'cpu_high fires: The processors are in use to 95 %',
    ]);
  });

  it.each([
    ['lag=61', 'lag is no metric; did you mean lag_seconds?'],
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

const REPORTED = `alerts:
  metrics: { failed_repairs: { unit: share, labels: [table], meaning: Failed. } }
  rules: { migration_alerts: { own: [{ name: mine, condition: failed_repairs > 1%, level: error, message: "{table} {value}" }] } }
`;

describe('a metric that other programs report', () => {
  it('is listed, tried and exported with the configuration that declares it', async () => {
    const file = fileWith(`${ordersConfig(4)}\n${REPORTED}`);
    const verb = async (name: string, ...args: string[]) =>
      (await runVerb(alertsCommand, [name, '-c', file, ...args])).lines;
    expect((await verb('metrics')).at(-1)).toMatch(/^failed_repairs +% +table$/);
    expect((await verb('test', '--set', 'failed_repairs=2%,table=orders')).at(-1)).toBe(
      'mine  error  fires  orders 2 %',
    );
    expect((await verb('prometheus')).join('\n')).toContain('expr: rowferry_failed_repairs > 0.01');
    await expect(test('--set', 'failed_repairs=2%')).rejects.toThrow('failed_repairs is no metric');
  });

  /** A process of the pipeline as the command line finds it. */
  async function process(file: string, role: string, startedMs: number) {
    const config = loadConfig(file, {});
    const daemon = new StillDaemon(config, []);
    const server = await HttpServer.start(daemon);
    onTestFinished(async () => await server.close());
    const status = new StatusFile(config, role);
    status.write({ ...daemon.status, role, startedMs, http: server.address, timeMs: Date.now() }, silentLog);
    return daemon;
  }

  it('is told to one process of this machine, and withdrawn from the others', async () => {
    const runDir = mkdtempSync(join(tmpdir(), 'rowferry-report-'));
    onTestFinished(() => rmSync(runDir, { recursive: true }));
    const http = 'http: { port: 0, token: a-token-for-tests-only }';
    const file = fileWith(`${ordersConfig(4)}\n${REPORTED}runDir: ${runDir}\n${http}\n`);
    const verb = async (name: string, ...args: string[]) =>
      (await runVerb(alertsCommand, [name, 'failed_repairs', ...args, '--label', 'table=orders', '-c', file]))
        .lines;
    await expect(verb('report', '2 %')).rejects.toThrow('no daemon of this pipeline here takes it');
    await expect(verb('report', '2 s')).rejects.toThrow('s does not fit here');
    const [first, second] = [await process(file, 'capture', 1), await process(file, 'apply', 2)];
    second.alerts.report([{ metric: 'failed_repairs', labels: { table: 'orders' }, value: 0.5 }], 'before');
    expect(await verb('report', '2 %')).toEqual(['failed_repairs{table="orders"}: not reported -> 2 %']);
    expect([first, second].map(({ alerts }) => alerts.measures.map(({ value }) => value))).toEqual([
      [0.02],
      [],
    ]);
    expect(await verb('withdraw')).toEqual(['failed_repairs{table="orders"}: 2 % -> withdrawn']);
    await expect(verb('withdraw')).rejects.toThrow('has such a report of failed_repairs');
  });
});
