/**
 * How a column is selected and its text read so that the value has the wire form which the binlog driver gives it: the same
 * decoders where bytes have a meaning, and no conversion by the server where it would lose one.
 */
import { type TextDecode, textDecoder } from '../drivers/binlog-charset.ts';
import { charsetOfCollation } from '../drivers/binlog-collations.ts';
import { Cursor, DecodeFault } from '../drivers/binlog-cursor.ts';
import { bitReader, shortestFloat } from '../drivers/binlog-numbers.ts';
import type { SentValue } from '../drivers/mysql.ts';
import { quoteName } from '../model/mysql-literals.ts';
import type { WireValue } from '../model/table.ts';
import { parseSourceType } from '../model/values.ts';

/** One column of the catalog. */
export interface ColumnFacts {
  readonly name: string;
  /** Canonical, as table maps have it. */
  readonly type: string;
  /** COLUMN_TYPE: `double(10,2) unsigned zerofill`. */
  readonly columnType: string;
  /** Undefined for columns without text; the `binary` one for bytes. */
  readonly collation: number | undefined;
}

export interface ColumnPlan {
  /** SQL of the value. */
  readonly select: string;
  /** Throws a DecodeFault when what was sent is no value of the column's type. */
  readonly read: (sent: SentValue) => WireValue;
}

export function planColumn(facts: ColumnFacts): ColumnPlan {
  const column = quoteName(facts.name);
  const type = parseSourceType(facts.type);
  const zerofill = / zerofill/.test(facts.columnType);
  switch (type?.family) {
    case 'integer':
    case 'year':
      return { select: column, read: readNumber };
    case 'bigint':
    case 'decimal':
      return { select: column, read: zerofill ? readZerofilled : readAscii };
    case 'float':
      // Printed as it is it has six digits at most. Times one it is a double, which is printed whole; a sum would lose -0.
      return { select: `${column} * 1e0`, read: readFloat };
    case 'double': {
      const isPlain = /^double(?: unsigned)?$/.test(facts.columnType);
      return { select: isPlain ? column : `${column} * 1e0`, read: readDouble };
    }
    case 'bit':
      return { select: column, read: bitsOf(bitReader(type.args[0] ?? 1)) };
    case 'bytes':
      return { select: column, read: readBytes };
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
      return { select: column, read: readAscii };
    case 'json':
      return { select: column, read: (sent) => sent.string('utf8') };
    case 'text':
    case 'enum':
    case 'set':
      return planText(column, facts);
    case undefined:
      throw new DecodeFault(`a column of type ${facts.type}`);
  }
}

/**
 * Text comes in the bytes of its own character set, which the server sends as they are when they are the session's (utf8mb4)
 * or binary, and is decoded as the binlog's is: what one way refuses or maps in its own way, the other does too.
 */
function planText(column: string, { type, collation }: ColumnFacts): ColumnPlan {
  const decode = collation === undefined ? undefined : textDecoder(collation);
  if (collation === undefined || decode === undefined)
    throw new DecodeFault(`${type} without a character set`);
  const isSession = charsetOfCollation(collation) === 'utf8mb4';
  return { select: isSession ? column : `CAST(${column} AS BINARY)`, read: textOf(decode) };
}

const readAscii = (sent: SentValue): WireValue => sent.string('latin1');

const readBytes = (sent: SentValue): WireValue => sent.buffer()?.toString('base64') ?? null;

function textOf(decode: TextDecode): ColumnPlan['read'] {
  return (sent) => {
    const bytes = sent.buffer();
    return bytes === null ? null : bytes.length === 0 ? '' : decode(bytes, 0, bytes.length);
  };
}

function bitsOf(read: (cursor: Cursor) => string): ColumnPlan['read'] {
  return (sent) => {
    const bytes = sent.buffer();
    return bytes === null ? null : read(new Cursor(bytes));
  };
}

function numberOf(text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) throw new DecodeFault('text that is no number');
  return value;
}

function readNumber(sent: SentValue): WireValue {
  const text = sent.string('latin1');
  return text === null ? null : numberOf(text);
}

/** ZEROFILL is a way to print: the value has no zeros before it. */
function readZerofilled(sent: SentValue): WireValue {
  return sent.string('latin1')?.replace(/^0+(?=\d)/, '') ?? null;
}

function readDouble(sent: SentValue): WireValue {
  const text = sent.string('latin1');
  if (text === null) return null;
  const value = numberOf(text);
  return Object.is(value, -0) ? '-0' : value;
}

function readFloat(sent: SentValue): WireValue {
  const value = readDouble(sent);
  return typeof value !== 'number' || value === 0 ? value : shortestFloat(value);
}
