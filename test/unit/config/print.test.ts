import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { formatDatabaseUrl } from '../../../src/config/database-url.ts';
import { printConfig } from '../../../src/config/print.ts';
import { but, parse } from './config-text.ts';

const RICH = `${but(
  'partitions: 4',
  'retentionMs: forever, sasl: { mechanism: plain, username: u, password: kafkasecret }',
  but(
    'serverId: 4711',
    'serverId: 4711, startFrom: { file: binlog.000042, position: 4 }, tls: { key: pemsecret }, replicas: { r1: { url: "mysql://w:geheim@r", tls: { ca: pem } } }, heartbeatRow: { url: "mysql://b:geheim@p" }',
  ),
)}  - { from: shop.items, targets: [a, b] }
schema: { dir: sql, indexes: after, types: { "postgres:*.*.flags": jsonb, shop.orders.total: "numeric(20,4)" } }
`;

test('secrets are printed as *** wherever the configuration is shown', () => {
  const config = parse(RICH);
  for (const shown of [printConfig(config), JSON.stringify(config), inspect(config, { depth: 9 })]) {
    for (const secret of ['geheim', 'kafkasecret', 'pemsecret']) expect(shown).not.toContain(secret);
    expect(shown).toContain('***');
  }
  expect(printConfig(config)).toContain('url: mysql://rowferry:***@127.0.0.1:3306\n');
});

test('what is printed loads again as the same configuration', () => {
  const config = parse(RICH);
  const again = parse(printConfig(config));
  // Through JSON, where every secret is the same; places differ of course.
  const comparable = (one: Config): unknown =>
    JSON.parse(JSON.stringify(one, (key, value: unknown) => (key === 'place' ? '' : value)));
  expect(comparable(again)).toEqual(comparable(config));
});

test('a URL is shown with its port, without its password, and encoded', () => {
  const url = parse(but('mysql://writer:pw@db-a/shop', 'mysql://wr%40iter@[::1]/sh%20op')).targets[0]?.url;
  expect(url === undefined ? '' : formatDatabaseUrl(url)).toBe('mysql://wr%40iter@[::1]:3306/sh%20op');
});
