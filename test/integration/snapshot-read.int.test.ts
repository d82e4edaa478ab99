import { randomBytes } from 'node:crypto';
import { describe, expect, test, type TestContext } from 'vitest';
import { mysqlDatabase, testServers } from '../support/servers.ts';
import { eventsOf, flavourOf, imagesOf, only } from './binlog-fixture.ts';
import { describeOn, readWhole, withReader, travelling } from './snapshot-fixture.ts';
import { ODD_DATES, VALUE_CASES } from './value-cases.ts';

/** A column and what is written into it, row by row; NULL where it has fewer values than others. */
interface ColumnCase {
  readonly sql: string;
  readonly values: readonly string[];
  readonly on?: 'mysql' | 'mariadb';
}

const column = (sql: string, ...values: string[]): ColumnCase => ({ sql, values });
const digits = [0, 1, 2, 3, 4, 5, 6];

const MORE: readonly ColumnCase[] = [
  ...ODD_DATES.map(([sql, value]) => column(sql, `'${value}'`)),
  column('tinyint', '-128', '127'),
  column('mediumint unsigned', '16777215', '0'),
  column('int(10) unsigned zerofill', '7', '0', '4294967295'),
  column('bigint', '-9007199254740993', '9007199254740993', '0', '-1'),
  column('bigint unsigned zerofill', '77', '0', '18446744073709551615'),
  column('decimal(10,2) zerofill', '3.25', '0', '0.07', '12345678.90'),
  column('decimal(5,5)', '0.12345', '-0.00001', '0'),
  column('decimal(9,0)', '-999999999', '5'),
  column('decimal(20,0) unsigned', '10000000000000000000'),
  column('float', '0.1', '-0.3', '1.17549435e-38', '16777217', '123456.7', '99.9999', "'-0'", '0', '3.4e38'),
  column('float(10,2)', '0.1', '16777.33', '99999.99', "'-0'"),
  column('float unsigned zerofill', '1.5', '0', '1e30'),
  column('double', '-2.5e-10', '12345678901234567890', '1e15', '1e-7', "'-0'", '0', '2.2250738585072014e-308'),
  column('double(20,4)', '1.23456', '12345678901.1234', '0.3', "'-0'"),
  column('double zerofill', '1.5', '0'),
  column('year', "'0000'", '1901', '2155', '2000'),
  column('bit(13)', "b'1000000000001'", "b'10'", "b'0'"),
  column('date', "'0000-00-00'", "'2024-02-31'", "'9999-12-31'", "'0001-01-01'"),
  column('datetime', "'2023-02-31 23:59:59'", "'0000-00-00 00:00:00'", "'0001-01-01 00:00:00'"),
  ...digits.flatMap((count) => [
    column(`datetime(${count})`, "'2024-12-31 23:59:58.000001'", "'2001-02-03 04:05:06.987654'", "'0000-00-00'"),
    column(`timestamp(${count}) null`, "'2024-03-01 00:00:00.123456'", "'1970-01-01 00:00:01'", "'0000-00-00'"),
    column(`time(${count})`, "'-00:00:00.100001'", "'-838:59:59'", "'838:59:59'", "'-12:34:56.987654'", "'00:00:00'"),
  ]),
  { ...column('timestamp(6) null', "'2106-02-07 06:28:15.999999'", "'2038-01-19 03:14:08'"), on: 'mariadb' },
  column('char(5)', "'ab  '", "''", "'ä😀'", "'  a'", "'\\0'"),
  column('char(5) collate utf8mb4_bin', "'ab  '", "'a\\t'"),
  column('char(5) character set latin1', "'é€ ÿ'", "'a  '"),
  column('char(5) character set utf16', "'a😀'", "'b '"),
  column('varchar(10)', "'ab  '", "'😀\\0\\n'", "'\ufffd'", "'\\\\\\''"),
  column('varchar(20) character set latin1', "'é€ÿ'", 'convert(0x818d8f909d using latin1)'),
  column('varchar(20) character set ascii', "'abc'"),
  column('varchar(20) character set utf8mb3', "'中é'"),
  column('varchar(20) character set gbk', "'中文a'"),
  column('varchar(20) character set sjis', "'日本ｶﾅ\\\\'"),
  column('varchar(20) character set cp932', '_cp932 x\'8790\'', '_cp932 x\'81e0\'', "'①ｱ'"),
  column('varchar(20) character set ujis', "'日本'"),
  column('varchar(20) character set big5', "'中文'"),
  column('varchar(20) character set cp1251', "'привет'"),
  column('varchar(20) character set utf16le', "'a😀'"),
  column('varchar(20) character set utf32', "'a😀'"),
  column('varchar(20) character set ucs2', "'aü'"),
  column('tinytext', "'t😀'", "''"),
  column('mediumtext character set latin2', "'čžš'"),
  column('longtext', "repeat('ab', 100000)", "repeat('中', 300)"),
  column('binary(4)', "x'01020000'", "x''", "x'00000001'"),
  column('binary(255)', "x'ff'"),
  column('varbinary(10)', "x'0100'", "x''"),
  column('tinyblob', "x'00ff'", "''"),
  column('longblob', "repeat(x'00fe27', 10000)"),
  column("enum('a','b''c','d,e','ü😀')", "'a'", "'b''c'", "'d,e'", "'ü😀'", "'nothing'"),
  column("enum('é','ü') character set latin1", "'é'", "'ü'", "'no'"),
  column("enum('unsigned zerofill /* x */','') character set gbk", "'unsigned zerofill /* x */'", "''", "'no'"),
  column("set('a','b''c','ü😀')", "''", "'ü😀,a'", "'b''c'"),
  column("set('é','ü') character set latin1", "'é,ü'", "''"),
  column(`set(${Array.from({ length: 64 }, (_, i) => `'m${i}'`).join(',')})`, "'m0,m31,m32,m63'"),
  column(`enum(${Array.from({ length: 300 }, (_, i) => `'e${i}'`).join(',')})`, "'e299'", "'e0'"),
  column('int as (id + 1) stored', 'DEFAULT', 'DEFAULT'),
  column('int as (id + 2) virtual', 'DEFAULT', 'DEFAULT'),
  column('varchar(20) character set latin1 as (concat(id, \'é\')) virtual', 'DEFAULT', 'DEFAULT'),
  column('int invisible default 5', '6', 'DEFAULT'),
  { ...column('varchar(50) compressed', "repeat('abcü', 12)", "''"), on: 'mariadb' },
  { ...column('text compressed character set latin1', "repeat('long é ', 1000)"), on: 'mariadb' },
  { ...column('blob compressed', "repeat(x'ff00', 500)"), on: 'mariadb' },
  { ...column('json', `'{"b": 1,"a":[1]}'`), on: 'mariadb' },
  {
    on: 'mysql',
    ...column(
      'json',
      ...[
        'null', 'true', '[]', '{}', '""', '1', '-1', '18446744073709551615', '-9223372036854775808', '1.0', '0.1', '1e15', '1e14',
        '1e-15', '1e-16', '1.5e300', '123456789012345.6', '"\\\\u0000 \\\\u001f \\\\\\\\ \\\\" / \\\\b\\\\f\\\\n\\\\r\\\\t \u2028 \u007f 😀"',
        '{"b": [1, 2.5, null, "x"], "a": {"c": {}}, "": 0, "ключ": [[]]}',
      ].map((text) => `'${text}'`),
      "json_object('d', cast('2020-01-02' as date), 't', cast('-100:00:01.5' as time(2)), 'dt', cast('2020-01-02 03:04:05.000006' as datetime(6)))",
      "json_array(1.50, cast(-12345678901234567890.123456789 as decimal(40,10)), b'101', 2020)",
      "json_object('b', cast(repeat('x', 57) as binary), 'c', cast(repeat('y', 114) as binary), 'e', x'00')",
      'json_array(-0e0, 1e0, 12345678901234567e0, cast(-838 as time))',
    ),
  },
]; // prettier-ignore

const SQL_MODE = "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'";

/** Writes the values, then reads the rows both ways. */
async function bothWays(
  context: TestContext,
  name: 'src' | 'mariadb',
  cases: readonly ColumnCase[],
  more = '',
): Promise<void> {
  const server = testServers()[name];
  const { name: schema } = await mysqlDatabase(context, server);
  const columns = cases.filter(({ on }) => on === undefined || on === flavourOf(server));
  const height = Math.max(...columns.map(({ values }) => values.length)) + 1;
  const rows = Array.from({ length: height }, (_, row) =>
    columns.map(({ sql, values }) => values[row] ?? (/ as \(/.test(sql) ? 'DEFAULT' : 'NULL')),
  );
  const names = columns.map((_, index) => `c${index}`);
  const events = await eventsOf(
    server,
    schema,
    `${SQL_MODE};
     CREATE TABLE t (id int, ${columns.map(({ sql }, index) => `c${index} ${sql}`).join(', ')}, PRIMARY KEY (id)${more}) ROW_FORMAT=DYNAMIC;
     ${rows.map((values, row) => `INSERT INTO t (id, ${names.join(', ')}) VALUES (${row}, ${values.join(', ')})`).join(';\n')}`,
  );
  const shape = only(events, 'rows')[0]?.table;
  const logged = imagesOf(events);
  expect(logged).toHaveLength(height);
  const described = await describeOn(server, schema, 't');
  expect(described.table).toEqual(travelling(shape));
  const read = await withReader(server, (reader) => readWhole(reader, described));
  const differences = logged.flatMap((row, index) =>
    row.flatMap((value, at) =>
      Object.is(value, read[index]?.[at])
        ? []
        : [{ column: columns[at - 1]?.sql, value, read: read[index]?.[at] }],
    ),
  );
  expect(differences).toEqual([]);
  expect(read).toEqual(logged);
}

const CASES: readonly ColumnCase[] = VALUE_CASES.map(({ mysql, literal }) => column(mysql, literal));

describe.each(['src', 'mariadb'] as const)('on %s', (name) => {
  test('a row of every value at the edge of its type is the same by SELECT and by the binlog', async (context) => {
    await bothWays(context, name, CASES);
  });

  test('so are rows of every type, character set and way to declare a column', async (context) => {
    const third = Math.ceil(MORE.length / 3);
    await bothWays(context, name, MORE.slice(0, third));
    await bothWays(context, name, MORE.slice(third, 2 * third));
    await bothWays(context, name, MORE.slice(2 * third));
  });

  test('so are random numbers of all sizes', async (context) => {
    const random = (bytes: number, read: (buf: Buffer) => number): string[] =>
      Array.from({ length: 400 }, () => read(randomBytes(bytes)))
        .filter((value) => Number.isFinite(value))
        .map(String);
    await bothWays(context, name, [
      column('float', ...random(4, (buf) => buf.readFloatLE())),
      column('double', ...random(8, (buf) => buf.readDoubleLE())),
      column('float', ...random(4, (buf) => Math.fround(buf.readInt32LE() / 1000))),
      column('double', ...random(4, (buf) => buf.readInt32LE() / 1000)),
      column('double', ...random(8, (buf) => buf.readDoubleLE() / 3)),
    ]);
  });

  test('columns that only the server sees are in neither', async (context) => {
    const index = name === 'src' ? ', INDEX f ((id * 2)), UNIQUE (c0(10))' : ', UNIQUE (c0(10))';
    await bothWays(context, name, [column('text', "'a'", "'b'"), column('int', '1', '2')], index);
  });

  test('text that is not of its character set is refused, as from the binlog', async (context) => {
    const { name: schema, pool } = await mysqlDatabase(context, testServers()[name]);
    // The code belongs to no letter: the server keeps it, and would say "?".
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, v varchar(5) CHARACTER SET hebrew)');
    await pool.query("INSERT INTO t VALUES (1, _hebrew x'41'), (2, _hebrew x'A1')");
    const table = await describeOn(testServers()[name], schema, 't');
    await withReader(testServers()[name], async (reader) => {
      await expect(readWhole(reader, table)).rejects.toMatchObject({
        code: 'ROWFERRY_SOURCE_DECODE',
        where: { table: `${schema}.t`, column: 'v' },
      });
      // The cut connection is replaced.
      await pool.query('DELETE FROM t WHERE id = 2');
      expect(await readWhole(reader, table)).toEqual([[1, 'A']]);
    });
  });

  test('a table that cannot be read in the order of its key is refused', async (context) => {
    const { name: schema, pool } = await mysqlDatabase(context, testServers()[name]);
    const refusal = async (definition: string): Promise<unknown> => {
      await pool.query(`CREATE TABLE t (${definition})`);
      const refused: unknown = await describeOn(testServers()[name], schema, 't').then(
        () => undefined,
        (error: unknown) => error,
      );
      await pool.query('DROP TABLE t');
      return refused;
    };
    const unsupported = (column?: string): object => ({
      code: 'ROWFERRY_SOURCE_UNSUPPORTED',
      where: { table: `${schema}.t`, ...(column === undefined ? {} : { column }) },
      hint: expect.any(String) as string,
    });
    expect(await refusal('a int, UNIQUE (a)')).toMatchObject(unsupported());
    for (const type of ["enum('a')", "set('a')", 'float', 'double']) {
      expect(await refusal(`id int, a ${type}, PRIMARY KEY (id, a)`), type).toMatchObject(unsupported('a'));
    }
    if (name === 'mariadb') {
      expect(await refusal('id int PRIMARY KEY, a text UNIQUE')).toMatchObject(unsupported('a'));
      for (const collation of ['utf8mb4_nopad_bin', 'utf8mb4_uca1400_nopad_ai_ci']) {
        const definition = `a char(5) COLLATE ${collation} PRIMARY KEY`;
        expect(await refusal(definition), collation).toMatchObject(unsupported('a'));
      }
    }
    expect(await refusal('a varchar(20), PRIMARY KEY (a(5))')).toMatchObject(unsupported('a'));
    expect(await refusal('id int PRIMARY KEY, a point')).toMatchObject(unsupported('a'));
    expect(await refusal('id int PRIMARY KEY, a varchar(5) character set hp8')).toMatchObject(
      unsupported('a'),
    );
    expect(await refusal("id int PRIMARY KEY, a enum('x') character set binary")).toMatchObject(
      unsupported('a'),
    );
    await expect(describeOn(testServers()[name], schema, 'none')).rejects.toMatchObject({
      code: 'ROWFERRY_SOURCE_UNSUPPORTED',
      where: { table: `${schema}.none` },
    });
    await pool.query('CREATE VIEW v AS SELECT 1');
    await expect(describeOn(testServers()[name], schema, 'v')).rejects.toMatchObject({
      code: 'ROWFERRY_SOURCE_UNSUPPORTED',
    });
  });
});

test('the primary key that MySQL makes itself is read like any other', async (context) => {
  const server = testServers().src;
  const { name: schema } = await mysqlDatabase(context, server);
  const events = await eventsOf(
    server,
    schema,
    `SET SESSION sql_generate_invisible_primary_key = ON; CREATE TABLE g (a int); INSERT INTO g VALUES (5), (6)`,
  );
  const table = await describeOn(server, schema, 'g');
  expect(table.table).toEqual(travelling(only(events, 'rows')[0]?.table));
  expect(await withReader(server, (reader) => readWhole(reader, table))).toEqual(imagesOf(events));
});
