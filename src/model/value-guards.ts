/** Checks that keep a value exact where a server would round, cut or pad it without an error. */
import { RowferryError } from '../errors.ts';

/** The error for a value that can never be written as it is: names the column, never the value. */
export function unfit(column: string, why: string, hint?: string): RowferryError {
  return new RowferryError('ROWFERRY_TARGET_DATA', `a value does not fit its column: ${why}`, {
    where: { column },
    hint: hint ?? 'widen the target column, or set badRows: park to go on without the row',
  });
}

/** The error for a value that is not in the wire form of its type: whoever wrote the record is at fault. */
export function malformed(column: string, type: string): RowferryError {
  return new RowferryError('ROWFERRY_WIRE_CORRUPT', `a value is not in the wire form of ${type}`, {
    where: { column },
    hint: 'the record was not written by rowferry, or by another version of it',
  });
}

/** True when a decimal text fits `decimal(precision, scale)` without rounding. */
export function fitsDecimal(text: string, precision: number, scale: number): boolean {
  const start = text.charCodeAt(0) === 45 ? 1 : 0;
  const dot = text.indexOf('.');
  const end = dot < 0 ? text.length : dot;
  let first = start;
  while (first < end && text.charCodeAt(first) === 48) first++;
  return end - first <= precision - scale && (dot < 0 || isZeros(text, dot + 1 + scale));
}

/** True when a temporal text has no digit but 0 beyond `digits` of its fraction. */
export function fitsFraction(text: string, digits: number): boolean {
  const dot = text.indexOf('.');
  return dot < 0 || isZeros(text, dot + 1 + digits);
}

function isZeros(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) if (text.charCodeAt(i) !== 48) return false;
  return true;
}

/** Characters as the databases count them: one for each code point. */
export function exceedsCharacters(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let count = text.length;
  for (let i = 0; i < text.length - 1 && count > limit; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      count--;
      i++;
    }
  }
  return count > limit;
}

/** `YYYY-MM-DD…` with a zero year, month or day: MySQL stores such dates, no other database knows them. */
export function isZeroDate(text: string): boolean {
  return text.startsWith('0000') || text.startsWith('00', 5) || text.startsWith('00', 8);
}

/** True when the day exists in the (proleptic Gregorian) calendar: MySQL may hold 31 February. */
export function isCalendarDate(text: string): boolean {
  const day = Number(text.slice(8, 10));
  if (day <= 28) return true;
  return day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
}

/** Base64 as upper-case-free hex digits, padded with zero bytes to `length` (the binlog drops them from BINARY columns). */
export function hexOfBase64(value: string, length: number): string {
  const hex = Buffer.from(value, 'base64').toString('hex');
  return hex.length < 2 * length ? hex.padEnd(2 * length, '0') : hex;
}
