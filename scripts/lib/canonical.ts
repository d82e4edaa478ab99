/**
 * One text for one value, whatever engine printed it. Shares no code with rowferry on purpose: a comparison that converts as
 * the product does would repeat its mistakes.
 *
 * The kind of a column comes from its type at the source; both sides are read as that kind.
 */
export type ValueKind =
  'number' | 'float' | 'double' | 'bit' | 'text' | 'set' | 'bytes' | 'json' | 'date' | 'datetime' | 'time';

const KINDS: Readonly<Record<string, ValueKind>> = {
  tinyint: 'number',
  smallint: 'number',
  mediumint: 'number',
  int: 'number',
  bigint: 'number',
  decimal: 'number',
  year: 'number',
  float: 'float',
  double: 'double',
  bit: 'bit',
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  enum: 'text',
  set: 'set',
  binary: 'bytes',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
  json: 'json',
  date: 'date',
  datetime: 'datetime',
  timestamp: 'datetime',
  time: 'time',
};

/** The kind of a MySQL type as information_schema's `data_type` names it; throws for types that nobody here can compare. */
export function kindOfMysqlType(dataType: string): ValueKind {
  const kind = KINDS[dataType.toLowerCase()];
  if (kind === undefined) throw new Error(`columns of type ${dataType} cannot be compared`);
  return kind;
}

const AS_IT_IS = (text: string): string => text;

const CANONICAL: Readonly<Record<ValueKind, (text: string) => string>> = {
  number: canonicalNumber,
  float: (text) => canonicalDouble(Math.fround(Number(text))),
  double: (text) => canonicalDouble(Number(text)),
  bit: (text) => canonicalNumber(text.startsWith('0b') ? BigInt(text).toString() : text),
  set: (text) => text.split(',').toSorted().join(','),
  bytes: (text) => text.toLowerCase(),
  json: canonicalJson,
  datetime: (text) => withoutTrailingZeros(text.replace(/[+-]00(?::00)?$/, '').replace('T', ' ')),
  time: (text) => String(microseconds(text)),
  text: AS_IT_IS,
  date: AS_IT_IS,
};

/** The canonical text of a value that a reader printed (see `table-reader.ts` for the forms). */
export function canonical(kind: ValueKind, text: string): string {
  return CANONICAL[kind](text);
}

function canonicalDouble(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

const NUMBER = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Digits before or after the point up to which a number is written out. */
const PLAIN_DIGITS = 80;

/** Exact for any size and the same for every way to write a number: 1.50, 15e-1 and 1.5 are `1.5`; `-0` is `0`. */
export function canonicalNumber(text: string): string {
  const [, sign = '', whole, fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  // What is no number (a boolean prints as a word) equals only itself, or the number that stands for it.
  if (whole === undefined) return { t: '1', true: '1', f: '0', false: '0' }[text] ?? text;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  const significant = digits.replace(/0+$/, '');
  const power = Number(exponent) - fraction.length + (digits.length - significant.length);
  if (Math.abs(power) > PLAIN_DIGITS) return `${sign}${significant}e${power}`;
  if (power >= 0) return `${sign}${significant}${'0'.repeat(power)}`;
  const padded = significant.padStart(1 - power, '0');
  return `${sign}${padded.slice(0, power)}.${padded.slice(power)}`;
}

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Keys sorted, numbers exact (no detour through doubles), text by value and not by its escapes. */
export function canonicalJson(text: string): string {
  // Numbers become marked strings before parsing; real strings get another mark, so that neither can pass for the other.
  const marked = text.replace(JSON_TOKEN, (token) =>
    token.startsWith('"') ? `"$${token.slice(1)}` : `"#${canonicalNumber(token)}"`,
  );
  return JSON.stringify(sorted(JSON.parse(marked)));
}

/** Objects become marked lists of pairs: an object would put keys that look like integers first. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const pairs = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return ['{', ...pairs.map(([key, item]) => [key, sorted(item)])];
}

function withoutTrailingZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** `[-]HHH:MM:SS[.ffffff]`, or seconds as a decimal, as microseconds. */
function microseconds(text: string): bigint {
  const [, sign, hours, minutes, seconds = text.replace(/^-/, '')] =
    /^(-?)(\d+):(\d+):([\d.]+)$/.exec(text) ?? [];
  const [whole = '0', fraction = ''] = seconds.split('.');
  const rest = BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
  const all = (BigInt(hours ?? 0) * 60n + BigInt(minutes ?? 0)) * 60_000_000n + rest;
  return sign === '-' || (hours === undefined && text.startsWith('-')) ? -all : all;
}
