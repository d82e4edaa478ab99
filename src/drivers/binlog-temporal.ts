/** Binlog dates and times as text, through tables of digits: these run once or twice for every row. */
import { type Cursor, DecodeFault } from './binlog-cursor.ts';

type TextReader = (cursor: Cursor) => string;

const TWO_DIGITS = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));
const FOUR_DIGITS = Array.from({ length: 10_000 }, (_, value) => String(value).padStart(4, '0'));
/** `-MM-DD` by (month << 5 | day), as the bits lie in the value. */
const MONTH_DAY = Array.from({ length: 512 }, (_, value) => `-${two(value >> 5)}-${two(value & 31)}`);
/** ` HH:MM:` by (hour << 6 | minute). */
const HOUR_MINUTE = Array.from({ length: 2048 }, (_, value) => ` ${two(value >> 6)}:${two(value & 63)}:`);

const SECONDS_OF_DAY = 86_400;

function two(value: number): string {
  return TWO_DIGITS[value] ?? '??';
}

/** `YYYY-MM-DD` of days since 1970-01-01, by Howard Hinnant's civil_from_days. */
function civilDate(days: number): string {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${FOUR_DIGITS[year] ?? '????'}-${two(month)}-${two(day)}`;
}

/** `.ffffff` with `digits` digits of a fraction stored in as few bytes as hold two digits each; empty without digits. */
function fractionText(stored: number, digits: number): string {
  switch (digits) {
    case 0:
      return '';
    case 1:
      return `.${(stored / 10) | 0}`;
    case 2:
      return `.${two(stored)}`;
    case 3:
      return `.${String(1000 + ((stored / 10) | 0)).slice(1)}`;
    case 4:
      return `.${FOUR_DIGITS[stored] ?? ''}`;
    case 5:
      return `.${FOUR_DIGITS[(stored / 100) | 0] ?? ''}${((stored / 10) | 0) % 10}`;
    default:
      return `.${FOUR_DIGITS[(stored / 100) | 0] ?? ''}${two(stored % 100)}`;
  }
}

function readFraction(cursor: Cursor, bytes: number): number {
  const { buf, pos } = cursor;
  cursor.pos = pos + bytes;
  switch (bytes) {
    case 0:
      return 0;
    case 1:
      return buf.readUInt8(pos);
    case 2:
      return buf.readUInt16BE(pos);
    default:
      return buf.readUIntBE(pos, 3);
  }
}

/** `YYYY-MM-DD`, zero parts kept. */
export const readDate: TextReader = (cursor) => {
  const { buf, pos } = cursor;
  const bits = buf.readUInt16LE(pos) | (buf.readUInt8(pos + 2) << 16);
  cursor.pos = pos + 3;
  return (FOUR_DIGITS[bits >> 9] ?? invalid()) + (MONTH_DAY[bits & 511] ?? invalid());
};

/** `YYYY-MM-DD HH:MM:SS[.ffffff]`, zero parts kept. */
export function datetimeReader(digits: number): TextReader {
  const fractionBytes = (digits + 1) >> 1;
  return (cursor) => {
    const { buf, pos } = cursor;
    // From the top: 1 sign (always set), 17 year * 13 + month, 5 day, 5 hour, 6 minute, 6 second.
    const high = buf.readUInt32BE(pos) & 0x7fff_ffff;
    const low = buf.readUInt8(pos + 4);
    cursor.pos = pos + 5;
    const yearMonth = high >>> 14;
    const year = (yearMonth / 13) | 0;
    const text =
      (FOUR_DIGITS[year] ?? invalid()) +
      (MONTH_DAY[((yearMonth - year * 13) << 5) | ((high >>> 9) & 31)] ?? invalid()) +
      (HOUR_MINUTE[((high & 0x1ff) << 2) | (low >>> 6)] ?? invalid()) +
      two(low & 63);
    return digits === 0 ? text : text + fractionText(readFraction(cursor, fractionBytes), digits);
  };
}

/**
 * `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC, zero kept as `0000-00-00 …`. Seconds count without sign: MySQL and older MariaDB end
 * in 2038, MariaDB from 11.5 on goes to 2106.
 */
export function timestampReader(digits: number): TextReader {
  const fractionBytes = (digits + 1) >> 1;
  const zero = `0000-00-00 00:00:00${fractionText(0, digits)}`;
  // Rows that follow one another mostly lie in one day.
  let day = -1;
  let date = '';
  return (cursor) => {
    const seconds = cursor.buf.readUInt32BE(cursor.pos);
    cursor.pos += 4;
    const fraction = readFraction(cursor, fractionBytes);
    if (seconds === 0 && fraction === 0) return zero;
    const days = Math.floor(seconds / SECONDS_OF_DAY);
    if (days !== day) {
      day = days;
      date = civilDate(days);
    }
    const rest = seconds - days * SECONDS_OF_DAY;
    const hour = (rest / 3600) | 0;
    const minute = ((rest / 60) | 0) - hour * 60;
    const text = date + (HOUR_MINUTE[(hour << 6) | minute] ?? '') + two(rest % 60);
    return digits === 0 ? text : text + fractionText(fraction, digits);
  };
}

/** `[-]HH:MM:SS[.ffffff]`, three digits of hours where needed. */
export function timeReader(digits: number): TextReader {
  const fractionBytes = (digits + 1) >> 1;
  const fractionUnit = 256 ** fractionBytes;
  // Value and fraction are one number, stored with this added so that it is never negative.
  const offset = 0x80_0000 * fractionUnit;
  return (cursor) => {
    const stored = cursor.buf.readUIntBE(cursor.pos, 3 + fractionBytes) - offset;
    cursor.pos += 3 + fractionBytes;
    const packed = Math.abs(stored);
    const bits = Math.floor(packed / fractionUnit);
    return timeText(stored < 0, bits, fractionText(packed - bits * fractionUnit, digits));
  };
}

/** From the top: 10 bits hour, 6 minute, 6 second. */
function timeText(negative: boolean, bits: number, fraction: string): string {
  const hour = (bits >> 12) & 0x3ff;
  const hours = hour < 100 ? two(hour) : String(hour);
  return `${negative ? '-' : ''}${hours}:${two((bits >> 6) & 63)}:${two(bits & 63)}${fraction}`;
}

/** The year as a number; 0 for year 0000. */
export function readYear(cursor: Cursor): number {
  const value = cursor.u8();
  return value === 0 ? 0 : 1900 + value;
}

/** A date, time or datetime as JSON documents hold it: 64 bits, the lower 24 of them microseconds. */
export function packedTemporalText(kind: 'date' | 'time' | 'datetime', packed: bigint): string {
  const negative = packed < 0n;
  const value = negative ? -packed : packed;
  const fraction = fractionText(Number(value & 0xff_ffffn), 6);
  const whole = Number(value >> 24n);
  if (kind === 'time') return timeText(negative, whole, fraction);
  const days = Math.floor(whole / 0x2_0000);
  const yearMonth = Math.floor(days / 32);
  const year = Math.floor(yearMonth / 13);
  const date = `${FOUR_DIGITS[year] ?? invalid()}${MONTH_DAY[((yearMonth % 13) << 5) | (days & 31)] ?? invalid()}`;
  if (kind === 'date') return date;
  const time = whole % 0x2_0000;
  return `${date}${HOUR_MINUTE[time >> 6] ?? invalid()}${two(time & 63)}${fraction}`;
}

function invalid(): never {
  throw new DecodeFault('a date or time out of its range');
}
