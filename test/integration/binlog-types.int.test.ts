import { expect, test, type TestContext } from 'vitest';
import type { WireValue } from '../../src/model/table.ts';
import type { TestServer } from '../support/global-setup.ts';
import { mysqlDatabase, testServers } from '../support/servers.ts';
import { eventsOf, flavourOf, imagesOf, only } from './binlog-fixture.ts';

type Flavour = 'mysql' | 'mariadb';

/** A column and pairs of what is written (SQL) and what must be read (wire form). */
interface TypeCase {
  readonly sql: string;
  readonly type: string;
  readonly values: readonly (readonly [sql: string, wire: WireValue])[];
  readonly on?: Flavour;
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
const column = (sql: string, type: string, values: TypeCase['values'], on?: Flavour): TypeCase => ({
  sql,
  type,
  values,
  ...(on === undefined ? {} : { on }),
});

const INTEGERS: readonly TypeCase[] = [
  column('tinyint', 'tinyint', [['-128', -128], ['127', 127], ['0', 0]]),
  column('tinyint unsigned', 'tinyint unsigned', [['255', 255], ['128', 128]]),
  column('smallint', 'smallint', [['-32768', -32768], ['32767', 32767]]),
  column('smallint unsigned', 'smallint unsigned', [['65535', 65535]]),
  column('mediumint', 'mediumint', [['-8388608', -8388608], ['8388607', 8388607], ['-1', -1]]),
  column('mediumint unsigned', 'mediumint unsigned', [['16777215', 16777215], ['8388608', 8388608]]),
  column('year', 'year', [["'0000'", 0], ['1901', 1901], ['2155', 2155]]),
  column('int', 'int', [['-2147483648', -2147483648], ['2147483647', 2147483647]]),
  column('int unsigned zerofill', 'int unsigned', [['4294967295', 4294967295], ['7', 7]]),
  column('bigint', 'bigint', [
    ['-9223372036854775808', '-9223372036854775808'], ['9223372036854775807', '9223372036854775807'],
    ['9007199254740991', '9007199254740991'], ['9007199254740993', '9007199254740993'],
    ['-9007199254740992', '-9007199254740992'], ['-9007199254740993', '-9007199254740993'], ['-1', '-1'], ['0', '0'],
  ]),
  column('bigint unsigned', 'bigint unsigned', [
    ['18446744073709551615', '18446744073709551615'], ['9223372036854775808', '9223372036854775808'], ['1', '1'],
  ]),
  column('bit(1)', 'bit(1)', [["b'1'", '1'], ["b'0'", '0']]),
  column('bit(13)', 'bit(13)', [["b'1000000000001'", '1000000000001'], ["b'10'", '0000000000010']]),
  column('bit(64)', 'bit(64)', [[`b'1${'0'.repeat(62)}1'`, `1${'0'.repeat(62)}1`]]),
]; // prettier-ignore

const NUMBERS: readonly TypeCase[] = [
  column('decimal(65,30)', 'decimal(65,30)', [
    [`${'9'.repeat(35)}.${'9'.repeat(30)}`, `${'9'.repeat(35)}.${'9'.repeat(30)}`],
    [`-${'9'.repeat(35)}.${'0'.repeat(29)}1`, `-${'9'.repeat(35)}.${'0'.repeat(29)}1`],
    ['0', `0.${'0'.repeat(30)}`], ['-0.000000000000000000000000000001', `-0.${'0'.repeat(29)}1`],
  ]),
  column('decimal(10,2)', 'decimal(10,2)', [['-12345678.90', '-12345678.90'], ['0.01', '0.01'], ['-0.00', '0.00']]),
  column('decimal(9,0)', 'decimal(9,0)', [['-999999999', '-999999999'], ['5', '5']]),
  column('decimal(18,9)', 'decimal(18,9)', [['123456789.000000001', '123456789.000000001'], ['-1.5', '-1.500000000']]),
  column('decimal(5,5)', 'decimal(5,5)', [['0.12345', '0.12345'], ['-0.00001', '-0.00001']]),
  column('decimal(20,0) unsigned', 'decimal(20,0)', [['10000000000000000000', '10000000000000000000']]),
  column('float', 'float', [
    ['0.1', 0.1], ['-0.3', -0.3], ['3.4028234e38', 3.4028235e38], ['1.17549435e-38', 1.1754944e-38], ['16777217', 16777216],
    ['123456.7', 123456.7], ['1e-45', 1e-45], ['99.9999', 99.9999],
  ]),
  column('double', 'double', [
    ['0.1', 0.1], ['1.7976931348623157e308', 1.7976931348623157e308], ['5e-324', 5e-324], ['-2.5e-10', -2.5e-10],
    ['0', 0], ['12345678901234567890', 12345678901234567000],
  ]),
]; // prettier-ignore

const TEMPORALS: readonly TypeCase[] = [
  column('date', 'date', [
    ["'0000-00-00'", '0000-00-00'], ["'2024-02-29'", '2024-02-29'], ["'9999-12-31'", '9999-12-31'],
    ["'2024-00-05'", '2024-00-05'], ["'1000-01-01'", '1000-01-01'],
  ]),
  column('datetime', 'datetime(0)', [["'0000-00-00 00:00:00'", '0000-00-00 00:00:00'], ["'9999-12-31 23:59:59'", '9999-12-31 23:59:59']]),
  ...[1, 2, 3, 4, 5, 6].map((digits) =>
    column(`datetime(${digits})`, `datetime(${digits})`, [
      [`'2024-12-31 23:59:58.${'123456'.slice(0, digits)}'`, `2024-12-31 23:59:58.${'123456'.slice(0, digits)}`],
      [`'2001-02-03 04:05:06.${'000001'.slice(6 - digits)}'`, `2001-02-03 04:05:06.${'000001'.slice(6 - digits)}`],
      ["'0000-00-00 00:00:00'", `0000-00-00 00:00:00.${'0'.repeat(digits)}`],
    ]),
  ),
  column('timestamp null', 'timestamp(0)', [["'0000-00-00 00:00:00'", '0000-00-00 00:00:00'], ["'1970-01-01 00:00:01'", '1970-01-01 00:00:01'], ["'2038-01-19 03:14:07'", '2038-01-19 03:14:07'], ["'2000-02-29 12:34:56'", '2000-02-29 12:34:56']]),
  ...[1, 2, 3, 4, 5, 6].map((digits) =>
    column(`timestamp(${digits}) null`, `timestamp(${digits})`, [
      [`'2024-03-01 00:00:00.${'123456'.slice(0, digits)}'`, `2024-03-01 00:00:00.${'123456'.slice(0, digits)}`],
      ["'0000-00-00 00:00:00'", `0000-00-00 00:00:00.${'0'.repeat(digits)}`],
    ]),
  ),
  column('timestamp(6) null', 'timestamp(6)', [["'2106-02-07 06:28:15.999999'", '2106-02-07 06:28:15.999999'], ["'2038-01-19 03:14:08'", '2038-01-19 03:14:08.000000']], 'mariadb'),
  column('time', 'time(0)', [
    ["'838:59:59'", '838:59:59'], ["'-838:59:59'", '-838:59:59'], ["'-00:01:00'", '-00:01:00'], ["'-01:00:00'", '-01:00:00'],
    ["'00:00:00'", '00:00:00'], ["'-00:00:01'", '-00:00:01'],
  ]),
  ...[1, 2, 3, 4, 5, 6].map((digits) =>
    column(`time(${digits})`, `time(${digits})`, [
      [`'-00:00:00.${'000001'.slice(6 - digits)}'`, `-00:00:00.${'000001'.slice(6 - digits)}`],
      [`'-12:34:56.${'987654'.slice(0, digits)}'`, `-12:34:56.${'987654'.slice(0, digits)}`],
      [`'12:34:56.${'987654'.slice(0, digits)}'`, `12:34:56.${'987654'.slice(0, digits)}`],
      ["'-100:00:00'", `-100:00:00.${'0'.repeat(digits)}`],
    ]),
  ),
]; // prettier-ignore

const LONG = 'x'.repeat(300);
const TEXTS: readonly TypeCase[] = [
  column('char(5)', 'char', [["'ab  '", 'ab'], ["''", ''], ["'ä😀'", 'ä😀']]),
  column('char(255)', 'char', [[`'${'ü'.repeat(255)}'`, 'ü'.repeat(255)]]),
  column('varchar(10)', 'varchar', [["'ab  '", 'ab  '], ["'😀\\0\\n'", '😀\0\n'], ["'\ufffd'", '\ufffd']]),
  column('varchar(1000)', 'varchar', [[`'${LONG}ü'`, `${LONG}ü`]]),
  column('varchar(20) character set latin1', 'varchar', [["'é€ÿ'", 'é€ÿ'], ["convert(0x818d8f909d using latin1)", '\x81\x8d\x8f\x90\x9d']]),
  column('varchar(20) character set ascii', 'varchar', [["'abc'", 'abc']]),
  column('varchar(20) character set gbk', 'varchar', [["'中文a'", '中文a']]),
  column('varchar(20) character set sjis', 'varchar', [["'日本ｶﾅ\\\\'", '日本ｶﾅ\\']]),
  column('varchar(20) character set cp1251', 'varchar', [["'привет'", 'привет']]),
  column('varchar(20) character set utf16', 'varchar', [["'a😀'", 'a😀']]),
  column('varchar(20) character set utf16le', 'varchar', [["'a😀'", 'a😀']]),
  column('varchar(20) character set utf32', 'varchar', [["'a😀'", 'a😀']]),
  column('varchar(20) character set ucs2', 'varchar', [["'aü'", 'aü']]),
  column('tinytext', 'text', [["'t😀'", 't😀']]),
  column('text', 'text', [[`'${LONG}'`, LONG]]),
  column('mediumtext character set latin2', 'text', [["'čžš'", 'čžš']]),
  column('longtext', 'text', [["repeat('ab', 50000)", 'ab'.repeat(50_000)]]),
  column('binary(4)', 'binary(4)', [["x'01020000'", base64('01020000')], ["x''", base64('00000000')], ["x'00000001'", base64('00000001')]]),
  column('binary(255)', 'binary(255)', [["x'ff'", base64(`ff${'00'.repeat(254)}`)]]),
  column('varbinary(10)', 'varbinary', [["x'0100'", base64('0100')], ["x''", '']]),
  column('varbinary(300)', 'varbinary', [[`x'${'ab'.repeat(300)}'`, base64('ab'.repeat(300))]]),
  column('tinyblob', 'blob', [["x'00ff'", base64('00ff')]]),
  column('longblob', 'blob', [["x'8000'", base64('8000')]]),
  column("enum('a','b''c','d,e','ü😀')", 'enum', [["'a'", 'a'], ["'b''c'", "b'c"], ["'d,e'", 'd,e'], ["'ü😀'", 'ü😀'], ["'nothing'", '']]),
  column("set('a','b''c','ü')", 'set', [["''", ''], ["'a,ü'", 'a,ü'], ["'b''c'", "b'c"]]),
  column(`set(${Array.from({ length: 64 }, (_, i) => `'m${i}'`).join(',')})`, 'set', [["'m0,m31,m32,m63'", 'm0,m31,m32,m63']]),
  column(`enum(${Array.from({ length: 300 }, (_, i) => `'e${i}'`).join(',')})`, 'enum', [["'e299'", 'e299'], ["'e0'", 'e0']]),
  column('varchar(50) compressed', 'varchar', [[`'${'abc'.repeat(16)}ü'`, `${'abc'.repeat(16)}ü`], ["''", '']], 'mariadb'),
  column('text compressed', 'text', [["repeat('long text ', 1000)", 'long text '.repeat(1000)]], 'mariadb'),
  column('blob compressed', 'blob', [["repeat(x'ff00', 500)", base64('ff00'.repeat(500))]], 'mariadb'),
  column('json', 'text', [[`'{"b": 1,"a":[1]}'`, '{"b": 1,"a":[1]}']], 'mariadb'),
]; // prettier-ignore

const ALL = [...INTEGERS, ...NUMBERS, ...TEMPORALS, ...TEXTS];
const rowCount = Math.max(...ALL.map(({ values }) => values.length)) + 1;

async function everyType(context: TestContext, server: TestServer): Promise<void> {
  const flavour = flavourOf(server);
  const cases = ALL.filter(({ on }) => on === undefined || on === flavour);
  const { name: schema } = await mysqlDatabase(context, server);
  const half = Math.ceil(cases.length / 2);
  for (const [table, columns] of [
    ['t1', cases.slice(0, half)],
    ['t2', cases.slice(half)],
  ] as const) {
    const definitions = columns.map(({ sql }, index) => `c${index} ${sql}`);
    /** Column values of each row; where a column has fewer values, NULL. */
    const written = Array.from({ length: rowCount }, (_, row) =>
      columns.map(({ values }) => values[row]?.[0] ?? 'NULL'),
    );
    const expected = Array.from({ length: rowCount }, (_, row) => [
      String(row),
      ...columns.map(({ values }) => values[row]?.[1] ?? null),
    ]);
    const events = await eventsOf(
      server,
      schema,
      `SET sql_mode = 'ALLOW_INVALID_DATES';
       CREATE TABLE ${table} (id bigint, ${definitions.join(', ')}, PRIMARY KEY (id)) ROW_FORMAT=DYNAMIC;
       INSERT INTO ${table} VALUES ${written.map((values, row) => `(${row}, ${values.join(', ')})`).join(', ')};
       UPDATE ${table} SET id = id + 100;
       DELETE FROM ${table};`,
    );
    const rows = only(events, 'rows');
    expect(rows[0]?.table.columns.map(({ type }) => type)).toEqual([
      'bigint',
      ...columns.map(({ type }) => type),
    ]);
    expect(rows[0]?.table.key).toEqual([0]);
    const moved = expected.map(([id, ...values]) => [String(Number(id) + 100), ...values]);
    expect(imagesOf(rows.filter(({ op }) => op === 'insert'))).toEqual(expected);
    expect(imagesOf(rows.filter(({ op }) => op === 'delete'))).toEqual(moved);
    const updates = imagesOf(rows.filter(({ op }) => op === 'update'));
    expect(updates.filter((_, index) => index % 2 === 0)).toEqual(expected);
    expect(updates.filter((_, index) => index % 2 === 1)).toEqual(moved);
  }
}

test('every type and its extremes are read exactly from MySQL', async (context) => {
  await everyType(context, testServers().src);
});

test('every type and its extremes are read exactly from MariaDB', async (context) => {
  await everyType(context, testServers().mariadb);
});

test('MySQL keeps the sign of a negative zero', async (context) => {
  const { name } = await mysqlDatabase(context);
  const events = await eventsOf(
    testServers().src,
    name,
    `CREATE TABLE z (id int PRIMARY KEY, f float, d double); INSERT INTO z VALUES (1, -0e0, -0e0)`,
  );
  expect(imagesOf(events)).toEqual([[1, '-0', '-0']]);
});

test('JSON comes as the text that MySQL itself prints', async (context) => {
  const { name, pool } = await mysqlDatabase(context);
  const documents = [
    'null', 'true', '[]', '{}', '""', '1', '-1', '32768', '-32769', '2147483648', '18446744073709551615',
    '-9223372036854775808', '1.0', '0.1', '1e15', '1e14', '1e-15', '1e-16', '1.5e300', '-2.5e-7', '123456789012345.6',
    '"\\\\u0000 \\\\u001f \\\\\\\\ \\\\" / \\\\b\\\\f\\\\n\\\\r\\\\t \u2028 \u007f 😀"',
    '{"b": [1, 2.5, null, "x"], "a": {"c": {}}, "": 0, "ключ": [[]]}',
    `[${Array.from({ length: 3000 }, (_, index) => index * 50_000).join(', ')}]`,
    `{${Array.from({ length: 2000 }, (_, index) => `"k${index}": "${'v'.repeat(40)}"`).join(', ')}}`,
    `"${'long '.repeat(40_000)}"`,
  ]; // prettier-ignore
  const computed = [
    "json_object('d', cast('2020-01-02' as date), 't', cast('-100:00:01.5' as time(2)), 'dt', cast('2020-01-02 03:04:05.000006' as datetime(6)))",
    "json_array(1.50, cast(-12345678901234567890.123456789 as decimal(40,10)), cast('0000-00-00' as char), b'101', 2020)",
    "json_object('b', cast(repeat('x', 57) as binary), 'c', cast(repeat('y', 114) as binary), 'e', x'00')",
    'json_array(-0e0, 1e0, 12345678901234567e0, cast(-838 as time))',
  ];
  const values = [...documents.map((text) => `'${text}'`), ...computed, 'NULL'];
  const events = await eventsOf(
    testServers().src,
    name,
    `CREATE TABLE j (id int PRIMARY KEY, doc json);
     INSERT INTO j VALUES ${values.map((value, id) => `(${id}, ${value})`).join(', ')}`,
  );
  const [printed] = await pool.query<never>('SELECT id, CAST(doc AS CHAR) AS doc FROM j ORDER BY id');
  expect(imagesOf(events)).toEqual(
    (printed as { id: number; doc: string | null }[]).map(({ id, doc }) => [id, doc]),
  );
});
