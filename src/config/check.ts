/** What one option alone cannot show: names that must exist, things that must differ, sizes that must fit together. */
import type { z } from 'zod';
import { parseTablePattern, TableFilter } from '../model/table-filter.ts';
import type { DatabaseAddress } from './database-url.ts';
import { formatPath } from './locate.ts';
import type { Path, Problem } from './locate.ts';
import { showSize } from './option-kinds.ts';
import { configOptions, routeOptions, sourceOptions, targetOptions } from './options.ts';
import type { RouteOptions, SourceOptions, TargetOptions } from './options.ts';
import { didYouMean } from './suggest.ts';

/** Checks whatever parts of a raw configuration are good in themselves, so that one mistake never hides another. */
export function crossCheck(raw: unknown): Problem[] {
  const sources = goodEntries(sourceOptions, section(raw, 'sources'));
  const targets = goodEntries(targetOptions, section(raw, 'targets'));
  const routes = goodItems(routeOptions, section(raw, 'routes'));
  const names = {
    source: keysOf(section(raw, 'sources')),
    target: keysOf(section(raw, 'targets')),
  };
  return [
    ...checkServerIds(sources),
    ...checkDatabases(targets),
    ...checkLoops(sources, targets),
    ...routes.flatMap(({ index, value }) => checkTargetsOf(value, ['routes', index], names.target, targets)),
    ...routes.flatMap(({ index, value }) => checkCaptured(value, ['routes', index], sources, names.source)),
    ...checkSameRoutes(routes),
    ...checkSizes(raw),
  ];
}

/** Targets of a route with the path of each name. */
export function targetsOf(route: RouteOptions): { readonly name: string; readonly path: Path }[] {
  if (route.target !== undefined) return [{ name: route.target, path: ['target'] }];
  const [names, path]: [readonly string[], Path] =
    route.shards === undefined ? [route.targets ?? [], ['targets']] : [route.shards.on, ['shards', 'on']];
  return names.map((name, i) => ({ name, path: [...path, i] }));
}

/** The target table of a route: as given, or the source table's own name. */
export function targetTable(route: RouteOptions): string {
  return route.to ?? route.from.slice(route.from.indexOf('.') + 1);
}

function checkServerIds(sources: ReadonlyMap<string, SourceOptions>): Problem[] {
  const seen = new Map<number, string>();
  return [...sources].flatMap(([name, { serverId }]) => {
    const other = seen.get(serverId);
    seen.set(serverId, other ?? name);
    if (other === undefined) return [];
    const message = `is also the id of source ${other}; choose another: two replicas with one id throw each other out`;
    return [{ path: ['sources', name, 'serverId'], at: 'value' as const, message }];
  });
}

/** Two names for one database would share its watermarks: each would take the other's work as done. */
function checkDatabases(targets: ReadonlyMap<string, TargetOptions>): Problem[] {
  const seen = new Map<string, string>();
  return [...targets].flatMap(([name, { url }]) => {
    const database = `${serverOf(url)}/${url.database}`;
    const other = seen.get(database);
    seen.set(database, other ?? name);
    if (other === undefined) return [];
    const message = `is the same database as target ${other}; give each target a database of its own`;
    return [{ path: ['targets', name, 'url'], at: 'value' as const, message }];
  });
}

/** Rows written to a captured database would be captured again, for ever. */
function checkLoops(
  sources: ReadonlyMap<string, SourceOptions>,
  targets: ReadonlyMap<string, TargetOptions>,
): Problem[] {
  return [...targets].flatMap(([name, { url }]) =>
    [...sources]
      .filter(([, source]) => serverOf(source.url) === serverOf(url) && mayCapture(source, url.database))
      .map(([source]) => ({
        path: ['targets', name, 'url'],
        at: 'value' as const,
        message: `is a database that source ${source} captures: rows would go round for ever; exclude it there with "!${url.database}.*"`,
      })),
  );
}

/** Whether any table of a schema can match: an exclude of the whole schema rules it out. */
function mayCapture(source: SourceOptions, schema: string): boolean {
  const patterns = source.tables.flatMap((text) => {
    const pattern = parseTablePattern(text);
    return 'value' in pattern
      ? [{ ...pattern.value, schema: text.replace(/^!/, '').split('.')[0] ?? '' }]
      : [];
  });
  const whole = patterns.filter((pattern) => pattern.exclude && pattern.text.endsWith('.*'));
  if (whole.some((pattern) => pattern.matches(schema, 'x'))) return false;
  return patterns.some((pattern) => !pattern.exclude && matchesSchema(pattern.schema, schema));
}

function matchesSchema(pattern: string, schema: string): boolean {
  return new TableFilter([`${pattern}.*`]).matches(schema, 'x');
}

function checkTargetsOf(
  route: RouteOptions,
  base: Path,
  known: readonly string[],
  targets: ReadonlyMap<string, TargetOptions>,
): Problem[] {
  const seen = new Set<string>();
  return targetsOf(route).flatMap(({ name, path }): Problem[] => {
    const place = [...base, ...path];
    if (!known.includes(name)) {
      const message = `names no target${didYouMean(name, known) || `; targets are ${known.join(', ') || 'none'}`}`;
      return [{ path: place, at: 'value', message }];
    }
    if (seen.has(name)) {
      return [{ path: place, at: 'value', message: `names target ${name} twice; name each once` }];
    }
    seen.add(name);
    if (targets.get(name)?.url.engine === 'mysql' && targetTable(route).includes('.')) {
      const message = `names a schema, but target ${name} is MySQL, where the URL names the database; write the table alone`;
      return [{ path: [...base, 'to'], at: 'value', message }];
    }
    return [];
  });
}

/** A route needs exactly one source: the order between two topics is not defined, so their rows must not meet. */
function checkCaptured(
  route: RouteOptions,
  base: Path,
  sources: ReadonlyMap<string, SourceOptions>,
  names: readonly string[],
): Problem[] {
  const [schema = '', table = ''] = route.from.split('.');
  const capturing = [...sources].filter(([, source]) =>
    new TableFilter(source.tables).matches(schema, table),
  );
  const path = [...base, 'from'];
  if (capturing.length > 1) {
    const list = capturing.map(([name]) => name).join(' and ');
    return [{ path, at: 'value', message: `is captured by sources ${list}; exclude it in all but one` }];
  }
  // With a source that could not be read nobody knows what it captures.
  if (capturing.length === 1 || sources.size < names.length || names.length === 0) return [];
  return [
    {
      path,
      at: 'value',
      message: `is captured by no source; add "${route.from}" to the \`tables\` of its source`,
    },
  ];
}

/** One source table twice into one table is the same work twice; two source tables into one would overwrite each other. */
function checkSameRoutes(
  routes: readonly { readonly index: number; readonly value: RouteOptions }[],
): Problem[] {
  const seen = new Map<string, { readonly from: string; readonly index: number }>();
  return routes.flatMap(({ index, value }): Problem[] => {
    const clashes = new Map<string, Problem>();
    for (const { name } of targetsOf(value)) {
      const to = targetTable(value);
      const other = seen.get(`${name}\0${to}`);
      if (other === undefined) {
        seen.set(`${name}\0${to}`, { from: value.from, index });
      } else if (other.index !== index && !clashes.has(to)) {
        const message =
          other.from === value.from
            ? `goes to ${name}.${to} already by routes[${other.index}]; remove one of the two`
            : `would write ${name}.${to}, which routes[${other.index}] fills from ${other.from}; give it another \`to\``;
        clashes.set(to, { path: ['routes', index, 'from'], at: 'value', message });
      }
    }
    return [...clashes.values()];
  });
}

/** Sizes that must fit into others. The problem stands at whichever of the two the file sets. */
function checkSizes(raw: unknown): Problem[] {
  const { kafka, capture, apply } = configOptions.shape;
  const sizes = {
    message: sizeAt(raw, ['kafka', 'maxMessageBytes'], kafka.shape.maxMessageBytes),
    chunk: sizeAt(raw, ['capture', 'chunkBytes'], capture.unwrap().shape.chunkBytes),
    captureQueue: sizeAt(raw, ['capture', 'queueBytes'], capture.unwrap().shape.queueBytes),
    batch: sizeAt(raw, ['apply', 'batchBytes'], apply.unwrap().shape.batchBytes),
    applyQueue: sizeAt(raw, ['apply', 'queueBytes'], apply.unwrap().shape.queueBytes),
  };
  return [
    ...fits(sizes.chunk, sizes.message),
    ...fits(sizes.chunk, sizes.captureQueue),
    ...fits(sizes.batch, sizes.applyQueue),
  ];
}

interface Size {
  readonly path: Path;
  readonly written: boolean;
  readonly bytes: number | undefined;
}

function sizeAt(raw: unknown, path: readonly [string, string], schema: z.ZodType<number>): Size {
  const value = section(section(raw, path[0]), path[1]);
  const parsed = schema.safeParse(value);
  return { path, written: value !== undefined, bytes: parsed.success ? parsed.data : undefined };
}

function fits(part: Size, whole: Size): Problem[] {
  if (part.bytes === undefined || whole.bytes === undefined || part.bytes <= whole.bytes) return [];
  const [own, other, must] = part.written
    ? [part, whole, 'must not be larger than']
    : [whole, part, 'must not be smaller than'];
  const message = `${must} ${formatPath(other.path)}, which is ${showSize(other.bytes ?? 0)}`;
  return [{ path: own.path, at: 'value', message }];
}

function serverOf(url: DatabaseAddress): string {
  const host = url.host.toLowerCase();
  return `${url.engine}://${host === 'localhost' ? '127.0.0.1' : host}:${url.port}`;
}

function section(raw: unknown, name: string): unknown {
  if (typeof raw !== 'object' || raw === null || !Object.hasOwn(raw, name)) return undefined;
  return Object.entries(raw).find(([key]) => key === name)?.[1];
}

function keysOf(raw: unknown): string[] {
  return typeof raw === 'object' && raw !== null ? Object.keys(raw) : [];
}

function goodEntries<S extends z.ZodType>(schema: S, raw: unknown): Map<string, z.output<S>> {
  const entries = typeof raw === 'object' && raw !== null ? Object.entries(raw) : [];
  return new Map(
    entries.flatMap(([name, value]): [string, z.output<S>][] => {
      const parsed = schema.safeParse(value);
      return parsed.success ? [[name, parsed.data]] : [];
    }),
  );
}

function goodItems<S extends z.ZodType>(schema: S, raw: unknown): { index: number; value: z.output<S> }[] {
  const items: readonly unknown[] = Array.isArray(raw) ? raw : [];
  return items.flatMap((item, index) => {
    const parsed = schema.safeParse(item);
    return parsed.success ? [{ index, value: parsed.data }] : [];
  });
}
