import type { Comparison, Difference } from './compare.ts';
import { textTable } from './text-table.ts';

/** The table that closes a run: what each side holds and what is wrong, then a few of the wrong rows by key. */
export function comparisonReport({ tables, samples }: Comparison): string[] {
  const targets = [...new Set(tables.flatMap(({ targetRows }) => targetRows.map(({ target }) => target)))];
  const header = ['table', 'source rows', ...targets, 'missing', 'extra', 'different'];
  const rows = tables.map(({ table, sourceRows, targetRows, missing, extra, different }) => [
    table,
    sourceRows,
    ...targets.map((name) => targetRows.find(({ target }) => target === name)?.rows ?? null),
    missing,
    extra,
    different,
  ]);
  return [...textTable(header, rows), ...samples.map(describeDifference)];
}

export function describeDifference({ table, target, what, key, columns }: Difference): string {
  const where = columns === undefined ? '' : ` in ${columns.join(', ')}`;
  return `  ${what} at ${target}: ${table} ${key}${where}`;
}
