/** SQL literals for MySQL and MariaDB, made for a column once and then called for each value. */
import {
  exceedsCharacters,
  fitsDecimal,
  fitsFraction,
  hexOfBase64,
  malformed,
  unfit,
} from './value-guards.ts';
import { numbers } from './value-types.ts';
import type { EncoderContext, MysqlKind, TargetType } from './value-types.ts';

type Literal = (value: string | number) => string;

/** Makes the literal function of a column; undefined when the two types do not fit each other at all. */
export type MysqlEncoder = (context: EncoderContext<MysqlKind>) => Literal | undefined;

const KINDS: Readonly<Record<string, MysqlKind>> = {
  tinyint: 'integer', smallint: 'integer', mediumint: 'integer', int: 'integer', bigint: 'integer',
  decimal: 'decimal', float: 'float', double: 'double', bit: 'bit',
  char: 'text', varchar: 'text', tinytext: 'text', text: 'text', mediumtext: 'text', longtext: 'text',
  binary: 'bytes', varbinary: 'bytes', tinyblob: 'bytes', blob: 'bytes', mediumblob: 'bytes', longblob: 'bytes',
  date: 'date', datetime: 'datetime', timestamp: 'datetime', time: 'time', year: 'year',
  enum: 'enum', set: 'set', json: 'json',
}; // prettier-ignore

/** Takes a `COLUMN_TYPE` of the catalog apart. */
export function parseMysqlType(text: string): TargetType<MysqlKind> {
  const match = /^([a-z0-9_]+)(?:\(([^)]*)\))?/i.exec(text);
  const base = (match?.[1] ?? '').toLowerCase();
  return { text, base, kind: KINDS[base] ?? 'other', args: numbers(match?.[2]) };
}

const DIGITS = /^-?\d+$/;
const DECIMAL = /^-?\d+(?:\.\d+)?$/;
const SPECIAL = /['\\\0]/;
const ESCAPES: Readonly<Record<string, string>> = { "'": "''", '\\': '\\\\', '\0': '\\0' };

/** A name as MySQL and MariaDB want it in SQL, whatever characters it holds. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A quoted string literal; the session must not have NO_BACKSLASH_ESCAPES. */
export function quote(text: string): string {
  if (!SPECIAL.test(text)) return `'${text}'`;
  return `'${text.replace(/['\\\0]/g, (character) => ESCAPES[character] ?? character)}'`;
}

export const integer: MysqlEncoder = ({ column, source }) => {
  return (value) => {
    if (typeof value === 'number' ? Number.isInteger(value) : DIGITS.test(value)) return String(value);
    throw malformed(column, source.text);
  };
};

export const decimal: MysqlEncoder = ({ column, source, target }) => {
  const [sourcePrecision = 10, sourceScale = 0] = source.args;
  const [precision = 10, scale = 0] = target.args;
  const narrower = scale < sourceScale || precision - scale < sourcePrecision - sourceScale;
  return (value) => {
    const text = String(value);
    if (!DECIMAL.test(text)) throw malformed(column, source.text);
    if (narrower && !fitsDecimal(text, precision, scale)) {
      throw unfit(column, `more digits than ${target.text}`);
    }
    return text;
  };
};

/** With all digits of its double value: MySQL reads literals as doubles and only then makes floats of them. */
export const float: MysqlEncoder = ({ column, source }) => {
  return (value) => doubleLiteral(Math.fround(finite(value, column, source.text)));
};

export const double: MysqlEncoder = ({ column, source }) => {
  return (value) => doubleLiteral(finite(value, column, source.text));
};

export const doubleAsFloat: MysqlEncoder = ({ column, source, target }) => {
  return (value) => {
    const number = finite(value, column, source.text);
    if (Math.fround(number) !== number) throw unfit(column, `more digits than ${target.text}`);
    return doubleLiteral(number);
  };
};

function finite(value: string | number, column: string, type: string): number {
  const number = typeof value === 'number' ? value : value === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw malformed(column, type);
  return number;
}

/** The exponent keeps the sign of zero: `-0` alone is an integer, which has none. */
function doubleLiteral(value: number): string {
  return Object.is(value, -0) ? '-0e0' : String(value);
}

/** As a number, so that it also compares with BIT columns in a WHERE. */
export const bit: MysqlEncoder = ({ column, source }) => {
  return (value) => {
    const text = String(value);
    if (!/^[01]{1,64}$/.test(text)) throw malformed(column, source.text);
    return text.length < 32 ? String(Number.parseInt(text, 2)) : BigInt(`0b${text}`).toString();
  };
};

/** Any text that the server converts or checks by itself, with an error when it does not fit. */
export const string: MysqlEncoder = () => (value) => quote(String(value));

/** Text for a column with a length: spaces at the end beyond it would be cut with no more than a note. */
export const text: MysqlEncoder = ({ column, target }) => {
  const [limit] = target.args;
  if (limit === undefined) return (value) => quote(String(value));
  return (value) => {
    const text = String(value);
    if (text.length > limit && exceedsCharacters(text, limit)) {
      throw unfit(column, `longer than ${target.text}`);
    }
    return quote(text);
  };
};

export const bytes: MysqlEncoder = ({ column, source, target }) => {
  const [length = 0] = source.base === 'binary' ? source.args : [];
  // A shorter key would not be found: BINARY columns hold all their bytes and compare all of them.
  const padded = target.base === 'binary' ? Math.max(length, target.args[0] ?? 1) : length;
  return (value) => {
    if (typeof value !== 'string') throw malformed(column, source.text);
    return `x'${hexOfBase64(value, padded)}'`;
  };
};

/** DATETIME, TIMESTAMP and TIME: digits beyond the column's fraction would be rounded in silence. */
export const temporal: MysqlEncoder = ({ column, source, target }) => {
  const [digits = 0] = target.args;
  const narrower = digits < (source.args[0] ?? 0);
  return (value) => {
    const text = String(value);
    if (narrower && !fitsFraction(text, digits))
      throw unfit(column, `more fraction digits than ${target.text}`);
    return quote(text);
  };
};
