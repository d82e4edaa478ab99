import type { Comparison, Difference, TableResult } from './compare.ts';
import { textTable } from '../../src/cli/text-table.ts';

/** The table that closes a run: what each side holds and what is wrong, then a few of the wrong rows by key. */
export function comparisonReport({ tables, samples }: Comparison): string[] {
  const targets = [...new Set(tables.flatMap(({ targetRows }) => targetRows.map(({ target }) => target)))];
  const header = ['table', 'source rows', ...targets, 'missing', 'extra', 'different'];
  const rows = tables.map(({ table, sourceRows, targetRows, missing, extra, different }) => [
    table,
    sourceRows,
    ...targets.map((name) => rowsAt(targetRows.filter(({ target }) => target === name))),
    missing,
    extra,
    different,
  ]);
  return [...textTable(header, rows), ...samples.map(describeDifference)];
}

/** The rows of all tables of one target, and in how many tables they are. */
function rowsAt(tables: TableResult['targetRows']): number | string | null {
  if (tables.length === 0) return null;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return tables.length === 1 ? rows : `${rows.toLocaleString('en-US')} in ${tables.length}`;
}

export function describeDifference({ table, target, what, key, columns }: Difference): string {
  const where = columns === undefined ? '' : ` in ${columns.join(', ')}`;
  return `  ${what} at ${target}: ${table} ${key}${where}`;
}
