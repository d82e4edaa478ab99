import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { expect, test } from 'vitest';
import { printConfig } from '../../../src/config/print.ts';
import { but, GOOD, parse, problems } from './config-text.ts';

const MANUAL = new URL('../../../docs/interchange.md', import.meta.url);

const WITH_DEBEZIUM = but(
  'from: shop.users,',
  'from: shop.users, sources: [legacy],',
  but('to: orders,', 'to: orders, sources: [main],'),
).replace(
  'targets:',
  `  legacy: { debezium: { topics: ["/legacy\\\\.crm\\\\..+/", legacy.shop.users], types: { crm.notes: { id: bigint unsigned } } } }
targets:`,
);

test('a source of Debezium has topics and no server; nothing is captured for it', () => {
  const config = parse(WITH_DEBEZIUM);
  expect(config.sources.map(({ name }) => name)).toEqual(['main']);
  expect(config.debezium).toEqual([
    {
      name: 'legacy',
      topics: ['/legacy\\.crm\\..+/', 'legacy.shop.users'],
      types: { 'crm.notes': { id: 'bigint unsigned' } },
      decimalHandlingMode: 'precise',
      bigintUnsignedHandlingMode: 'long',
      timePrecisionMode: 'adaptive_time_microseconds',
      binaryHandlingMode: 'bytes',
    },
  ]);
  expect(parseYaml(printConfig(config))).toMatchObject({
    sources: { legacy: { debezium: { topics: ['/legacy\\.crm\\..+/', 'legacy.shop.users'] } } },
  });
});

test('it may be the only source, and routes may name it', () => {
  const lines = GOOD.split('\n').map((line) =>
    line.startsWith('  main:') ? '  main: { debezium: { topics: [legacy.shop.orders] } }' : line,
  );
  const config = parse(lines.join('\n').replace('target: a', 'target: a, sources: [main]'));
  expect([config.sources.length, config.debezium.length]).toEqual([0, 1]);
});

test.each([
  ['legacy.shop.users]', ']', null],
  ['["/legacy\\\\.crm\\\\..+/", legacy.shop.users]', '[]', 'must not be empty'],
  ['legacy.shop.users]', '"/(/"]', 'must be a regular expression that JavaScript understands'],
  ['legacy.shop.users]', '"a b"]', 'must be a topic name, or a regular expression between slashes'],
  ['bigint unsigned', 'number', 'must be a MySQL type such as'],
  ['topics:', 'topic:', 'is no option; did you mean topics'],
  ['types:', 'serverId: 5, types:', 'is no option'],
])('with %j written as %j: %j', (old, replacement, expected) => {
  const text = but(old, replacement, WITH_DEBEZIUM);
  if (expected === null) expect(parse(text).debezium).toHaveLength(1);
  else expect(problems(text).join('\n')).toContain(expected);
});

test('a topic belongs to one source', () => {
  const text = but(
    'targets:',
    '  other: { debezium: { topics: [legacy.shop.users] } }\ntargets:',
    WITH_DEBEZIUM,
  );
  expect(problems(text).join('\n')).toContain('is also read as source legacy');
});

test('the example of the manual is a good configuration', () => {
  const example = /```yaml\n(.*?)```/s.exec(readFileSync(MANUAL, 'utf8'))?.[1] ?? '';
  const env = { EAST_PASSWORD: 'x', WEST_PASSWORD: 'x' };
  expect(parse(example, { env }).debezium).toHaveLength(1);
});
