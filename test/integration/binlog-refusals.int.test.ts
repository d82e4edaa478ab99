import { describe, expect, test } from 'vitest';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { RowferryError } from '../../src/errors.ts';
import { connectTo, currentPlace, eventsOf, imagesOf, newLink, only, ownServers } from './binlog-fixture.ts';

const serverOf = ownServers('refusals');

let schemas = 0;

interface Outcome {
  /** Ids of the rows that came before the end. */
  readonly ids: readonly unknown[];
  readonly error: RowferryError;
  readonly schema: string;
}

/** Runs statements in a schema of their own behind a good row, and reads until the link refuses to go on. */
async function refusalOf(server: SandboxServer, statements: string): Promise<Outcome> {
  schemas += 1;
  const schema = `refused_${schemas}`;
  const before = await currentPlace(server);
  const connection = await connectTo(server);
  await connection.query(
    `CREATE DATABASE ${schema}; USE ${schema}; CREATE TABLE good (id int PRIMARY KEY); INSERT INTO good VALUES (1); ${statements}`,
  );
  await connection.end();
  const link = newLink(server, { gtid: before.gtid }, { wants: (name) => name === schema });
  await link.open(AbortSignal.timeout(20_000));
  const ids: unknown[] = [];
  try {
    for (;;) ids.push(...imagesOf(await link.read()).map((row) => row[0]));
  } catch (error) {
    if (!(error instanceof RowferryError)) throw error;
    // It stays refused.
    await expect(link.read()).rejects.toBe(error);
    return { ids, error, schema };
  } finally {
    await link.close();
  }
}

/** The same statements do no harm where the table is not wanted. */
async function ignored(server: SandboxServer, statements: string): Promise<void> {
  schemas += 1;
  const schema = `ignored_${schemas}`;
  const connection = await connectTo(server);
  await connection.query(`CREATE DATABASE ${schema}`);
  await connection.end();
  const wants = (name: string, table: string): boolean => name === schema && table === 'good';
  const events = await eventsOf(
    server,
    schema,
    `CREATE TABLE good (id int PRIMARY KEY); INSERT INTO good VALUES (1); ${statements}; INSERT INTO good VALUES (2)`,
    { wants },
  );
  expect(imagesOf(events)).toEqual([[1], [2]]);
}

interface Refusal {
  readonly what: string;
  readonly statements: string;
  readonly message: RegExp;
  readonly column?: string;
  readonly on?: 'mysql' | 'mariadb';
}

const REFUSALS: readonly Refusal[] = [
  {
    what: 'a row image without all columns',
    statements: `CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (7, 1, 1);
      SET SESSION binlog_row_image = MINIMAL; UPDATE t SET a = 2; SET SESSION binlog_row_image = FULL`,
    message: /columns missing/,
  },
  {
    what: 'a row image without blobs',
    statements: `CREATE TABLE t (id int PRIMARY KEY, a int, b text); INSERT INTO t VALUES (7, 1, 'b');
      SET SESSION binlog_row_image = NOBLOB; UPDATE t SET a = 2; SET SESSION binlog_row_image = FULL`,
    message: /columns missing/,
  },
  {
    what: 'a spatial column',
    statements: `CREATE TABLE t (id int PRIMARY KEY, place point); INSERT INTO t VALUES (7, POINT(1, 2))`,
    message: /spatial/,
    column: 'place',
  },
  {
    what: 'a vector column',
    statements: `CREATE TABLE t (id int PRIMARY KEY, v vector(2)); INSERT INTO t VALUES (7, STRING_TO_VECTOR('[1,2]'))`,
    message: /VECTOR/,
    column: 'v',
    on: 'mysql',
  },
  {
    what: 'a character set without an exact table',
    statements: `CREATE TABLE t (id int PRIMARY KEY, ok varchar(5), odd varchar(5) CHARACTER SET swe7); INSERT INTO t VALUES (7, 'a', 'a')`,
    message: /character set swe7/,
    column: 'odd',
  },
  {
    what: 'a primary key over a prefix',
    statements: `CREATE TABLE t (note varchar(100), PRIMARY KEY (note(10))); INSERT INTO t VALUES ('x')`,
    message: /prefix/,
    column: 'note',
  },
  {
    what: 'partial JSON updates',
    statements: `CREATE TABLE t (id int PRIMARY KEY, doc json); INSERT INTO t VALUES (7, '{"a": "${'x'.repeat(200)}", "b": 1}');
      SET SESSION binlog_row_value_options = PARTIAL_JSON; UPDATE t SET doc = JSON_SET(doc, '$.b', 2); SET SESSION binlog_row_value_options = ''`,
    message: /differences of JSON/,
    on: 'mysql',
  },
];

for (const flavour of ['mysql', 'mariadb'] as const) {
  describe(flavour, () => {
    for (const { what, statements, message, column, on } of REFUSALS) {
      if (on !== undefined && on !== flavour) continue;
      test(`${what} is refused by table and position, and only where the table is wanted`, async () => {
        const server = serverOf(flavour);
        const { error, ids, schema } = await refusalOf(server, statements);
        expect(error.code).toBe('ROWFERRY_SOURCE_UNSUPPORTED');
        expect(error.message).toMatch(message);
        expect(error.where.table).toBe(`${schema}.t`);
        expect(error.where.column).toBe(column);
        expect(error.where.position).toMatch(/^binlog\.\d+:\d+$/);
        expect(error.hint).toBeTruthy();
        // What came before it was read.
        expect(ids[0]).toBe(1);
        await ignored(server, statements);
      });
    }

    test('a table map without full metadata is refused', async () => {
      const server = serverOf(flavour);
      const { error } = await refusalOf(
        server,
        `CREATE TABLE t (id int PRIMARY KEY); SET GLOBAL binlog_row_metadata = MINIMAL; INSERT INTO t VALUES (7); SET GLOBAL binlog_row_metadata = FULL`,
      );
      expect(error.code).toBe('ROWFERRY_SOURCE_UNSUPPORTED');
      expect(error.message).toMatch(/without column names/);
      expect(error.hint).toContain('binlog_row_metadata = FULL');
    });
  });
}

test('a compressed transaction is refused whatever it changes', async () => {
  const { error, ids } = await refusalOf(
    serverOf('mysql'),
    `CREATE TABLE t (id int PRIMARY KEY, note text); SET SESSION binlog_transaction_compression = ON;
     INSERT INTO t VALUES (7, repeat('z', 2000)); SET SESSION binlog_transaction_compression = OFF`,
  );
  expect(error.code).toBe('ROWFERRY_SOURCE_UNSUPPORTED');
  expect(error.message).toMatch(/compressed transaction/);
  expect(error.hint).toContain('binlog_transaction_compression = OFF');
  expect(ids).toEqual([1]);
});

test('temporal columns in the format of MySQL 5.5 are refused', async () => {
  const { error } = await refusalOf(
    serverOf('mariadb'),
    `SET GLOBAL mysql56_temporal_format = OFF; CREATE TABLE t (id int PRIMARY KEY, at datetime(3));
     SET GLOBAL mysql56_temporal_format = ON; INSERT INTO t VALUES (7, now(3))`,
  );
  expect(error.where.column).toBe('at');
  expect(error.hint).toContain('mysql56_temporal_format');
});

test('columns that only the server computes come like all others, hidden ones of indexes do not', async () => {
  const server = serverOf('mysql');
  schemas += 1;
  const schema = `computed_${schemas}`;
  const connection = await connectTo(server);
  await connection.query(`CREATE DATABASE ${schema}`);
  await connection.end();
  const events = await eventsOf(
    server,
    schema,
    `CREATE TABLE t (id int PRIMARY KEY, a int, s int AS (a + 1) STORED, v int AS (a + 2), h int INVISIBLE DEFAULT 5, tags json,
       INDEX f ((a * 2)), INDEX mv ((CAST(tags AS UNSIGNED ARRAY))));
     INSERT INTO t (id, a, tags) VALUES (1, 10, '[1, 2]');
     SET SESSION sql_generate_invisible_primary_key = ON; CREATE TABLE g (a int); INSERT INTO g VALUES (1)`,
  );
  const [t, g] = only(events, 'rows');
  expect(t?.table.columns.map(({ name }) => name)).toEqual(['id', 'a', 's', 'v', 'h', 'tags']);
  expect(t?.rows).toEqual([[1, 10, 11, 12, 5, '[1, 2]']]);
  expect(g?.table).toMatchObject({ columns: [{ name: 'my_row_id' }, { name: 'a' }], key: [0] });
});
