/** What one option alone cannot show: names that must exist, things that must differ, sizes that must fit together. */
import type { z } from 'zod';
import { parseColumnPattern } from '../model/column-pattern.ts';
import { TableFilter } from '../model/table-filter.ts';
import { checkMetrics } from './alert-metrics.ts';
import { expandBraces } from './braces.ts';
import { checkRoutes } from './check-routes.ts';
import { serverOf } from './database-url.ts';
import { expandTargets } from './expand-targets.ts';
import { debeziumSourceOptions } from './debezium-options.ts';
import type { DebeziumSourceOptions } from './debezium-options.ts';
import { formatPath } from './locate.ts';
import type { Path, Problem } from './locate.ts';
import { isLoopback } from './loopback.ts';
import { showSize } from './option-kinds.ts';
import { configOptions, sourceOptions, targetOptions } from './options.ts';
import type { SourceOptions, TargetOptions } from './options.ts';
import { routeOptions } from './route-options.ts';

/** Checks whatever parts of a raw configuration are good in themselves, so that one mistake never hides another. */
export function crossCheck(raw: unknown): Problem[] {
  const sources = goodEntries(sourceOptions, section(raw, 'sources'));
  const fed = goodEntries(debeziumSourceOptions, section(raw, 'sources'));
  const written = goodEntries(targetOptions, section(raw, 'targets'));
  const routes = goodItems(routeOptions, section(raw, 'routes'));
  const targets = expandTargets([...written]);
  const names = {
    source: keysOf(section(raw, 'sources')),
    target: keysOf(section(raw, 'targets')).flatMap(namesOf),
  };
  return [
    ...checkServerIds(sources),
    ...checkKeys(sources),
    ...checkTargetNames(keysOf(section(raw, 'targets'))),
    ...checkDatabases(written),
    ...checkTopics(fed),
    ...checkRoutes(routes, { sources, targets, names }),
    ...checkSizes(raw),
    ...checkSnapshot(raw, sources),
    ...checkTypes(raw),
    ...checkHttp(raw),
    ...checkMetrics(section(section(raw, 'alerts'), 'metrics')),
  ];
}

function namesOf(key: string): string[] {
  const names = expandBraces(key);
  return 'wrong' in names ? [] : names.map(({ name }) => name);
}

/** Ranges that cannot be read, and names that two entries give. */
function checkTargetNames(keys: readonly string[]): Problem[] {
  const seen = new Map<string, string>();
  return keys.flatMap((key): Problem[] => {
    const at = (message: string): Problem[] => [{ path: ['targets', key], at: 'key', message }];
    const names = expandBraces(key);
    if ('wrong' in names) return at(names.wrong);
    const again = names.find(({ name }) => seen.has(name));
    for (const { name } of names) seen.set(name, key);
    return again === undefined ? [] : at(`gives the name ${again.name} a second time`);
  });
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

/** A key for a table that is not captured would name the rows of no table. */
function checkKeys(sources: ReadonlyMap<string, SourceOptions>): Problem[] {
  return [...sources].flatMap(([name, { tables, keys }]) => {
    const filter = new TableFilter(tables);
    return Object.keys(keys)
      .filter((table) => /[*?/]/.test(table) || !capturesTable(filter, table))
      .map((table): Problem => {
        const message = 'names no captured table; write it as schema.table, without patterns';
        return { path: ['sources', name, 'keys', table], at: 'key', message };
      });
  });
}

function capturesTable(filter: TableFilter, table: string): boolean {
  const [schema = '', name = ''] = table.split('.');
  return filter.matches(schema, name);
}

/** A topic belongs to one source: its rows could not be told apart. */
function checkTopics(fed: ReadonlyMap<string, DebeziumSourceOptions>): Problem[] {
  const seen = new Map<string, string>();
  return [...fed].flatMap(([name, { debezium }]) =>
    debezium.topics.flatMap((topic, i): Problem[] => {
      const other = seen.get(topic);
      seen.set(topic, other ?? name);
      if (other === undefined) return [];
      const message = `is also read as source ${other}; name each topic once`;
      return [{ path: ['sources', name, 'debezium', 'topics', i], at: 'value', message }];
    }),
  );
}

/** Two names for one database would share its watermarks: each would take the other's work as done. */
function checkDatabases(written: ReadonlyMap<string, TargetOptions>): Problem[] {
  const seen = new Map<string, string>();
  return [...written].flatMap(([key, option]) => {
    for (const [name, { url }] of expandTargets([[key, option]])) {
      const database = `${serverOf(url)}/${url.database}`;
      const other = seen.get(database);
      seen.set(database, other ?? name);
      if (other === undefined) continue;
      const message = `is the same database as target ${other}; give each target a database of its own`;
      return [{ path: ['targets', key, 'url'], at: 'value' as const, message }];
    }
    return [];
  });
}

/** Whoever can reach the port could read the pipeline's state. */
function checkHttp(raw: unknown): Problem[] {
  const parsed = configOptions.shape.http.safeParse(section(raw, 'http') ?? {});
  if (!parsed.success) return [];
  const { enabled, host, token } = parsed.data;
  if (!enabled || token !== undefined || isLoopback(host)) return [];
  const message =
    'is not the loopback, so http.token must be set: write ${env:…} or ${file:…} there, or use host 127.0.0.1';
  return [{ path: ['http', 'host'], at: 'value', message }];
}

/** Settings of copies that would mean nothing, or something else than was meant. */
function checkSnapshot(raw: unknown, sources: ReadonlyMap<string, SourceOptions>): Problem[] {
  const parsed = configOptions.shape.snapshot.safeParse(section(raw, 'snapshot') ?? {});
  if (!parsed.success) return [];
  const { leastRows, mostRows, hours, where } = parsed.data;
  const at = (name: string, message: string): Problem => ({ path: ['snapshot', name], at: 'value', message });
  const problems: Problem[] = [];
  if (leastRows > mostRows) problems.push(at('leastRows', `is more than mostRows, which is ${mostRows}`));
  const [from, to] = hours?.split('-') ?? [];
  if (from !== undefined && from === to)
    problems.push(at('hours', 'is no time at all; leave it out to copy at any time'));
  const filters = [...sources.values()].map(({ tables }) => new TableFilter(tables));
  for (const table of Object.keys(where)) {
    if (filters.some((filter) => capturesTable(filter, table))) continue;
    const message = 'names no captured table; write it as schema.table, or all of its rows would be copied';
    problems.push({ path: ['snapshot', 'where', table], at: 'key', message });
  }
  return problems;
}

/** Whether a column is there only a source can tell; a daemon does not wait for that. */
function checkTypes(raw: unknown): Problem[] {
  return keysOf(section(section(raw, 'schema'), 'types')).flatMap((column): Problem[] => {
    const pattern = parseColumnPattern(column);
    if (!('wrong' in pattern)) return [];
    return [{ path: ['schema', 'types', column], at: 'key', message: pattern.wrong }];
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
