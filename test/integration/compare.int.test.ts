import type { RowDataPacket } from 'mysql2/promise';
import { describe, expect, it, type TestContext } from 'vitest';
import {
  compareTables,
  remainder,
  type SourceValues,
  type TableComparison,
} from '../../scripts/lib/compare.ts';
import { Random } from '../../scripts/lib/random.ts';
import { MYSQL_SHOP, POSTGRES_SHOP, SHOP_TABLES, seedShop } from '../../scripts/lib/shop.ts';
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
  const places = { east: { name: 'east', url: east.url }, west: { name: 'west', url: west.url } };
  const compare = (
    table: string,
    rest: Partial<TableComparison>,
    targets: readonly (keyof typeof places)[] = ['east', 'west'],
  ): TableComparison => ({
    table,
    sources: [{ name: 'source', url: source.url, table }],
    targets: targets.map((name) => ({ ...places[name], table })),
    key: ['id'],
    ...rest,
  });
  const comparisons = [
    compare('users', {}, ['west']),
    compare('products', {}),
    compare('orders', {
      belongs: ({ user_id: user }) => [remainder(user, 2) === 0 ? 'east.orders' : 'west.orders'],
    }),
  ];
  return { source, east, west, comparisons };
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
      target: 'east.products',
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

/** Notes of two servers that are split by parity over two tables of one database, marked and shortened on their way. */
async function notes(
  test: TestContext,
): Promise<{ west: PostgresDatabase; south: MysqlDatabase; comparison: TableComparison }> {
  const north = await mysqlDatabase(test);
  const south = await mysqlDatabase(test, testServers().mariadb);
  const west = await postgresDatabase(test);
  for (const { pool } of [north, south])
    await pool.query(
      'CREATE TABLE notes (id INT PRIMARY KEY, body VARCHAR(20), extra JSON, secret VARCHAR(20))',
    );
  for (const table of ['even', 'odd'])
    await west.pool.query(`CREATE TABLE ${table} (id INT, body TEXT, extra JSONB, home TEXT, start TEXT)`);
  for (const [home, { pool }] of Object.entries({ north, south })) {
    for (const id of [1, 2, 3, 4]) {
      const extra = '{"b": 1, "a": [1.50]}';
      await pool.query("INSERT INTO notes VALUES (?, ?, ?, 'hidden')", [id, `${home} ${id}`, extra]);
      await west.pool.query(`INSERT INTO ${id % 2 === 0 ? 'even' : 'odd'} VALUES ($1, $2, $3, $4, $5)`, [
        id,
        `${home} ${id}`,
        extra,
        home,
        home[0],
      ]);
    }
  }
  const comparison: TableComparison = {
    table: 'notes',
    sources: [
      { name: 'north', url: north.url, table: 'notes' },
      { name: 'south', url: south.url, table: 'notes' },
    ],
    targets: ['even', 'odd'].map((table) => ({ name: 'west', url: west.url, table })),
    key: ['home', 'id'],
    belongs: ({ id }) => [remainder(id, 2) === 0 ? 'west.even' : 'west.odd'],
    columns: {
      id: 'id',
      body: 'body',
      extra: 'extra',
      home: (_, source) => source.name,
      start: ({ body }) => body?.[0] ?? null,
    },
  };
  return { west, south, comparison };
}

describe('comparing tables of several servers that are spread and mapped', () => {
  it('finds each row at its place, with mapped and computed values', async (t) => {
    const { comparison } = await notes(t);
    const result = await compareTables([comparison]);
    expect(result).toMatchObject({ compared: 8, missing: 0, extra: 0, different: 0, samples: [] });
    expect(result.tables).toMatchObject([
      {
        sourceRows: 8,
        targetRows: [
          { target: 'west', table: 'even', rows: 4 },
          { target: 'west', table: 'odd', rows: 4 },
        ],
      },
    ]);
  });

  it('finds a row in another table of the right database, one that is twice there, and wrong computed values', async (t) => {
    const { west, comparison } = await notes(t);
    await west.pool.query(
      "WITH gone AS (DELETE FROM odd WHERE id = 1 AND home = 'south' RETURNING *) INSERT INTO even SELECT * FROM gone",
    );
    await west.pool.query("INSERT INTO odd SELECT * FROM odd WHERE id = 3 AND home = 'north'");
    await west.pool.query("UPDATE even SET start = 'x' WHERE id = 2 AND home = 'south'");
    await west.pool.query("UPDATE even SET home = 'nowhere' WHERE id = 4 AND home = 'north'");
    const { missing, extra, different, samples } = await compareTables([comparison]);
    expect({ missing, extra, different }).toEqual({ missing: 2, extra: 3, different: 1 });
    const note = (what: string, target: string, key: string): object => ({
      table: 'notes',
      what,
      target,
      key,
    });
    expect(new Set(samples)).toEqual(
      new Set([
        note('extra', 'west.even', 'south, 1'),
        note('missing', 'west.odd', 'south, 1'),
        note('extra', 'west.odd', 'north, 3'),
        { ...note('different', 'west.even', 'south, 2'), columns: ['start'] },
        note('extra', 'west.even', 'nowhere, 4'),
        note('missing', 'west.even', 'north, 4'),
      ]),
    );
  });

  it('finds rows that belong nowhere', async (t) => {
    const { comparison } = await notes(t);
    const belongs = (row: SourceValues): readonly string[] =>
      row['id'] === '1' ? [] : ['west.even', 'west.odd'];
    const { extra, missing } = await compareTables([{ ...comparison, belongs }]);
    expect({ extra, missing }).toEqual({ extra: 2, missing: 6 });
  });

  it('refuses keys that do not tell rows apart, places that are not compared, and columns of two kinds', async (t) => {
    const { south, comparison } = await notes(t);
    await expect(compareTables([{ ...comparison, key: ['id'] }])).rejects.toThrow(
      'two rows of the sources of notes',
    );
    await expect(compareTables([{ ...comparison, belongs: () => ['west.neither'] }])).rejects.toThrow(
      'a row belongs in west.neither',
    );
    await south.pool.query('ALTER TABLE notes DROP body, ADD body DATE');
    await expect(compareTables([comparison])).rejects.toThrow(
      'column body is date in one source and text in another',
    );
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
