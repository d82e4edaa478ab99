/** What the conversion of one column may know beside the column. */
import { RowferryError } from '../errors.ts';
import { parseTablePattern } from '../model/table-filter.ts';
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
  readonly override: string | undefined;
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
    const { only, matches } = readOverride(override);
    return (only === undefined || only === engine) && matches(table, column);
  });
}

/** Throws ROWFERRY_CONFIG_INVALID for types that no column takes: a slip of the pen would leave the default in force. */
export function refuseUnused(overrides: readonly TypeOverride[], tables: readonly CatalogTable[]): void {
  for (const override of overrides) {
    const { matches } = readOverride(override);
    if (tables.some((table) => table.columns.some(({ name }) => matches(table, name)))) continue;
    throw wrongOverride(override.column, 'names no column of a captured table');
  }
}

function readOverride({ column: text }: TypeOverride): {
  readonly only: string | undefined;
  readonly matches: (table: CatalogTable, column: string) => boolean;
} {
  const [, only, name = ''] = /^(?:(mysql|postgres):)?(.*)$/s.exec(text) ?? [];
  const dot = name.lastIndexOf('.');
  const pattern = parseTablePattern(name.slice(0, Math.max(dot, 0)));
  if ('wrong' in pattern) throw wrongOverride(text, 'is not of the form schema.table.column');
  const column = name.slice(dot + 1).toLowerCase();
  return {
    only,
    matches: (table, other) =>
      other.toLowerCase() === column && pattern.value.matches(table.schema, table.name),
  };
}

export function wrongOverride(column: string, why: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', `the type given for ${column} ${why}`, {
    hint: 'name a column of a captured table, and a type that holds its values exactly',
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
