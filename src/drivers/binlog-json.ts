/**
 * MySQL's binary JSON as the text that the server itself prints: same order of members, `, ` and `: ` between them, 64-bit
 * integers and decimals exact, doubles always with a point or exponent so that they stay doubles.
 */
import { Cursor, DecodeFault } from './binlog-cursor.ts';
import { decimalReader } from './binlog-numbers.ts';
import { packedTemporalText } from './binlog-temporal.ts';

const SMALL_OBJECT = 0;
const LARGE_OBJECT = 1;
const SMALL_ARRAY = 2;
const LARGE_ARRAY = 3;
const LITERAL = 4;
const INT16 = 5;
const UINT16 = 6;
const INT32 = 7;
const UINT32 = 8;
const INT64 = 9;
const UINT64 = 10;
const DOUBLE = 11;
const STRING = 12;
const OPAQUE = 15;

const LITERALS = ['null', 'true', 'false'];

/** Column types that an opaque value can name. */
const TYPE_TIMESTAMP = 7;
const TYPE_DATE = 10;
const TYPE_TIME = 11;
const TYPE_DATETIME = 12;
const TYPE_NEWDECIMAL = 246;

/** MySQL allows 100; a deeper document is a broken one. */
const DEEPEST = 101;

/** The text of a whole document. An empty value is JSON's null: what the server stores where NOT NULL lacks a value. */
export function jsonText(bytes: Buffer): string {
  if (bytes.length === 0) return 'null';
  return valueText(bytes, bytes.readUInt8(0), 1, 0);
}

/** The text of the value whose data begins at `at`; not for values that lie inline. */
function valueText(doc: Buffer, type: number, at: number, depth: number): string {
  switch (type) {
    case SMALL_OBJECT:
    case LARGE_OBJECT:
      return containerText(doc, at, type === LARGE_OBJECT, true, depth + 1);
    case SMALL_ARRAY:
    case LARGE_ARRAY:
      return containerText(doc, at, type === LARGE_ARRAY, false, depth + 1);
    case LITERAL:
      return literalText(doc.readUInt8(at));
    case INT16:
      return String(doc.readInt16LE(at));
    case UINT16:
      return String(doc.readUInt16LE(at));
    case INT32:
      return String(doc.readInt32LE(at));
    case UINT32:
      return String(doc.readUInt32LE(at));
    case INT64:
      return String(doc.readBigInt64LE(at));
    case UINT64:
      return String(doc.readBigUInt64LE(at));
    case DOUBLE:
      return doubleText(doc.readDoubleLE(at));
    case STRING:
      return prefixedStringText(doc, at);
    case OPAQUE:
      return opaqueText(doc.readUInt8(at), lengthPrefixed(doc, at + 1));
    default:
      throw new DecodeFault(`a JSON value of type ${type}`);
  }
}

/** Offsets in a container count from its own first byte. */
function containerText(doc: Buffer, at: number, large: boolean, object: boolean, depth: number): string {
  if (depth > DEEPEST) throw new DecodeFault('a JSON document nested too deeply');
  const width = large ? 4 : 2;
  const count = readCount(doc, at, large);
  const keys = at + 2 * width;
  const values = object ? keys + count * (width + 2) : keys;
  let text = '';
  for (let index = 0; index < count; index += 1) {
    if (index > 0) text += ', ';
    if (object) {
      const entry = keys + index * (width + 2);
      const key = at + readCount(doc, entry, large);
      text += `${stringText(doc, key, doc.readUInt16LE(entry + width))}: `;
    }
    const entry = values + index * (width + 1);
    const type = doc.readUInt8(entry);
    const inline =
      type === LITERAL || type === INT16 || type === UINT16 || (large && (type === INT32 || type === UINT32));
    text += valueText(doc, type, inline ? entry + 1 : at + readCount(doc, entry + 1, large), depth);
  }
  return object ? `{${text}}` : `[${text}]`;
}

/** Counts and offsets of a container. */
function readCount(doc: Buffer, at: number, large: boolean): number {
  return large ? doc.readUInt32LE(at) : doc.readUInt16LE(at);
}

function literalText(value: number): string {
  const text = LITERALS[value];
  if (text === undefined) throw new DecodeFault(`a JSON literal of value ${value}`);
  return text;
}

/** Text led by its length; nearly always one byte of it. */
function prefixedStringText(doc: Buffer, at: number): string {
  const length = doc.readUInt8(at);
  if (length < 0x80) return stringText(doc, at + 1, length);
  const bytes = lengthPrefixed(doc, at);
  return stringText(bytes, 0, bytes.length);
}

/** Bytes led by their length, seven bits a byte, the last one below 128. */
function lengthPrefixed(doc: Buffer, at: number): Buffer {
  let length = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = doc.readUInt8(at + index);
    length += (byte & 0x7f) * 128 ** index;
    if (byte >= 0x80) continue;
    const start = at + index + 1;
    if (start + length > doc.length) throw new DecodeFault('a JSON value longer than its document');
    return doc.subarray(start, start + length);
  }
  throw new DecodeFault('a JSON length of more than five bytes');
}

function stringText(doc: Buffer, at: number, length: number): string {
  if (at + length > doc.length) throw new DecodeFault('a JSON value longer than its document');
  const text = doc.toString('utf8', at, at + length);
  // JSON.stringify escapes exactly what the server escapes.
  return /["\\]|[^ -\uffff]/.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function opaqueText(type: number, bytes: Buffer): string {
  switch (type) {
    case TYPE_DATE:
      return `"${packedTemporalText('date', bytes.readBigInt64LE(0))}"`;
    case TYPE_TIME:
      return `"${packedTemporalText('time', bytes.readBigInt64LE(0))}"`;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
      return `"${packedTemporalText('datetime', bytes.readBigInt64LE(0))}"`;
    case TYPE_NEWDECIMAL:
      return decimalReader(bytes.readUInt8(0), bytes.readUInt8(1))(new Cursor(bytes, 2));
    default:
      return `"base64:type${type}:${base64Lines(bytes)}"`;
  }
}

/** The server breaks base64 into lines of 76. */
function base64Lines(bytes: Buffer): string {
  return bytes.toString('base64').replace(/.{76}(?=.)/g, '$&\\n');
}

/** The server writes exponents where the digits begin more than 15 places from the point (`my_gcvt`). */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) throw new DecodeFault('a JSON number that is not finite');
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  // Where JavaScript writes no exponent either.
  if (size >= 1e-6 && size < 1e15) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -15 || exponent > 14) return `${mantissa}e${exponent}`;
  const negative = mantissa.startsWith('-');
  const digits = mantissa.replace(/[-.]/g, '');
  const sign = negative ? '-' : '';
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}
