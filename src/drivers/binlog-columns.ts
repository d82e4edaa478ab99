/** For each column of a table map: its canonical type and a reader of its values in wire form (`model/table.ts`). */
import { inflateRawSync, inflateSync } from 'node:zlib';
import type { Column, ColumnRoom, WireValue } from '../model/table.ts';
import { type TextDecode, textDecoder } from './binlog-charset.ts';
import { BINARY_COLLATION, charsetOfCollation, comparesBytes } from './binlog-collations.ts';
import { type Cursor, DecodeFault, UnsupportedFault } from './binlog-cursor.ts';
import { jsonText } from './binlog-json.ts';
import {
  bitReader,
  decimalReader,
  integerReader,
  readBigint,
  readDouble,
  readFloat,
  readUnsignedBigint,
} from './binlog-numbers.ts';
import { datetimeReader, readDate, readYear, timeReader, timestampReader } from './binlog-temporal.ts';

export type ColumnReader = (cursor: Cursor) => WireValue;

/** Column type codes as table maps have them. */
export const TYPE = {
  TINY: 1,
  SHORT: 2,
  LONG: 3,
  FLOAT: 4,
  DOUBLE: 5,
  TIMESTAMP: 7,
  LONGLONG: 8,
  INT24: 9,
  DATE: 10,
  TIME: 11,
  DATETIME: 12,
  YEAR: 13,
  NEWDATE: 14,
  VARCHAR: 15,
  BIT: 16,
  TIMESTAMP2: 17,
  DATETIME2: 18,
  TIME2: 19,
  BLOB_COMPRESSED: 140,
  VARCHAR_COMPRESSED: 141,
  VECTOR: 242,
  JSON: 245,
  NEWDECIMAL: 246,
  ENUM: 247,
  SET: 248,
  TINY_BLOB: 249,
  MEDIUM_BLOB: 250,
  LONG_BLOB: 251,
  BLOB: 252,
  VAR_STRING: 253,
  STRING: 254,
  GEOMETRY: 255,
} as const;

/** What a table map with full metadata says of one column. */
export interface ColumnSource {
  readonly name: string;
  readonly type: number;
  /** By type: bytes of the length, largest size in bytes, digits of the fraction, (precision << 8 | scale), bits. */
  readonly meta: number;
  /** Undefined where something else than a table map describes the column: its sizes are then not those of the column. */
  readonly nullable: boolean | undefined;
  readonly unsigned: boolean;
  /** Undefined where the type has none. */
  readonly collation: number | undefined;
  /** ENUM and SET members, in the column's character set. */
  readonly labels: readonly Buffer[] | undefined;
}

interface CompiledColumn {
  readonly column: Column;
  readonly read: ColumnReader;
}

/** Throws an UnsupportedFault for a column whose values cannot be ferried exactly. */
export function compileColumn(source: ColumnSource): CompiledColumn {
  const { column, read } = compileType(source);
  const room = roomOf(source);
  return room === null ? { column, read } : { column: { ...column, room }, read };
}

function compileType(source: ColumnSource): CompiledColumn {
  const { name, type, meta, unsigned } = source;
  const plain = (text: string, read: ColumnReader): CompiledColumn => ({
    column: { name, type: text },
    read,
  });
  const integer = (text: string, bytes: 1 | 2 | 3 | 4): CompiledColumn =>
    plain(unsigned ? `${text} unsigned` : text, integerReader(bytes, unsigned));
  switch (type) {
    case TYPE.TINY:
      return integer('tinyint', 1);
    case TYPE.SHORT:
      return integer('smallint', 2);
    case TYPE.INT24:
      return integer('mediumint', 3);
    case TYPE.LONG:
      return integer('int', 4);
    case TYPE.LONGLONG:
      return unsigned ? plain('bigint unsigned', readUnsignedBigint) : plain('bigint', readBigint);
    case TYPE.FLOAT:
      return plain('float', readFloat);
    case TYPE.DOUBLE:
      return plain('double', readDouble);
    case TYPE.NEWDECIMAL:
      return plain(`decimal(${meta >> 8},${meta & 0xff})`, decimalReader(meta >> 8, meta & 0xff));
    case TYPE.BIT:
      return plain(`bit(${meta})`, bitReader(meta));
    case TYPE.YEAR:
      return plain('year', readYear);
    case TYPE.DATE:
    case TYPE.NEWDATE:
      return plain('date', readDate);
    case TYPE.TIME2:
      return plain(`time(${meta})`, timeReader(meta));
    case TYPE.DATETIME2:
      return plain(`datetime(${meta})`, datetimeReader(meta));
    case TYPE.TIMESTAMP2:
      return plain(`timestamp(${meta})`, timestampReader(meta));
    case TYPE.TIME:
    case TYPE.DATETIME:
    case TYPE.TIMESTAMP:
      throw new UnsupportedFault(
        'a temporal column in the format of MySQL 5.5, which does not tell its precision',
        {
          column: name,
          hint: 'set mysql56_temporal_format=ON where it is OFF and rebuild the table: ALTER TABLE … FORCE',
        },
      );
    case TYPE.JSON:
      return plain('json', (cursor) => jsonText(lengthPrefixed(cursor, meta)));
    case TYPE.ENUM:
      return plain('enum', enumReader(meta, labelTexts(source)));
    case TYPE.SET:
      return plain('set', setReader(meta, labelTexts(source)));
    case TYPE.STRING:
      return compileText(source, 'char', meta > 255 ? 2 : 1);
    case TYPE.VARCHAR:
    case TYPE.VAR_STRING:
    case TYPE.VARCHAR_COMPRESSED:
      return compileText(source, 'varchar', meta > 255 ? 2 : 1);
    case TYPE.TINY_BLOB:
    case TYPE.MEDIUM_BLOB:
    case TYPE.LONG_BLOB:
    case TYPE.BLOB:
    case TYPE.BLOB_COMPRESSED:
      return compileText(source, 'text', meta);
    case TYPE.GEOMETRY:
      throw unsupportedType(name, 'a spatial type');
    case TYPE.VECTOR:
      throw unsupportedType(name, 'VECTOR');
    default:
      throw unsupportedType(name, `a type with code ${type}`);
  }
}

function unsupportedType(column: string, what: string): UnsupportedFault {
  return new UnsupportedFault(`${what}, which rowferry cannot ferry`, {
    column,
    hint: 'exclude the table, or move the column to a table of its own that is not captured',
  });
}

const BINARY_TWIN = { char: 'binary', varchar: 'varbinary', text: 'blob' } as const;

function compileText(
  source: ColumnSource,
  family: 'char' | 'varchar' | 'text',
  lengthBytes: number,
): CompiledColumn {
  const { name, type, meta, collation } = source;
  if (collation === undefined) throw new DecodeFault(`no character set for column ${name}`);
  const compressed = type === TYPE.VARCHAR_COMPRESSED || type === TYPE.BLOB_COMPRESSED;
  if (collation === BINARY_COLLATION) {
    const twin = BINARY_TWIN[family];
    if (family === 'char')
      return { column: { name, type: `binary(${meta})` }, read: paddedBytesReader(meta, lengthBytes) };
    const read: ColumnReader = compressed
      ? (cursor) => inflated(lengthPrefixed(cursor, lengthBytes)).toString('base64')
      : bytesReader(lengthBytes);
    return { column: { name, type: twin }, read };
  }
  const decode = decoderOf(source);
  const read: ColumnReader = compressed
    ? (cursor) => {
        const bytes = inflated(lengthPrefixed(cursor, lengthBytes));
        return decode(bytes, 0, bytes.length);
      }
    : textReader(lengthBytes, decode);
  const compares = comparesBytes(collation, family === 'char') ? 'exact' : 'loose';
  return { column: { name, type: family, compares }, read };
}

function decoderOf({ name, collation }: ColumnSource): TextDecode {
  const decode = collation === undefined ? undefined : textDecoder(collation);
  if (decode !== undefined) return decode;
  const charset = collation === undefined ? undefined : charsetOfCollation(collation);
  throw new UnsupportedFault(
    charset === undefined
      ? `text of the unknown collation ${collation}`
      : `text in the character set ${charset}, which rowferry cannot read`,
    { column: name, hint: 'convert the column to utf8mb4, or exclude the table' },
  );
}

/** Null where no table map tells it: compressed columns count their header in. */
function roomOf(source: ColumnSource): ColumnRoom | null {
  const { type, meta, nullable, unsigned, collation } = source;
  if (nullable === undefined || type === TYPE.VARCHAR_COMPRESSED || type === TYPE.BLOB_COMPRESSED)
    return null;
  const isLabelled = type === TYPE.ENUM || type === TYPE.SET;
  const isSized = type === TYPE.STRING || type === TYPE.VARCHAR || type === TYPE.VAR_STRING;
  const isBlob = type >= TYPE.TINY_BLOB && type <= TYPE.BLOB;
  return {
    nullable,
    unsigned,
    bytes: isSized ? meta : isBlob ? 2 ** (8 * meta) - 1 : null,
    charset:
      (isSized || isBlob || isLabelled) && collation !== undefined && collation !== BINARY_COLLATION
        ? (charsetOfCollation(collation) ?? null)
        : null,
    labels: isLabelled ? labelTexts(source) : null,
  };
}

/** Moves past a value and its length; answers where the value began. */
function skipValue(cursor: Cursor, lengthBytes: number): number {
  const { buf, pos } = cursor;
  const length =
    lengthBytes === 1
      ? buf.readUInt8(pos)
      : lengthBytes === 2
        ? buf.readUInt16LE(pos)
        : lengthBytes === 3
          ? buf.readUIntLE(pos, 3)
          : buf.readUInt32LE(pos);
  const start = pos + lengthBytes;
  cursor.pos = start + length;
  if (cursor.pos > buf.length) throw new DecodeFault('a value longer than its event');
  return start;
}

function lengthPrefixed(cursor: Cursor, lengthBytes: number): Buffer {
  const start = skipValue(cursor, lengthBytes);
  return cursor.buf.subarray(start, cursor.pos);
}

function textReader(lengthBytes: number, decode: TextDecode): ColumnReader {
  return (cursor) => {
    const start = skipValue(cursor, lengthBytes);
    return start === cursor.pos ? '' : decode(cursor.buf, start, cursor.pos);
  };
}

function bytesReader(lengthBytes: number): ColumnReader {
  return (cursor) => {
    const start = skipValue(cursor, lengthBytes);
    return cursor.buf.toString('base64', start, cursor.pos);
  };
}

/** The binlog drops the zero bytes at the end of a BINARY(n). */
function paddedBytesReader(size: number, lengthBytes: number): ColumnReader {
  return (cursor) => {
    const start = skipValue(cursor, lengthBytes);
    if (cursor.pos - start === size) return cursor.buf.toString('base64', start, cursor.pos);
    const padded = Buffer.alloc(size);
    cursor.buf.copy(padded, 0, start, cursor.pos);
    return padded.toString('base64');
  };
}

/**
 * A value of MariaDB's COMPRESSED columns: one byte of method, and for zlib the original length, big-endian. An empty value
 * has neither.
 */
function inflated(value: Buffer): Buffer {
  if (value.length === 0) return value;
  const header = value.readUInt8(0);
  if (header >> 4 === 0) return value.subarray(1);
  if (header >> 4 !== 8) throw new DecodeFault(`a column compressed by method ${header >> 4}`);
  const lengthBytes = header & 7;
  const body = value.subarray(1 + lengthBytes);
  const original = (header & 8) === 0 ? inflateSync(body) : inflateRawSync(body);
  if (lengthBytes > 0 && original.length !== value.readUIntBE(1, lengthBytes)) {
    throw new DecodeFault('a compressed column of another length than it says');
  }
  return original;
}

function labelTexts(source: ColumnSource): readonly string[] {
  const { name, labels, collation } = source;
  if (labels === undefined) throw new DecodeFault(`no members for column ${name}`);
  if (collation === BINARY_COLLATION) {
    throw new UnsupportedFault('ENUM or SET members in the character set binary', {
      column: name,
      hint: 'convert the column to utf8mb4, or exclude the table',
    });
  }
  const decode = decoderOf(source);
  return labels.map((label) => decode(label, 0, label.length));
}

/** Index 0 is the empty string that MySQL stores for a wrong value. */
function enumReader(bytes: number, labels: readonly string[]): ColumnReader {
  const texts = ['', ...labels];
  return (cursor) => {
    const text = texts[bytes === 1 ? cursor.u8() : cursor.u16()];
    if (text === undefined) throw new DecodeFault('an ENUM value past its members');
    return text;
  };
}

function setReader(bytes: number, labels: readonly string[]): ColumnReader {
  return (cursor) => {
    const start = cursor.pos;
    cursor.skip(bytes);
    let text = '';
    for (let index = 0; index < bytes * 8; index += 1) {
      if ((cursor.buf.readUInt8(start + (index >> 3)) & (1 << (index & 7))) === 0) continue;
      const label = labels[index];
      if (label === undefined) throw new DecodeFault('a SET value past its members');
      text += text === '' ? label : `,${label}`;
    }
    return text;
  };
}
