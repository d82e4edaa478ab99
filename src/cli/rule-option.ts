/** `--rule` and `--tables-rule`: a layout on the command line, in the words of the configuration file. */
import { parse } from 'yaml';
import { problemsOf } from '../config/problems.ts';
import { routeOptions } from '../config/route-options.ts';
import { layoutSettings } from '../config/route-rules.ts';
import { RowferryError } from '../errors.ts';
import { createRule } from '../routing/create-rule.ts';
import { Layout, suffixOf } from '../routing/layout.ts';
import type { LayoutSpec } from '../routing/layout.ts';
import type { RuleSpec } from '../routing/rule.ts';

/** How rules are written, by the names of the options that take them. */
export function ruleHelp(option: string, tablesOption: string): string {
  return `
A rule is written as in the configuration file, braces may be left out:
  ${option} 'algorithm: modulo, by: user_id, count: 4'
  ${option} 'algorithm: segments, by: user_id, count: 16, half: high' ${tablesOption} 'algorithm: segments, by: user_id, count: 16'
  ${option} 'algorithm: hash, by: email, on: [db_{0..3}]'
"on" names the targets; with "count" they are called after their shards: shard_00, shard_04 …`;
}

const TABLES_RULE = '--tables-rule';

/**
 * The layout of a rule over the targets and, when given, a rule over the tables of each. A date rule without an end is one
 * over the tables. Throws ROWFERRY_CONFIG_INVALID for words that make no rule.
 */
export function layoutOfRules(text: string, tablesText: string | undefined, option = '--rule'): Layout {
  const { spec, on } = readRule(text, option);
  const tables = tablesText === undefined ? null : { rule: readRule(tablesText, TABLES_RULE).spec };
  const rule = createRule(spec);
  if (rule.count === null) {
    if (tables !== null) throw wrong(option, ['a date rule has no end: give it as --tables-rule']);
    return new Layout({ to: 'table', targets: ['target'], shards: null, tables: { rule: spec } });
  }
  const targets = on ?? Array.from({ length: rule.count }, (_, i) => `shard_${suffixOf(rule.label(i), 2)}`);
  const layout: LayoutSpec = { to: 'table', targets, shards: spec, tables };
  return new Layout(layout);
}

interface ReadRule {
  readonly spec: RuleSpec;
  /** Names of the targets, when the rule gives them. */
  readonly on: readonly string[] | null;
}

function readRule(text: string, option: string): ReadRule {
  const value = readYaml(text, option);
  if (value['algorithm'] === 'custom')
    throw wrong(option, ['a custom rule needs a configuration file that names its module']);
  const named = value['on'] ?? (value['algorithm'] === 'ring' ? value['nodes'] : undefined);
  // The names of a slot map are those of the targets, unless it is about tables.
  const namesTargets = named !== undefined || (value['algorithm'] === 'slot-map' && option !== TABLES_RULE);
  const level = namesTargets ? 'shards' : 'tables';
  const parsed = routeOptions.safeParse(
    { from: 'any.table', ...(level === 'tables' ? { target: 'any' } : {}), [level]: words(value, named) },
    { reportInput: true },
  );
  if (!parsed.success) {
    const problems = problemsOf(routeOptions, parsed.error);
    throw wrong(
      option,
      problems.map(({ path, message }) => [path.slice(1).join('.'), message].filter(Boolean).join(': ')),
    );
  }
  const { targets, shards, tables } = layoutSettings(parsed.data);
  const spec = level === 'tables' ? tables?.rule : shards;
  if (spec === undefined || spec === null || spec.algorithm === 'custom')
    throw wrong(option, ['says no rule']);
  return { spec, on: level === 'tables' ? null : targets };
}

/** The configuration's words for a rule of the routing library, whose own words are taken as well. */
function words(value: Readonly<Record<string, unknown>>, on: unknown): Record<string, unknown> {
  const { on: _, nodes, current, ...rest } = value;
  const by = value['algorithm'] === 'expression' ? {} : { by: 'id' };
  if (on !== undefined) {
    // Where the targets are named they are the count.
    const { count: __, ...named } = rest;
    return { ...by, ...named, on };
  }
  return {
    ...by,
    ...rest,
    ...(nodes === undefined ? {} : { nodes }),
    ...(current === undefined ? {} : { count: current }),
  };
}

function readYaml(text: string, option: string): Readonly<Record<string, unknown>> {
  const flow = text.trim().startsWith('{') ? text : `{${text}}`;
  let value: unknown;
  try {
    value = parse(flow);
  } catch (error) {
    throw wrong(option, ['is no YAML'], error);
  }
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw wrong(option, ['is no YAML']);
}

function wrong(option: string, problems: readonly string[], cause?: unknown): RowferryError {
  return new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    problems.map((problem) => `${option}: ${problem}`).join('\n'),
    { hint: "write it like 'algorithm: modulo, by: user_id, count: 4'", cause },
  );
}
