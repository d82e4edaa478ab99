/**
 * Values as Debezium's MySQL connector writes them, read into wire form (`model/table.ts`). How a value is written depends on
 * the column's type and on the connector's handling modes; a *form* is one such way. What a form cannot tell exactly is refused.
 */
import type { WireValue } from '../model/table.ts';
import type { Family, SourceType } from '../model/value-types.ts';
import { numberText } from './exact-json.ts';

/** One way in which a value is written. */
export type ValueForm =
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'text' }
  /** Bytes as text. */
  | { readonly kind: 'bytes'; readonly encoding: 'base64' | 'base64url' | 'hex' }
  /** Base64 of an unscaled integer: two's complement, highest byte first. */
  | { readonly kind: 'unscaled'; readonly scale: number }
  /** Base64 of bits, lowest byte first. */
  | { readonly kind: 'bits' }
  /** Days, or units of 10^-digits seconds, since 1970 or since midnight. */
  | { readonly kind: 'days' }
  | { readonly kind: 'units'; readonly digits: 3 | 6 | 9 }
  /** ISO 8601 text with a zone. */
  | { readonly kind: 'iso' }
  /** What rowferry does not ferry: it may travel up to a route that leaves the column out. */
  | { readonly kind: 'opaque' };

/**
 * Reads one value that is not null; undefined when it is not in the form that was promised. `isStreamed`: it was read from the
 * binlog, not from the table, which the connector does by other ways.
 */
export type ValueReader = (value: unknown, isStreamed: boolean) => WireValue | undefined;

type ReaderMaker = (form: ValueForm, type: SourceType) => ValueReader | undefined;

const MAKERS: Readonly<Record<Family, ReaderMaker>> = {
  integer: ({ kind }) => {
    if (kind === 'boolean') return (value) => (typeof value === 'boolean' ? Number(value) : undefined);
    return kind === 'number' ? integer : undefined;
  },
  bigint: (form, { unsigned }) => {
    if (form.kind === 'unscaled') return (value) => unscaled(value, form.scale);
    if (form.kind !== 'number') return undefined;
    return unsigned ? unsignedBigint : bigint;
  },
  decimal: (form, { args: [, scale = 0] }) => {
    if (form.kind === 'unscaled') return (value) => unscaled(value, form.scale);
    return form.kind === 'text' || form.kind === 'number' ? (value) => decimal(value, scale) : undefined;
  },
  float: ({ kind }) => (kind === 'number' ? double : undefined),
  double: ({ kind }) => (kind === 'number' ? double : undefined),
  bit: ({ kind }, { args: [length = 1] }) => {
    if (kind === 'boolean') {
      return (value) =>
        typeof value === 'boolean' ? String(Number(value)).padStart(length, '0') : undefined;
    }
    return kind === 'bits' ? (value) => bits(value, length) : undefined;
  },
  text: textOnly,
  bytes: (form) => (form.kind === 'bytes' ? (value) => bytes(value, form.encoding) : undefined),
  date: ({ kind }) => {
    if (kind === 'iso') return isoDate;
    return kind === 'days' ? days : undefined;
  },
  datetime: (form, { args: [digits = 0] }) => {
    if (form.kind === 'iso') return (value) => isoDatetime(value, digits);
    return form.kind === 'units' ? (value) => datetime(value, form.digits, digits) : undefined;
  },
  timestamp: ({ kind }, { args: [digits = 0] }) =>
    kind === 'iso' ? (value) => isoDatetime(value, digits) : undefined,
  time: (form, { args: [digits = 0] }) => {
    if (form.kind === 'iso') return (value) => isoTime(value, digits);
    return form.kind === 'units' ? (value) => time(value, form.digits, digits) : undefined;
  },
  // 0000 is stored as 0, and a streamed one comes as 1900 + 0, which is no year of MySQL.
  year: ({ kind }) => (kind === 'number' ? (value) => (value === 1900 ? 0 : integer(value)) : undefined),
  // From the binlog a comma in a label comes escaped.
  enum: ({ kind }) =>
    kind === 'text'
      ? (value, isStreamed) =>
          typeof value !== 'string' ? undefined : isStreamed ? value.replaceAll('\\,', ',') : value
      : undefined,
  set: textOnly,
  json: textOnly,
};

/** The reader for a type in a form; undefined when Debezium never writes that type so. */
export function valueReader(type: SourceType, form: ValueForm): ValueReader | undefined {
  return MAKERS[type.family](form, type);
}

/** Only says whether the value changed: no target column takes the type. */
export function opaque(value: unknown): WireValue {
  return JSON.stringify(value);
}

function textOnly({ kind }: ValueForm): ValueReader | undefined {
  return kind === 'text' ? (value) => (typeof value === 'string' ? value : undefined) : undefined;
}

function integer(value: unknown): WireValue | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** The digits of a whole number of at most 64 bits. */
function wholeDigits(value: unknown): string | undefined {
  const text = numberText(value);
  return text !== undefined && /^-?\d{1,19}$/.test(text) ? text : undefined;
}

function bigint(value: unknown): WireValue | undefined {
  return wholeDigits(value);
}

/** As `long` it wraps to negative above 2^63 - 1. */
function unsignedBigint(value: unknown): WireValue | undefined {
  const digits = wholeDigits(value);
  return digits?.startsWith('-') === true ? BigInt.asUintN(64, BigInt(digits)).toString() : digits;
}

function unscaled(value: unknown, scale: number): WireValue | undefined {
  const buffer = bytesOf(value, 'base64');
  if (buffer === undefined || buffer.length === 0) return undefined;
  const number = BigInt.asIntN(buffer.length * 8, BigInt(`0x${buffer.toString('hex')}`));
  const sign = number < 0n ? '-' : '';
  const digits = (number < 0n ? -number : number).toString().padStart(scale + 1, '0');
  if (scale === 0) return `${sign}${digits}`;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function decimal(value: unknown, scale: number): WireValue | undefined {
  const text = typeof value === 'string' ? value : numberText(value);
  const [, whole, fraction = ''] = (text !== undefined && /^(-?\d+)(?:\.(\d+))?$/.exec(text)) || [];
  if (whole === undefined || fraction.length > scale) return undefined;
  return scale === 0 ? whole : `${whole}.${fraction.padEnd(scale, '0')}`;
}

function double(value: unknown): WireValue | undefined {
  const number = Number(numberText(value) ?? Number.NaN);
  if (!Number.isFinite(number)) return undefined;
  return Object.is(number, -0) ? '-0' : number;
}

function bits(value: unknown, length: number): WireValue | undefined {
  const buffer = bytesOf(value, 'base64');
  if (buffer === undefined) return undefined;
  const digits = Array.from(buffer.toReversed(), (byte) => byte.toString(2).padStart(8, '0')).join('');
  // Bits beyond the declared length are none of the column's.
  if (/1/.test(digits.slice(0, -length))) return undefined;
  return digits.slice(-length).padStart(length, '0');
}

function bytes(value: unknown, encoding: 'base64' | 'base64url' | 'hex'): WireValue | undefined {
  return bytesOf(value, encoding)?.toString('base64');
}

const ENCODED = {
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  base64url: /^[A-Za-z0-9_-]*={0,2}$/,
  hex: /^(?:[0-9a-fA-F]{2})*$/,
};

/** Node skips what does not belong: only text that is wholly of the encoding is decoded. */
function bytesOf(value: unknown, encoding: keyof typeof ENCODED): Buffer | undefined {
  return typeof value === 'string' && ENCODED[encoding].test(value)
    ? Buffer.from(value, encoding)
    : undefined;
}

const DAY_MS = 86_400_000;

function days(value: unknown): WireValue | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? dateText(value * DAY_MS) : undefined;
}

/** A day of the years 0 to 9999, which is all that MySQL has. */
function dateText(ms: number): string | undefined {
  const day = new Date(ms);
  if (Number.isNaN(day.getTime()) || day.getUTCFullYear() < 0 || day.getUTCFullYear() > 9999)
    return undefined;
  return day.toISOString().slice(0, 10);
}

function datetime(value: unknown, unitDigits: number, digits: number): WireValue | undefined {
  const text = wholeDigits(value);
  if (text === undefined) return undefined;
  const units = BigInt(text);
  const second = 10n ** BigInt(unitDigits);
  const fraction = ((units % second) + second) % second;
  const seconds = Number((units - fraction) / second);
  const date = dateText(seconds * 1000);
  const rest = fractionText(fraction.toString().padStart(unitDigits, '0'), digits);
  if (date === undefined || rest === undefined) return undefined;
  return `${date} ${new Date(seconds * 1000).toISOString().slice(11, 19)}${rest}`;
}

function time(value: unknown, unitDigits: number, digits: number): WireValue | undefined {
  const text = wholeDigits(value);
  if (text === undefined) return undefined;
  const sign = text.startsWith('-') ? '-' : '';
  const units = BigInt(text.slice(sign.length));
  const second = 10n ** BigInt(unitDigits);
  const seconds = Number(units / second);
  const rest = fractionText((units % second).toString().padStart(unitDigits, '0'), digits);
  if (rest === undefined) return undefined;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${sign}${parts.map((part) => String(part).padStart(2, '0')).join(':')}${rest}`;
}

/** A fraction in the digits of the column, `''` for none; undefined when digits would be lost. */
function fractionText(fraction: string, digits: number): string | undefined {
  if (/[^0]/.test(fraction.slice(digits))) return undefined;
  return digits === 0 ? '' : `.${fraction.slice(0, digits).padEnd(digits, '0')}`;
}

function isoDate(value: unknown): WireValue | undefined {
  return typeof value === 'string' ? /^(\d{4}-\d\d-\d\d)Z$/.exec(value)?.[1] : undefined;
}

function isoTime(value: unknown, digits: number): WireValue | undefined {
  const found = typeof value === 'string' ? /^(\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?Z$/.exec(value) : null;
  if (found === null) return undefined;
  const rest = fractionText(found[3] ?? '', digits);
  return rest === undefined ? undefined : `${found[1]}${found[2] ?? ':00'}${rest}`;
}

const ISO = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** In UTC, whatever zone the text names. */
function isoDatetime(value: unknown, digits: number): WireValue | undefined {
  const found = typeof value === 'string' ? ISO.exec(value) : null;
  if (found === null) return undefined;
  const [, date, minutes, seconds = ':00', fraction = '', zone = 'Z'] = found;
  const rest = fractionText(fraction, digits);
  if (rest === undefined) return undefined;
  if (zone === 'Z') return `${date} ${minutes}${seconds}${rest}`;
  const instant = new Date(`${date}T${minutes}${seconds}${zone}`);
  return Number.isNaN(instant.getTime())
    ? undefined
    : `${instant.toISOString().slice(0, 19).replace('T', ' ')}${rest}`;
}
