/** What the conversion of one column may know beside the column. */
import { RowferryError } from '../errors.ts';
import { parseColumnPattern } from '../model/column-pattern.ts';
import type { ColumnPattern } from '../model/column-pattern.ts';
import type { CatalogColumn, CatalogTable, Flavour } from './catalog.ts';
import type { MappedColumn } from './map-columns.ts';
import type { PlannedColumn, TypeOverride } from './planned.ts';

export interface ColumnContext {
  readonly sourceFlavour: Flavour;
  /** Part of the target's primary key. */
  readonly inKey: boolean;
  /** Part of a secondary unique key. */
  readonly inUniqueKey: boolean;
  /** The target's own type for it, by the operator's wish. */
  readonly override: TypeOverride | undefined;
  /** `schema.table.column` at the source. */
  readonly about: string;
  /** The table's rows are all in one place, so that its counter can go on there. */
  readonly keepsCounter: boolean;
  /** The route's mapping leaves names and values as they are, so that expressions over columns hold. */
  readonly keepsExpressions: boolean;
  readonly note: (what: string) => void;
}

/** The operator's type for a column of a source table; the last that matches counts. */
export function overrideOf(
  overrides: readonly TypeOverride[],
  engine: 'mysql' | 'postgres',
  table: CatalogTable,
  column: string,
): TypeOverride | undefined {
  return overrides.findLast((override) => {
    const pattern = patternOf(override);
    return (pattern.engine ?? engine) === engine && pattern.matches(table.schema, table.name, column);
  });
}

/** A source table with the names of its columns and of those that routes add to it. */
export interface NamedColumns {
  readonly table: CatalogTable;
  readonly columns: readonly string[];
}

/** The types that no column takes. */
export function unusedOverrides(
  overrides: readonly TypeOverride[],
  tables: readonly NamedColumns[],
): readonly TypeOverride[] {
  return overrides.filter((override) => {
    const { matches } = patternOf(override);
    return !tables.some(({ table, columns }) =>
      columns.some((column) => matches(table.schema, table.name, column)),
    );
  });
}

/** The override names one column, so that it can only be wrong when there is no such column. */
export function isForOneColumn(override: TypeOverride): boolean {
  return patternOf(override).isLiteral;
}

function patternOf({ column, place }: TypeOverride): ColumnPattern {
  const pattern = parseColumnPattern(column);
  if ('value' in pattern) return pattern.value;
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', `${place}: ${column} ${pattern.wrong}`, {
    hint: 'write schema.table.column, such as shop.orders.total or postgres:shop.*.total',
  });
}

/** A type by wish that cannot be. */
export function wrongOverride({ column, type, place }: TypeOverride, why: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', `${place}: the type ${type} for ${column} ${why}`, {
    hint: 'give a type that holds every value of the column exactly, or none to have the default',
  });
}

/** What every target column of a mapped column has in common. */
export function plainColumn({ name, source, how, type }: MappedColumn, inKey: boolean): PlannedColumn {
  return {
    name,
    from: type,
    type,
    nullable: source !== null && source.nullable && !inKey,
    collation: null,
    default: null,
    numbering: 'none',
    generated: null,
    invisible: false,
    comment:
      how === 'raw' || how === 'mask' || how === 'hash' || how === 'prefix' ? (source?.comment ?? '') : '',
    labels: null,
  };
}

/** True when values are those of the source, so that its default and counter fit them. */
export function isUntouched(
  mapped: MappedColumn,
): mapped is MappedColumn & { readonly source: CatalogColumn } {
  return mapped.how === 'raw' && mapped.source !== null;
}

/** MySQL's binlog holds the values of all columns, MariaDB's none of virtual ones; capture refuses rows without them. */
export function mayBeLeftOut({ generated }: CatalogColumn, { sourceFlavour, note }: ColumnContext): boolean {
  if (generated === null || generated.stored || sourceFlavour === 'mysql') return false;
  note(
    'is a VIRTUAL column, whose values MariaDB leaves out of the binlog: capture stops at rows without them',
  );
  return true;
}

export const UNFERRIED =
  'the binlog does not show such values exactly: capture refuses the table until the column is gone or the table excluded';
