/** What both engines' writers of SQL give to plans. */
import type { PlannedColumn, PlannedIndex, PlannedTable } from './planned.ts';

export interface DdlWriter {
  /** What must be there before any table: schemas, collations, extensions. */
  prepare(tables: readonly PlannedTable[]): string[];
  /** The table with its primary key and unique keys, and with the other indexes that must not or need not wait. */
  createTable(table: PlannedTable, indexes: 'before' | 'after'): string[];
  /** Indexes that `createTable` left for later, for a table that is in use. */
  laterIndexes(table: PlannedTable): string[];
  /** One more column for a table that may hold rows and is in use. */
  addColumn(table: Pick<PlannedTable, 'path'>, column: PlannedColumn): string[];
  /** True when `addColumn` must leave a NOT NULL column open, since the rows that are there get no value. */
  leavesOpen(column: PlannedColumn): boolean;
  /** One more secondary index for a table that may hold rows and is in use. */
  addIndex(table: PlannedTable, index: PlannedIndex): string[];
}

/** The schema that leads a path, and the table's own name. */
export function splitPath(path: string): { readonly schema: string | null; readonly table: string } {
  const dot = path.indexOf('.');
  return dot < 0 ? { schema: null, table: path } : { schema: path.slice(0, dot), table: path.slice(dot + 1) };
}

export function schemasOf(tables: readonly PlannedTable[]): string[] {
  const schemas = tables.flatMap(({ path }) => splitPath(path).schema ?? []);
  return [...new Set(schemas)].toSorted();
}
