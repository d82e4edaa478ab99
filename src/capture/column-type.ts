/** Reads a column's type as a statement spells it into the spelling of a catalog. Pure. */
import { quote } from '../model/mysql-literals.ts';
import type { TokenReader } from './token-reader.ts';
import { splitAtCommas, TokenReader as Reader } from './token-reader.ts';
import type { Token } from './tokens.ts';

export type Dialect = 'mysql' | 'mariadb';

export interface TypeText {
  /** As a catalog spells it, without display width: `int unsigned`, `varchar(20)`, `enum('a','b')`. */
  readonly type: string;
  readonly base: string;
  /** Length, precision and scale, digits of the fraction, bits; with the server's defaults. */
  readonly args: readonly number[];
  /** Of `enum` and `set`. */
  readonly labels: readonly string[];
  /** Has a character set: its columns take the table's when none is given. */
  readonly hasText: boolean;
  readonly charset: string | null;
  readonly collation: string | null;
}

const INTEGERS: Readonly<Record<string, string>> = {
  TINYINT: 'tinyint', INT1: 'tinyint', SMALLINT: 'smallint', INT2: 'smallint', MEDIUMINT: 'mediumint', INT3: 'mediumint',
  MIDDLEINT: 'mediumint', INT: 'int', INTEGER: 'int', INT4: 'int', BIGINT: 'bigint', INT8: 'bigint',
}; // prettier-ignore
const TEXTS: Readonly<Record<string, string>> = {
  TINYTEXT: 'tinytext', TEXT: 'text', MEDIUMTEXT: 'mediumtext', LONGTEXT: 'longtext',
}; // prettier-ignore
const BLOBS: Readonly<Record<string, string>> = {
  TINYBLOB: 'tinyblob', BLOB: 'blob', MEDIUMBLOB: 'mediumblob', LONGBLOB: 'longblob',
}; // prettier-ignore
const BLOB_SIZES = [
  ['tinyblob', 255],
  ['blob', 65_535],
  ['mediumblob', 16_777_215],
] as const;

/** Null for a type that rowferry does not ferry or know, and where the server's choice cannot be told from the text. */
export function readType(reader: TokenReader, dialect: Dialect): TypeText | null {
  const word = reader.word();
  const integer = INTEGERS[word];
  if (integer !== undefined) {
    const width = argsOf(reader, 1);
    if (width === null) return null;
    const sign = signOf(reader);
    // Clients take `tinyint(1)` for a truth value; no other width means anything.
    return plain(sign === '' && integer === 'tinyint' && width[0] === 1 ? 'tinyint(1)' : integer + sign);
  }
  if (TEXTS[word] !== undefined) return sized(reader, TEXTS[word]);
  if (BLOBS[word] !== undefined) return blob(reader, BLOBS[word]);
  switch (word) {
    case 'BOOL':
    case 'BOOLEAN':
      return plain('tinyint(1)');
    case 'DECIMAL':
    case 'DEC':
    case 'NUMERIC':
    case 'FIXED': {
      const args = argsOf(reader, 2);
      if (args === null) return null;
      // DECIMAL(0) is DECIMAL.
      return plain(`decimal(${args[0] || 10},${args[1] ?? 0})${signOf(reader)}`);
    }
    case 'FLOAT':
    case 'FLOAT4':
    case 'FLOAT8':
    case 'DOUBLE':
    case 'REAL':
      return floating(reader, word);
    case 'BIT': {
      const args = argsOf(reader, 1);
      return args === null ? null : plain(`bit(${args[0] || 1})`);
    }
    case 'DATE':
    case 'JSON':
      if (word === 'JSON' && dialect === 'mariadb')
        return { ...text('longtext', []), charset: 'utf8mb4', collation: 'utf8mb4_bin' };
      return plain(word.toLowerCase());
    case 'TIME':
    case 'DATETIME':
    case 'TIMESTAMP': {
      const args = argsOf(reader, 1);
      if (args === null) return null;
      return plain(word.toLowerCase() + (args[0] ? `(${args[0]})` : ''));
    }
    case 'YEAR': {
      const args = argsOf(reader, 1);
      return args === null || (args[0] ?? 4) !== 4 ? null : plain('year');
    }
    case 'BINARY':
    case 'VARBINARY':
      return bytes(reader, word === 'BINARY' ? 'binary' : 'varbinary');
    case 'CHAR':
    case 'CHARACTER':
    case 'VARCHAR':
    case 'VARCHARACTER':
      return characters(reader, word.startsWith('VAR') || reader.skip('VARYING') ? 'varchar' : 'char');
    case 'NATIONAL':
    case 'NCHAR':
    case 'NVARCHAR':
      return national(reader, word);
    case 'LONG':
      if (reader.skip('VARBINARY')) return plain('mediumblob');
      reader.skipOne(['VARCHAR', 'VARCHARACTER']);
      return sized(reader, 'mediumtext');
    case 'ENUM':
    case 'SET':
      return labelled(reader, word === 'ENUM' ? 'enum' : 'set');
    default:
      return null;
  }
}

function plain(type: string): TypeText {
  const args = [...(/\(([\d,]+)\)/.exec(type)?.[1] ?? '').matchAll(/\d+/g)].map(Number);
  const base = /^[a-z]+/.exec(type)?.[0] ?? '';
  return { type, base, args, labels: [], hasText: false, charset: null, collation: null };
}

function text(base: string, args: readonly number[]): TypeText {
  const type = args.length === 0 ? base : `${base}(${args.join(',')})`;
  return { ...plain(type), hasText: true };
}

/** Numbers in parentheses, up to so many; empty when there are none. */
function argsOf(reader: TokenReader, most: number): readonly number[] | null {
  if (!reader.comes('(')) return [];
  const parts = splitAtCommas(reader.group() ?? []);
  if (parts === null || parts.length > most) return null;
  const args = parts.map((part) => {
    const inner = new Reader(part, '');
    const value = inner.integer();
    return inner.ended ? value : null;
  });
  return args.every((arg) => arg !== null) ? args : null;
}

/** ZEROFILL makes a number unsigned; that it is shown with zeros is no part of its value. */
function signOf(reader: TokenReader): '' | ' unsigned' {
  let sign: '' | ' unsigned' = '';
  for (;;) {
    if (reader.skip('UNSIGNED') || reader.skip('ZEROFILL')) sign = ' unsigned';
    else if (!reader.skip('SIGNED')) return sign;
  }
}

function floating(reader: TokenReader, word: string): TypeText | null {
  if (word === 'DOUBLE') reader.skip('PRECISION');
  const args = argsOf(reader, 2);
  if (args === null) return null;
  const [first = 0, digits] = args;
  const isDouble = ['DOUBLE', 'REAL', 'FLOAT8'].includes(word);
  if (digits !== undefined)
    return plain(`${isDouble ? 'double' : 'float'}(${first},${digits})${signOf(reader)}`);
  if (isDouble && args.length > 0) return null;
  return plain((isDouble || first > 24 ? 'double' : 'float') + signOf(reader));
}

function bytes(reader: TokenReader, base: 'binary' | 'varbinary'): TypeText | null {
  const args = argsOf(reader, 1);
  if (args === null || (base === 'varbinary' && args.length === 0)) return null;
  return plain(`${base}(${args[0] ?? 1})`);
}

function characters(reader: TokenReader, base: 'char' | 'varchar'): TypeText | null {
  const args = argsOf(reader, 1);
  if (args === null || (base === 'varchar' && args.length === 0)) return null;
  const length = args[0] ?? 1;
  if (reader.skip('BYTE')) return plain(`${base === 'char' ? 'binary' : 'varbinary'}(${length})`);
  return charsetOf(reader, text(base, [length]));
}

function national(reader: TokenReader, word: string): TypeText | null {
  const base = word === 'NATIONAL' ? reader.word() : word;
  const isVarying =
    reader.skip('VARYING') ||
    (word === 'NCHAR' && reader.skipOne(['VARCHAR', 'VARCHARACTER'])) ||
    !['CHAR', 'CHARACTER', 'NCHAR'].includes(base);
  if (!['CHAR', 'CHARACTER', 'VARCHAR', 'VARCHARACTER', 'NCHAR', 'NVARCHAR'].includes(base)) return null;
  const args = argsOf(reader, 1);
  if (args === null || (isVarying && args.length === 0)) return null;
  return { ...text(isVarying ? 'varchar' : 'char', [args[0] ?? 1]), charset: 'utf8mb3' };
}

/** With a length the server takes the smallest that holds so many characters, by a character set that may be the table's. */
function sized(reader: TokenReader, base: string): TypeText | null {
  if (reader.comes('(')) return null;
  if (reader.skip('BYTE')) return plain(base.replace('text', 'blob'));
  return charsetOf(reader, text(base, []));
}

function blob(reader: TokenReader, base: string): TypeText | null {
  const args = argsOf(reader, 1);
  if (args === null || (args.length > 0 && base !== 'blob')) return null;
  const [length] = args;
  if (length === undefined || length === 0) return plain(base);
  return plain(BLOB_SIZES.find(([, size]) => length <= size)?.[0] ?? 'longblob');
}

function labelled(reader: TokenReader, base: 'enum' | 'set'): TypeText | null {
  const parts = splitAtCommas(reader.group() ?? []);
  const labels = (parts ?? []).map(labelOf);
  if (parts === null || labels.length === 0) return null;
  const known: string[] = [];
  for (const label of labels) {
    // A catalog spells what is behind a backslash in ways that differ.
    if (label === null || /[\\\p{Cc}]/u.test(label)) return null;
    // The server strips them.
    known.push(label.replace(/ +$/, ''));
  }
  const type = `${base}(${known.map(quote).join(',')})`;
  return charsetOf(reader, { ...plain(base), type, labels: known, hasText: true });
}

function labelOf(part: readonly Token[]): string | null {
  const [token] = part;
  return part.length === 1 && (token?.kind === 'string' || token?.kind === 'double') ? token.value : null;
}

function charsetOf(reader: TokenReader, type: TypeText): TypeText | null {
  let { charset } = type;
  if (reader.skip('ASCII')) charset = 'latin1';
  else if (reader.skip('UNICODE')) charset = 'ucs2';
  else if (reader.skip('CHARACTER', 'SET') || reader.skip('CHARSET') || reader.skip('CHAR', 'SET')) {
    charset = nameOf(reader);
    // BINARY as a character set makes another type; DEFAULT is the table's.
    if (charset === null || ['binary', 'default'].includes(charset)) return null;
  }
  return { ...type, charset: charset === null ? null : canonicalCharset(charset) };
}

/** A character set or a collation, as a word or as a string. */
export function nameOf(reader: TokenReader): string | null {
  const name = reader.comes('(') ? null : (reader.string() ?? reader.identifier());
  return name === null || !/^\w+$/.test(name) ? null : name.toLowerCase();
}

/** `utf8` is `utf8mb3` at every server that rowferry reads, unless MariaDB was told otherwise (old_mode). */
export function canonicalCharset(charset: string): string {
  return charset === 'utf8' ? 'utf8mb3' : charset;
}

export function canonicalCollation(collation: string): string {
  return collation.replace(/^utf8_/, 'utf8mb3_');
}

/** Null for a collation that fits several character sets (MariaDB's `uca1400_ai_ci`). */
export function charsetOfCollationName(collation: string): string | null {
  return collation.startsWith('uca1400') ? null : (collation.split('_')[0] ?? null);
}
