/** Routes that cannot be: unknown names, impossible rules, tables that would be written twice or captured again. */
import { RowferryError } from '../errors.ts';
import { parseTablePattern, TableFilter } from '../model/table-filter.ts';
import { NAME_IN_BRACES } from '../routing/columns.ts';
import type { Place } from '../routing/layout.ts';
import { STAYS } from '../routing/layout.ts';
import { createRule } from '../routing/create-rule.ts';
import { layoutsOf } from '../routing/router.ts';
import { sameServer } from './database-url.ts';
import type { Path, Problem } from './locate.ts';
import type { SourceOptions, TargetOptions } from './options.ts';
import type { RouteOptions } from './route-options.ts';
import { layoutSettings, layoutSpec, targetsOf, targetTable, unloadedFunction } from './route-rules.ts';
import { didYouMean } from './suggest.ts';

export interface RouteContext {
  /** Sources and targets that are good in themselves. */
  readonly sources: ReadonlyMap<string, SourceOptions>;
  readonly targets: ReadonlyMap<string, TargetOptions>;
  /** All names that the file gives, good or not. */
  readonly names: { readonly source: readonly string[]; readonly target: readonly string[] };
}

export interface PlacedRoute {
  readonly index: number;
  readonly value: RouteOptions;
}

interface WithPlaces extends PlacedRoute {
  readonly places: readonly Place[];
}

const MOST_PLACES = 65_536;

export function checkRoutes(routes: readonly PlacedRoute[], context: RouteContext): Problem[] {
  const wrongNames = routes.flatMap((route) => checkNames(route, context));
  const named = routes.filter((route) => checkNames(route, context).length === 0);
  const placed = named.map((route) => ({ ...route, ...placesOf(route) }));
  return [
    ...wrongNames,
    ...placed.flatMap(({ problems }) => problems),
    ...named.flatMap((route) => checkCaptured(route, context)),
    ...named.flatMap((route) => checkKeys(route, context)),
    ...checkLoops(placed, context),
    ...checkMeetings(placed),
  ];
}

/** The physical tables of a route (of an open-ended date rule the first ones), or why it has none. */
function placesOf({ index, value }: PlacedRoute): {
  readonly places: readonly Place[];
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
  if (problems.length > 0) return { places: [], problems };
  try {
    const names = { source: '{source}', schema: '{schema}', table: '{table}', groups: [] };
    const layouts = layoutsOf({ to: targetTable(value), layout }, names);
    const cells = layouts.reduce((sum, { cells }) => sum + (cells ?? 1), 0);
    if (cells > MOST_PLACES) {
      const message = `spreads over ${cells} tables; at most ${MOST_PLACES} are possible`;
      return { places: [], problems: [{ path: ['routes', index], at: 'value', message }] };
    }
    return { places: layouts.flatMap((one) => one.places(1)), problems: [] };
  } catch (error) {
    return { places: [], problems: at(value.tables === undefined ? 'shards' : 'tables', error) };
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

function checkCaptured(route: PlacedRoute, context: RouteContext): Problem[] {
  // With a source that could not be read nobody knows what it captures.
  if (context.sources.size < context.names.source.length || context.names.source.length === 0) return [];
  if (sourcesOf(route, context).length > 0) return [];
  const { index, value } = route;
  const message = `is captured by no source; add "${value.from}" to the \`tables\` of its source`;
  return [{ path: ['routes', index, 'from'], at: 'value', message }];
}

/** Rows of several source tables in one target table: their keys must not meet unnoticed. */
function checkKeys(route: PlacedRoute, context: RouteContext): Problem[] {
  const { index, value } = route;
  const varying = varyingNames(route, context).filter((name) => !targetTable(value).includes(name));
  if (varying.length === 0 || staysApart(value, varying)) return [];
  const message =
    `may take rows of several source tables into one target table, where their keys could meet; say how they stay apart: ` +
    `\`columns.origin\` (checked at each write), a \`columns.key\` with an added ${varying.join(' and ')}, ` +
    `a \`columns.prefix\` of the key with it, or \`keys: disjoint\` if you are sure`;
  return [{ path: ['routes', index, 'from'], at: 'value', message }];
}

/** Which names differ between the rows of a route. */
function varyingNames(route: PlacedRoute, context: RouteContext): string[] {
  const { from } = route.value;
  const sources = sourcesOf(route, context).length > 1 ? ['{source}'] : [];
  if (from.startsWith('/')) return [...sources, '{schema}', '{table}'];
  const [schema = '', table = ''] = from.split('.');
  return [
    ...sources,
    ...(/[*?]/.test(schema) ? ['{schema}'] : []),
    ...(/[*?]/.test(table) ? ['{table}'] : []),
  ];
}

function staysApart({ keys, columns }: RouteOptions, varying: readonly string[]): boolean {
  if (keys === 'disjoint' || columns?.origin !== undefined) return true;
  const inKey = Object.entries(columns?.add ?? {}).filter(([name]) => columns?.key?.includes(name));
  const texts = [...inKey.map(([, value]) => String(value)), ...Object.values(columns?.prefix ?? {})].join(
    '',
  );
  return varying.every((name) => texts.includes(name));
}

/** Rows written to a captured table would be captured again, for ever. One problem a source and target is enough. */
function checkLoops(routes: readonly WithPlaces[], { sources, targets }: RouteContext): Problem[] {
  const told = new Set<string>();
  return routes.flatMap(({ index, places }) =>
    places.flatMap(({ target, table }) => {
      const url = targets.get(target)?.url;
      if (url === undefined) return [];
      return [...sources].flatMap(([name, source]): Problem[] => {
        if (!sameServer(source.url, url) || told.has(`${name}/${target}`)) return [];
        const filter = new TableFilter(source.tables);
        const isKnown = table.search(NAME_IN_BRACES) < 0;
        if (!(isKnown ? filter.matches(url.database, table) : filter.mayMatchIn(url.database))) return [];
        told.add(`${name}/${target}`);
        const what = isKnown ? `${url.database}.${table}` : `tables of ${url.database}`;
        const message =
          `would write ${what} at target ${target}, which source ${name} captures: rows would go round for ever; ` +
          `exclude it there with "!${url.database}.${isKnown ? table : '*'}", or let rows stay there with "${STAYS}${name}"`;
        return [{ path: ['routes', index, 'from'], at: 'value', message }];
      });
    }),
  );
}

/** Two routes that write one physical table: the same work twice, or keys that could meet. */
function checkMeetings(routes: readonly (PlacedRoute & { readonly places: readonly Place[] })[]): Problem[] {
  const seen = new Map<string, PlacedRoute>();
  return routes.flatMap((route): Problem[] => {
    for (const { target, table } of route.places) {
      if (target.startsWith(STAYS)) continue;
      const other = seen.get(`${target}\0${table}`);
      if (other === undefined) seen.set(`${target}\0${table}`, route);
      else if (other.index !== route.index) {
        const message = meeting(route.value, other, `${target}.${table}`);
        if (message !== undefined) return [{ path: ['routes', route.index, 'from'], at: 'value', message }];
      }
    }
    return [];
  });
}

function meeting(value: RouteOptions, other: PlacedRoute, table: string): string | undefined {
  const sources = value.sources ?? [];
  const others = other.value.sources ?? [];
  const areOthers = sources.length > 0 && others.length > 0 && !sources.some((name) => others.includes(name));
  if (other.value.from === value.from && !areOthers) {
    return `goes to ${table} already by routes[${other.index}]; remove one of the two`;
  }
  if (apartKey(value) !== undefined && apartKey(value) === apartKey(other.value)) return undefined;
  if (differentConstants(value, other.value)) return undefined;
  return (
    `would write ${table}, which routes[${other.index}] fills from ${other.value.from}; give it another \`to\`, or say in ` +
    'both how their keys stay apart (the same `columns.origin`, or `keys: disjoint`)'
  );
}

/** Routes that meet in one table must keep their keys apart in the same way. */
function apartKey({ keys, columns }: RouteOptions): string | undefined {
  return columns?.origin === undefined ? keys : `origin ${columns.origin}`;
}

/** Both add a column to the key, with another value. */
function differentConstants(a: RouteOptions, b: RouteOptions): boolean {
  return Object.entries(a.columns?.add ?? {}).some(([name, value]) => {
    const other = b.columns?.add?.[name];
    const isKey = a.columns?.key?.includes(name) === true && b.columns?.key?.includes(name) === true;
    return isKey && other !== undefined && other !== value;
  });
}
