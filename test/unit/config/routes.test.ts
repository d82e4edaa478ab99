import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { layoutsOf } from '../../../src/config/layouts.ts';
import { printConfig } from '../../../src/config/print.ts';
import { loadRoutes } from '../../../src/config/routes.ts';
import { parse, problems } from './config-text.ts';

/** A configuration with two sources on servers of their own, a range of targets, and these routes. */
function withRoutes(...routes: readonly string[]): string {
  return `name: shop
kafka: { brokers: ["127.0.0.1:9092"], replicationFactor: 1 }
sources:
  x: { url: "mysql://rowferry:x@db-x:3306", serverId: 1, tables: ["shop.*", "trade.*"] }
  y: { url: "mysql://rowferry:x@db-y:3306", serverId: 2, tables: ["shop.*", "/trade\\\\.order_\\\\d+/"] }
targets:
  "db_{00..12..4}": { url: "mysql://writer:pw@db-t:3306/trade_{}" }
  wide: { url: "postgres://writer:pw@db-p/trade" }
  back: { url: "mysql://writer:pw@db-x:3306/shop" }
routes:
${routes.map((route) => `  - { ${route} }`).join('\n')}
`;
}

/** `from` and what keeps keys of the two sources apart. */
const ORDERS = 'from: shop.orders, keys: disjoint';

describe('routes', () => {
  it('spread a table over targets and tables without naming each (SHR-4)', async () => {
    const config = parse(
      withRoutes(
        `${ORDERS}, shards: { algorithm: segments, half: high, by: user_id, on: ["db_{00..12..4}"] }, tables: { algorithm: segments, by: user_id, count: 16 }`,
      ),
    );
    expect(config.targets.map(({ name, url }) => `${name} ${url.database}`).slice(0, 4)).toEqual([
      'db_00 trade_00',
      'db_04 trade_04',
      'db_08 trade_08',
      'db_12 trade_12',
    ]);
    const [found] = await layoutsOf(config, 'shop.orders');
    expect(found!.layout.places()).toHaveLength(64);
    expect(found!.layout.locateKey('123456789')).toEqual({ target: 'db_12', table: 'orders_20' });
    expect(found!.layout.locateKey('9007199254740993')).toEqual({ target: 'db_00', table: 'orders_00' });
  });

  test.each([
    [
      'modulo',
      '{ algorithm: modulo, by: k, on: [db_00, wide] }',
      '{ algorithm: modulo, by: j, count: 3, digits: 3 }',
      6,
    ],
    [
      'segments',
      '{ algorithm: segments, by: k, on: [db_00, wide], half: high }',
      '{ algorithm: segments, by: k, count: 4, separator: "" }',
      null,
    ],
    [
      'segments',
      '{ algorithm: segments, by: k, on: [db_00, wide], half: high }',
      '{ algorithm: segments, by: k, count: 4 }',
      8,
    ],
    [
      'virtual-nodes',
      '{ algorithm: virtual-nodes, by: k, max: 16, on: [db_00, wide] }',
      '{ algorithm: virtual-nodes, by: j, max: 16, count: 4 }',
      8,
    ],
    [
      'slot-map',
      '{ algorithm: slot-map, by: k, map: { db_00: "0-40", wide: 41-63 } }',
      '{ algorithm: slot-map, by: j, slots: 4, map: { hot: "0", cold: 1-3 } }',
      4,
    ],
    [
      'date',
      '{ algorithm: date, by: d, period: year, since: "2025", on: [db_00, wide] }',
      '{ algorithm: date, by: d, period: month, since: 2025-01 }',
      2,
    ],
    [
      'substring',
      '{ algorithm: modulo, by: k, on: [db_00, wide] }',
      '{ algorithm: substring, by: phone, at: -1, length: 1 }',
      20,
    ],
    [
      'hash',
      '{ algorithm: hash, by: k, on: [db_00, wide] }',
      '{ algorithm: hash, by: k, count: 2, seed: 1 }',
      4,
    ],
    [
      'ring',
      '{ algorithm: ring, by: k, on: [db_00, wide] }',
      '{ algorithm: ring, by: k, count: 3, seed: 1, points: 40 }',
      6,
    ],
    [
      'expression',
      '{ algorithm: expression, expression: "k / 64 % 2", on: [db_00, wide] }',
      '{ algorithm: expression, expression: k % 8, count: 8 }',
      16,
    ],
  ])('%s at both levels can be printed and read again', async (_, shards, tables, places) => {
    const text = withRoutes(`${ORDERS}, shards: ${shards}, tables: ${tables}`);
    if (places === null) {
      expect(problems(text).join()).toContain('separator');
      return;
    }
    const config = parse(text);
    const [found] = await layoutsOf(config, 'shop.orders');
    expect(found!.layout.places(1)).toHaveLength(places);
    expect(parse(printConfig(config).replaceAll('***', 'pw')).routes).toMatchObject(
      config.routes.map((route) => ({ ...route, place: expect.any(String) })),
    );
  });

  it('load a function of the user by its module, and tell two versions of it apart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rowferry-routes-'));
    writeFileSync(
      join(folder, 'rule.mjs'),
      'export const shardOf = ([key], count) => String(key).length % count;\n',
    );
    const custom = `{ algorithm: custom, by: name, module: "${join(folder, 'rule.mjs')}", on: [db_00, wide] }`;
    const config = parse(withRoutes(`${ORDERS}, shards: ${custom}`));
    const [found] = await layoutsOf(config, 'shop.orders');
    expect(['ab', 'abc'].map((name) => found!.layout.locateKey(name).target)).toEqual(['db_00', 'wide']);
    const [route] = await loadRoutes(config);
    expect(route!.rule.layout.shards).toMatchObject({ version: expect.stringMatching(/^[0-9a-f]{16}$/) });
    const none = parse(withRoutes(`${ORDERS}, shards: ${custom.replace('rule.mjs', 'none.mjs')}`));
    await expect(loadRoutes(none)).rejects.toThrow(
      /shop\.yaml:11:5: the module .*none\.mjs cannot be loaded/,
    );
    writeFileSync(join(folder, 'empty.mjs'), 'export const other = 1;\n');
    const empty = parse(withRoutes(`${ORDERS}, shards: ${custom.replace('rule.mjs', 'empty.mjs')}`));
    await expect(loadRoutes(empty)).rejects.toThrow('exports no function `shardOf`');
    writeFileSync(join(folder, 'two.mjs'), "export { shardOf } from './rule.mjs';\nimport './rule.mjs';\n");
    const two = parse(withRoutes(`${ORDERS}, shards: ${custom.replace('rule.mjs', 'two.mjs')}`));
    await expect(loadRoutes(two)).rejects.toThrow('imports other modules');
  });

  it('keep the key of hashes a secret, in print and in JSON', () => {
    const config = parse(
      withRoutes(`${ORDERS}, target: wide, columns: { hash: [phone], hashKey: 0123456789abcdefX }`),
    );
    expect(printConfig(config)).toContain('hashKey: "***"');
    expect(printConfig(config) + JSON.stringify(config)).not.toContain('0123456789abcdefX');
  });

  test.each([
    [
      'a name that is no target',
      `${ORDERS}, shards: { algorithm: modulo, by: k, on: [db_00, db_99] }`,
      'names no target',
    ],
    [
      'one target for two shards',
      `${ORDERS}, shards: { algorithm: modulo, by: k, on: [db_00, db_00] }`,
      'names target db_00 twice',
    ],
    [
      'slots that do not divide',
      `${ORDERS}, shards: { algorithm: segments, by: k, on: [db_00, db_04, wide] }`,
      'routes[0].shards: cannot be:',
    ],
    [
      'C19',
      `${ORDERS}, target: wide, tables: { algorithm: virtual-nodes, by: k, max: 16, count: 5 }`,
      'routes[0].tables: cannot be:',
    ],
    [
      'one function at both levels (SHR-5)',
      `${ORDERS}, shards: { algorithm: segments, by: k, on: [db_00, wide] }, tables: { algorithm: segments, by: k, count: 2 }`,
      'only 2 of 4 cells would ever get a row',
    ],
    [
      'a slot without an owner',
      `${ORDERS}, shards: { algorithm: slot-map, by: k, map: { db_00: 0-40, wide: 42-63 } }`,
      '41',
    ],
    [
      'a broken expression',
      `${ORDERS}, shards: { algorithm: expression, expression: "k %", on: [db_00, wide] }`,
      'routes[0].shards: cannot be:',
    ],
    ['a source that is none', `${ORDERS}, target: wide, sources: [z]`, 'names no source'],
    [
      'rows of two sources in one table',
      'from: shop.users, target: wide',
      'may take rows of several source tables',
    ],
    [
      'a pattern that gathers tables',
      'from: "trade.order_*", sources: [x], target: wide, to: orders',
      'an added {table}',
    ],
    [
      'a regular expression that gathers tables',
      'from: "/trade\\\\.order_\\\\d+/", sources: [x], target: wide, to: orders',
      'an added {schema} and {table}',
    ],
    [
      'a prefix that does not tell sources apart',
      'from: shop.users, target: wide, columns: { prefix: { id: "u-" } }',
      'may take rows of several',
    ],
    [
      'a captured table as target',
      'from: trade.users, sources: [x], to: orders, target: back',
      'rows would go round for ever',
    ],
    ['only and drop', `${ORDERS}, target: wide, columns: { only: [a], drop: [b] }`, 'stands beside `only`'],
    ['hashes without a key', `${ORDERS}, target: wide, columns: { hash: [a] }`, 'needs a `hashKey`'],
    [
      'two ways for one column',
      `${ORDERS}, target: wide, columns: { mask: { a: 1 }, prefix: { a: x } }`,
      'two of hash, mask and prefix',
    ],
    [
      'a shard that stays and has tables',
      `${ORDERS}, shards: { algorithm: modulo, by: k, on: ["source:x", wide] }, tables: { algorithm: modulo, by: j, count: 2 }`,
      'goes with no `tables`',
    ],
    [
      'a range that goes nowhere',
      `${ORDERS}, shards: { algorithm: modulo, by: k, on: ["db_{04..00}"] }`,
      'a range that goes nowhere',
    ],
    ['a pattern that excludes', `from: "!shop.a", target: wide`, 'must say which tables it takes'],
    [
      'a broken regular expression',
      `from: "/shop(/", target: wide`,
      'a regular expression that JavaScript understands',
    ],
  ])('refuse %s', (_, route, expected) => {
    const lines = problems(withRoutes(route));
    expect(lines.join('\n')).toContain(expected);
    expect(lines).toHaveLength(1);
  });

  test.each([
    ['an origin column', 'from: shop.users, target: wide, columns: { origin: came_from }'],
    [
      'a key with the source',
      'from: shop.users, target: wide, columns: { add: { src: "{source}" }, key: [src, id] }',
    ],
    [
      'a prefix with source and table',
      'from: "shop.u_*", to: users, target: wide, columns: { prefix: { id: "{source}-{table}-" }, key: [id] }',
    ],
    ['tables of their own', 'from: "shop.u_*", target: wide, to: "{source}_{table}"'],
    ['one source', 'from: shop.users, sources: [y], target: wide'],
    [
      'another table of the captured database',
      'from: trade.users, sources: [x], target: back, to: rowferry_watermark',
    ],
  ])('take keys that stay apart by %s', (_, route) => {
    expect(parse(withRoutes(route)).routes).toHaveLength(1);
  });

  it('meet in one table only when both say in the same way how their keys stay apart', () => {
    const users = (source: string, rest: string) =>
      `from: shop.users, sources: [${source}], target: wide${rest}`;
    expect(problems(withRoutes(users('x', ''), users('y', ''))).join()).toContain(
      'would write wide.users, which routes[0] fills',
    );
    expect(
      problems(withRoutes(users('x', ', columns: { origin: o }'), users('y', ', keys: disjoint'))),
    ).toHaveLength(1);
    const added = (text: string) => `, columns: { add: { src: ${text} }, key: [src, id] }`;
    expect(problems(withRoutes(users('x', added('a')), users('y', added('a'))))).toHaveLength(1);
    for (const [one, other] of [
      [', columns: { origin: o }', ', columns: { origin: o }'],
      [', keys: disjoint', ', keys: disjoint'],
      [added('a'), added('b')],
    ]) {
      expect(parse(withRoutes(users('x', one!), users('y', other!))).routes).toHaveLength(2);
    }
  });
});
