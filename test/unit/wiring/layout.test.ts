import { describe, expect, it } from 'vitest';
import { loadRoutes } from '../../../src/config/routes.ts';
import { layoutConflicts as conflictsOf, layoutOf, nextLayout } from '../../../src/wiring/layout.ts';
import type { Layout, StoredLayout } from '../../../src/wiring/layout.ts';
import { parse } from '../config/config-text.ts';

const NOTHING: StoredLayout = { layout: {}, retired: {} };
const layoutConflicts = (stored: Layout, wanted: Layout) => conflictsOf(nextLayout(NOTHING, stored), wanted);

/** The layout of a configuration with these routes. */
async function layout(...routes: readonly string[]) {
  const text = `name: shop
kafka: { brokers: ["127.0.0.1:9092"], replicationFactor: 1 }
sources: { main: { url: "mysql://rowferry:x@127.0.0.1:3306", serverId: 4711, tables: ["*.*"] } }
targets:
  a: { url: "mysql://writer:pw@db-a/shop" }
  b: { url: "postgres://writer:pw@db-b/shop" }
  c: { url: "postgres://writer:pw@db-c/shop" }
routes:
${routes.map((route) => `  - { ${route} }`).join('\n')}`;
  return layoutOf(await loadRoutes(parse(text)));
}

const ORDERS = 'from: shop.orders, shards: { by: user_id, algorithm: modulo, on: [a, b] }';
const USERS = 'from: shop.users, target: a';

describe('layout', () => {
  it('takes tables that are new or gone', async () => {
    const stored = await layout(ORDERS, USERS);
    expect(layoutConflicts(stored, await layout(ORDERS, 'from: shop.new, target: b'))).toEqual([]);
  });

  it.each([
    ['another shard key', 'from: shop.orders, shards: { by: id, algorithm: modulo, on: [a, b] }'],
    [
      'another number of shards',
      'from: shop.orders, shards: { by: user_id, algorithm: modulo, on: [a, b, c] }',
    ],
    ['another order of shards', 'from: shop.orders, shards: { by: user_id, algorithm: modulo, on: [b, a] }'],
    ['another rule', 'from: shop.orders, shards: { by: user_id, algorithm: hash, on: [a, b] }'],
    ['another table', `${ORDERS}, to: orders_2`],
    [
      'tables within the targets',
      `${ORDERS}, tables: { algorithm: segments, half: high, by: user_id, count: 2 }`,
    ],
    ['other columns', `${ORDERS}, columns: { drop: [note] }`],
    ['no shards any more', 'from: shop.orders, target: a'],
  ])('refuses %s for a table that has flowed, and tells both rules', async (_, changed) => {
    const [conflict] = layoutConflicts(await layout(ORDERS, USERS), await layout(changed));
    expect(conflict).toMatch(/^shop\.orders: was orders at a, b by modulo of user_id, now /);
  });

  it('does not mind how the column is spelled or in which order routes and options stand', async () => {
    const columns = (text: string) => `${USERS}, columns: { ${text} }`;
    const stored = await layout(ORDERS, columns('drop: [x], rename: { a: b, c: d }'));
    const again = await layout(
      columns('rename: { c: d, a: b }, drop: [x]'),
      ORDERS.replace('user_id', 'USER_ID'),
    );
    expect(layoutConflicts(stored, again)).toEqual([]);
  });

  it('refuses another key of the hashes without telling either', async () => {
    const hashed = (key: string) => layout(`${USERS}, columns: { hash: [phone], hashKey: ${key} }`);
    const conflicts = layoutConflicts(await hashed('first-secret-0123'), await hashed('other-secret-0123'));
    expect(conflicts).toHaveLength(1);
    expect(conflicts.join()).not.toContain('secret-0123');
  });

  it('refuses a new pattern that takes tables of a known route, and takes one that cannot', async () => {
    const stored = await layout(ORDERS, 'from: "log.day_*", target: a');
    const withPattern = (from: string) => layout(ORDERS, `from: "${from}", target: b, to: "{table}_copy"`);
    expect(layoutConflicts(stored, await withPattern('shop.ord*'))).toHaveLength(1);
    expect(layoutConflicts(stored, await withPattern('log.*_2026'))).toHaveLength(1);
    expect(layoutConflicts(stored, await withPattern('shop.item_*'))).toEqual([]);
  });

  it('refuses a route that comes back after the pipeline ran without it', async () => {
    const both = await layout(ORDERS, USERS);
    const without = nextLayout(nextLayout(NOTHING, both), await layout(USERS));
    expect(conflictsOf(without, await layout(USERS))).toEqual([]);
    expect(conflictsOf(without, both)).toEqual([
      'shop.orders: its route was taken away while the pipeline ran on: its tables lack what changed meanwhile',
    ]);
  });

  describe('tables within the targets', () => {
    const RULES: readonly (readonly [string, string, string])[] = [
      ['modulo', 'by: id, count: 4', 'by: id, count: 8'],
      ['segments', 'by: id, count: 4', 'by: id, count: 8'],
      ['segments', 'by: id, count: 4', 'by: id, count: 4, half: high'],
      ['virtual-nodes', 'by: id, max: 16, count: 4', 'by: id, max: 32, count: 4'],
      ['slot-map', 'by: id, slots: 4, map: { a: 0-1, b: 2-3 }', 'by: id, slots: 4, map: { a: 0-2, b: "3" }'],
      ['date', 'by: at, period: month, since: 2026-01', 'by: at, period: year, since: "2026"'],
      ['substring', 'by: id, at: -1, length: 1', 'by: id, at: 0, length: 1'],
      ['hash', 'by: id, count: 4', 'by: id, count: 4, seed: 1'],
      ['ring', 'by: id, count: 4', 'by: id, count: 4, points: 80'],
      ['expression', 'expression: id % 4, count: 4', 'expression: id / 2 % 4, count: 4'],
      ['modulo', 'by: id, count: 4', 'by: id, count: 4, digits: 3'],
      ['modulo', 'by: id, count: 4', 'by: id, count: 4, separator: "$"'],
    ];

    it.each(RULES)('by %s: %s is another layout than %s', async (algorithm, one, other) => {
      const tables = (options: string) => layout(`${USERS}, tables: { algorithm: ${algorithm}, ${options} }`);
      expect(layoutConflicts(await tables(one), await tables(one))).toEqual([]);
      expect(layoutConflicts(await tables(one), await tables(other))).toHaveLength(1);
    });
  });
});
