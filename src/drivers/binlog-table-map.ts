/** Reads TABLE_MAP events written with `binlog_row_metadata=FULL`: the shape of a table as it was when its rows were written. */
import { keyPositions } from '../model/declared-key.ts';
import type { Table } from '../model/table.ts';
import { type ColumnReader, type ColumnSource, compileColumn, TYPE } from './binlog-columns.ts';
import { Cursor, DecodeFault, UnsupportedFault } from './binlog-cursor.ts';

/** A table's shape and how to read its rows. */
export interface TableShape {
  readonly table: Table;
  readonly readers: readonly ColumnReader[];
}

/** Optional metadata fields. */
const FIELD = {
  SIGNEDNESS: 1,
  DEFAULT_CHARSET: 2,
  COLUMN_CHARSET: 3,
  COLUMN_NAME: 4,
  SET_STR_VALUE: 5,
  ENUM_STR_VALUE: 6,
  SIMPLE_PRIMARY_KEY: 8,
  PRIMARY_KEY_WITH_PREFIX: 9,
  ENUM_AND_SET_DEFAULT_CHARSET: 10,
  ENUM_AND_SET_COLUMN_CHARSET: 11,
} as const;

const NUMERIC = new Set<number>([
  TYPE.TINY,
  TYPE.SHORT,
  TYPE.INT24,
  TYPE.LONG,
  TYPE.LONGLONG,
  TYPE.NEWDECIMAL,
  TYPE.FLOAT,
  TYPE.DOUBLE,
  TYPE.YEAR,
]);
const CHARACTER = new Set<number>([
  TYPE.STRING,
  TYPE.VAR_STRING,
  TYPE.VARCHAR,
  TYPE.TINY_BLOB,
  TYPE.MEDIUM_BLOB,
  TYPE.LONG_BLOB,
  TYPE.BLOB,
  TYPE.VARCHAR_COMPRESSED,
  TYPE.BLOB_COMPRESSED,
]);

/** The names that lead a table map's body (what follows table id and flags). */
export function readTableName(cursor: Cursor): { readonly schema: string; readonly name: string } {
  const schema = cursor.utf8(cursor.u8());
  cursor.skip(1);
  const name = cursor.utf8(cursor.u8());
  cursor.skip(1);
  return { schema, name };
}

/**
 * Compiles a table map's body. `declared` names the columns of the key that rows have instead of the primary key. Throws an
 * UnsupportedFault when a column cannot be ferried exactly, the metadata is not full or the declared key does not fit the
 * table as it was, a DecodeFault when the body is broken.
 */
export function compileTable(body: Buffer, declared?: readonly string[]): TableShape {
  const cursor = new Cursor(body);
  const { schema, name } = readTableName(cursor);
  const count = cursor.lenenc();
  const types = [...cursor.bytes(count)];
  const typeMetadata = cursor.bytes(cursor.lenenc());
  const nullable = cursor.bytes((count + 7) >> 3);
  const fields = readFields(cursor);

  const names = readNames(fields);
  if (names === undefined || names.length !== count) {
    throw new UnsupportedFault('row metadata without column names', {
      hint: 'SET GLOBAL binlog_row_metadata = FULL, then let every writer reconnect and replay from there',
    });
  }
  const metas = readTypeMetadata(types, typeMetadata, names);
  const sources = describeColumns(names, types, metas, nullable, fields);
  const compiled = sources.map(compileColumn);
  const table: Table = {
    schema,
    name,
    columns: compiled.map(({ column }) => column),
    key: declared === undefined ? readKey(fields, names) : declaredKey(declared, names, nullable),
  };
  return { table, readers: compiled.map(({ read }) => read) };
}

type Fields = ReadonlyMap<number, Buffer>;

function readFields(cursor: Cursor): Fields {
  const fields = new Map<number, Buffer>();
  while (cursor.left > 0) {
    const field = cursor.u8();
    fields.set(field, cursor.bytes(cursor.lenenc()));
  }
  return fields;
}

function readNames(fields: Fields): readonly string[] | undefined {
  const bytes = fields.get(FIELD.COLUMN_NAME);
  if (bytes === undefined) return undefined;
  const cursor = new Cursor(bytes);
  const names: string[] = [];
  while (cursor.left > 0) names.push(cursor.utf8(cursor.lenenc()));
  return names;
}

/** Replaces in `types` what STRING stands for: ENUM, SET or itself. */
function readTypeMetadata(types: number[], bytes: Buffer, names: readonly string[]): number[] {
  const cursor = new Cursor(bytes);
  const metas = types.map((type, index) => {
    switch (type) {
      case TYPE.TINY:
      case TYPE.SHORT:
      case TYPE.INT24:
      case TYPE.LONG:
      case TYPE.LONGLONG:
      case TYPE.YEAR:
      case TYPE.DATE:
      case TYPE.NEWDATE:
      case TYPE.TIME:
      case TYPE.DATETIME:
      case TYPE.TIMESTAMP:
        return 0;
      case TYPE.FLOAT:
      case TYPE.DOUBLE:
      case TYPE.TIME2:
      case TYPE.DATETIME2:
      case TYPE.TIMESTAMP2:
      case TYPE.JSON:
      case TYPE.GEOMETRY:
      case TYPE.VECTOR:
      case TYPE.TINY_BLOB:
      case TYPE.MEDIUM_BLOB:
      case TYPE.LONG_BLOB:
      case TYPE.BLOB:
      case TYPE.BLOB_COMPRESSED:
        return cursor.u8();
      case TYPE.VARCHAR:
      case TYPE.VARCHAR_COMPRESSED:
        return cursor.u16();
      case TYPE.NEWDECIMAL:
        return (cursor.u8() << 8) | cursor.u8();
      case TYPE.BIT: {
        const bits = cursor.u8();
        return cursor.u8() * 8 + bits;
      }
      case TYPE.STRING:
      case TYPE.VAR_STRING: {
        const realType = cursor.u8();
        const length = cursor.u8();
        if (realType === TYPE.ENUM || realType === TYPE.SET) {
          types[index] = realType;
          return length;
        }
        // Lengths past 255 hide their upper bits, inverted, in the type's.
        return ((((realType >> 4) & 3) ^ 3) << 8) | length;
      }
      default:
        throw new UnsupportedFault(`a type with code ${type}, which rowferry cannot ferry`, {
          column: names[index] ?? '',
          hint: 'exclude the table, or move the column to a table of its own that is not captured',
        });
    }
  });
  if (cursor.left > 0) throw new DecodeFault('column metadata of another length than its columns need');
  return metas;
}

function describeColumns(
  names: readonly string[],
  types: readonly number[],
  metas: readonly number[],
  nullable: Buffer,
  fields: Fields,
): ColumnSource[] {
  const indexesOf = (wanted: (type: number) => boolean): number[] =>
    types.flatMap((type, index) => (wanted(type) ? [index] : []));
  const numeric = indexesOf((type) => NUMERIC.has(type));
  const enums = indexesOf((type) => type === TYPE.ENUM);
  const sets = indexesOf((type) => type === TYPE.SET);

  const unsigned = new Set<number>();
  const signedness = fields.get(FIELD.SIGNEDNESS);
  if (numeric.length > 0) {
    if (signedness === undefined || signedness.length !== (numeric.length + 7) >> 3) {
      throw new DecodeFault('no signs for the numeric columns');
    }
    numeric.forEach((column, index) => {
      if ((signedness.readUInt8(index >> 3) & (0x80 >> (index & 7))) !== 0) unsigned.add(column);
    });
  }
  const collations = new Map<number, number>();
  readCollations(
    fields,
    FIELD.DEFAULT_CHARSET,
    FIELD.COLUMN_CHARSET,
    indexesOf((type) => CHARACTER.has(type)),
    collations,
  );
  readCollations(
    fields,
    FIELD.ENUM_AND_SET_DEFAULT_CHARSET,
    FIELD.ENUM_AND_SET_COLUMN_CHARSET,
    indexesOf((type) => type === TYPE.ENUM || type === TYPE.SET),
    collations,
  );
  const labels = new Map<number, Buffer[]>();
  readLabels(fields.get(FIELD.ENUM_STR_VALUE), enums, labels);
  readLabels(fields.get(FIELD.SET_STR_VALUE), sets, labels);

  return names.map((name, index) => ({
    name,
    type: types[index] ?? 0,
    meta: metas[index] ?? 0,
    nullable: (nullable.readUInt8(index >> 3) & (1 << (index & 7))) !== 0,
    unsigned: unsigned.has(index),
    collation: collations.get(index),
    labels: labels.get(index),
  }));
}

/** One collation for each of the columns, or one for all with the exceptions as pairs of (place among them, collation). */
function readCollations(
  fields: Fields,
  defaultField: number,
  columnField: number,
  columns: readonly number[],
  collations: Map<number, number>,
): void {
  const perColumn = fields.get(columnField);
  if (perColumn !== undefined) {
    const cursor = new Cursor(perColumn);
    for (const column of columns) collations.set(column, cursor.lenenc());
    return;
  }
  const common = fields.get(defaultField);
  if (common === undefined) return;
  const cursor = new Cursor(common);
  const usual = cursor.lenenc();
  for (const column of columns) collations.set(column, usual);
  while (cursor.left > 0) {
    const column = columns[cursor.lenenc()];
    if (column === undefined) throw new DecodeFault('a character set for a column that is not there');
    collations.set(column, cursor.lenenc());
  }
}

function readLabels(
  bytes: Buffer | undefined,
  columns: readonly number[],
  labels: Map<number, Buffer[]>,
): void {
  if (bytes === undefined) return;
  const cursor = new Cursor(bytes);
  for (const column of columns) {
    const count = cursor.lenenc();
    labels.set(
      column,
      Array.from({ length: count }, () => cursor.bytes(cursor.lenenc())),
    );
  }
}

/** Rows with a NULL in it are not told apart, whatever unique key there is today. */
function declaredKey(declared: readonly string[], names: readonly string[], nullable: Buffer): number[] {
  const hint =
    'let capture begin behind the statement that made the key: in a pipeline with a new "name", into empty targets';
  return keyPositions(declared, names).map((index, at) => {
    const column = declared[at] ?? '';
    if (index < 0) {
      throw new UnsupportedFault('rows of the table without a column of its declared key', { column, hint });
    }
    if ((nullable.readUInt8(index >> 3) & (1 << (index & 7))) !== 0) {
      throw new UnsupportedFault('rows of the table whose declared key may be NULL', { column, hint });
    }
    return index;
  });
}

function readKey(fields: Fields, names: readonly string[]): number[] {
  const key: number[] = [];
  const simple = fields.get(FIELD.SIMPLE_PRIMARY_KEY);
  if (simple !== undefined) {
    const cursor = new Cursor(simple);
    while (cursor.left > 0) key.push(cursor.lenenc());
  }
  const prefixed = fields.get(FIELD.PRIMARY_KEY_WITH_PREFIX);
  if (prefixed !== undefined) {
    const cursor = new Cursor(prefixed);
    while (cursor.left > 0) {
      const column = cursor.lenenc();
      // Rows that differ only past the prefix are one key to the source but two to everyone who sees the values (I-2).
      if (cursor.lenenc() > 0) {
        throw new UnsupportedFault('a primary key over a prefix of the column', {
          column: names[column] ?? '',
          hint: 'make the primary key cover the whole column, or exclude the table',
        });
      }
      key.push(column);
    }
  }
  if (key.some((column) => column >= names.length))
    throw new DecodeFault('a primary key of columns that are not there');
  return key;
}
