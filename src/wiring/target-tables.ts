/** Whether every physical table of the routes is there and has the columns that will be written, before the first row comes. */
import type { LoadedRoute } from '../config/routes.ts';
import { RowferryError } from '../errors.ts';
import type { Table } from '../model/table.ts';
import { mapTable, NAME_IN_BRACES } from '../routing/columns.ts';
import type { ColumnSpec, Names } from '../routing/columns.ts';
import { currentIndex } from '../routing/date-rule.ts';
import type { Place } from '../routing/layout.ts';
import { layoutsOf, takenAs } from '../routing/router.ts';
import type { Target, TargetTable } from '../targets/target.ts';

/** Problems are told one by one up to here; after it only their number. */
const MOST_PROBLEMS = 20;

/**
 * Which tables of open-ended date rules are looked for: that of the `present` period, without which rows stop, those of
 * `coming` periods as well, which are missed in time that way, or of `all` periods, some of which may be dropped.
 */
export type Periods = 'present' | 'coming' | 'all';

/** A physical table and the columns that rows of one route need there. */
interface Wanted extends Place {
  readonly columns: readonly string[];
  /** Whether rows are told apart by a key; `any` when that is not known. */
  readonly key: 'has' | 'none' | 'any';
  /** Other source tables may have rows there, with nothing that tells whose they are. */
  readonly isMixed: boolean;
  /** Names the rows in problems: `shop.orders`. */
  readonly from: string;
  /** `file:line:column` of the route. */
  readonly route: string;
}

/**
 * Every table that a route names must be there, of date rules those of `periods`. All
 * problems are told together, each with its route's place. What depends on the source's tables is left to `checkSourceTables`
 * or the first row.
 */
export async function checkTables(
  routes: readonly LoadedRoute[],
  targets: readonly Target[],
  periods: Periods,
  nowMs = Date.now(),
): Promise<void> {
  await check(wantedNow(routes, periods, nowMs), targets);
}

/** Tables that a target does not have, of those that one kind of rows needs. */
export interface MissingTables {
  readonly target: string;
  /** Names the rows: `shop.orders`. */
  readonly table: string;
  readonly count: number;
}

/** How many tables of coming periods are not there. */
export async function missingTables(
  routes: readonly LoadedRoute[],
  targets: readonly Target[],
  nowMs = Date.now(),
): Promise<MissingTables[]> {
  const wanted = wantedNow(routes, 'coming', nowMs);
  const missing = new Map<string, MissingTables>();
  for (const { name, ...target } of await describeAll(wanted, targets)) {
    for (const { from, table } of target.wanted) {
      if (target.found.has(table)) continue;
      const key = `${name}/${from}`;
      const count = (missing.get(key)?.count ?? 0) + 1;
      missing.set(key, { target: name, table: from, count });
    }
  }
  return [...missing.values()];
}

/** What the routes name themselves; names with braces depend on the source's tables. */
function wantedNow(routes: readonly LoadedRoute[], periods: Periods, nowMs: number): Wanted[] {
  return routes.flatMap(({ route, rule, mayBeKeyless }): Wanted[] => {
    if (rule.to.search(NAME_IN_BRACES) >= 0) return [];
    const names = { source: '', schema: '', table: '', groups: [] };
    const columns = namedColumns(rule.columns);
    return placesNow(rule, names, periods, nowMs).map((place) => ({
      ...place,
      columns,
      key: mayBeKeyless === true ? 'any' : 'has',
      isMixed: false,
      from: route.from,
      route: route.place,
    }));
  });
}

/** The same for the tables that a source has today, with all columns that their rows will bring. */
export async function checkSourceTables(
  source: string,
  tables: readonly Table[],
  routes: readonly LoadedRoute[],
  targets: readonly Target[],
  periods: Periods,
  nowMs = Date.now(),
): Promise<void> {
  await check(wantedOf(source, tables, routes, periods, nowMs), targets);
}

/**
 * Columns of target tables that rows of the `renamed` source tables do not bring, each table as `table at target: column, column`,
 * other than what the server computes there. Another of the `captured` tables with rows there has columns of its own when it brings
 * all that these bring and more; one that lacks some may have its rename still to come, and what it brings may be what they had.
 */
export async function unbroughtColumns(
  source: string,
  { renamed, captured }: { readonly renamed: readonly Table[]; readonly captured: readonly Table[] },
  routes: readonly LoadedRoute[],
  targets: readonly Pick<Target, 'name' | 'describe'>[],
  nowMs = Date.now(),
): Promise<string[]> {
  const ofTables = (tables: readonly Table[]): Wanted[] =>
    tables.flatMap((table) => wantedIfFit(source, table, routes, nowMs));
  const [all, ours] = [ofTables(captured), ofTables(renamed)];
  const unbrought: string[] = [];
  for (const { name: target, wanted, found } of await describeAll(ours, targets)) {
    for (const [table, { columns }] of found) {
      const left = new Set<string>();
      for (const from of new Set(
        wanted.filter((place) => place.table === table).map((place) => place.from),
      )) {
        const there = all.filter((place) => place.table === table && place.target === target);
        const mine = namesOf(there.filter((place) => place.from === from));
        const wider = there.filter((place) => {
          const names = namesOf([place]);
          return [...mine].every((name) => names.has(name));
        });
        const brought = new Set([...mine, ...namesOf(wider)]);
        for (const { name, generated } of columns)
          if (!generated && !brought.has(name.toLowerCase())) left.add(name);
      }
      if (left.size > 0) unbrought.push(`${table} at ${target}: ${[...left].join(', ')}`);
    }
  }
  return unbrought;
}

function namesOf(places: readonly Wanted[]): ReadonlySet<string> {
  return new Set(places.flatMap(({ columns }) => columns.map((name) => name.toLowerCase())));
}

/** A table that does not fit its route brings nothing; it waits for an operator itself. */
function wantedIfFit(source: string, table: Table, routes: readonly LoadedRoute[], nowMs: number): Wanted[] {
  try {
    return wantedOf(source, [table], routes, 'all', nowMs);
  } catch (error) {
    if (error instanceof RowferryError && error.code === 'ROWFERRY_ROUTE_COLUMNS') return [];
    throw error;
  }
}

function wantedOf(
  source: string,
  tables: readonly Table[],
  routes: readonly LoadedRoute[],
  periods: Periods,
  nowMs: number,
): Wanted[] {
  return tables.flatMap((table) =>
    routes.flatMap(({ route, rule }): Wanted[] => {
      const names = takenAs(rule, source, table);
      if (names === undefined) return [];
      const mapped = rule.columns === null ? table : mapTable(table, rule.columns, names).table;
      const columns = mapped.columns.map(({ name }) => name);
      const from = `${table.schema}.${table.name}`;
      return placesNow(rule, names, periods, nowMs).map((place) => ({
        ...place,
        columns,
        key: table.key.length === 0 ? 'none' : 'has',
        isMixed: route.keysAreDisjoint && rule.columns?.origin === undefined,
        from,
        route: route.place,
      }));
    }),
  );
}

/** The physical tables that must be there now: of past periods none unless all are asked for, since they may be dropped when no row needs them. */
export function placesNow(
  rule: LoadedRoute['rule'],
  names: Names,
  periods: Periods,
  nowMs: number,
): readonly Place[] {
  return layoutsOf(rule, names).flatMap((layout) => {
    const { tables, spec } = layout;
    if (tables === null || tables.count !== null) return layout.places();
    const current = currentIndex(tables, nowMs);
    const places = layout.places(current + 1 + (periods === 'present' ? 0 : (spec.tables?.ahead ?? 0)));
    return periods === 'all' ? places : places.slice(Math.max(0, current) * spec.targets.length);
  });
}

async function check(wanted: readonly Wanted[], targets: readonly Target[]): Promise<void> {
  const problems: string[] = [];
  for (const { wanted: mine, found } of await describeAll(wanted, targets)) {
    for (const place of mine) problems.push(...problemsOf(place, found.get(place.table)));
  }
  if (problems.length === 0) return;
  const more = problems.length - MOST_PROBLEMS;
  const told = problems.slice(0, MOST_PROBLEMS).join('\n');
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', more > 0 ? `${told}\nand ${more} more` : told, {
    hint: 'make what is missing with `rowferry schema plan` and `apply`, or correct the routes',
  });
}

async function describeAll(wanted: readonly Wanted[], targets: readonly Pick<Target, 'name' | 'describe'>[]) {
  const described = [];
  for (const target of targets) {
    const mine = wanted.filter((place) => place.target === target.name);
    const found = await target.describe([...new Set(mine.map(({ table }) => table))]);
    described.push({ name: target.name, wanted: mine, found });
  }
  return described;
}

function problemsOf(
  { route, target, table, from, columns, key, isMixed }: Wanted,
  found: TargetTable | undefined,
): string[] {
  if (found === undefined) return [`${route}: target ${target} has no table ${table} for ${from}`];
  if (key === 'has' && found.primaryKey.length === 0 && found.uniqueKeys.length === 0)
    return [`${route}: table ${table} at ${target} has neither a primary key nor a unique one`];
  if (key === 'none') {
    const written = new Set(columns.map((name) => name.toLowerCase()));
    const keys = [...(found.primaryKey.length === 0 ? [] : [found.primaryKey]), ...found.uniqueKeys];
    if (keys.some((names) => names.length === 0 || names.some((name) => written.has(name.toLowerCase()))))
      return [
        `${route}: table ${table} at ${target} has a unique key over columns of ${from}, whose rows nothing tells apart: two may be the same`,
      ];
    if (isMixed)
      return [
        `${route}: rows of ${from} have no key; with \`keys: disjoint\` they cannot be told from others in ${table} at ${target} when they are copied anew`,
      ];
  }
  const missing = columns.filter(
    (name) => !found.columns.some((column) => column.name.toLowerCase() === name.toLowerCase()),
  );
  if (missing.length === 0) return [];
  return [
    `${route}: table ${table} at ${target} lacks ${missing.join(', ')} of ${from} (a column that was renamed there: rename it here by hand)`,
  ];
}

/** Target columns that a mapping names, whatever the source table has. */
function namedColumns(columns: ColumnSpec | null): string[] {
  if (columns === null) return [];
  const { only = [], rename = {}, add = {}, origin } = columns;
  const renamed = new Map(Object.entries(rename).map(([from, to]) => [from.toLowerCase(), to]));
  return [
    ...only.map((name) => renamed.get(name.toLowerCase()) ?? name),
    ...(only.length === 0 ? renamed.values() : []),
    ...Object.keys(add),
    ...(origin === undefined ? [] : [origin]),
  ];
}
