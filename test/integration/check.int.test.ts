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
    'FAILED  kafka',
    'FAILED  target',
  ]);
  expect(json.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { state: 'ok', about: 'source main' },
    { state: 'failed', about: 'kafka', code: 'ROWFERRY_KAFKA_LINK' },
    {
      state: 'failed',
      about: 'target east',
      code: 'ROWFERRY_CONFIG_INVALID',
      what: expect.stringContaining('schema plan'),
    },
  ]);
});
