/** What the engines' catalogs have in common. */
import { RowferryError } from '../errors.ts';

/** Tables of one query. */
export const QUERY_TABLES = 500;

/** `schema.table` or `table` in its parts; the schema is null for the connection's own. */
export function splitName(table: string): { readonly schema: string | null; readonly name: string } {
  const dot = table.indexOf('.');
  return { schema: dot < 0 ? null : table.slice(0, dot), name: table.slice(dot + 1) };
}

/** Rows by the column `table`, in their order. */
export function rowsByTable<R extends Readonly<Record<string, string | null>>>(
  rows: readonly R[],
  nameOf: (table: string) => string = (table) => table,
): ReadonlyMap<string, readonly R[]> {
  const tables = new Map<string, R[]>();
  for (const row of rows) {
    const name = nameOf(row['table'] ?? '');
    const known = tables.get(name);
    if (known === undefined) tables.set(name, [row]);
    else known.push(row);
  }
  return tables;
}

/** Tables that can never be there: to say that they are missing would be no help. */
export function refuseLongNames(tables: readonly string[], limit: string): void {
  if (tables.length === 0) return;
  throw new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    `names of tables are longer than the target allows (${limit}): ${tables.join(', ')}`,
    { hint: 'shorten "to" of the route, or the suffixes of its tables' },
  );
}
