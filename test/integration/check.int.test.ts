import { expect, it } from 'vitest';
import { checkCommand } from '../../src/cli/check.ts';
import { NEVER } from '../contract/target-fixture.ts';
import { schemaFixture } from './schema-fixture.ts';

it('tells findings to people and to programs', async (context) => {
  const { config } = await schemaFixture(context, 'mysql', 'mysql', ['CREATE TABLE a (id int PRIMARY KEY)']);
  const { file } = config();
  const run = async (...args: string[]): Promise<string[]> => {
    const lines: string[] = [];
    const output = { out: (line: string) => void lines.push(line), err: () => undefined };
    const terminal = { columns: 80, unicode: false };
    const command = checkCommand({ output, env: {}, signal: NEVER, terminal });
    await command.parseAsync(['--config', file, ...args], { from: 'user' });
    return lines;
  };
  // Nobody listens where its Kafka should be, and the target has no tables.
  const [lines, json] = await Promise.all([run(), run('--json')]);
  expect(process.exitCode).toBe(2);
  process.exitCode = undefined;
  expect(lines.map((line) => /^\S+ +\w+/.exec(line)?.[0])).toEqual([
    'ok      source',
    'ok      routes',
    'FAILED  kafka',
    'FAILED  target',
  ]);
  expect(json.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { state: 'ok', about: 'source main' },
    { state: 'ok', about: 'routes' },
    { state: 'failed', about: 'kafka', code: 'ROWFERRY_KAFKA_LINK' },
    {
      state: 'failed',
      about: 'target east',
      code: 'ROWFERRY_CONFIG_INVALID',
      what: expect.stringContaining('schema plan'),
    },
  ]);
});

it('names a route whose table no source has, and a captured table that no route takes', async (context) => {
  const tables = ['CREATE TABLE orders (id int PRIMARY KEY)', 'CREATE TABLE users (id int PRIMARY KEY)'];
  const { config, source } = await schemaFixture(context, 'mysql', 'mysql', tables);
  const { file } = config([
    { from: `${source.name}.order`, target: 'east' },
    { from: `${source.name}.users`, target: 'east' },
  ]);
  const findings: { readonly about: string; readonly what: string }[] = [];
  const output = {
    out: (line: string) => void findings.push(JSON.parse(line) as never),
    err: () => undefined,
  };
  const terminal = { columns: 80, unicode: false };
  const command = checkCommand({ output, env: {}, signal: NEVER, terminal });
  await command.parseAsync(['--config', file, '--json'], { from: 'user' });
  process.exitCode = undefined;
  const routes = findings.find(({ about }) => about === 'routes')?.what;
  expect(routes).toContain(`no source has ${source.name}.order; did you mean ${source.name}.orders?`);
  expect(routes).toContain(`${source.name}.orders is captured, and no route takes it`);
  // What is misspelt is no table to be made.
  expect(findings.find(({ about }) => about === 'target east')?.what).not.toContain('order ');
});
