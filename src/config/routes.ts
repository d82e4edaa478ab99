/** The routes of a configuration as the routing library takes them, custom functions loaded. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RowferryError } from '../errors.ts';
import { parseTablePattern } from '../model/table-filter.ts';
import type { ColumnSpec } from '../routing/columns.ts';
import type { RouteRule } from '../routing/router.ts';
import type { ColumnSettings, Config, RouteSettings } from './config.ts';
import type { CustomFunction } from './route-rules.ts';
import { layoutSpec } from './route-rules.ts';

export interface LoadedRoute {
  readonly route: RouteSettings;
  readonly rule: RouteRule;
  /** Tables that it takes may have no key. */
  readonly mayBeKeyless?: boolean;
}

/** Loads the modules of custom rules. Throws ROWFERRY_CONFIG_INVALID with the route's place for one that cannot be used. */
export async function loadRoutes(config: Config): Promise<LoadedRoute[]> {
  const loaded: LoadedRoute[] = [];
  for (const route of config.routes) {
    const functions = new Map<string, CustomFunction>();
    for (const rule of [route.layout.shards, route.layout.tables?.rule]) {
      if (rule?.algorithm !== 'custom') continue;
      functions.set(rule.module, await loadFunction(resolve(dirname(config.file), rule.module), route.place));
    }
    const mayBeKeyless = config.sources.some(
      ({ name, keyless }) => keyless === 'append' && route.sources?.includes(name) !== false,
    );
    loaded.push({ route, rule: ruleOf(route, (module) => functions.get(module)!), mayBeKeyless });
  }
  return loaded;
}

function ruleOf(route: RouteSettings, functionOf: (module: string) => CustomFunction): RouteRule {
  const pattern = parseTablePattern(route.from);
  if ('wrong' in pattern) throw new TypeError(`route pattern ${route.from} is not ${pattern.wrong}`);
  return {
    takes: pattern.value.groups,
    sources: route.sources,
    to: route.to,
    layout: layoutSpec(route.layout, functionOf),
    columns: route.columns === null ? null : columnSpec(route.columns),
  };
}

function columnSpec({ hashKey, ...columns }: ColumnSettings): ColumnSpec {
  return { ...columns, ...(hashKey === null ? {} : { hashKey: hashKey.reveal() }) };
}

async function loadFunction(file: string, place: string): Promise<CustomFunction> {
  const refuse = (what: string, cause?: unknown): RowferryError =>
    new RowferryError('ROWFERRY_CONFIG_INVALID', `${place}: the module ${file} ${what}`, {
      hint: 'it must be an ES module with `export function shardOf(keys, count)` that answers 0 to count-1',
      cause,
    });
  let text: string;
  let module: unknown;
  try {
    text = readFileSync(file, 'utf8');
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    throw refuse(`cannot be loaded (${error instanceof Error ? error.name : 'unknown error'})`, error);
  }
  if (!isRuleModule(module)) throw refuse('exports no function `shardOf`');
  // What it imports could change without the text by which the rule is known.
  if (/\bimport\b|\brequire\b|\bfrom\s*['"]/.test(text))
    throw refuse('imports other modules: it must be complete in itself');
  return { shardOf: module.shardOf, version: createHash('sha256').update(text).digest('hex').slice(0, 16) };
}

function isRuleModule(module: unknown): module is { readonly shardOf: CustomFunction['shardOf'] } {
  return (
    typeof module === 'object' &&
    module !== null &&
    'shardOf' in module &&
    typeof module.shardOf === 'function'
  );
}
