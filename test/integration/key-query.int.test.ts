import { describe, expect, it, type TestContext } from 'vitest';
import { forecastCommand } from '../../src/cli/forecast.ts';
import { parseDatabaseUrl } from '../../src/config/database-url.ts';
import type { DatabaseUrl } from '../../src/config/config.ts';
import { MysqlConnection } from '../../src/drivers/mysql.ts';
import { queryRows, type QueryRow } from '../../src/wiring/key-query.ts';
import { fileWith, runVerb } from '../support/run-verb.ts';
import { mysqlDatabase, postgresDatabase } from '../support/servers.ts';

const ROWS = 35_000;

/** A table with ids that no double holds, a NULL and a time, on both engines. */
const TABLE =
  'CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NULL, placed TIMESTAMP NULL)';
const PLACED = '2026-11-21 10:00:00';

interface Filled {
  readonly url: DatabaseUrl;
  readonly count: () => Promise<number>;
}

async function filledMysql(test: TestContext): Promise<Filled> {
  const { pool, url } = await mysqlDatabase(test);
  await pool.query(TABLE);
  const values = Array.from({ length: ROWS }, (_, i) => [
    String(9_007_199_254_740_992n + BigInt(i)),
    i === 0 ? null : i,
    PLACED,
  ]);
  await pool.query('INSERT INTO orders VALUES ?', [values]);
  return {
    url: urlOf(url),
    count: async () => countOf((await pool.query('SELECT COUNT(*) AS n FROM orders'))[0]),
  };
}

async function filledPostgres(test: TestContext): Promise<Filled> {
  const { pool, url } = await postgresDatabase(test);
  await pool.query(TABLE);
  await pool.query(
    `INSERT INTO orders SELECT 9007199254740992 + i, NULLIF(i, 0), '${PLACED}' FROM generate_series(0, ${ROWS - 1}) i`,
  );
  return {
    url: urlOf(url),
    count: async () => countOf((await pool.query('SELECT COUNT(*) AS n FROM orders')).rows),
  };
}

function countOf(rows: unknown): number {
  return Number((rows as { n: string }[])[0]?.n);
}

function urlOf(text: string): DatabaseUrl {
  const parsed = parseDatabaseUrl(text, 'target');
  if ('wrong' in parsed) throw new Error(parsed.wrong);
  return { ...parsed.value, tls: null };
}

const SIDES = { mysql: filledMysql, postgres: filledPostgres } as const;
const ORDERED = 'SELECT id, user_id, placed FROM orders ORDER BY id';
const never = new AbortController().signal;

function configFor({ user, password, host, port, database }: DatabaseUrl): string {
  const url = `mysql://${user}:${password.reveal()}@${host}:${port}`;
  return `name: shop
kafka: { brokers: ["127.0.0.1:9092"] }
sources: { main_source: { url: "${url}", serverId: 4711, tables: ["elsewhere.*"] } }
targets: { main: { url: "${url}/${database}" } }
routes: [{ from: elsewhere.orders, target: main }]
`;
}

function ask(
  url: DatabaseUrl,
  sql: string,
  signal = never,
): AsyncGenerator<readonly QueryRow[], void, undefined> {
  return queryRows({ sources: [], targets: [{ name: 'main', url }] }, 'main', sql, signal);
}

async function all(batches: AsyncIterable<readonly QueryRow[]>): Promise<QueryRow[]> {
  const rows: QueryRow[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}

describe.each(Object.entries(SIDES))('a query of keys at %s', (_, filled) => {
  it('streams every row, exactly', async (test) => {
    const { url } = await filled(test);
    const rows = await all(ask(url, ORDERED));
    expect(rows).toHaveLength(ROWS);
    expect(rows[0]).toEqual({ id: '9007199254740992', user_id: null, placed: PLACED });
    expect(rows[1]).toEqual({ id: '9007199254740993', user_id: '1', placed: PLACED });
    expect(new Set(rows.map(({ id }) => id)).size).toBe(ROWS);
    expect(await all(ask(url, 'SELECT id FROM orders WHERE id < 0'))).toEqual([]);
  });

  it.for([
    'DELETE FROM orders',
    'SELECT 1; DELETE FROM orders',
    'SELECT 1; COMMIT; DELETE FROM orders',
    'SELECT 1; COMMIT; BEGIN READ WRITE; DELETE FROM orders; COMMIT',
    'TRUNCATE TABLE orders',
    'DROP TABLE orders',
  ])('cannot change anything: %s', async (sql, test) => {
    const { url, count } = await filled(test);
    await expect(all(ask(url, sql))).rejects.toMatchObject({ name: 'RowferryError' });
    expect(await count()).toBe(ROWS);
  });

  it('ends early when the reader leaves and when it is stopped', async (test) => {
    const { url } = await filled(test);
    for await (const rows of ask(url, ORDERED)) {
      expect(rows).toHaveLength(10_000);
      break;
    }
    const stop = new AbortController();
    let seen = 0;
    for await (const rows of ask(url, ORDERED, stop.signal)) {
      seen += rows.length;
      stop.abort();
    }
    expect(seen).toBeLessThan(ROWS);
  });

  it('tells what the server says by its code, without the query', async (test) => {
    const { url } = await filled(test);
    const error: unknown = await all(ask(url, "SELECT 'secret' FROM nowhere")).catch(
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ name: 'RowferryError', where: { target: 'main' } });
    expect(String(error)).toMatch(/1146|42P01/);
    expect(String(error)).not.toContain('secret');
  });
});

it('rowferry forecast counts what a query finds, a NULL among it apart', async (test) => {
  const { url } = await filledMysql(test);
  const rule = ['--rule', 'algorithm: modulo, by: user_id, count: 2', '-c', fileWith(configFor(url))];
  const query = ['--query', 'SELECT user_id AS anything FROM orders', '--database', 'main'];
  const { lines, exitCode } = await runVerb(forecastCommand, [...rule, ...query, '--json']);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    rows: ROWS - 1,
    byCell: { min: 17_499, max: 17_500 },
    refused: [{ kind: 'user_id: the sharding key is NULL, modulo needs an integer', rows: 1 }],
  });
  expect(exitCode).toBe(4);
});

it('leaves no connection behind that still owes rows', async (test) => {
  const { url } = await filledMysql(test);
  const options = { url, side: 'target', where: {}, session: [] } as const;
  const connection = await MysqlConnection.connect(options);
  for await (const row of connection.stream('SELECT id FROM orders LIMIT 2', never))
    expect(row['id']).toMatch(/^9/);
  expect(connection.isUsable).toBe(true);
  for await (const _ of connection.stream(ORDERED, never)) break;
  expect(connection.isUsable).toBe(false);
});

it('knows sources and targets by name and says which there are', async () => {
  const url = urlOf('mysql://u:p@127.0.0.1:1/x');
  const databases = {
    sources: [{ name: 'main', url }],
    targets: [
      { name: 'main', url },
      { name: 'b', url },
    ],
  };
  const first = (name: string): Promise<unknown> => queryRows(databases, name, 'SELECT 1', never).next();
  await expect(first('a')).rejects.toThrow('there is no source or target a');
  await expect(first('main')).rejects.toThrow('a source and a target are both called main');
  await expect(first('source:main')).rejects.toMatchObject({ code: 'ROWFERRY_SOURCE_LINK' });
});
