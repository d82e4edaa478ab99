/** Reads the definition of a column in ADD, MODIFY and CHANGE. Pure. */
import type { ColumnDefinition } from '../model/schema-change.ts';
import {
  canonicalCollation,
  charsetOfCollationName,
  canonicalCharset,
  nameOf,
  readType,
} from './column-type.ts';
import type { Dialect, TypeText } from './column-type.ts';
import { readDefault } from './default-literal.ts';
import type { TokenReader } from './token-reader.ts';

type ReadColumn =
  | { readonly kind: 'column'; readonly column: ColumnDefinition }
  /** `why` continues a sentence about the statement. */
  | { readonly kind: 'other'; readonly why: string };

/** What makes of a column more than rows with NULL or a constant. */
const REFUSED: Readonly<Record<string, string>> = {
  AUTO_INCREMENT: 'numbers the rows of a column (AUTO_INCREMENT)',
  UNIQUE: 'makes a column unique',
  PRIMARY: 'changes the primary key',
  KEY: 'makes a column a key',
  REFERENCES: 'makes a column a foreign key',
  CONSTRAINT: 'defines a check in a column',
  CHECK: 'defines a check in a column',
  GENERATED: 'generates a column from others',
  AS: 'generates a column from others',
  ON: 'lets the server change a column by itself (ON UPDATE)',
  INVISIBLE: 'makes a column invisible',
};
const UNKNOWN = 'has a part of a column that rowferry does not know';

/**
 * The definition that follows a column's name, with its place (FIRST, AFTER). `isNew`: rows that are there take the default, so
 * there must be one.
 */
export function readColumn(reader: TokenReader, name: string, isNew: boolean, dialect: Dialect): ReadColumn {
  const no = (why: string): ReadColumn => ({ kind: 'other', why });
  if (reader.skip('SERIAL')) return no(REFUSED['AUTO_INCREMENT'] ?? UNKNOWN);
  const type = readType(reader, dialect);
  if (type === null) return no('has a column of a type that rowferry does not know');
  const attributes = readAttributes(reader, type, dialect);
  if (typeof attributes === 'string') return no(attributes);
  const { isNull, defaults, collation, comment } = attributes;
  // Where the session has explicit_defaults_for_timestamp at OFF, a TIMESTAMP that does not say NULL becomes the current one.
  if (type.base === 'timestamp' && isNull === null && defaults === null)
    return no('has a TIMESTAMP column that does not say NULL');
  const nullable = isNull ?? true;
  if (isNew && !nullable && defaults?.text === undefined)
    return no('adds a NOT NULL column without a default, which each server fills in its own way');
  if (!nullable && defaults !== null && defaults.text === undefined) return no(UNKNOWN);
  return {
    kind: 'column',
    column: {
      name,
      type: type.type,
      charset: collation?.charset ?? type.charset,
      collation: collation?.name ?? type.collation,
      nullable,
      default: defaults?.text ?? null,
      comment,
    },
  };
}

interface Attributes {
  /** Null when the definition does not say. */
  readonly isNull: boolean | null;
  /** Null without DEFAULT; an undefined text is NULL. */
  readonly defaults: { readonly text: string | undefined } | null;
  readonly collation: { readonly name: string; readonly charset: string | null } | null;
  readonly comment: string;
}

/** The attributes, or why they are not for us. */
function readAttributes(reader: TokenReader, type: TypeText, dialect: Dialect): Attributes | string {
  let isNull: boolean | null = null;
  let defaults: Attributes['defaults'] = null;
  let collation: Attributes['collation'] = null;
  let comment = '';
  while (!reader.ended) {
    if (reader.skip('NOT', 'NULL')) isNull = false;
    else if (reader.skip('NULL')) isNull = true;
    else if (reader.skip('DEFAULT')) {
      const text = readDefault(reader, type, dialect);
      if (text === null) return 'fills a column by a default that is no plain value';
      defaults = { text };
    } else if (reader.skip('COMMENT')) {
      const text = reader.string();
      if (text === null) return UNKNOWN;
      comment = text;
    } else if (reader.skip('COLLATE')) {
      const name = nameOf(reader);
      if (name === null || name === 'binary' || !type.hasText) return UNKNOWN;
      const charset = charsetOfCollationName(name);
      const known = charset === null ? null : canonicalCharset(charset);
      if (type.charset !== null && known !== null && known !== type.charset) return UNKNOWN;
      collation = { name: canonicalCollation(name), charset: known };
    } else if (reader.skip('COLUMN_FORMAT')) {
      if (!reader.skipOne(['FIXED', 'DYNAMIC', 'DEFAULT'])) return UNKNOWN;
    } else if (reader.skip('STORAGE')) {
      if (!reader.skipOne(['DISK', 'MEMORY', 'DEFAULT'])) return UNKNOWN;
    } else if (reader.skip('FIRST') || reader.skip('VISIBLE')) continue;
    else if (reader.skip('AFTER')) {
      if (reader.identifier() === null) return UNKNOWN;
    } else return REFUSED[reader.peekWord()] ?? UNKNOWN;
  }
  return { isNull, defaults, collation, comment };
}
