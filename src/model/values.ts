/**
 * The one table of values: every MySQL column type, its wire form, and into which column types of a target it is written, how.
 * A pair that is not in the table is refused when a table is prepared; a value that a server would round, cut or pad in
 * silence is refused when it is met. What is written is what was read, or it is an error.
 */
import type { ColumnType, WireValue } from './table.ts';
import type { MysqlEncoder } from './mysql-literals.ts';
import * as mysql from './mysql-literals.ts';
import type { PostgresEncoder } from './postgres-texts.ts';
import * as postgres from './postgres-texts.ts';
import { unfit } from './value-guards.ts';
import { numbers } from './value-types.ts';
import type { Family, MysqlKind, PostgresKind, SourceType, ValueOptions } from './value-types.ts';

interface ValueRule {
  /** The wire form (`WireValue`), in words. */
  readonly wire: string;
  readonly mysql: Readonly<Partial<Record<MysqlKind, MysqlEncoder>>>;
  readonly postgres: Readonly<Partial<Record<PostgresKind, PostgresEncoder>>>;
}

export const VALUE_RULES: Readonly<Record<Family, ValueRule>> = {
  integer: {
    wire: 'number',
    mysql: { integer: mysql.integer, decimal: mysql.integer, double: mysql.integer, text: mysql.string },
    postgres: {
      integer: postgres.integer,
      numeric: postgres.decimal,
      double: postgres.number,
      boolean: postgres.boolean,
      text: postgres.string,
    },
  },
  bigint: {
    wire: 'decimal digits',
    mysql: { integer: mysql.integer, decimal: mysql.integer, text: mysql.string },
    postgres: { integer: postgres.integer, numeric: postgres.decimal, text: postgres.string },
  },
  decimal: {
    wire: 'decimal digits, all of the declared scale',
    mysql: { decimal: mysql.decimal, text: mysql.string },
    postgres: { numeric: postgres.decimal, text: postgres.string },
  },
  float: {
    wire: 'number in the shortest form that reads back as the same float; "-0"',
    mysql: { float: mysql.float, double: mysql.float },
    postgres: { real: postgres.number, double: postgres.floatAsDouble },
  },
  double: {
    wire: 'number; "-0"',
    mysql: { double: mysql.double, float: mysql.doubleAsFloat },
    postgres: { double: postgres.number, real: postgres.doubleAsReal },
  },
  bit: {
    wire: 'n binary digits',
    mysql: { bit: mysql.bit, integer: mysql.bit },
    postgres: {
      boolean: postgres.boolean,
      bit: postgres.bit,
      integer: postgres.bitAsInteger,
      numeric: postgres.bitAsInteger,
    },
  },
  text: {
    wire: 'text',
    mysql: {
      text: mysql.text,
      json: mysql.string,
      enum: mysql.string,
      set: mysql.string,
      other: mysql.string,
    },
    postgres: {
      text: postgres.text,
      json: postgres.json,
      uuid: postgres.string,
      array: postgres.string,
      other: postgres.text,
    },
  },
  bytes: {
    wire: 'base64',
    mysql: { bytes: mysql.bytes },
    postgres: { bytea: postgres.bytes, uuid: postgres.bytesAsUuid },
  },
  date: {
    wire: 'YYYY-MM-DD',
    mysql: { date: mysql.string, datetime: mysql.string, text: mysql.string },
    postgres: { date: postgres.date, timestamp: postgres.date, text: postgres.string },
  },
  datetime: {
    wire: 'YYYY-MM-DD HH:MM:SS[.ffffff]',
    mysql: { datetime: mysql.temporal, text: mysql.string },
    // Without a zone of its own: a timestamptz column takes it as UTC.
    postgres: { timestamp: postgres.timestamp, timestamptz: postgres.timestamptz, text: postgres.string },
  },
  timestamp: {
    wire: 'YYYY-MM-DD HH:MM:SS[.ffffff] in UTC',
    mysql: { datetime: mysql.temporal, text: mysql.string },
    postgres: { timestamptz: postgres.timestamptz, timestamp: postgres.timestamp, text: postgres.string },
  },
  time: {
    wire: '[-]HHH:MM:SS[.ffffff]',
    mysql: { time: mysql.temporal, text: mysql.string },
    postgres: { interval: postgres.interval, time: postgres.timeOfDay, text: postgres.string },
  },
  year: {
    wire: 'number, 0 for 0000',
    // Unquoted: the text '0' would become 2000.
    mysql: { year: mysql.integer, integer: mysql.integer, text: mysql.string },
    postgres: { integer: postgres.integer, text: postgres.string },
  },
  enum: {
    wire: 'label; "" for index 0',
    mysql: { enum: mysql.string, text: mysql.text },
    postgres: { text: postgres.text, other: postgres.text },
  },
  set: {
    wire: 'labels joined by commas',
    mysql: { set: mysql.string, text: mysql.text },
    postgres: { array: postgres.set, text: postgres.text },
  },
  json: {
    wire: 'JSON text',
    mysql: { json: mysql.string, text: mysql.string },
    postgres: { json: postgres.json, text: postgres.text },
  },
};

const FAMILIES: Readonly<Record<string, Family>> = {
  tinyint: 'integer', smallint: 'integer', mediumint: 'integer', int: 'integer', bigint: 'bigint',
  decimal: 'decimal', float: 'float', double: 'double', bit: 'bit',
  char: 'text', varchar: 'text', tinytext: 'text', text: 'text', mediumtext: 'text', longtext: 'text',
  binary: 'bytes', varbinary: 'bytes', tinyblob: 'bytes', blob: 'bytes', mediumblob: 'bytes', longblob: 'bytes',
  date: 'date', datetime: 'datetime', timestamp: 'timestamp', time: 'time', year: 'year',
  enum: 'enum', set: 'set', json: 'json',
}; // prettier-ignore

/** Takes a canonical source type apart; undefined for a type that rowferry does not ferry (geometry, vector, …). */
export function parseSourceType(text: ColumnType): SourceType | undefined {
  const match = /^([a-z]+)(?:\(([^)]*)\))?( unsigned)?/.exec(text);
  const base = match?.[1] ?? '';
  const family = FAMILIES[base];
  if (family === undefined) return undefined;
  const args = numbers(match?.[2]);
  return { text, base, family, unsigned: match?.[3] !== undefined, args };
}

/** Writes the values of one source column into one MySQL column. */
export interface MysqlColumn {
  /** A SQL literal; throws a `data`-class error when the value cannot be written exactly. */
  literal(value: WireValue): string;
  /**
   * The source's ENUM may hold '' (index 0, what MySQL stores for an invalid label) and the target's does not have it as a
   * label: strict mode refuses such a row though it can be stored.
   */
  readonly mayBeEmptyEnum: boolean;
}

interface ColumnPlace {
  readonly name: string;
  /** The engine's own type text. */
  readonly type: string;
  readonly nullable: boolean;
}

/** The encoder for a pair of columns; undefined when the table has no way from one type to the other. */
export function mysqlColumn(source: ColumnType, place: ColumnPlace): MysqlColumn | undefined {
  const from = parseSourceType(source);
  const to = mysql.parseMysqlType(place.type);
  const encoder = from === undefined ? undefined : VALUE_RULES[from.family].mysql[to.kind];
  if (from === undefined || encoder === undefined) return undefined;
  const options: ValueOptions = { zeroDates: 'stop' };
  const encode = encoder({ column: place.name, source: from, target: to, options });
  if (encode === undefined) return undefined;
  const whenNull = nullText(place, 'NULL');
  return {
    literal: (value) => (value === null ? whenNull() : encode(value)),
    mayBeEmptyEnum: from.family === 'enum' && to.kind === 'enum' && !/[(,]\s*''\s*[,)]/.test(place.type),
  };
}

/** Writes the values of one source column into one PostgreSQL column, as an array parameter. */
export interface PostgresColumn {
  /** `bigint[]`: the parameter's type, without length or precision, which would cut in silence. */
  readonly parameterType: string;
  /** Casts one element of the parameter to the column, for types that cannot be elements of an array: `::text[]`. */
  readonly cast: string;
  /** Elements are digits and need no quotes within the array. */
  readonly plain: boolean;
  /** The element's text, null for SQL NULL; throws a `data`-class error when the value cannot be written exactly. */
  text(value: WireValue): string | null;
}

/** The encoder for a pair of columns; undefined when the table has no way from one type to the other. */
export function postgresColumn(
  source: ColumnType,
  place: ColumnPlace,
  options: ValueOptions,
): PostgresColumn | undefined {
  const from = parseSourceType(source);
  const to = postgres.parsePostgresType(place.type);
  const encoder = from === undefined ? undefined : VALUE_RULES[from.family].postgres[to.kind];
  if (from === undefined || encoder === undefined) return undefined;
  const encode = encoder({ column: place.name, source: from, target: to, options });
  if (encode === undefined) return undefined;
  const whenNull = nullText(place, null);
  return {
    ...postgres.parameterOf(to),
    text: (value) => (value === null ? whenNull() : (encode(value) ?? whenNull())),
  };
}

/** NULL, or the error of a NOT NULL column: MySQL would put the time or a number of its own there in some columns. */
function nullText<T>(place: ColumnPlace, text: T): () => T {
  if (place.nullable) return () => text;
  return () => {
    throw unfit(place.name, 'NULL in a NOT NULL column', 'let the target column be NULL, as at the source');
  };
}
