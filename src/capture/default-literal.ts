/**
 * The plain text of a column's DEFAULT, as a catalog tells it (`ColumnDefault`), where the statement alone says what rows that
 * are there get. Pure.
 */
import type { Dialect, TypeText } from './column-type.ts';
import type { TokenReader } from './token-reader.ts';

type Literal =
  | { readonly kind: 'null' }
  | { readonly kind: 'string' | 'number'; readonly text: string }
  /** Hexadecimal digits, two for each byte; or binary digits. */
  | { readonly kind: 'bytes' | 'bits'; readonly text: string };

/**
 * The text; `undefined` for NULL; null where it is no literal, where the server would change it on the way into the column, or
 * where more than the statement decides (a time zone, the server's dialect).
 */
export function readDefault(
  reader: TokenReader,
  type: TypeText,
  dialect: Dialect,
): string | null | undefined {
  const literal = readLiteral(reader);
  if (literal === null) return null;
  if (literal.kind === 'null') return undefined;
  switch (type.base) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
      return integerText(literal, type);
    case 'decimal':
      return decimalText(literal, type);
    case 'float':
    case 'double':
      // With digits of its own it would be rounded.
      return type.args.length === 0 ? numberText(literal) : null;
    case 'bit':
      return bitText(literal, type);
    case 'char':
      return textOf(literal)?.replace(/ +$/, '') ?? null;
    case 'varchar':
      return textOf(literal);
    case 'tinytext':
    case 'text':
    case 'mediumtext':
    case 'longtext':
      // MySQL refuses it, or drops it with a warning.
      return dialect === 'mariadb' ? textOf(literal) : null;
    case 'binary':
    case 'varbinary':
      return bytesText(literal, type);
    case 'enum':
      return literal.kind === 'string' && type.labels.includes(literal.text) ? literal.text : null;
    case 'set':
      return setText(literal, type);
    case 'year':
      return literal.kind !== 'bytes' && literal.kind !== 'bits' && /^(?:19|2[01])\d\d$/.test(literal.text)
        ? literal.text
        : null;
    case 'date':
    case 'datetime':
    case 'time':
      return temporalText(literal, type);
    default:
      // A TIMESTAMP's text is in the session's time zone.
      return null;
  }
}

function readLiteral(reader: TokenReader): Literal | null {
  if (reader.skip('NULL')) return { kind: 'null' };
  if (reader.skip('TRUE')) return { kind: 'number', text: '1' };
  if (reader.skip('FALSE')) return { kind: 'number', text: '0' };
  const prefix = reader.peekWord();
  const following = reader.peek(1);
  if (following?.kind === 'string' || following?.kind === 'double') {
    const based = prefix === 'B' || prefix === 'X';
    if (!(based && following.kind === 'string') && !['DATE', 'TIME', 'TIMESTAMP'].includes(prefix)) {
      // A number may be followed by COMMENT's string later, never by a string itself; `_utf8'x'` is a string in another set.
      return readPlain(reader);
    }
    reader.step();
    const text = reader.string() ?? '';
    return based ? basedLiteral(prefix, text) : { kind: 'string', text };
  }
  if (/^0X[0-9A-F]+$/.test(prefix) || /^0B[01]+$/.test(prefix)) {
    const isExact = reader.peek()?.text.startsWith(prefix.slice(0, 1) + prefix.slice(1, 2).toLowerCase());
    reader.step();
    return isExact === true ? basedLiteral(prefix.slice(1, 2), prefix.slice(2)) : null;
  }
  return readPlain(reader);
}

function readPlain(reader: TokenReader): Literal | null {
  const string = reader.string();
  if (string !== null) return { kind: 'string', text: string };
  const sign = reader.skip('-') ? '-' : '';
  if (sign === '') reader.skip('+');
  const token = reader.peek();
  const text = token?.kind === 'number' ? token.value : (token?.text ?? '');
  const isNumber = token?.kind === 'number' || (token?.kind === 'word' && /^\d+(?:e\d+)?$/i.test(text));
  if (!isNumber) return null;
  reader.step();
  return { kind: 'number', text: sign + text };
}

function basedLiteral(base: string, text: string): Literal | null {
  if (base === 'B') return /^[01]+$/.test(text) ? { kind: 'bits', text } : null;
  if (!/^[0-9a-f]*$/i.test(text)) return null;
  return { kind: 'bytes', text: (text.length % 2 === 0 ? text : `0${text}`).toLowerCase() };
}

const BITS: Readonly<Record<string, bigint>> = {
  tinyint: 8n,
  smallint: 16n,
  mediumint: 24n,
  int: 32n,
  bigint: 64n,
};

function integerText(literal: Literal, { base, type }: TypeText): string | null {
  if (literal.kind === 'null' || literal.kind === 'bytes') return null;
  const bits = BITS[base];
  if (bits === undefined) return null;
  if (literal.kind !== 'bits' && !/^-?\d+$/.test(literal.text)) return null;
  const value = BigInt(literal.kind === 'bits' ? `0b${literal.text}` : literal.text);
  // A session that is not strict would cut it to the nearest that fits.
  const isUnsigned = type.endsWith('unsigned');
  const fits = isUnsigned ? BigInt.asUintN(Number(bits), value) : BigInt.asIntN(Number(bits), value);
  return fits === value ? value.toString() : null;
}

function numberText(literal: Literal): string | null {
  if (literal.kind !== 'number' && literal.kind !== 'string') return null;
  return /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/i.test(literal.text) ? literal.text : null;
}

function decimalText(literal: Literal, { args, type }: TypeText): string | null {
  if (literal.kind !== 'number' && literal.kind !== 'string') return null;
  const match = /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(literal.text);
  const [precision = 10, scale = 0] = args;
  if (match === null || !/\d/.test(literal.text)) return null;
  const [, sign = '', whole = '', fraction = ''] = match;
  if (fraction.length > scale || whole.length > precision - scale) return null;
  const isZero = whole === '' && fraction === '';
  if (sign === '-' && !isZero && type.endsWith('unsigned')) return null;
  const digits = `${whole === '' ? '0' : whole}${scale === 0 ? '' : `.${fraction.padEnd(scale, '0')}`}`;
  return (isZero ? '' : sign) + digits;
}

function bitText(literal: Literal, { args }: TypeText): string | null {
  const [size = 1] = args;
  let digits: string;
  if (literal.kind === 'bits') digits = literal.text;
  else if (literal.kind === 'number' && /^\d+$/.test(literal.text)) digits = BigInt(literal.text).toString(2);
  else return null;
  const plain = digits.replace(/^0+(?=.)/, '');
  return plain.length > size ? null : plain;
}

function textOf(literal: Literal): string | null {
  if (literal.kind === 'string') return literal.text;
  return literal.kind === 'number' && /^-?(?:0|[1-9]\d*)$/.test(literal.text) ? literal.text : null;
}

/** A BINARY is filled up with zero bytes. */
function bytesText(literal: Literal, { base, args }: TypeText): string | null {
  const [size = 1] = args;
  let hex: string;
  if (literal.kind === 'bytes') hex = literal.text;
  // Other letters depend on the connection's character set.
  else if (literal.kind === 'string' && !/[^\0-\x7f]/.test(literal.text))
    hex = Buffer.from(literal.text, 'latin1').toString('hex');
  else return null;
  if (hex.length > size * 2) return null;
  if (base === 'binary') return `0x${hex.padEnd(size * 2, '0')}`;
  return hex === '' ? '' : `0x${hex}`;
}

function setText(literal: Literal, { labels }: TypeText): string | null {
  if (literal.kind !== 'string') return null;
  if (literal.text === '') return '';
  const places = literal.text.split(',').map((label) => labels.indexOf(label));
  const isOrdered = places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1));
  return isOrdered ? literal.text : null;
}

function temporalText(literal: Literal, { base, args }: TypeText): string | null {
  if (literal.kind !== 'string') return null;
  const pattern = {
    date: /^\d{4}-\d\d-\d\d$/,
    datetime: /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))?$/,
    time: /^(-?\d{2,3}:[0-5]\d:[0-5]\d)(?:\.(\d{1,6}))?$/,
  }[base];
  const match = pattern?.exec(literal.text);
  if (match === null || match === undefined) return null;
  if (base === 'date') return literal.text;
  const [, whole = '', fraction = ''] = match;
  const [digits = 0] = args;
  if (fraction.length > digits) return null;
  return digits === 0 ? whole : `${whole}.${fraction.padEnd(digits, '0')}`;
}
