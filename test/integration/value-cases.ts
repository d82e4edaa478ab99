/**
 * Values at the edges of their types: how a MySQL source is given them, their wire form, and what must be read from a target
 * afterwards. All literals, so that no code of rowferry judges itself.
 */
import type { WireValue } from '../../src/model/table.ts';

export interface ValueCase {
  /** Column definition at the source and at a MySQL or MariaDB target. */
  readonly mysql: string;
  /** Canonical type. */
  readonly type: string;
  /** SQL literal that a session of the source inserts. */
  readonly literal: string;
  readonly wire: WireValue;
  /** What `mysqlReader` shows. */
  readonly reads: string | null;
  /** MariaDB, where it shows something else. */
  readonly mariadbReads?: string | null;
  /** PostgreSQL columns that take the value, and what `::text` shows of each. */
  readonly postgres: Readonly<Record<string, string | null>>;
}

type Short = readonly [
  mysql: string,
  literal: string,
  wire: WireValue,
  reads: string | null,
  postgres: Readonly<Record<string, string | null>>,
  more?: { readonly type?: string; readonly mariadbReads?: string },
];

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const HEX = BYTES.toString('hex').toUpperCase();

/* prettier-ignore */
const SHORT: readonly Short[] = [
  ['tinyint', '-128', -128, '-128', { smallint: '-128', integer: '-128', text: '-128' }],
  ['tinyint unsigned', '255', 255, '255', { smallint: '255' }],
  ['tinyint(1)', '1', 1, '1', { boolean: 'true', smallint: '1' }, { type: 'tinyint' }],
  ['tinyint(1)', '0', 0, '0', { boolean: 'false' }, { type: 'tinyint' }],
  ['smallint', '-32768', -32768, '-32768', { smallint: '-32768' }],
  ['smallint unsigned', '65535', 65535, '65535', { integer: '65535' }],
  ['mediumint', '-8388608', -8388608, '-8388608', { integer: '-8388608' }],
  ['int', '-2147483648', -2147483648, '-2147483648', { integer: '-2147483648', bigint: '-2147483648', 'double precision': '-2147483648' }],
  ['int unsigned', '4294967295', 4294967295, '4294967295', { bigint: '4294967295', numeric: '4294967295' }],
  ['bigint', '-9223372036854775808', '-9223372036854775808', '-9223372036854775808', { bigint: '-9223372036854775808' }],
  ['bigint', '9223372036854775807', '9223372036854775807', '9223372036854775807', { bigint: '9223372036854775807' }],
  ['bigint unsigned', '18446744073709551615', '18446744073709551615', '18446744073709551615', { 'numeric(20,0)': '18446744073709551615', text: '18446744073709551615' }],
  ['decimal(65,30)', "'99999999999999999999999999999999999.123456789012345678901234567891'", '99999999999999999999999999999999999.123456789012345678901234567891', '99999999999999999999999999999999999.123456789012345678901234567891', { 'numeric(65,30)': '99999999999999999999999999999999999.123456789012345678901234567891' }],
  ['decimal(10,2)', "'-0.01'", '-0.01', '-0.01', { 'numeric(10,2)': '-0.01', 'numeric(12,4)': '-0.0100' }],
  ['decimal(10,2)', "'5.10'", '5.10', '5.10', { 'numeric(10,1)': '5.1', numeric: '5.10' }],
  ['float', '0.1', 0.1, '0.10000000149011612', { real: '0.1', 'double precision': '0.10000000149011612' }],
  ['float', '16777216', 16777216, '16777216', { real: '1.6777216e+07' }],
  ['float', '3.4028234663852886e38', 3.4028235e38, '3.4028234663852886e38', { real: '3.4028235e+38' }],
  ['float', '1.401298464324817e-45', 1e-45, '1.401298464324817e-45', { real: '1e-45' }],
  ['float', '-0e0', '-0', '-0', { real: '-0', 'double precision': '-0' }, { mariadbReads: '0' }],
  ['double', '0.1', 0.1, '0.1', { 'double precision': '0.1' }],
  ['double', '1.7976931348623157e308', 1.7976931348623157e308, '1.7976931348623157e308', { 'double precision': '1.7976931348623157e+308' }],
  ['double', '5e-324', 5e-324, '5e-324', { 'double precision': '5e-324' }],
  ['double', '123456789012345680000', 123456789012345680000, '1.2345678901234568e20', { 'double precision': '1.2345678901234568e+20' }],
  ['double', '-0e0', '-0', '-0', { 'double precision': '-0' }, { mariadbReads: '0' }],
  ['double', '0.5', 0.5, '0.5', { real: '0.5' }],
  ['bit(1)', "b'1'", '1', '1', { boolean: 'true', 'bit(1)': '1' }],
  ['bit(1)', "b'0'", '0', '0', { boolean: 'false' }],
  ['bit(9)', "b'000000101'", '000000101', '101', { 'bit(9)': '000000101', 'bit varying(20)': '000000101', integer: '5' }],
  ['bit(31)', "b'1111111111111111111111111111111'", '1'.repeat(31), '1'.repeat(31), { 'bit(31)': '1'.repeat(31) }],
  ['bit(32)', "b'11111111111111111111111111111110'", `${'1'.repeat(31)}0`, `${'1'.repeat(31)}0`, { 'bit(32)': `${'1'.repeat(31)}0`, bigint: '4294967294' }],
  ['bit(64)', `b'${'1'.repeat(64)}'`, '1'.repeat(64), '1'.repeat(64), { 'bit(64)': '1'.repeat(64), 'numeric(20)': '18446744073709551615' }],
  ['varchar(40)', String.raw`'it''s "\\" \n%_\t;--'`, 'it\'s "\\" \n%_\t;--', 'it\'s "\\" \n%_\t;--', { 'character varying(40)': 'it\'s "\\" \n%_\t;--', text: 'it\'s "\\" \n%_\t;--' }],
  ['varchar(5)', "'日本😀é'", '日本😀é', '日本😀é', { 'character varying(5)': '日本😀é', 'character varying(4)': '日本😀é' }],
  ['varchar(10)', "'a  '", 'a  ', 'a  ', { 'character varying(10)': 'a  ' }],
  ['varchar(10)', "''", '', '', { text: '', 'character varying(10)': '' }],
  ['varchar(10)', "'NULL'", 'NULL', 'NULL', { text: 'NULL' }],
  ['char(5)', "'ab'", 'ab', 'ab', { 'character(5)': 'ab   ', text: 'ab' }],
  ['varchar(10) CHARACTER SET latin1', "'naïve €'", 'naïve €', 'naïve €', { text: 'naïve €' }],
  ['varchar(10) CHARACTER SET gbk', "'中文'", '中文', '中文', { text: '中文' }],
  ['text', "'{\"a\": \"b\"}'", '{"a": "b"}', '{"a": "b"}', { text: '{"a": "b"}', jsonb: '{"a": "b"}' }],
  ['longtext', "'{a,\"b\",\\\\}'", '{a,"b",\\}', '{a,"b",\\}', { text: '{a,"b",\\}' }],
  ['char(36)', "'6ccd780c-baba-1026-9564-5b8c656024db'", '6ccd780c-baba-1026-9564-5b8c656024db', '6ccd780c-baba-1026-9564-5b8c656024db', { uuid: '6ccd780c-baba-1026-9564-5b8c656024db' }],
  ['varbinary(300)', `x'${HEX}'`, BYTES.toString('base64'), HEX, { bytea: `\\x${HEX.toLowerCase()}` }],
  ['varbinary(10)', "x''", '', '', { bytea: '\\x' }],
  ['binary(4)', "x'01020000'", 'AQIAAA==', '01020000', { bytea: '\\x01020000' }],
  // The binlog drops zero bytes at the end.
  ['binary(4)', "x'01020000'", 'AQI=', '01020000', { bytea: '\\x01020000' }],
  ['binary(16)', "x'6ccd780cbaba102695645b8c65602400'", 'bM14DLq6ECaVZFuMZWAk', '6CCD780CBABA102695645B8C65602400', { uuid: '6ccd780c-baba-1026-9564-5b8c65602400' }],
  ['longblob', "x'00ff275c22'", 'AP8nXCI=', '00FF275C22', { bytea: '\\x00ff275c22' }],
  ['date', "'1000-01-01'", '1000-01-01', '1000-01-01', { date: '1000-01-01', 'timestamp without time zone': '1000-01-01 00:00:00' }],
  ['date', "'9999-12-31'", '9999-12-31', '9999-12-31', { date: '9999-12-31', text: '9999-12-31' }],
  ['date', "'2024-02-29'", '2024-02-29', '2024-02-29', { date: '2024-02-29' }],
  ['datetime', "'9999-12-31 23:59:59'", '9999-12-31 23:59:59', '9999-12-31 23:59:59', { 'timestamp(0) without time zone': '9999-12-31 23:59:59' }],
  ['datetime(6)', "'2024-02-29 23:59:59.999999'", '2024-02-29 23:59:59.999999', '2024-02-29 23:59:59.999999', { 'timestamp(6) without time zone': '2024-02-29 23:59:59.999999', 'timestamp with time zone': '2024-02-29 23:59:59.999999+00' }],
  ['datetime(3)', "'2024-02-29 00:00:00.120'", '2024-02-29 00:00:00.120', '2024-02-29 00:00:00.120', { 'timestamp(2) without time zone': '2024-02-29 00:00:00.12' }],
  ['timestamp(6) NULL', "'2038-01-19 03:14:07.999999'", '2038-01-19 03:14:07.999999', '2038-01-19 03:14:07.999999', { 'timestamp(6) with time zone': '2038-01-19 03:14:07.999999+00', 'timestamp without time zone': '2038-01-19 03:14:07.999999' }],
  ['timestamp NULL', "'1970-01-01 00:00:01'", '1970-01-01 00:00:01', '1970-01-01 00:00:01', { 'timestamp with time zone': '1970-01-01 00:00:01+00' }],
  ['time(6)', "'-838:59:59.000000'", '-838:59:59.000000', '-838:59:59.000000', { interval: '-838:59:59' }],
  ['time(3)', "'838:59:58.999'", '838:59:58.999', '838:59:58.999', { interval: '838:59:58.999', 'interval(3)': '838:59:58.999' }],
  ['time(6)', "'-00:00:00.000001'", '-00:00:00.000001', '-00:00:00.000001', { interval: '-00:00:00.000001' }],
  ['time', "'23:59:59'", '23:59:59', '23:59:59', { 'time without time zone': '23:59:59', interval: '23:59:59' }],
  ['year', '0', 0, '0000', { smallint: '0' }],
  ['year', '1901', 1901, '1901', { smallint: '1901' }],
  ['year', '2155', 2155, '2155', { integer: '2155' }],
  ["enum('a','b,c','it''s')", "'b,c'", 'b,c', '2:b,c', { text: 'b,c' }, { type: 'enum' }],
  ["enum('a','b,c','it''s')", '3', "it's", "3:it's", { text: "it's" }, { type: 'enum' }],
  ["enum('a','')", "''", '', '2:', { text: '' }, { type: 'enum' }],
  ["set('a','b','c d')", "'a,c d'", 'a,c d', 'a,c d', { 'text[]': '{a,"c d"}', 'character varying(9)[]': '{a,"c d"}', text: 'a,c d' }, { type: 'set' }],
  ["set('a','b')", "''", '', '', { 'text[]': '{}' }, { type: 'set' }],
  ['json', String.raw`'{"n": 12345678901234567890, "d": 0.1, "s": "a\\"\\\\b\\u00e9"}'`, '{"d": 0.1, "n": 12345678901234567890, "s": "a\\"\\\\bé"}', '{"d": 0.1, "n": 12345678901234567890, "s": "a\\"\\\\bé"}', { jsonb: '{"d": 0.1, "n": 12345678901234567890, "s": "a\\"\\\\bé"}', json: '{"d": 0.1, "n": 12345678901234567890, "s": "a\\"\\\\bé"}' }],
  ['json', "'null'", 'null', 'null', { jsonb: 'null' }],
  ['json', 'NULL', null, null, { jsonb: null }],
  ['int', 'NULL', null, null, { integer: null }],
  ['varchar(5)', 'NULL', null, null, { text: null }],
  ["set('a')", 'NULL', null, null, { 'text[]': null }, { type: 'set' }],
];

export const VALUE_CASES: readonly ValueCase[] = SHORT.map(
  ([mysql, literal, wire, reads, postgres, more]) => ({
    mysql,
    type: more?.type ?? mysql.replace(/ (?:NULL|CHARACTER SET .*)$/, ''),
    literal,
    wire,
    reads,
    postgres,
    ...(more?.mariadbReads === undefined ? {} : { mariadbReads: more.mariadbReads }),
  }),
);

/** Dates that only MySQL holds. */
export const ODD_DATES: readonly (readonly [mysql: string, wire: string])[] = [
  ['date', '0000-00-00'],
  ['date', '2024-00-10'],
  ['datetime(6)', '0000-00-00 00:00:00.000000'],
  ['datetime', '2024-02-00 12:00:00'],
  ['timestamp NULL', '0000-00-00 00:00:00'],
];

/** An expression that shows a column so that no digit and no byte is hidden. */
export function mysqlReader(type: string, column: string): string {
  if (/^(?:var)?binary|blob/.test(type)) return `HEX(${column})`;
  if (type.startsWith('bit')) return `BIN(${column})`;
  // SELECT of a FLOAT rounds it; as a sum it is a double, unless it is zero, whose sign a sum loses.
  if (type === 'float') return `IF(${column} = 0, CAST(${column} AS CHAR), CAST(${column} + 0e0 AS CHAR))`;
  if (type.startsWith('enum')) return `CONCAT(${column} + 0, ':', ${column})`;
  return `CAST(${column} AS CHAR)`;
}
