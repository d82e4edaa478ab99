import type { RowDataPacket } from 'mysql2/promise';
import { describe, expect, it, type TestContext } from 'vitest';
import { compareTables, type TableComparison } from '../../scripts/lib/compare.ts';
import { Random } from '../../scripts/lib/random.ts';
import { MYSQL_SHOP, POSTGRES_SHOP, SHOP_TABLES, seedShop, shopComparisons } from '../../scripts/lib/shop.ts';
import { Workload } from '../../scripts/lib/workload.ts';
import {
  mysqlDatabase,
  postgresDatabase,
  testServers,
  type MysqlDatabase,
  type PostgresDatabase,
} from '../support/servers.ts';

const SIZE = { users: 60, products: 20, orders: 300 };

interface Shop {
  readonly source: MysqlDatabase;
  readonly east: MysqlDatabase;
  readonly west: PostgresDatabase;
  readonly comparisons: readonly TableComparison[];
}

/** A filled source and empty targets. */
async function shop(test: TestContext): Promise<Shop> {
  const [source, east] = [await mysqlDatabase(test), await mysqlDatabase(test, testServers().shard)];
  const west = await postgresDatabase(test);
  for (const table of SHOP_TABLES) {
    await source.pool.query(MYSQL_SHOP[table]);
    await east.pool.query(MYSQL_SHOP[table]);
    await west.pool.query(POSTGRES_SHOP[table]);
  }
  const connection = await source.pool.getConnection();
  await seedShop(connection, SIZE, new Random(7));
  connection.release();
  const targets = [
    { name: 'east', url: east.url },
    { name: 'west', url: west.url },
  ];
  return { source, east, west, comparisons: shopComparisons({ name: 'source', url: source.url }, targets) };
}

/** Copies by plain INSERT with parameters, every second user's orders to each target. */
async function copy({ source, east, west }: Shop): Promise<void> {
  for (const table of SHOP_TABLES) {
    const [rows] = await source.pool.query<({ user_id?: string } & RowDataPacket)[]>(
      // A plain SELECT prints a FLOAT with six digits only.
      `SELECT *${table === 'products' ? ', CAST(weight AS DOUBLE) AS weight' : ''} FROM ${table}`,
    );
    for (const row of rows) {
      const columns = Object.keys(row);
      const values = columns.map((name) => {
        const value: unknown = row[name];
        return typeof value === 'object' && value !== null && !Buffer.isBuffer(value)
          ? JSON.stringify(value)
          : value;
      });
      const shard = Number(row.user_id ?? 0) % 2;
      if (table === 'products' || (table === 'orders' && shard === 0)) {
        await east.pool.query(`INSERT INTO ${table} (${columns.join()}) VALUES (?)`, [values]);
      }
      if (table !== 'orders' || shard === 1) {
        const marks = columns.map((_, i) => `$${i + 1}`).join();
        await west.pool.query(`INSERT INTO ${table} (${columns.join()}) VALUES (${marks})`, values);
      }
    }
  }
}

describe('comparing tables', () => {
  it('finds a faithful copy on two engines equal, row by row', async (t) => {
    const places = await shop(t);
    await copy(places);
    const comparison = await compareTables(places.comparisons);
    expect(comparison.samples).toEqual([]);
    expect(comparison).toMatchObject({ missing: 0, extra: 0, different: 0 });
    expect(comparison.compared).toBe(SIZE.users + 2 * SIZE.products + SIZE.orders);
  });

  it('finds a row that is missing, one too many, one at the wrong shard and one value that differs', async (t) => {
    const places = await shop(t);
    await copy(places);
    const { east, west } = places;
    await west.pool.query('DELETE FROM users WHERE id = 5');
    await west.pool.query(
      'INSERT INTO products SELECT 999, sku, title, price, weight, tags, updated_at FROM products WHERE id = 1',
    );
    await east.pool.query(
      'UPDATE products SET weight = COALESCE(weight, 0) + 0.001, updated_at = updated_at WHERE id = 3',
    );
    await east.pool.query('UPDATE orders SET id = 100000 WHERE user_id = 2 ORDER BY id LIMIT 1');
    const comparison = await compareTables(places.comparisons);
    expect(comparison.tables.map(({ missing, extra, different }) => [missing, extra, different])).toEqual([
      [1, 0, 0],
      [0, 1, 1],
      [1, 1, 0],
    ]);
    expect(comparison.samples).toContainEqual({
      table: 'products',
      target: 'east',
      what: 'different',
      key: '3',
      columns: ['weight'],
    });
  });

  it('refuses a target that lacks a column', async (t) => {
    const places = await shop(t);
    await places.west.pool.query('ALTER TABLE users DROP COLUMN born');
    await expect(compareTables(places.comparisons)).rejects.toThrow('west.users has no column born');
  });
});

describe('the shop workload', () => {
  it('does every kind of change, rolls some back and counts what it committed', async (t) => {
    const { source } = await shop(t);
    const load = new Workload({
      url: source.url,
      connections: 4,
      changesPerSecond: 2_000,
      seed: 3,
      size: SIZE,
    });
    const totals = await load.run(AbortSignal.timeout(2_000));
    for (const name of [
      'transactions',
      'rolledBack',
      'inserts',
      'updates',
      'deletes',
      'moves',
      'keyChanges',
    ] as const) {
      expect(totals[name], name).toBeGreaterThan(0);
    }
    expect(totals.changes).toBe(
      totals.inserts + totals.updates + totals.deletes + totals.moves + totals.keyChanges,
    );
  });
});
