/** A column of a statement on the source as one route has it at one target. Pure. */
import { parseSourceType } from '../model/values.ts';
import type { ColumnDefinition } from '../model/schema-change.ts';
import type { ColumnSpec, Names } from '../routing/columns.ts';
import { mapTable } from '../routing/columns.ts';
import type { CatalogColumn } from './catalog.ts';
import { labelsOf } from './catalog.ts';
import type { ColumnContext } from './column-context.ts';
import { convertForMysql } from './convert-mysql-column.ts';
import { convertForPostgres } from './convert-postgres-column.ts';
import { mapColumn } from './map-columns.ts';
import type { MappedColumn } from './map-columns.ts';
import type { PlannedColumn, TargetTraits } from './planned.ts';

/** Counters, generated columns and expressions are no additive change. */
const CONTEXT: ColumnContext = {
  sourceFlavour: 'mysql',
  inKey: false,
  inUniqueKey: false,
  override: undefined,
  about: '',
  keepsCounter: false,
  keepsExpressions: false,
  note: () => {},
};

/** A column of which nothing is known but name and type. */
export function bareColumn(name: string, type: string): CatalogColumn {
  return {
    name,
    type,
    charset: null,
    collation: null,
    nullable: true,
    default: null,
    autoIncrement: false,
    onUpdateNow: false,
    generated: null,
    invisible: false,
    comment: '',
  };
}

export interface EvolveRoute {
  readonly columns: ColumnSpec | null;
  readonly names: Names;
  /** Rows of several source tables meet in the target table. */
  readonly isShared: boolean;
}

export interface EvolvedColumn {
  readonly planned: PlannedColumn;
  /** Why rows that are there cannot be given what they hold at the source; null when `planned.default` does, or NULL is right. */
  readonly lacksDefault: string | null;
}

/** Undefined when the route does not write the column, or the target can have none for it. */
export function evolvedColumn(
  definition: ColumnDefinition,
  { columns, names, isShared }: EvolveRoute,
  traits: TargetTraits,
  inKey: boolean,
): EvolvedColumn | undefined {
  const source = sourceColumn(definition);
  const mapped = mapColumn(source, columns, names);
  if (mapped === undefined) return undefined;
  const context = { ...CONTEXT, inKey };
  const converted =
    traits.engine === 'mysql'
      ? convertForMysql(mapped, traits, context)
      : convertForPostgres(mapped, context);
  if (converted === null) return undefined;
  const wanted = writtenDefault(source, mapped, columns, names);
  const sql = wanted === null || wanted === undefined ? null : defaultSql(wanted, mapped, converted, traits);
  const planned: PlannedColumn = {
    ...converted,
    // Other source tables may not have it.
    nullable: converted.nullable || (isShared && !inKey),
    collation: source.collation === null && mapped.how !== 'hash' ? null : converted.collation,
    default: sql,
  };
  const isTold = wanted === null || sql !== null;
  return {
    planned,
    lacksDefault: isTold
      ? null
      : `what rows that are there hold (${definition.type}) cannot be said as a default`,
  };
}

/** The definition as a catalog would show it. */
function sourceColumn(definition: ColumnDefinition): CatalogColumn {
  const { name, type, charset, collation, nullable, comment } = definition;
  const text = definition.default ?? (nullable ? null : implicitDefault(type));
  return {
    ...bareColumn(name, type),
    charset,
    // What the statement leaves to the table is left to the target's table.
    collation: collation ?? (charset === null ? null : `${charset}_general_ci`),
    nullable,
    default: text === null ? null : { kind: 'literal', text },
    comment,
  };
}

/** What MySQL gives to rows that are there when a NOT NULL column without a default comes; null when it gives nothing. */
function implicitDefault(type: string): string | null {
  const source = parseSourceType(type);
  const fraction = (source?.args[0] ?? 0) > 0 ? `.${'0'.repeat(source?.args[0] ?? 0)}` : '';
  switch (source?.family) {
    case 'integer':
    case 'bigint':
    case 'decimal':
    case 'float':
    case 'double':
    case 'bit':
    case 'year':
      return '0';
    case 'text':
    case 'bytes':
    case 'set':
      return '';
    case 'enum':
      return labelsOf(type)[0] ?? '';
    case 'date':
      return '0000-00-00';
    case 'datetime':
    case 'timestamp':
      return `0000-00-00 00:00:00${fraction}`;
    case 'time':
      return `00:00:00${fraction}`;
    default:
      return null;
  }
}

/** What the route writes for the default; null for none, undefined when its wire form is not known from the statement. */
function writtenDefault(
  source: CatalogColumn,
  mapped: MappedColumn,
  spec: ColumnSpec | null,
  names: Names,
): string | null | undefined {
  if (source.default?.kind !== 'literal') return source.nullable ? null : undefined;
  const { text } = source.default;
  if (mapped.how === 'raw' || spec === null) return text;
  const family = parseSourceType(source.type)?.family ?? '';
  if (!['text', 'enum', 'integer', 'bigint', 'date'].includes(family)) return undefined;
  const isNumber = family === 'integer' || family === 'bigint';
  const wire = isNumber && /^[-+]?\d+$/.test(text) ? BigInt(text).toString() : text;
  return mappedText(wire, source, spec, names);
}

/** Through the very functions that rows take. */
function mappedText(wire: string, source: CatalogColumn, spec: ColumnSpec, names: Names): string | undefined {
  const own = (name: string): boolean => name.toLowerCase() === source.name.toLowerCase();
  const ofOwn = <T>(map: Readonly<Record<string, T>> = {}): Record<string, T> =>
    Object.fromEntries(Object.entries(map).filter(([name]) => own(name)));
  const key = `${source.name}_key`;
  const table = {
    schema: names.schema,
    name: names.table,
    columns: [
      { name: key, type: 'int' },
      { name: source.name, type: source.type },
    ],
    key: [0],
  };
  const reduced: ColumnSpec = {
    hash: (spec.hash ?? []).filter(own),
    ...(spec.hashKey === undefined ? {} : { hashKey: spec.hashKey }),
    mask: ofOwn(spec.mask),
    prefix: ofOwn(spec.prefix),
  };
  const value = mapTable(table, reduced, names).image([1, wire])[1] ?? null;
  return value === null ? undefined : String(value);
}

function defaultSql(
  text: string,
  mapped: MappedColumn,
  { type }: PlannedColumn,
  traits: TargetTraits,
): string | null {
  const source: CatalogColumn = {
    ...bareColumn(mapped.name, mapped.type),
    default: { kind: 'literal', text },
  };
  const raw: MappedColumn = { ...mapped, source, how: 'raw' };
  if (traits.engine === 'mysql') {
    const sql = convertForMysql(raw, traits, CONTEXT)?.default ?? null;
    // Of such columns the server takes a default as an expression only.
    return sql !== null && /text$|blob$|^json/.test(type) ? `(${sql})` : sql;
  }
  if (type === 'bytea') return byteaSql(text, mapped.type);
  return convertForPostgres(raw, CONTEXT)?.default ?? null;
}

/** BINARY columns fill up with zeros at the source. */
function byteaSql(text: string, type: string): string {
  const bytes = /^0x[0-9a-f]*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : Buffer.from(text, 'latin1');
  const { base, args } = parseSourceType(type) ?? { base: '', args: [] };
  const fill = base === 'binary' ? Math.max(0, (args[0] ?? 1) - bytes.length) : 0;
  return `'\\x${bytes.toString('hex')}${'00'.repeat(fill)}'::bytea`;
}
