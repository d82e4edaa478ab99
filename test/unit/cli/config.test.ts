import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { configCommand } from '../../../src/cli/config.ts';
import { GOOD } from '../config/config-text.ts';

function run(
  text: string,
  ...args: readonly string[]
): { lines: string[]; file: string; done: Promise<unknown> } {
  const folder = mkdtempSync(join(tmpdir(), 'rowferry-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'shop.yaml');
  writeFileSync(file, text);
  const lines: string[] = [];
  const output = {
    out: (line: string) => void lines.push(line),
    err: (line: string) => void lines.push(`! ${line}`),
  };
  const command = configCommand(output, { SRC_PASSWORD: 'geheim' });
  const config = args[0] === 'schema' ? [] : ['--config', file];
  return { lines, file, done: command.parseAsync([...args, ...config], { from: 'user' }) };
}

test('check says what a good file holds', async () => {
  const { lines, done } = run(GOOD, 'check');
  await done;
  expect(lines).toEqual(['ok: 1 source, 2 targets, 2 routes']);
});

test('check throws every problem with the place in the named file', async () => {
  const { lines, file, done } = run(GOOD.replace('serverId: 4711', 'serverID: 1'), 'check');
  await expect(done).rejects.toMatchObject({
    code: 'ROWFERRY_CONFIG_INVALID',
    message: `${file}:4:3: sources.main.serverId: is missing\n${file}:4:71: sources.main.serverID: is no option; did you mean serverId?`,
  });
  expect(lines).toEqual([]);
});

test('print shows defaults and no secret', async () => {
  const { lines, done } = run(GOOD, 'print');
  await done;
  expect(lines.join('\n')).toContain('batchRows: 2000');
  expect(lines.join('\n')).toContain('mysql://rowferry:***@127.0.0.1:3306');
  expect(lines.join('\n')).not.toContain('geheim');
});

test('schema is JSON', async () => {
  const { lines, done } = run(GOOD, 'schema');
  await done;
  expect(JSON.parse(lines.join('\n'))).toHaveProperty('properties.sources');
});
