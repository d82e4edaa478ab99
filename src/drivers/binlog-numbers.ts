/** Binlog numbers in wire form. */
import { type Cursor, DecodeFault } from './binlog-cursor.ts';
import type { WireValue } from '../model/table.ts';

type NumberReader = (cursor: Cursor) => number;

const SIGNED: Readonly<Record<number, NumberReader>> = {
  1: (cursor) => cursor.buf.readInt8(cursor.pos++),
  2: (cursor) => {
    const value = cursor.buf.readInt16LE(cursor.pos);
    cursor.pos += 2;
    return value;
  },
  3: (cursor) => {
    const value = cursor.buf.readUInt16LE(cursor.pos) | (cursor.buf.readInt8(cursor.pos + 2) << 16);
    cursor.pos += 3;
    return value;
  },
  4: (cursor) => {
    const value = cursor.buf.readInt32LE(cursor.pos);
    cursor.pos += 4;
    return value;
  },
};

const UNSIGNED: Readonly<Record<number, NumberReader>> = {
  1: (cursor) => cursor.buf.readUInt8(cursor.pos++),
  2: (cursor) => {
    const value = cursor.buf.readUInt16LE(cursor.pos);
    cursor.pos += 2;
    return value;
  },
  3: (cursor) => {
    const value = cursor.buf.readUInt16LE(cursor.pos) | (cursor.buf.readUInt8(cursor.pos + 2) << 16);
    cursor.pos += 3;
    return value;
  },
  4: (cursor) => {
    const value = cursor.buf.readUInt32LE(cursor.pos);
    cursor.pos += 4;
    return value;
  },
};

/** Integers of one to four bytes. */
export function integerReader(bytes: 1 | 2 | 3 | 4, unsigned: boolean): NumberReader {
  const reader = (unsigned ? UNSIGNED : SIGNED)[bytes];
  if (reader === undefined) throw new DecodeFault(`an integer of ${bytes} bytes`);
  return reader;
}

/** BIGINT as decimal text; what fits a double is made without a BigInt. */
export function readBigint(cursor: Cursor): string {
  const { buf, pos } = cursor;
  cursor.pos = pos + 8;
  const high = buf.readInt32LE(pos + 4);
  if (high >= -0x20_0000 && high < 0x20_0000) return String(high * 0x1_0000_0000 + buf.readUInt32LE(pos));
  return buf.readBigInt64LE(pos).toString();
}

export function readUnsignedBigint(cursor: Cursor): string {
  const { buf, pos } = cursor;
  cursor.pos = pos + 8;
  const high = buf.readUInt32LE(pos + 4);
  if (high < 0x20_0000) return String(high * 0x1_0000_0000 + buf.readUInt32LE(pos));
  return buf.readBigUInt64LE(pos).toString();
}

export function readDouble(cursor: Cursor): WireValue {
  const value = cursor.buf.readDoubleLE(cursor.pos);
  cursor.pos += 8;
  if (value === 0) return Object.is(value, -0) ? '-0' : 0;
  if (!Number.isFinite(value)) throw new DecodeFault('a number that is not finite');
  return value;
}

/** The number whose decimal text is the shortest that gives the stored FLOAT back. */
export function readFloat(cursor: Cursor): WireValue {
  const value = cursor.buf.readFloatLE(cursor.pos);
  cursor.pos += 4;
  if (value === 0) return Object.is(value, -0) ? '-0' : 0;
  if (!Number.isFinite(value)) throw new DecodeFault('a number that is not finite');
  return shortestFloat(value);
}

export function shortestFloat(value: number): number {
  const size = Math.abs(value);
  if (size < 100 && size >= 0.001) {
    // Six significant digits at most: if they give the value back, no other text of six does.
    const rounded = Math.round(value * 10_000) / 10_000;
    if (Math.fround(rounded) === value) return rounded;
  } else if (size < 1_000_000 && Number.isInteger(value)) {
    return value;
  }
  // Subnormal numbers have fewer than six digits to begin with.
  for (let digits = size < 1.2e-38 ? 1 : 6; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(9));
}

/** Bytes that hold this many digits short of nine. */
const DIGIT_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;
const DIGITS_OF_GROUP = 9;

/** Digits of a DECIMAL that are stored as one big-endian number. */
interface DigitGroup {
  readonly digits: number;
  readonly bytes: number;
  /** All bits set. */
  readonly ones: number;
  /** The first number that has more digits. */
  readonly limit: number;
}

/**
 * DECIMAL(precision, scale) as exact text with all digits of the scale. Stored in groups of nine digits, the short groups
 * outermost; the top bit is inverted, and all bits of negative numbers.
 */
export function decimalReader(precision: number, scale: number): (cursor: Cursor) => string {
  if (scale > precision || precision > 65 || scale > 38)
    throw new DecodeFault(`DECIMAL(${precision},${scale})`);
  const whole = digitGroups(precision - scale).toReversed();
  const groups = [...whole, ...digitGroups(scale)];
  const wholeCount = whole.length;
  const count = groups.length;
  return (cursor) => {
    const negative = cursor.buf.readUInt8(cursor.pos) < 0x80;
    let text = '';
    let zero = true;
    for (let index = 0; index < count; index += 1) {
      const group = groups[index]!;
      const value = readGroup(cursor, group, negative, index === 0);
      if (value !== 0) zero = false;
      if (index === wholeCount) text = text === '' ? '0.' : `${text}.`;
      if (index >= wholeCount || text !== '') text += paddedDigits(value, group.digits);
      else if (value !== 0) text = String(value);
    }
    if (text === '') text = '0';
    return negative && !zero ? `-${text}` : text;
  };
}

function readGroup(cursor: Cursor, group: DigitGroup, negative: boolean, first: boolean): number {
  const { bytes, ones } = group;
  const at = cursor.pos;
  cursor.pos = at + bytes;
  let value =
    bytes === 4
      ? cursor.buf.readUInt32BE(at)
      : bytes === 1
        ? cursor.buf.readUInt8(at)
        : cursor.buf.readUIntBE(at, bytes);
  if (negative) value = ones - value;
  // The top bit, inverted; of a negative number it has been inverted back just now.
  if (first) value -= (ones + 1) / 2;
  if (value >= group.limit) throw new DecodeFault('a DECIMAL with more digits than it may have');
  return value;
}

/** Full groups first, then the rest. */
function digitGroups(digits: number): DigitGroup[] {
  const sizes = Array.from({ length: Math.floor(digits / DIGITS_OF_GROUP) }, () => DIGITS_OF_GROUP);
  if (digits % DIGITS_OF_GROUP > 0) sizes.push(digits % DIGITS_OF_GROUP);
  return sizes.map((size) => {
    const bytes = DIGIT_BYTES[size] ?? 0;
    return { digits: size, bytes, ones: 256 ** bytes - 1, limit: 10 ** size };
  });
}

const TENS = Array.from({ length: 10 }, (_, digits) => 10 ** digits);
const TWO_DIGITS = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));

function paddedDigits(value: number, digits: number): string {
  return digits === 2 ? (TWO_DIGITS[value] ?? '') : String(value + (TENS[digits] ?? 0)).slice(1);
}

/** BIT(n) as n binary digits. */
export function bitReader(bits: number): (cursor: Cursor) => string {
  const bytes = (bits + 7) >> 3;
  return (cursor) => {
    let text = '';
    for (let index = 0; index < bytes; index += 1) text += cursor.u8().toString(2).padStart(8, '0');
    return text.slice(bytes * 8 - bits);
  };
}
