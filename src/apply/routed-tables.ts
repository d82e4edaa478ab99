/** Which physical tables of a target hold the rows of a source table. */
import type { TableRoute } from '../routing/router.ts';
import { fillNames, originOf } from '../routing/columns.ts';
import { tableNames } from '../schema/evolve-catalog.ts';
import { splitPath } from '../schema/ddl.ts';
import type { RowFilter, Target } from '../targets/target.ts';

export interface RoutedTables {
  readonly route: TableRoute;
  /** Physical tables that are there; one that is missing stops the first row that needs it. */
  readonly paths: readonly string[];
}

/** Periods of an open-ended date rule end with the year 9999. */
const MOST_PERIODS = 12 * 10_000;

/** Routes that have tables at this target. Shards that stay in their source are no target's: the statement itself was there. */
export async function tablesAt(target: Target, routes: readonly TableRoute[]): Promise<RoutedTables[]> {
  const found: RoutedTables[] = [];
  for (const route of routes) {
    const wanted = await wantedPaths(target, route);
    if (wanted.length === 0) continue;
    const described = await target.describe(wanted);
    const paths = wanted.filter((path) => described.has(path));
    if (paths.length > 0) found.push({ route, paths });
  }
  return found;
}

async function wantedPaths(target: Target, { layout }: TableRoute): Promise<string[]> {
  if (layout.cells !== null) {
    const mine = layout.places().filter((place) => place.target === target.name);
    return [...new Set(mine.map(({ table }) => table))];
  }
  if (!layout.spec.targets.includes(target.name)) return [];
  const first = layout.tableAt(0);
  const names = await target.catalog((query) => tableNames(target.kind, query, first));
  const { schema } = splitPath(first);
  const there = new Set(names.map((name) => (schema === null ? name : `${schema}.${name}`).toLowerCase()));
  const paths: string[] = [];
  for (let index = 0; index < MOST_PERIODS; index++) {
    const path = layout.tableAt(index);
    if (there.has(path.toLowerCase())) paths.push(path);
  }
  return paths;
}

/**
 * What tells the rows of the source table from those of others in the same target tables: null when there are no others,
 * `unknown` when nothing tells.
 */
export function rowsOf({ columns, names, isMixed }: TableRoute): readonly RowFilter[] | null | 'unknown' {
  if (columns?.origin !== undefined) return [{ column: columns.origin, equals: originOf(names) }];
  // By `keys: disjoint` tables may meet whose keys have the same constant, or a prefix that leads another one's.
  if (isMixed) return 'unknown';
  const filters = [...addedToKey(columns, names), ...prefixes(columns, names)];
  return filters.length > 0 ? filters : null;
}

function addedToKey(columns: TableRoute['columns'], names: TableRoute['names']): RowFilter[] {
  const { add = {}, key = [] } = columns ?? {};
  return Object.entries(add).flatMap(([column, value]): RowFilter[] => {
    const inKey = key.some((name) => name.toLowerCase() === column.toLowerCase());
    if (!inKey) return [];
    return [{ column, equals: typeof value === 'number' ? String(value) : fillNames(value, names) }];
  });
}

/** Of key columns only: others may be NULL. */
function prefixes(columns: TableRoute['columns'], names: TableRoute['names']): RowFilter[] {
  const { prefix = {}, rename = {}, key = [] } = columns ?? {};
  return Object.entries(prefix).flatMap(([column, text]): RowFilter[] => {
    const renamed = Object.entries(rename).find(([from]) => from.toLowerCase() === column.toLowerCase())?.[1];
    const target = renamed ?? column;
    const inKey = key.some((name) => name.toLowerCase() === target.toLowerCase());
    return inKey ? [{ column: target, startsWith: fillNames(text, names, { ends: true }) }] : [];
  });
}
