import { readFileSync, writeFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { expect, test } from 'vitest';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import { optionTables } from '../../../src/config/option-table.ts';
import { configOptions } from '../../../src/config/options.ts';
import { GOOD, parse } from './config-text.ts';

const MANUAL = new URL('../../../docs/configuration.md', import.meta.url);
const TABLES = /(?<=<!-- options:begin[^>]*-->\n\n).*?(?=\n\n<!-- options:end -->)/s;

test('the manual lists the options as they are declared (UPDATE_DOCS=1 writes them anew)', () => {
  const manual = readFileSync(MANUAL, 'utf8');
  expect(manual).toMatch(TABLES);
  if (process.env['UPDATE_DOCS'] === '1')
    writeFileSync(
      MANUAL,
      manual.replace(TABLES, () => optionTables()),
    );
  expect(TABLES.exec(readFileSync(MANUAL, 'utf8'))?.[0]).toBe(optionTables());
});

test('every option has a description and says its default or that it is required', () => {
  const rows = optionTables()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.length).toBeGreaterThan(40);
  for (const row of rows)
    expect(row).toMatch(/^\| `[^`]+` +\| \S.* \| +(?:`.+`|none|\*\*required\*\*(?: for .+`)?) +\| \S/);
});

test('an option of one algorithm says so, and types are told once', () => {
  const row = (path: string): string[] =>
    (
      optionTables()
        .split('\n')
        .find((line) => line.startsWith(`| \`${path}\``)) ?? ''
    )
      .split(' | ')
      .map((cell) => cell.trim());
  expect(row('routes[].shards.period')[2]).toBe('**required** for `date`');
  expect(row('routes[].shards.by').slice(1, 3)).toEqual([
    'column or list of columns',
    '**required** for all but `expression`',
  ]);
  expect(row('routes[].shards.algorithm')[2]).toBe('**required**');
  expect(row('routes[].shards.slots').slice(2).join(' ')).toMatch(/^`64` .* For `segments`, `slot-map`\./);
  expect(row('alerts.channels.<name>.from')[2]).toBe('**required** for `email`');
});

test('the example of the manual is a good configuration', () => {
  const example = /```yaml\n(.*?)```/s.exec(readFileSync(MANUAL, 'utf8'))?.[1] ?? '';
  const env = { SRC_PASSWORD: 'x', A_PASSWORD: 'x', B_PASSWORD: 'x' };
  expect(parse(example, { env }).routes.length).toBeGreaterThan(1);
});

test('the JSON Schema knows every default and accepts what the declaration accepts', () => {
  const schema = configJsonSchema();
  expect(schema).toMatchObject({
    type: 'object',
    additionalProperties: false,
    required: ['name', 'kafka', 'sources', 'targets', 'routes'],
    properties: {
      kafka: { properties: { partitions: { default: 8 }, brokers: { description: expect.any(String) } } },
    },
  });
  const check = z.fromJSONSchema(schema);
  for (const text of [
    GOOD,
    GOOD.replace('partitions: 4', 'partitions: "${env:N}", format: "${env:F}", retentionMs: 7d'),
  ]) {
    expect(check.safeParse(parseYaml(text)).error).toBeUndefined();
  }
  for (const text of [
    GOOD.replace('name: shop', 'nam: shop'),
    GOOD.replace('partitions: 4', 'partitions: 0'),
  ]) {
    expect(check.safeParse(parseYaml(text)).success).toBe(false);
    expect(configOptions.safeParse(parseYaml(text)).success).toBe(false);
  }
});
