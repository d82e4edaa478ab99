import type { Pool } from 'mysql2/promise';
import { describe, expect, test, type TestContext } from 'vitest';
import { boundaryKeySql, chunkSql, lastKeySql } from '../../src/capture/snapshot-sql.ts';
import { exactKeyText, keyOf } from '../../src/model/row-key.ts';
import { SnapshotReader } from '../../src/capture/snapshot-reader.ts';
import type { Row } from '../../src/model/table.ts';
import { mysqlDatabase, testServers } from '../support/servers.ts';
import {
  describeOn,
  never,
  NO_LIMIT,
  openSnapshot,
  readWhole,
  walk,
  withReader,
} from './snapshot-fixture.ts';

interface KeyCase {
  readonly columns: readonly string[];
  readonly key: string;
  /** A literal for each column. */
  readonly random: readonly (() => string)[];
  readonly on?: 'src' | 'mariadb';
}

const upTo = (limit: number): number => Math.floor(Math.random() * limit);
const pick = <T>(items: readonly T[]): T => items[upTo(items.length)]!;
const hex = (length: number): string =>
  `x'${Array.from({ length: upTo(length + 1) }, () => pick(['00', '01', '20', '41', '5c', 'ff'])).join('')}'`;
const LETTERS = [
  'a',
  'A',
  'ä',
  'á',
  'b',
  'B',
  'z',
  'Z',
  'ß',
  'ss',
  ' ',
  '\\t',
  '\\0',
  '\\\\',
  "''",
  '_',
  '%',
  '中',
  '😀',
  '0',
  '9',
];
const text =
  (length: number, letters = LETTERS) =>
  (): string =>
    `'${Array.from({ length: upTo(length + 1) }, () => pick(letters)).join('')}'`;
const integer = (from: number, to: number) => (): string => String(from + upTo(to - from + 1));
const bytes = (charset: string, codes: readonly string[]) => (): string =>
  `_${charset} x'${Array.from({ length: upTo(4) }, () => pick(codes)).join('')}'`;
const two = (value: number): string => String(value).padStart(2, '0');
const day = (): string =>
  `${pick(['0000', '0001', '1999', '2024', '9999'])}-${two(upTo(13))}-${two(upTo(32))}`;
const time = (): string => `${two(upTo(24))}:${two(upTo(60))}:${two(upTo(60))}`;
const bigint = (): string =>
  pick([
    String(2n ** 64n - 1n - BigInt(upTo(200))),
    String(2n ** 63n - 100n + BigInt(upTo(200))),
    String(upTo(200)),
    String(2 ** 53 - 100 + upTo(200)),
  ]);

const CASES: Readonly<Record<string, KeyCase>> = {
  'unsigned 64-bit numbers': { columns: ['bigint unsigned'], key: 'k0', random: [bigint] },
  'signed numbers, two by two': { columns: ['tinyint', 'bigint'], key: 'k0, k1', random: [integer(-5, 5), integer(-20, 20)] },
  'numbers from the greatest down': { columns: ['int', 'varchar(5)', 'int'], key: 'k0 DESC, k1, k2 DESC', random: [integer(-5, 5), text(2), integer(0, 4)] },
  'text that ignores case': { columns: ['varchar(8)'], key: 'k0', random: [text(4)] },
  'text that pads and ignores case': { columns: ['varchar(8) collate utf8mb4_general_ci'], key: 'k0', random: [text(4)] },
  'text that does not pad': { columns: ['char(8) collate utf8mb4_0900_as_cs'], key: 'k0', random: [text(4)], on: 'src' },
  'text without padding by bytes': { columns: ['varchar(8) collate utf8mb4_0900_bin'], key: 'k0', random: [text(4)], on: 'src' },
  'text of MariaDB without padding': { columns: ['varchar(8) collate utf8mb4_nopad_bin'], key: 'k0', random: [text(4)], on: 'mariadb' },
  'text of MariaDB without padding that ignores case': { columns: ['varchar(8) collate utf8mb4_uca1400_nopad_ai_ci', 'int'], key: 'k0, k1', random: [text(3), integer(0, 2)], on: 'mariadb' },
  'padded text of the usual collation': { columns: ['char(8)'], key: 'k0', random: [text(4)] },
  'text by code': { columns: ['char(6) collate utf8mb4_bin', 'varchar(6) collate utf8mb4_bin'], key: 'k1, k0', random: [text(2), text(2)] },
  'Danish text': { columns: ['varchar(8) collate utf8mb4_danish_ci'], key: 'k0', random: [text(4, ['a', 'aa', 'A', 'å', 'z', 'ø', 'c', 'h', ' '])] },
  'text of three bytes': { columns: ['varchar(8) character set utf8mb3'], key: 'k0', random: [text(4, ['a', 'é', '中', 'B', ' '])] },
  'latin1 text': { columns: ['varchar(8) character set latin1', 'int'], key: 'k0, k1', random: [bytes('latin1', ['41', 'e9', '80', '81', '20', 'ff', '00']), integer(0, 3)] },
  'Japanese text with two codes for a letter': { columns: ['varchar(8) character set cp932 collate cp932_bin'], key: 'k0', random: [bytes('cp932', ['8790', '81e0', '41', 'fa4a', '8754', 'eeef', 'b1'])] },
  'Chinese text': { columns: ['varchar(8) character set gbk'], key: 'k0', random: [bytes('gbk', ['d6d0', 'cec4', '41', '61', '815c'])] },
  'UTF-16 text': { columns: ['varchar(8) character set utf16'], key: 'k0', random: [text(4)] },
  'bytes': { columns: ['varbinary(6)', 'binary(3)'], key: 'k0, k1', random: [() => hex(4), () => hex(3)] },
  'decimals and bits': { columns: ['decimal(30,3)', 'bit(64)', 'bit(9)'], key: 'k0, k1, k2', random: [() => `${pick(['-', ''])}${pick(['0', '123456789012345678901234567', '7'])}.${upTo(1000)}`, () => pick(['0', '1', '18446744073709551615', '9223372036854775808']), integer(0, 511)] },
  'dates, also those that do not exist': { columns: ['date', 'datetime(3)'], key: 'k0, k1', random: [() => `'${day()}'`, () => `'${day()} ${time()}.${upTo(1000)}'`] },
  'timestamps, times and years': { columns: ['year', 'time(2)', 'timestamp(6)'], key: 'k0, k1, k2', random: [() => pick(['0', '1901', '2000', '2155', '1970']), () => `'${pick(['-', ''])}${upTo(839)}:${two(upTo(60))}:${two(upTo(60))}.${upTo(100)}'`, () => pick(["'0000-00-00'", `'${pick(['1970', '2024', '2037'])}-${two(1 + upTo(12))}-${two(2 + upTo(27))} ${time()}.${upTo(1000)}'`])] },
}; // prettier-ignore

const ROWS = 250;

async function fill(pool: Pool, { columns, key, random }: KeyCase): Promise<void> {
  const names = columns.map((_, index) => `k${index}`);
  await pool.query(
    `CREATE TABLE t (v int NOT NULL, ${columns.map((sql, index) => `k${index} ${sql} NOT NULL`).join(', ')}, n int, PRIMARY KEY (${key}))`,
  );
  await add(pool, names, random, ROWS, 0);
}

let written = 0;

/** Rows whose keys are there already are left out. Each row has a number of its own: letters may have two codes. */
async function add(
  pool: Pool,
  names: readonly string[],
  random: KeyCase['random'],
  count: number,
  volatile: number,
): Promise<void> {
  const values = Array.from(
    { length: count },
    () => `(${volatile}, ${random.map((next) => next()).join(', ')}, ${(written += 1)})`,
  );
  const connection = await pool.getConnection();
  try {
    await connection.query(
      "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'",
    );
    await connection.query(`INSERT IGNORE INTO t (v, ${names.join(', ')}, n) VALUES ${values.join(', ')}`);
  } finally {
    connection.release();
  }
}

async function countOf(pool: Pool): Promise<number> {
  const [rows] = await pool.query<never>('SELECT COUNT(*) AS n FROM t');
  return Number((rows as { n: number }[])[0]?.n);
}

async function walksExactly(context: TestContext, name: 'src' | 'mariadb', keyCase: KeyCase): Promise<void> {
  const server = testServers()[name];
  const { name: schema, pool } = await mysqlDatabase(context, server);
  await fill(pool, keyCase);
  const table = await describeOn(server, schema, 't');
  await withReader(server, async (reader) => {
    const whole = await readWhole(reader, table);
    expect(whole).toHaveLength(await countOf(pool));
    for (const rowsPerChunk of [1, 2, 7, 40, 10_000]) {
      expect(await walk(reader, table, { rowsPerChunk }), `by ${rowsPerChunk}`).toEqual(whole);
    }
    expect(await walk(reader, table, { rowsPerChunk: 100, limitBytes: 900 })).toEqual(whole);

    // Rows come and go elsewhere: what stays is read once, nothing twice.
    const names = keyCase.columns.map((_, index) => `k${index}`);
    const seen = await walk(reader, table, {
      rowsPerChunk: 11,
      limitBytes: 200,
      between: async () => {
        await pool.query('DELETE FROM t WHERE v = 1 ORDER BY RAND() LIMIT 5');
        await add(pool, names, keyCase.random, 8, 1);
      },
    });
    expect(seen.filter(([volatile]) => volatile === 0)).toEqual(whole);
    const numbers = seen.map((row) => row.at(-1));
    expect(new Set(numbers).size).toBe(numbers.length);
  });
}

describe.each(['src', 'mariadb'] as const)('on %s', (name) => {
  for (const [what, keyCase] of Object.entries(CASES)) {
    if (keyCase.on !== undefined && keyCase.on !== name) continue;
    test(`a walk reads every row once: ${what}`, async (context) => {
      await walksExactly(context, name, keyCase);
    });
  }

  test('every statement reads its range of the index alone', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query(
      'CREATE TABLE t (a int, b varchar(10), c datetime(3), d varchar(50), PRIMARY KEY (a, b DESC, c), KEY small (a))',
    );
    const values = Array.from(
      { length: 6000 },
      (_, i) =>
        `(${(i % 3) + 1}, 'k${i % 60}', '2024-01-01' + INTERVAL ${i} SECOND, 'padding that makes the row wide')`,
    );
    await pool.query(`INSERT INTO t VALUES ${values.join(', ')}`);
    await pool.query('ANALYZE TABLE t');
    const table = await describeOn(server, schema, 't');
    const connection = await openSnapshot(server);
    const rowsRead = async (sql: string): Promise<number> => {
      await connection.query('FLUSH STATUS');
      await connection.query(sql);
      const { rows } = await connection.query("SHOW SESSION STATUS LIKE 'Handler_read%'");
      return rows.reduce((sum, row) => sum + Number(row['Value']), 0);
    };
    try {
      await withReader(server, async (reader) => {
        const signal = never();
        const to = (await reader.lastKey(table, signal))!;
        expect(await rowsRead(lastKeySql(table))).toBeLessThan(5);
        let after = await reader.boundary(table, { after: null, to }, 1950, signal);
        for (let chunks = 0; chunks < 20; chunks += 1) {
          expect(await rowsRead(boundaryKeySql(table, { after, to }, 100))).toBeLessThan(110);
          const end = await reader.boundary(table, { after, to }, 100, signal);
          expect(await rowsRead(chunkSql(table, { after, to: end }))).toBeLessThan(115);
          const { rows: plan } = await connection.query(
            `EXPLAIN ${name === 'src' ? 'FORMAT=TRADITIONAL ' : ''}${chunkSql(table, { after, to: end })}`,
          );
          expect(plan).toMatchObject([{ key: 'PRIMARY', type: 'range' }]);
          expect(plan[0]?.['Extra']).not.toMatch(/filesort|temporary/);
          after = end;
        }
        const { rows: plan } = await connection.query(
          `EXPLAIN ${name === 'src' ? 'FORMAT=TRADITIONAL ' : ''}${boundaryKeySql(table, { after, to }, 100)}`,
        );
        expect(plan).toMatchObject([{ key: 'PRIMARY' }]);
        // MariaDB does not say so of a primary key, whose index is the table.
        if (name === 'src') expect(plan[0]?.['Extra']).toContain('Using index');
      });
    } finally {
      connection.destroy();
    }
  });

  test('a filter leaves rows out, a limit says where it stopped', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, v longtext)');
    await pool.query(
      "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, REPEAT('c', 3000000)), (4, 'd'), (5, NULL)",
    );
    const table = await describeOn(server, schema, 't');
    await withReader(server, async (reader) => {
      const range = { after: null, to: [5] };
      const signal = never();
      const filtered = await reader.read(table, { range, limitBytes: NO_LIMIT, where: "v > 'a' OR id = 5 -- or" }, signal);
      expect(filtered.rows.map((row) => keyOf(table.table, row)[0])).toEqual([2, 3, 4, 5]);
      expect(filtered.last).toBeNull();
      const limited = await reader.read(table, { range, limitBytes: 1_000 }, signal);
      expect(limited.rows.map((row) => row[0])).toEqual([1, 2, 3]);
      expect(limited).toMatchObject({ last: [3], bytes: expect.closeTo(3_000_026, -2) as number });
      const rest = await reader.read(table, { range: { after: limited.last, to: [5] }, limitBytes: 1_000 }, signal);
      expect(rest).toEqual({ rows: [[4, 'd'], [5, null]], bytes: 25, last: null });
      expect(await reader.read(table, { range: { after: [5], to: [5] }, limitBytes: 1_000 }, signal)).toEqual({
        rows: [],
        bytes: 0,
        last: null,
      });
    }); // prettier-ignore
  });

  test('a table without a primary key is walked by the unique key that is declared for it', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query(
      'CREATE TABLE t (n int NOT NULL, b varchar(20) NOT NULL, a int NOT NULL, v int, UNIQUE KEY narrow (n, a), UNIQUE KEY `u``1` (b DESC, a))',
    );
    const values = Array.from(
      { length: 6_000 },
      (_, i) => `(${i}, 'K${i % 60}', ${Math.floor(i / 60)}, ${i})`,
    );
    await pool.query(`INSERT INTO t VALUES ${values.join(', ')}`);
    const table = await describeOn(server, schema, 't', [], ['a', 'b']);
    expect(table.table.key).toEqual([2, 1]);
    await withReader(server, async (reader) => {
      const whole = await readWhole(reader, table);
      expect(new Set(whole.map(([n]) => n)).size).toBe(6_000);
      expect(await walk(reader, table, { rowsPerChunk: 700, limitBytes: 9_000 })).toEqual(whole);
      const to = (await reader.lastKey(table, never()))!;
      const connection = await openSnapshot(server);
      const explain = `EXPLAIN ${name === 'src' ? 'FORMAT=TRADITIONAL ' : ''}`;
      const after = await reader.boundary(table, { after: null, to }, 1_950, never());
      const end = await reader.boundary(table, { after, to }, 100, never());
      const { rows: plan } = await connection.query(`${explain}${chunkSql(table, { after, to: end })}`);
      connection.destroy();
      expect(plan).toMatchObject([{ key: 'u`1', type: 'range' }]);
      expect(plan[0]?.['Extra']).not.toMatch(/filesort|temporary/);
    });
    const hide = name === 'src' ? 'INVISIBLE' : 'IGNORED';
    await pool.query(`ALTER TABLE t ALTER INDEX \`u\`\`1\` ${hide}`);
    await expect(describeOn(server, schema, 't', [], ['a', 'b'])).rejects.toThrow('hidden from statements');
  });

  test('an empty table has no last key; a killed link and an abort reject at once, and the next read has a new link', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, v longtext)');
    const table = await describeOn(server, schema, 't');
    await withReader(server, async (reader) => {
      expect(await reader.lastKey(table, never())).toBeNull();
      await pool.query(
        `INSERT INTO t VALUES ${Array.from({ length: 300 }, (_, id) => `(${id}, 'x')`).join(', ')}`,
      );
      const range = { after: null, to: [299] };
      const slow = { range, limitBytes: NO_LIMIT, where: 'SLEEP(0.2) = 0' };
      const killed = expect(reader.read(table, slow, never())).rejects.toMatchObject({
        code: 'ROWFERRY_SOURCE_LINK',
      });
      const kill = async (): Promise<void> => {
        const [rows] = await pool.query<never>(
          `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT \`id\`%${schema}%SLEEP%'`,
        );
        await pool.query(`KILL ${(rows as { id: number }[])[0]!.id}`);
      };
      await expect.poll(kill, { timeout: 10_000 }).toBeUndefined();
      await killed;
      const reason = new Error('enough');
      const stop = new AbortController();
      const aborted = expect(reader.read(table, slow, stop.signal)).rejects.toBe(reason);
      stop.abort(reason);
      await aborted;
      expect(await readWhole(reader, table)).toHaveLength(300);
    });
  });

  test('a limit ends the statement at the server too', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, v longtext)');
    const values = Array.from({ length: 1000 }, (_, id) => `(${id}, REPEAT('x', 20000))`);
    await pool.query(`INSERT INTO t VALUES ${values.join(', ')}`);
    const table = await describeOn(server, schema, 't');
    const isRunning = async (): Promise<boolean> => {
      const [rows] = await pool.query<never>(
        `SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT \`id\`%${schema}%BENCHMARK%'`,
      );
      return (rows as unknown[]).length > 0;
    };
    await withReader(server, async (reader) => {
      const range = { after: null, to: [999] };
      const where = 'BENCHMARK(100000, SHA2(id, 256)) = 0';
      const { last } = await reader.read(table, { range, limitBytes: 30_000, where }, never());
      expect(last).toEqual([1]);
      await expect.poll(isRunning, { timeout: 5_000 }).toBe(false);
    });
  });

  test('nothing depends on the defaults of the server', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query(
      'CREATE TABLE t (c char(5) PRIMARY KEY, d datetime(2), at timestamp(2) NOT NULL DEFAULT CURRENT_TIMESTAMP(2), u varchar(5))',
    );
    await pool.query(String.raw`INSERT INTO t (c, u) VALUES ('a', 'é'), ('b\\''', '中'), ('ü', '😀')`);
    const read = async (before: readonly string[]): Promise<readonly Row[]> => {
      const reader = new SnapshotReader(() => openSnapshot(server, before));
      try {
        return await walk(reader, await describeOn(server, schema, 't', before), { rowsPerChunk: 1 });
      } finally {
        reader.close();
      }
    };
    const usual = await read([]);
    expect(usual.map(([c, , , u]) => [c, u])).toEqual([['a', 'é'], ["b\\'", '中'], ['ü', '😀']]); // prettier-ignore
    expect(
      await read([
        'SET NAMES latin1',
        "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
        "SET time_zone = '+05:00', autocommit = 0, sql_select_limit = 1, sql_big_selects = 0, max_join_size = 1",
        'SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE',
      ]),
    ).toEqual(usual);
  });

  test('a saved key of another shape is refused', async (context) => {
    const server = testServers()[name];
    const { name: schema, pool } = await mysqlDatabase(context, server);
    await pool.query('CREATE TABLE t (a int, b varchar(5) character set latin1, PRIMARY KEY (a, b))');
    const table = await describeOn(server, schema, 't');
    for (const to of [[1], [1, 'no hex'], [1, null], ['x', '41']]) {
      expect(() => chunkSql(table, { after: null, to }), exactKeyText(to)).toThrow(
        expect.objectContaining({ name: 'RowferryError' }) as Error,
      );
    }
  });
});
