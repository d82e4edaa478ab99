/** A column for PostgreSQL targets: the default mapping of types, and what becomes of defaults. Pure. */
import { arrayElement } from '../model/postgres-texts.ts';
import { isZeroDate } from '../model/value-guards.ts';
import { parseSourceType, postgresColumn } from '../model/values.ts';
import type { CatalogColumn } from './catalog.ts';
import { labelsOf } from './catalog.ts';
import { icuCollation, icuLocale, ignoresCase } from './collation.ts';
import { isUntouched, mayBeLeftOut, plainColumn, UNFERRIED, wrongOverride } from './column-context.ts';
import type { ColumnContext } from './column-context.ts';
import type { MappedColumn } from './map-columns.ts';
import type { Numbering, PlannedColumn } from './planned.ts';
import { isGeometry, postgresTypeOf, spelledByPostgres } from './postgres-types.ts';

const SERIALS: Readonly<Record<string, string>> = {
  smallserial: 'smallint', serial: 'integer', bigserial: 'bigint',
}; // prettier-ignore

/** Null when the target cannot have the column at all. */
export function convertForPostgres(mapped: MappedColumn, context: ColumnContext): PlannedColumn | null {
  const column = plainColumn(mapped, context.inKey);
  const { override } = context;
  const wish = override?.type.trim().toLowerCase();
  const serial = wish === undefined ? undefined : SERIALS[wish];
  const chosen = serial ?? (wish === undefined ? undefined : spelledByPostgres(wish));
  const isFerried = parseSourceType(mapped.type) !== undefined;
  if (!isFerried) context.note(`${mapped.type}: ${UNFERRIED}`);
  const type = chosen ?? postgresTypeOf(mapped.type) ?? (isGeometry(mapped.type) ? 'bytea' : undefined);
  if (type === undefined) return null;
  if (!isFerried) return { ...column, type, nullable: true };
  if (override !== undefined && !isWritable(mapped, type))
    throw wrongOverride(override, `cannot hold ${mapped.type} exactly (${context.about})`);
  const isLabelled = /^(?:enum|set)\(/.test(mapped.type) && (type === 'text' || type === 'text[]');
  const typed: PlannedColumn = {
    ...column,
    type,
    collation: collationOf(mapped, type, context),
    labels: isLabelled ? labelsOf(mapped.type) : null,
  };
  if (!isUntouched(mapped)) return typed;
  const { source } = mapped;
  tellChoices(typed, context);
  tellLosses(source, context);
  const numbering = numberingOf(source, type, serial !== undefined, context);
  return {
    ...typed,
    nullable: typed.nullable || (mayBeLeftOut(source, context) && !context.inKey),
    numbering,
    default: numbering === 'none' && source.generated === null ? defaultOf(source, type, context) : null,
  };
}

function isWritable({ name, type: from }: MappedColumn, type: string): boolean {
  return postgresColumn(from, { name, type, nullable: true }, { zeroDates: 'null' }) !== undefined;
}

/**
 * Secondary unique keys keep the source's equality by a nondeterministic ICU collation of the column: an index over lower()
 * would be a key without columns to apply, and its equality another one than the column's. A primary key compares exactly, so
 * that a row is never taken for another one.
 */
function collationOf(
  mapped: MappedColumn,
  type: string,
  { inKey, inUniqueKey, note }: ColumnContext,
): string | null {
  const collation = mapped.source?.collation ?? null;
  const isText =
    /^(?:text|character)/.test(type) && !type.endsWith('[]') && !/^(?:enum|set)\(/.test(mapped.type);
  if (!isText || mapped.how === 'hash' || collation === null || !ignoresCase(collation)) return null;
  if (inKey) {
    note(`part of the key: compares exactly here, without the equality of ${collation}`);
    return null;
  }
  if (!inUniqueKey) return null;
  const name = icuCollation(collation);
  note(
    `part of a unique key under ${collation}: collation ${name} (ICU ${icuLocale(name)}) keeps letters equal as there; LIKE needs PostgreSQL 18 for it`,
  );
  return name;
}

function tellLosses(source: CatalogColumn, { note }: ColumnContext): void {
  if (source.generated !== null)
    note(`was generated as (${source.generated.sql}); a plain column here that takes the source's values`);
  if (source.onUpdateNow)
    note('ON UPDATE CURRENT_TIMESTAMP is left out: rowferry writes the values; add a trigger at the cutover');
  if (source.invisible) note('is invisible at the source and not here');
}

/** What a reader of the file would ask about. */
function tellChoices({ from, type, labels }: PlannedColumn, { override, note }: ColumnContext): void {
  if (override === undefined && /^bigint.* unsigned/.test(from))
    note(
      `${from} is ${type}; the type bigint is smaller and faster where no value is above 9223372036854775807`,
    );
  if (labels !== null && type === 'text')
    note("ENUM is text with a check, in which '' is what MySQL stores for a wrong label");
}

function numberingOf(
  source: CatalogColumn,
  type: string,
  serial: boolean,
  { keepsCounter }: ColumnContext,
): Numbering {
  if (serial) return 'serial';
  if (!source.autoIncrement || !keepsCounter) return 'none';
  if (/^(?:smallint|integer|bigint)$/.test(type)) return 'auto';
  return type.startsWith('numeric') ? 'sequence' : 'none';
}

/** MySQL's functions with a twin; without the spaces and quotes that differ between servers. */
const TWINS: Readonly<Record<string, readonly [pattern: RegExp, sql: string]>> = {
  'uuid()': [/^(?:text|character|uuid)/, 'gen_random_uuid()'],
  'curdate()': [/^date$/, 'CURRENT_DATE'],
  'current_date()': [/^date$/, 'CURRENT_DATE'],
  'json_object()': [/^jsonb?$/, "'{}'"],
  'json_array()': [/^jsonb?$/, "'[]'"],
};

function defaultOf(source: CatalogColumn, type: string, { note }: ColumnContext): string | null {
  const { default: given } = source;
  if (given === null) return null;
  if (given.kind === 'now') {
    const name = type.endsWith('with time zone') ? 'CURRENT_TIMESTAMP' : 'LOCALTIMESTAMP';
    return `${name}(${given.digits})`;
  }
  if (given.kind === 'expression') {
    const twin = TWINS[given.sql.toLowerCase().replace(/[\s`]/g, '')];
    if (twin?.[0].test(type) === true) return twin[1];
    note(`the default (${given.sql}) has no twin here and is left out`);
    return null;
  }
  const sql = literalOf(source.type, given.text, type);
  if (sql === null) note(`the default ${JSON.stringify(given.text)} cannot be here and is left out`);
  return sql;
}

function literalOf(from: string, text: string, type: string): string | null {
  const family = parseSourceType(from)?.family;
  if (type === 'boolean') return /^[01]$/.test(text) ? String(text === '1') : null;
  if (/^bit\b/.test(type)) return `B'${text.padStart(Number(/\d+/.exec(type)?.[0] ?? 1), '0')}'`;
  if (family === 'bytes') return null;
  if (family === 'bit') return /^[01]+$/.test(text) ? BigInt(`0b${text}`).toString() : null;
  if (['date', 'datetime', 'timestamp'].includes(family ?? '') && isZeroDate(text)) return null;
  if (type.endsWith('[]')) {
    const labels = text === '' ? [] : text.split(',');
    return quoted(`{${labels.map(arrayElement).join(',')}}`);
  }
  if (/^(?:smallint|integer|bigint|numeric|real|double)/.test(type))
    return /^[-+]?[\d.]+(?:e[-+]?\d+)?$/i.test(text) ? text : null;
  return text.includes('\0') ? null : quoted(text);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
