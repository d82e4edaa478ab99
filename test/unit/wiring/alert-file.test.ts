import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { KeptAlerts } from '../../../src/observe/alerts/alerts.ts';
import type { Measure } from '../../../src/observe/alerts/measures.ts';
import { AlertFile } from '../../../src/wiring/alert-file.ts';
import { AlertWatch } from '../../../src/wiring/alert-watch.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';
import { GOOD, parse } from '../config/config-text.ts';

test('the file of alerts is taken over from a process that is gone, once, and never from one of another role', () => {
  const runDir = mkdtempSync(join(tmpdir(), 'rowferry-alert-file-'));
  onTestFinished(() => rmSync(runDir, { recursive: true }));
  const config = { ...parse(GOOD), runDir };
  const kept: KeptAlerts = { firing: [], waiting: { ops: [] } };
  const measures: Measure[] = [
    { metric: 'missing_records', labels: {}, value: 1, dimension: 'count', atMs: 5, by: 'kim' },
  ];
  const first = new AlertFile(config, 'apply', silentLog);
  expect(first.kept).toEqual({ firing: [], waiting: {} });
  first.write({ kept });
  first.write({ measures });
  const [name = ''] = readdirSync(runDir);
  expect(statSync(join(runDir, name)).mode & 0o777).toBe(0o600);
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  renameSync(join(runDir, name), join(runDir, name.replace(String(process.pid), String(gone))));
  expect(new AlertFile(config, 'capture', silentLog).key).not.toBe(first.key);
  const second = new AlertFile(config, 'apply', silentLog);
  expect(second).toMatchObject({ key: first.key, kept, measures });
  expect(readdirSync(runDir)).toEqual([name]);
});

test.each<[string, unknown]>([
  ['no list', 5],
  ['nothing', null],
  ['values without a name', [{ value: 1 }, null]],
  [
    'a value that is no number',
    [{ metric: 'm', labels: {}, value: null, dimension: 'count', atMs: 5, by: 'kim' }],
  ],
  [
    'a label that is no text',
    [{ metric: 'm', labels: { a: 1 }, value: 1, dimension: 'count', atMs: 5, by: 'kim' }],
  ],
])('a file whose reports are %s holds up no start, and its alerts count', (_, measures) => {
  const runDir = mkdtempSync(join(tmpdir(), 'rowferry-alert-file-'));
  onTestFinished(() => rmSync(runDir, { recursive: true }));
  const config = { ...parse(GOOD), runDir };
  const first = new AlertFile(config, 'apply', silentLog);
  first.write({ kept: { firing: [], waiting: { ops: [] } } });
  const [name = ''] = readdirSync(runDir);
  const text = JSON.stringify({
    ...(JSON.parse(readFileSync(join(runDir, name), 'utf8')) as object),
    measures,
  });
  writeFileSync(join(runDir, name), text);
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  renameSync(join(runDir, name), join(runDir, name.replace(String(process.pid), String(gone))));
  const second = new AlertFile(config, 'apply', silentLog);
  expect(second).toMatchObject({ key: first.key, kept: { waiting: { ops: [] } }, measures: [] });
});

test('a report of a metric that was declared no more for a while is not there when it is declared again', async () => {
  const runDir = mkdtempSync(join(tmpdir(), 'rowferry-alert-file-'));
  onTestFinished(() => rmSync(runDir, { recursive: true }));
  const declaring = `${GOOD}alerts: { metrics: { missing_records: { unit: count, meaning: Missing rows. } } }\n`;
  /** What a process of this configuration knows at first, after those before it are gone. */
  const startedWith = async (text: string, reports: readonly number[] = []) => {
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    for (const name of readdirSync(runDir))
      renameSync(join(runDir, name), join(runDir, name.replace(String(process.pid), String(gone))));
    const started = { role: 'all', startedMs: 1 } as const;
    const alerts = new AlertWatch({ ...parse(text), runDir }, silentLog, started, []);
    const values = alerts.measures.map(({ value }) => value);
    for (const value of reports) alerts.report([{ metric: 'missing_records', labels: {}, value }], 'kim');
    await alerts.close(0);
    return values;
  };
  expect(await startedWith(declaring, [7])).toEqual([]);
  expect(await startedWith(declaring)).toEqual([7]);
  expect(await startedWith(GOOD)).toEqual([]);
  expect(await startedWith(declaring)).toEqual([]);
});
