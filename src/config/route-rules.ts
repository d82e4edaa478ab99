/** What the options of a route mean as rules of the routing library. Pure. */
import { basename } from 'node:path';
import type { LayoutSpec, TableLevel } from '../routing/layout.ts';
import type { RouteKey, RuleSpec } from '../routing/rule.ts';
import type { RouteOptions, ShardOptions, TableOptions } from './route-options.ts';

/** A rule whose custom function is still a file. */
export type RuleSettings = Exclude<RuleSpec, { readonly algorithm: 'custom' }> | CustomRuleSettings;

interface CustomRuleSettings {
  readonly algorithm: 'custom';
  readonly by: readonly string[];
  readonly count: number;
  readonly module: string;
}

export interface LayoutSettings {
  readonly targets: readonly string[];
  readonly shards: RuleSettings | null;
  readonly tables: TableSettings | null;
}

export interface TableSettings extends Omit<TableLevel, 'rule'> {
  readonly rule: RuleSettings;
}

export function layoutSettings(route: RouteOptions): LayoutSettings {
  return {
    targets: targetsOf(route),
    shards: route.shards === undefined ? null : shardRule(route.shards),
    tables: route.tables === undefined ? null : tableLevel(route.tables),
  };
}

/** Target names in the order of the shards. */
export function targetsOf({ target, targets, shards }: RouteOptions): readonly string[] {
  if (target !== undefined) return [target];
  if (shards === undefined) return targets ?? [];
  return shards.algorithm === 'slot-map' ? Object.keys(shards.map) : shards.on;
}

/** The target table as given, or the source table's own name. */
export function targetTable({ from, to }: RouteOptions): string {
  if (to !== undefined) return to;
  return /[*?/]/.test(from) ? '{table}' : from.slice(from.indexOf('.') + 1);
}

function shardRule(options: ShardOptions): RuleSettings {
  if (options.algorithm === 'slot-map') return options;
  const { on, ...rest } = options;
  switch (rest.algorithm) {
    case 'virtual-nodes':
      return { ...rest, current: on.length };
    case 'ring':
      return { ...rest, nodes: on };
    case 'substring':
      return rest;
    default:
      return { ...rest, count: on.length };
  }
}

function tableLevel({ digits, separator, ...options }: TableOptions): TableSettings {
  const level = { digits, separator };
  switch (options.algorithm) {
    case 'virtual-nodes': {
      const { count, ...rest } = options;
      return { ...level, rule: { ...rest, current: count } };
    }
    case 'ring': {
      const { count, ...rest } = options;
      return { ...level, rule: { ...rest, nodes: Array.from({ length: count }, (_, i) => String(i)) } };
    }
    case 'date': {
      const { ahead, ...rest } = options;
      return { ...level, ahead, rule: rest };
    }
    default:
      return { ...level, rule: options };
  }
}

/** A user's function, loaded. */
export interface CustomFunction {
  readonly shardOf: (keys: readonly RouteKey[], count: number) => number;
  /** Digest of the module's text. */
  readonly version: string;
}

/** The layout with its custom functions put in; `functionOf` answers the function of a module. */
export function layoutSpec(
  layout: LayoutSettings,
  functionOf: (module: string) => CustomFunction,
): Omit<LayoutSpec, 'to'> {
  const ruleOf = (rule: RuleSettings): RuleSpec => {
    if (rule.algorithm !== 'custom') return rule;
    // The function counts, not where its module stands.
    const { module, ...rest } = rule;
    return { ...rest, ...functionOf(module) };
  };
  const { targets, shards, tables } = layout;
  return {
    targets,
    shards: shards === null ? null : ruleOf(shards),
    tables: tables === null ? null : { ...tables, rule: ruleOf(tables.rule) },
  };
}

/** Stands for functions that are not loaded, where only their counts matter. */
export function unloadedFunction(module: string): CustomFunction {
  return { shardOf: () => 0, version: basename(module) };
}
