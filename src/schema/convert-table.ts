/** A source table under one route as a target's table, whatever its physical names are. Pure. */
import type { ColumnSpec, Names } from '../routing/columns.ts';
import type { CatalogIndex, CatalogTable, Flavour, IndexPart } from './catalog.ts';
import { overrideOf } from './column-context.ts';
import type { ColumnContext } from './column-context.ts';
import { convertForMysql } from './convert-mysql-column.ts';
import { convertForPostgres } from './convert-postgres-column.ts';
import { mapColumns } from './map-columns.ts';
import type { MappedColumn, MappedColumns } from './map-columns.ts';
import type {
  Note,
  PlannedColumn,
  PlannedIndex,
  PlannedTable,
  TargetTraits,
  TypeOverride,
} from './planned.ts';

interface ConvertOptions {
  readonly sourceFlavour: Flavour;
  readonly columns: ColumnSpec | null;
  readonly names: Names;
  readonly target: TargetTraits;
  readonly overrides: readonly TypeOverride[];
  /** The rows are shared out over several tables: each would count for itself. */
  readonly shared: boolean;
  /** How many source tables meet in the target table. */
  readonly feeds: number;
}

/** Everything but the physical name. */
export type TableShape = Omit<PlannedTable, 'path'>;

/** Throws ROWFERRY_ROUTE_COLUMNS and ROWFERRY_CONFIG_INVALID. */
export function convertTable(
  table: CatalogTable,
  options: ConvertOptions,
): { readonly shape: TableShape; readonly notes: readonly Note[] } {
  const notes: Note[] = [];
  const about = `${table.schema}.${table.name}`;
  const mapped = mapColumns(table, options.columns, options.names);
  const targetNames = namesAtTarget(mapped);
  const indexes = table.indexes.map((index) => ({ index, parts: partsAtTarget(index.parts, targetNames) }));
  const unique = indexes.filter(({ index }) => index.unique);
  const uniqueColumns = new Set(unique.flatMap(({ parts }) => (parts ?? []).map(({ column }) => column)));
  const columns = mapped.columns.flatMap((column): PlannedColumn[] => {
    const name = column.source?.name ?? column.name;
    const context: ColumnContext = {
      sourceFlavour: options.sourceFlavour,
      inKey: mapped.key.includes(column.name),
      inUniqueKey: uniqueColumns.has(column.name),
      override: overrideOf(options.overrides, options.target.engine, table, name),
      about: `${about}.${name}`,
      keepsCounter: !options.shared && options.feeds === 1,
      keepsExpressions: options.columns === null,
      note: (what) => void notes.push({ about: `${about}.${name}`, what }),
    };
    if (column.source?.autoIncrement === true && !context.keepsCounter && column.how === 'raw') {
      context.note(
        'AUTO_INCREMENT is left out: the rows are shared out or come together, each table would count for itself; give ids from outside',
      );
    }
    const planned =
      options.target.engine === 'mysql'
        ? convertForMysql(column, options.target, context)
        : convertForPostgres(column, context);
    return planned === null ? [] : [planned];
  });
  const note = (what: string): void => void notes.push({ about, what });
  if (mapped.key.length === 0)
    note(
      'has neither a primary key nor a declared one: capture refuses it, or adds its rows with `keyless: append`',
    );
  const kept = new Set(columns.map(({ name }) => name));
  const planned = indexes.flatMap(({ index, parts }): { unique: boolean; index: PlannedIndex }[] =>
    keptIndex(index, parts, kept, mapped, options, note),
  );
  tellUnconverted(table, options, note);
  const shape: TableShape = {
    columns: counted(
      columns,
      mapped.key,
      planned.map(({ index }) => index),
    ),
    primaryKey: mapped.key,
    uniqueKeys: planned.flatMap(({ unique, index }) => (unique ? [index] : [])),
    indexes: planned.flatMap(({ unique, index }) => (unique ? [] : [index])),
    checks: options.target.engine === 'mysql' && options.columns === null ? table.checks : [],
    rowFormat: options.target.engine === 'mysql' ? table.rowFormat : '',
    comment: table.comment,
  };
  return { shape, notes: notesTogether(notes) };
}

/** The same of several columns is told once. */
function notesTogether(notes: readonly Note[]): Note[] {
  const abouts = new Map<string, string[]>();
  for (const { about, what } of notes) abouts.set(what, [...(abouts.get(what) ?? []), about]);
  return [...abouts].map(([what, [first = '', ...others]]) => {
    const names = others.map((about) => about.slice(about.lastIndexOf('.') + 1));
    return { about: [first, ...names].join(', '), what };
  });
}

/** Source column -> target column, for those whose values still tell rows apart or order them. */
function namesAtTarget({ columns }: MappedColumns): ReadonlyMap<string, MappedColumn> {
  return new Map(
    columns.flatMap((column): [string, MappedColumn][] =>
      column.source === null ? [] : [[column.source.name.toLowerCase(), column]],
    ),
  );
}

/** Undefined when a column of the index is not written. */
function partsAtTarget(
  parts: readonly IndexPart[],
  names: ReadonlyMap<string, MappedColumn>,
): readonly IndexPart[] | undefined {
  const found = parts.map((part) => ({
    ...part,
    column: part.column === null ? null : (names.get(part.column.toLowerCase())?.name ?? undefined),
  }));
  return found.every((part): part is IndexPart => part.column !== undefined) ? found : undefined;
}

function keptIndex(
  index: CatalogIndex,
  parts: readonly IndexPart[] | undefined,
  kept: ReadonlySet<string>,
  mapped: MappedColumns,
  { target, columns: spec, sourceFlavour, feeds }: ConvertOptions,
  note: (what: string) => void,
): { readonly unique: boolean; readonly index: PlannedIndex }[] {
  const { name, kind, unique } = index;
  const leave = (why: string): [] => {
    note(`${unique ? 'unique key' : 'index'} ${name} is left out: ${why}`);
    return [];
  };
  if (parts === undefined || parts.some(({ column }) => column !== null && !kept.has(column)))
    return leave('not all of its columns are here');
  const hasExpression = parts.some(({ expression }) => expression !== null);
  if (
    hasExpression &&
    (target.engine === 'postgres' || target.flavour !== 'mysql' || sourceFlavour !== 'mysql')
  )
    return leave('the target cannot index this expression as it is');
  if (hasExpression && spec !== null) return leave('the route changes columns that it may be made from');
  if (kind !== 'btree' && target.engine === 'postgres')
    return leave(
      kind === 'fulltext' ? 'make one over to_tsvector() instead' : 'geometry stands here as bytes',
    );
  const howOf = (name: string | null) => mapped.columns.find((column) => column.name === name)?.how;
  const prefixOnBytes = parts.some(
    ({ column, prefix }) =>
      prefix !== null &&
      /^(?:(?:var)?binary|\w*blob)/.test(mapped.columns.find(({ name }) => name === column)?.type ?? ''),
  );
  if (prefixOnBytes && target.engine === 'postgres') return leave('no index over the beginning of bytes');
  if (!unique) return [{ unique, index: { name, kind, parts } }];
  // Rows are added and never replaced: one that the source has deleted may hold the value.
  if (mapped.key.length === 0) return leave('rows of a table without a key may be alike');
  if (parts.some(({ column }) => howOf(column) === 'mask')) return leave('masked values may be alike');
  const origin = mapped.columns.find(({ how }) => how === 'origin');
  if (
    feeds > 1 &&
    origin !== undefined &&
    !mapped.key.every((column) => parts.some((part) => part.column === column))
  ) {
    const first = { column: origin.name, prefix: null, descending: false, expression: null };
    note(`unique key ${name} starts with ${origin.name}: each source table knows only its own values`);
    return [{ unique, index: { name, kind, parts: [first, ...parts] } }];
  }
  if (feeds > 1)
    note(
      `unique key ${name} is over the rows of several source tables: a value that two of them hold parks a row`,
    );
  return [{ unique, index: { name, kind, parts } }];
}

/** A counter must lead a key; a mapping may have taken that away. */
function counted(
  columns: readonly PlannedColumn[],
  key: readonly string[],
  indexes: readonly PlannedIndex[],
): PlannedColumn[] {
  const leads = new Set([key[0], ...indexes.map(({ parts }) => parts[0]?.column)]);
  return columns.map((column) =>
    column.numbering === 'auto' && !leads.has(column.name) ? { ...column, numbering: 'none' } : column,
  );
}

function tellUnconverted(
  table: CatalogTable,
  { target, columns }: ConvertOptions,
  note: (what: string) => void,
): void {
  for (const { name, text } of table.foreignKeys)
    note(
      `foreign key ${name} (${text}) is left out: rows of different tables and shards do not arrive in its order`,
    );
  if (table.partitioned !== null)
    note(`partitioned by ${table.partitioned} at the source; one plain table here`);
  if (target.engine === 'mysql' && columns === null) return;
  for (const { name, sql } of table.checks) {
    const why = columns === null ? 'it is written for MySQL' : 'the route changes columns';
    note(`check ${name} (${sql}) is left out: ${why}; the source keeps it`);
  }
}
