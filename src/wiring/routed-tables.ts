/** What routes and captured tables lack of each other; pure. */
import type { LoadedRoute } from '../config/routes.ts';
import { didYouMean } from '../model/suggest.ts';
import { takenAs } from '../routing/router.ts';

interface NamedTable {
  readonly schema: string;
  readonly name: string;
}

/** The tables of each source. */
type Captured = ReadonlyMap<string, readonly NamedTable[]>;

/** Routes of one table that no source has; a pattern may wait for its first. */
export function lostRoutes(routes: readonly LoadedRoute[], captured: Captured): LoadedRoute[] {
  const named = routes.filter(({ route }) => !/[*?{]/.test(route.from));
  return named.filter(
    ({ rule }) =>
      ![...captured].some(([source, tables]) =>
        tables.some((table) => takenAs(rule, source, table) !== undefined),
      ),
  );
}

/** Says so, with the place of the route and the table that was meant, perhaps. */
export function nothingFor({ place, from }: LoadedRoute['route'], captured: Captured): string {
  const names = [...captured.values()].flat().map(({ schema, name }) => `${schema}.${name}`);
  return `${place}: no source has ${from}${didYouMean(from, names)}`;
}

/** Captured tables whose first row would stop its partition. */
export function strayTables(routes: readonly LoadedRoute[], captured: Captured): string[] {
  return [...captured].flatMap(([source, tables]) =>
    tables
      .filter((table) => routes.every(({ rule }) => takenAs(rule, source, table) === undefined))
      .map(({ schema, name }) => `${schema}.${name}`),
  );
}
