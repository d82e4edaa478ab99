/** Text forms of values for PostgreSQL, made for a column once and then called for each value. */
import {
  exceedsCharacters,
  fitsDecimal,
  fitsFraction,
  hexOfBase64,
  isCalendarDate,
  isZeroDate,
  malformed,
  unfit,
} from './value-guards.ts';
import type { EncoderContext, PostgresKind, SourceType, TargetType } from './value-types.ts';
import { numbers } from './value-types.ts';

type Text = (value: string | number) => string | null;

/** Makes the text function of a column; undefined when the two types do not fit each other at all. */
export type PostgresEncoder = (context: EncoderContext<PostgresKind>) => Text | undefined;

/** Kinds by the base of `format_type`, and the element type that carries them without a length. */
const KINDS: Readonly<Record<string, readonly [PostgresKind, string]>> = {
  smallint: ['integer', 'smallint'],
  integer: ['integer', 'integer'],
  bigint: ['integer', 'bigint'],
  numeric: ['numeric', 'numeric'],
  real: ['real', 'real'],
  'double precision': ['double', 'double precision'],
  boolean: ['boolean', 'boolean'],
  // Quoted: the bare words mean bit(1) and character(1).
  bit: ['bit', '"bit"'],
  'bit varying': ['bit', 'varbit'],
  character: ['text', 'bpchar'],
  bpchar: ['text', 'bpchar'],
  'character varying': ['text', 'text'],
  text: ['text', 'text'],
  bytea: ['bytea', 'bytea'],
  date: ['date', 'date'],
  'timestamp without time zone': ['timestamp', 'timestamp'],
  'timestamp with time zone': ['timestamptz', 'timestamptz'],
  'time without time zone': ['time', 'time'],
  interval: ['interval', 'interval'],
  json: ['json', 'json'],
  jsonb: ['json', 'jsonb'],
  uuid: ['uuid', 'uuid'],
};

/** Takes the text of `format_type` apart: `timestamp(3) without time zone`, `character varying(20)[]`. */
export function parsePostgresType(text: string): TargetType<PostgresKind> {
  const isArray = text.endsWith('[]');
  const match = /^(.*?)(?:\(([\d, -]+)\))?( with(?:out)? time zone)?$/.exec(
    isArray ? text.slice(0, -2) : text,
  );
  const base = `${match?.[1] ?? ''}${match?.[3] ?? ''}`;
  const kind = isArray ? 'array' : (KINDS[base]?.[0] ?? 'other');
  return { text, base, kind, args: numbers(match?.[2]) };
}

/** The parameter that carries a column of this type. */
export function parameterOf(target: TargetType<PostgresKind>): {
  readonly parameterType: string;
  readonly cast: string;
  readonly plain: boolean;
} {
  const element = KINDS[target.base]?.[1] ?? target.base;
  // unnest would take apart an array of arrays to its leaves: such values travel as text, one by one.
  if (target.kind === 'array') return { parameterType: 'text[]', cast: `::${element}[]`, plain: false };
  const plain = ['integer', 'numeric', 'real', 'double', 'boolean', 'bit'].includes(target.kind);
  return { parameterType: `${element}[]`, cast: '', plain };
}

const DIGITS = /^-?\d+$/;
const DECIMAL = /^-?\d+(?:\.\d+)?$/;
const INTEGER_BITS: Readonly<Record<string, number>> = { smallint: 16, integer: 32, bigint: 64 };
const SOURCE_BITS: Readonly<Record<string, number>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  bigint: 64,
  year: 13,
};

export const integer: PostgresEncoder = ({ column, source, target }) => {
  const mayExceed = sourceBits(source) > (INTEGER_BITS[target.base] ?? 64);
  const limit = 2n ** BigInt((INTEGER_BITS[target.base] ?? 64) - 1);
  return (value) => {
    const text = String(value);
    if (!DIGITS.test(text)) throw malformed(column, source.text);
    if (mayExceed) {
      const number = BigInt(text);
      if (number >= limit || number < -limit) throw unfit(column, `out of range for ${target.text}`);
    }
    return text;
  };
};

/** Bits that a signed integer needs to hold every value of the type. */
function sourceBits(source: SourceType): number {
  return (SOURCE_BITS[source.base] ?? 64) + (source.unsigned ? 1 : 0);
}

/** Digits for a numeric column, which would be rounded in silence beyond its scale. */
export const decimal: PostgresEncoder = ({ column, source, target }) => {
  const [precision, scale = 0] = target.args;
  return (value) => {
    const text = String(value);
    if (!DECIMAL.test(text)) throw malformed(column, source.text);
    if (precision !== undefined && !fitsDecimal(text, precision, scale)) {
      throw unfit(column, `more digits than ${target.text}`);
    }
    return text;
  };
};

export const number: PostgresEncoder = ({ column, source }) => {
  return (value) => numberText(finite(value, column, source.text));
};

/** The float's own value, not the decimal that is shortest for a float. */
export const floatAsDouble: PostgresEncoder = ({ column, source }) => {
  return (value) => numberText(Math.fround(finite(value, column, source.text)));
};

export const doubleAsReal: PostgresEncoder = ({ column, source }) => {
  return (value) => {
    const number = finite(value, column, source.text);
    if (Math.fround(number) !== number) throw unfit(column, 'more digits than real');
    return numberText(number);
  };
};

function finite(value: string | number, column: string, type: string): number {
  const number = typeof value === 'number' ? value : value === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw malformed(column, type);
  return number;
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** 0 and 1 of a TINYINT or BIT(1); a TINYINT may hold more than a truth value. */
export const boolean: PostgresEncoder = ({ column, source }) => {
  if (source.base !== 'tinyint' && source.text !== 'bit(1)') return undefined;
  return (value) => {
    const text = String(value);
    if (text === '1') return 't';
    if (text === '0') return 'f';
    throw unfit(column, 'a number other than 0 and 1 in a boolean', 'make the target column a smallint');
  };
};

export const bit: PostgresEncoder = ({ column, source, target }) => {
  const [length = 1] = source.args;
  const fits =
    target.base === 'bit' ? (target.args[0] ?? 1) === length : (target.args[0] ?? length) >= length;
  if (!fits) return undefined;
  return (value) => {
    if (!/^[01]+$/.test(String(value))) throw malformed(column, source.text);
    return String(value);
  };
};

export const bitAsInteger: PostgresEncoder = ({ column, source, target, options }) => {
  const inner = target.kind === 'numeric' ? decimal : integer;
  const asBigint: SourceType = { ...source, base: 'bigint', unsigned: true };
  const encode = inner({ column, source: asBigint, target, options });
  return (value) => {
    if (!/^[01]{1,64}$/.test(String(value))) throw malformed(column, source.text);
    return encode?.(BigInt(`0b${value}`).toString()) ?? null;
  };
};

/** Any text that the server converts or checks by itself, with an error when it does not fit. */
export const string: PostgresEncoder =
  ({ column }) =>
  (value) =>
    withoutNul(String(value), column);

/** Text for a column with a length: spaces at the end beyond it would be cut in silence. */
export const text: PostgresEncoder = ({ column, target }) => {
  const limit = target.base === 'character' && target.args[0] === undefined ? 1 : target.args[0];
  return (value) => {
    const text = withoutNul(String(value), column);
    if (limit !== undefined && text.length > limit && exceedsCharacters(text, limit)) {
      throw unfit(column, `longer than ${target.text}`);
    }
    return text;
  };
};

function withoutNul(text: string, column: string): string {
  if (!text.includes('\0')) return text;
  throw unfit(
    column,
    'PostgreSQL text cannot hold the character U+0000',
    'remove it at the source, or make the column binary at the source and bytea at the target',
  );
}

/** jsonb stores no U+0000, not even escaped; json keeps the text as it is. */
export const json: PostgresEncoder = ({ column, target }) => {
  return (value) => {
    const text = withoutNul(String(value), column);
    if (target.base === 'jsonb' && text.includes('\\u0000') && /(?:^|[^\\])(?:\\\\)*\\u0000/.test(text)) {
      throw unfit(column, 'jsonb cannot hold the character U+0000', 'make the target column json');
    }
    return text;
  };
};

export const bytes: PostgresEncoder = ({ column, source }) => {
  const [length = 0] = source.base === 'binary' ? source.args : [];
  return (value) => {
    if (typeof value !== 'string') throw malformed(column, source.text);
    return `\\x${hexOfBase64(value, length)}`;
  };
};

export const bytesAsUuid: PostgresEncoder = ({ column, source }) => {
  if (source.text !== 'binary(16)') return undefined;
  return (value) => {
    if (typeof value !== 'string') throw malformed(column, source.text);
    return hexOfBase64(value, 16);
  };
};

export const date: PostgresEncoder = (context) => (value) => calendarText(String(value), context);

export const timestamp: PostgresEncoder = (context) => fractionText(context, '');

export const timestamptz: PostgresEncoder = (context) => fractionText(context, '+00');

function fractionText(context: EncoderContext<PostgresKind>, zone: string): Text {
  const { column, target } = context;
  const digits = target.args[0] ?? 6;
  return (value) => {
    const text = calendarText(String(value), context);
    if (text === null) return null;
    if (digits < 6 && !fitsFraction(text, digits))
      throw unfit(column, `more fraction digits than ${target.text}`);
    return text + zone;
  };
}

function calendarText(text: string, { column, options }: EncoderContext<PostgresKind>): string | null {
  if (isZeroDate(text)) {
    if (options.zeroDates === 'null') return null;
    throw unfit(
      column,
      'a date with a zero year, month or day',
      'set zeroDates: null to write NULL for such dates, or mend them at the source',
    );
  }
  if (!isCalendarDate(text)) throw unfit(column, 'a date that does not exist', 'mend it at the source');
  return text;
}

export const interval: PostgresEncoder = ({ column, target }) => {
  const digits = target.args[0] ?? 6;
  return (value) => {
    const text = String(value);
    if (digits < 6 && !fitsFraction(text, digits))
      throw unfit(column, `more fraction digits than ${target.text}`);
    return text;
  };
};

export const timeOfDay: PostgresEncoder = ({ column, target }) => {
  const digits = target.args[0] ?? 6;
  return (value) => {
    const text = String(value);
    if (!/^(?:[01]\d|2[0-3]):/.test(text)) {
      throw unfit(column, 'a time below 0 or of 24 hours and more', 'make the target column an interval');
    }
    if (digits < 6 && !fitsFraction(text, digits))
      throw unfit(column, `more fraction digits than ${target.text}`);
    return text;
  };
};

/** SET labels as the text of an array; labels hold no commas. */
export const set: PostgresEncoder = ({ column }) => {
  return (value) => {
    const text = withoutNul(String(value), column);
    return text === '' ? '{}' : `{${text.split(',').map(arrayElement).join(',')}}`;
  };
};

/** A quoted element of an array's text. */
export function arrayElement(text: string): string {
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
