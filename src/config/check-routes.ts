/** Routes that cannot be: unknown names, impossible rules, tables that would be written twice or captured again. */
import { RowferryError } from '../errors.ts';
import { parseTablePattern, TableFilter } from '../model/table-filter.ts';
import { STAYS } from '../routing/layout.ts';
import { createRule } from '../routing/create-rule.ts';
import { layoutsOf } from '../routing/router.ts';
import { checkBraces } from './check-braces.ts';
import { checkKeys, checkMeetings } from './check-meetings.ts';
import type { MeetingRoute } from './check-meetings.ts';
import { sameServer } from './database-url.ts';
import type { Path, Problem } from './locate.ts';
import type { SourceOptions, TargetOptions } from './options.ts';
import { filled, fillingOf, namesSource, shown, tablesOf } from './route-names.ts';
import type { RouteTables } from './route-names.ts';
import type { RouteOptions } from './route-options.ts';
import { layoutSettings, layoutSpec, targetsOf, targetTable, unloadedFunction } from './route-rules.ts';
import { didYouMean } from '../model/suggest.ts';

interface RouteContext {
  /** Sources and targets that are good in themselves. */
  readonly sources: ReadonlyMap<string, SourceOptions>;
  readonly targets: ReadonlyMap<string, TargetOptions>;
  /** All names that the file gives, good or not. */
  readonly names: { readonly source: readonly string[]; readonly target: readonly string[] };
}

interface PlacedRoute {
  readonly index: number;
  readonly value: RouteOptions;
}

const MOST_PLACES = 65_536;

export function checkRoutes(routes: readonly PlacedRoute[], context: RouteContext): Problem[] {
  const wrongNames = routes.flatMap((route) => checkNames(route, context));
  const wrongBraces = routes.flatMap(({ index, value }) => checkBraces(index, value));
  const bad = new Set([...wrongNames, ...wrongBraces].map(({ path }) => path[1]));
  const named = routes.filter(({ index }) => !bad.has(index));
  const layouts = named.map((route) => ({ route, ...tablesOrProblems(route) }));
  const good = layouts.flatMap(({ route, tables }): MeetingRoute[] =>
    tables === undefined ? [] : [{ ...route, tables, sources: possibleSources(route, context) }],
  );
  return [
    ...wrongNames,
    ...wrongBraces,
    ...layouts.flatMap(({ problems }) => problems),
    ...named.flatMap((route) => checkCaptured(route, context)),
    ...good.flatMap(checkKeys),
    ...checkLoops(good, context),
    ...checkMeetings(good),
  ];
}

/** The physical tables of a route, or why it has none. */
function tablesOrProblems({ index, value }: PlacedRoute): {
  readonly tables?: RouteTables;
  readonly problems: readonly Problem[];
} {
  const at = (level: string, error: unknown): Problem[] => {
    if (!(error instanceof RowferryError)) throw error;
    const message = `cannot be: ${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`;
    return [{ path: ['routes', index, level], at: 'value', message }];
  };
  const layout = layoutSpec(layoutSettings(value), unloadedFunction);
  const problems: Problem[] = [];
  for (const [level, rule] of [
    ['shards', layout.shards],
    ['tables', layout.tables?.rule ?? null],
  ] as const) {
    try {
      if (rule !== null) createRule(rule);
    } catch (error) {
      problems.push(...at(level, error));
    }
  }
  if (problems.length > 0) return { problems };
  try {
    const names = { source: '{source}', schema: '{schema}', table: '{table}', groups: [] };
    const layouts = layoutsOf({ to: targetTable(value), layout }, names);
    const cells = layouts.reduce((sum, { cells }) => sum + (cells ?? 1), 0);
    if (cells > MOST_PLACES) {
      const message = `spreads over ${cells} tables; at most ${MOST_PLACES} are possible`;
      return { problems: [{ path: ['routes', index], at: 'value', message }] };
    }
    return { tables: tablesOf(layouts), problems: [] };
  } catch (error) {
    return { problems: at(value.tables === undefined ? 'shards' : 'tables', error) };
  }
}

/** The target names of a route, each with its place in the file. */
function namedTargets(route: RouteOptions): { readonly name: string; readonly path: Path }[] {
  const { shards } = route;
  if (route.target !== undefined) return [{ name: route.target, path: ['target'] }];
  if (shards?.algorithm === 'slot-map') {
    return Object.keys(shards.map).map((name) => ({ name, path: ['shards', 'map', name] }));
  }
  const path = shards === undefined ? ['targets'] : ['shards', 'on'];
  return targetsOf(route).map((name, i) => ({ name, path: [...path, i] }));
}

function checkNames({ index, value }: PlacedRoute, context: RouteContext): Problem[] {
  const base: Path = ['routes', index];
  const known = context.names;
  const seen = new Set<string>();
  const targets = namedTargets(value).flatMap(({ name, path }): Problem[] => {
    const place = [...base, ...path];
    if (name.startsWith(STAYS)) return checkStaying(name.slice(STAYS.length), place, value, context);
    if (!known.target.includes(name)) {
      const list = known.target.slice(0, 20).join(', ') || 'none';
      const message = `names no target${didYouMean(name, known.target) || `; targets are ${list}`}`;
      return [{ path: place, at: 'value', message }];
    }
    if (seen.has(name)) {
      return [{ path: place, at: 'value', message: `names target ${name} twice; name each once` }];
    }
    seen.add(name);
    if (context.targets.get(name)?.url.engine === 'mysql' && targetTable(value).includes('.')) {
      const message = `names a schema, but target ${name} is MySQL, where the URL names the database; write the table alone`;
      return [{ path: [...base, 'to'], at: 'value', message }];
    }
    return [];
  });
  const sources = (value.sources ?? []).flatMap((name, i): Problem[] => {
    if (known.source.includes(name)) return [];
    const message = `names no source${didYouMean(name, known.source) || `; sources are ${known.source.join(', ') || 'none'}`}`;
    return [{ path: [...base, 'sources', i], at: 'value', message }];
  });
  return [...targets, ...sources];
}

function checkStaying(name: string, path: Path, route: RouteOptions, { names }: RouteContext): Problem[] {
  const at = (message: string): Problem[] => [{ path, at: 'value', message }];
  if (!names.source.includes(name)) return at(`names no source${didYouMean(name, names.source)}`);
  if (route.shards === undefined) return at('stays where it is; nothing would be ferried');
  if (route.tables !== undefined) return at('stays in its own table; that goes with no `tables`');
  if (route.columns !== undefined) return at('stays as it is; that goes with no `columns`');
  return [];
}

/** The sources whose rows a route can get, by what is known before a server was asked. */
function sourcesOf({ value }: PlacedRoute, { sources }: RouteContext): string[] {
  const pattern = parseTablePattern(value.from);
  if ('wrong' in pattern) return [];
  const [schema = '', table = ''] = value.from.split('.');
  return [...sources].flatMap(([name, source]) => {
    if (value.sources?.includes(name) === false) return [];
    const takes = !pattern.value.isLiteral || new TableFilter(source.tables).matches(schema, table);
    return takes ? [name] : [];
  });
}

/** Also those that could not be read, of which nobody knows what they capture. */
function possibleSources(route: PlacedRoute, context: RouteContext): string[] {
  const known = sourcesOf(route, context);
  return context.names.source.filter((name) => {
    const isUnread = !context.sources.has(name) && route.value.sources?.includes(name) !== false;
    return known.includes(name) || isUnread;
  });
}

function checkCaptured(route: PlacedRoute, context: RouteContext): Problem[] {
  // With a source that could not be read nobody knows what it captures.
  if (context.sources.size < context.names.source.length || context.names.source.length === 0) return [];
  if (sourcesOf(route, context).length > 0) return [];
  const { index, value } = route;
  const message = `is captured by no source; add "${value.from}" to the \`tables\` of its source`;
  return [{ path: ['routes', index, 'from'], at: 'value', message }];
}

/** Rows written to a captured table would be captured again, for ever. One problem a source and target is enough. */
function checkLoops(routes: readonly MeetingRoute[], { sources, targets }: RouteContext): Problem[] {
  const told = new Set<string>();
  return routes.flatMap((route) =>
    route.tables.targets.flatMap((target) => {
      const url = targets.get(target)?.url;
      if (url === undefined) return [];
      return [...sources].flatMap(([name, source]): Problem[] => {
        if (!sameServer(source.url, url) || told.has(`${name}/${target}`)) return [];
        const filter = new TableFilter(source.tables);
        if (!filter.mayMatchIn(url.database)) return [];
        const table = writtenTables(route).find((table) => filter.mayMatch(url.database, table));
        if (table === undefined) return [];
        told.add(`${name}/${target}`);
        const what = `${url.database}.${shown(table)}`;
        const message =
          `would write ${what} at target ${target}, which source ${name} captures: rows would go round for ever; ` +
          `exclude it there with "!${what}", or let rows stay there with "${STAYS}${name}"`;
        return [{ path: ['routes', route.index, 'from'], at: 'value', message }];
      });
    }),
  );
}

/** Names of the tables that a route may write, whatever rows come. */
function writtenTables({ value, tables, sources }: MeetingRoute): string[] {
  const listed = namesSource(value) ? sources : sources.slice(0, 1);
  return listed.flatMap((source) => {
    const filling = fillingOf(value, source);
    return tables.names.map((name) => filled(name, filling));
  });
}
