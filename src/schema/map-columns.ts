/** What becomes of a source table's columns by a route's mapping, before any target's types come in. Pure. */
import type { Table } from '../model/table.ts';
import { fillNames, mapTable } from '../routing/columns.ts';
import type { ColumnSpec, Names } from '../routing/columns.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';

export interface MappedColumn {
  readonly name: string;
  /** Null for added columns. */
  readonly source: CatalogColumn | null;
  readonly how: 'raw' | 'hash' | 'mask' | 'prefix' | 'add' | 'origin';
  /** MySQL type of the written values, in full. */
  readonly type: string;
}

export interface MappedColumns {
  readonly columns: readonly MappedColumn[];
  /** Names of the key's columns. */
  readonly key: readonly string[];
}

/** Longest `source:schema.table` that fits. */
const ORIGIN_LENGTH = 200;
const ADDED_LENGTH = 255;

/** Throws ROWFERRY_ROUTE_COLUMNS for a mapping that does not fit the table. */
export function mapColumns(table: CatalogTable, spec: ColumnSpec | null, names: Names): MappedColumns {
  const shape = shapeOf(table);
  if (spec === null) {
    const columns = table.columns.map((source) => rawColumn(source));
    return { columns, key: shape.key.map((index) => columns[index]?.name ?? '') };
  }
  const mapped = mapTable(shape, spec, names).table;
  // As `mapTable` does: written source columns in their order, then what is added.
  const kept = table.columns.filter(
    ({ name }) => (spec.only === undefined || has(spec.only, name)) && !has(spec.drop ?? [], name),
  );
  const columns = mapped.columns.map(({ name, type }, index): MappedColumn => {
    const source = kept[index];
    if (source === undefined) return addedColumn(name, type, spec, names);
    return { ...treated(source, spec, names), name };
  });
  return { columns, key: mapped.key.map((index) => columns[index]?.name ?? '') };
}

/** What becomes of one column whatever stands beside it; undefined when it is not written. */
export function mapColumn(
  source: CatalogColumn,
  spec: ColumnSpec | null,
  names: Names,
): MappedColumn | undefined {
  if (spec === null) return rawColumn(source);
  const { only = [source.name], drop = [], rename = {} } = spec;
  if (!has(only, source.name) || has(drop, source.name)) return undefined;
  const renamed = Object.entries(rename).find(([name]) => has([name], source.name))?.[1];
  return { ...treated(source, spec, names), name: renamed ?? source.name };
}

function shapeOf(table: CatalogTable): Table {
  const key = table.primaryKey.map((part) => table.columns.findIndex(({ name }) => name === part.column));
  return {
    schema: table.schema,
    name: table.name,
    columns: table.columns.map(({ name, type }) => ({ name, type })),
    key: key.filter((index) => index >= 0),
  };
}

function rawColumn(source: CatalogColumn): MappedColumn {
  return { name: source.name, source, how: 'raw', type: source.type };
}

function treated(source: CatalogColumn, spec: ColumnSpec, names: Names): MappedColumn {
  const raw = rawColumn(source);
  if (has(spec.hash ?? [], source.name)) return { ...raw, how: 'hash', type: 'char(64)' };
  if (has(Object.keys(spec.mask ?? {}), source.name)) return { ...raw, how: 'mask' };
  const prefix = Object.entries(spec.prefix ?? {}).find(([name]) => has([name], source.name))?.[1];
  if (prefix === undefined) return raw;
  return {
    ...raw,
    how: 'prefix',
    type: prefixedType(source.type, Array.from(fillNames(prefix, names)).length),
  };
}

/** Characters that the wire text of a value may have; texts without a bound of their own stay so. */
function prefixedType(type: string, more: number): string {
  const [, base = '', args = ''] = /^([a-z]+)(?:\(([^)]*)\))?/.exec(type) ?? [];
  if (/text$|blob$|^json$|^set$/.test(base)) return base.endsWith('text') ? base : 'longtext';
  if (base === 'char' || base === 'varchar') return `varchar(${Number(args || 1) + more})`;
  // Base64.
  if (base === 'binary' || base === 'varbinary')
    return `varchar(${Math.ceil(Number(args || 1) / 3) * 4 + more})`;
  if (base === 'enum') {
    const longest = Math.max(
      0,
      ...[...type.matchAll(/'((?:[^']|'')*)'/g)].map(([, label = '']) => label.length),
    );
    return `varchar(${longest + more})`;
  }
  // The longest number is a DECIMAL of 65 digits with sign, point and a leading zero.
  return `varchar(${Math.max(ADDED_LENGTH, 68 + more)})`;
}

function addedColumn(name: string, type: string, spec: ColumnSpec, names: Names): MappedColumn {
  const value = spec.add?.[name];
  if (value === undefined && name === spec.origin)
    return { name, source: null, how: 'origin', type: `varchar(${ORIGIN_LENGTH})` };
  if (type === 'bigint') return { name, source: null, how: 'add', type };
  const length = Array.from(fillNames(String(value ?? ''), names)).length;
  return { name, source: null, how: 'add', type: `varchar(${Math.max(ADDED_LENGTH, length)})` };
}

function has(names: readonly string[], name: string): boolean {
  return names.some((candidate) => candidate.toLowerCase() === name.toLowerCase());
}
