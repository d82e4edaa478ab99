/** Reads the rules of alerts, in the configuration or in a file of their own; every mistake is told with its place. */
import { z } from 'zod';
import { checkMessage } from '../observe/alerts/rule.ts';
import type { AlertRule } from '../observe/alerts/rule.ts';
import { DEFAULT_RULES } from '../observe/alerts/default-rules.ts';
import { parseCondition } from '../observe/alerts/condition.ts';
import { BUILT_IN } from '../observe/alerts/metrics.ts';
import type { MetricCatalog } from '../observe/alerts/metrics.ts';
import { parseQuantity } from '../observe/alerts/quantity.ts';
import { declaredMetrics } from './alert-metrics.ts';
import { alertRulesFile } from './alert-options.ts';
import type { AlertRuleOptions } from './alert-options.ts';
import { systemCode } from './interpolate.ts';
import type { Surroundings } from './interpolate.ts';
import { LocatedYaml } from './locate.ts';
import type { LocatedProblem, Path, Problem } from './locate.ts';
import { problemsOf } from './problems.ts';
import { didYouMean } from '../model/suggest.ts';

interface ReadRules {
  readonly rules: readonly AlertRule[];
  readonly problems: readonly LocatedProblem[];
}

const MAX_FOR_MS = 7 * 86_400_000;

/**
 * The rules of a raw configuration: those it holds, those of the file that it names, else the shipped ones. Problems of a
 * file of its own stand where the configuration names it; their text names their own place.
 */
export function readAlertRules(raw: unknown, yaml: LocatedYaml, surroundings: Surroundings): ReadRules {
  const alerts = memberOf(raw, 'alerts');
  const rules = memberOf(alerts, 'rules');
  const metrics = declaredMetrics(memberOf(alerts, 'metrics'));
  // Whatever is wrong with the metrics is told; rules that name them are read once it is mended.
  if (metrics === undefined) return { rules: [], problems: [] };
  const known = { channels: channelNames(memberOf(alerts, 'channels')), metrics };
  if (typeof rules === 'string') {
    const at = yaml.locate({ path: ['alerts', 'rules'], at: 'value', message: '' }).offset;
    return fileRules(rules, known, surroundings, at);
  }
  if (rules === undefined || rules === null) return shippedRules();
  const parsed = alertRulesFile.safeParse(rules, { reportInput: true });
  // What does not fit the declaration is told with the rest of the configuration.
  if (!parsed.success) return { rules: [], problems: [] };
  const path = ['alerts', 'rules', 'migration_alerts'];
  const checked = checkRules(parsed.data.migration_alerts, path, known);
  const told = checked.problems.filter((problem) => !yaml.failed(problem.path));
  return { rules: checked.rules, problems: told.map((problem) => yaml.locate(problem)) };
}

let shipped: ReadRules | undefined;

/** The rules that rowferry ships; read once, since most configurations have no others. */
export function shippedRules(): ReadRules {
  const surroundings = { env: {}, readFile: () => '' };
  shipped ??= readRulesText('rowferry-alerts.yaml', DEFAULT_RULES, ANYTHING, surroundings);
  return shipped;
}

/** What rules may name. */
interface Known {
  /** Null for any. */
  readonly channels: readonly string[] | null;
  readonly metrics: MetricCatalog;
}

/** Any channel, and what rowferry measures itself. */
export const ANYTHING: Known = { channels: null, metrics: BUILT_IN };

/** The rules of a text. */
export function readRulesText(
  file: string,
  text: string,
  known: Known,
  surroundings: Surroundings,
): ReadRules {
  const yaml = new LocatedYaml(file, text, surroundings);
  if (yaml.value === undefined) return { rules: [], problems: yaml.problems };
  const parsed = alertRulesFile.safeParse(yaml.value ?? {}, { reportInput: true });
  const checked = parsed.success
    ? checkRules(parsed.data.migration_alerts, ['migration_alerts'], known)
    : { rules: [], problems: problemsOf(alertRulesFile, parsed.error) };
  const told = checked.problems.filter(({ path }) => !yaml.failed(path));
  const problems = [...yaml.problems, ...told.map((problem) => yaml.locate(problem))];
  return { rules: checked.rules, problems: problems.toSorted((a, b) => a.offset - b.offset) };
}

function fileRules(file: string, known: Known, surroundings: Surroundings, offset: number): ReadRules {
  let text: string;
  try {
    text = surroundings.readFile(file);
  } catch (error) {
    return { rules: [], problems: [{ offset, line: `${file}: cannot be read (${systemCode(error)})` }] };
  }
  const { rules, problems } = readRulesText(file, text, known, surroundings);
  return { rules, problems: problems.map(({ line }) => ({ offset, line })) };
}

function checkRules(
  groups: Readonly<Record<string, readonly AlertRuleOptions[]>>,
  path: Path,
  known: Known,
): { readonly rules: AlertRule[]; readonly problems: Problem[] } {
  const problems: Problem[] = [];
  const rules: AlertRule[] = [];
  const names = new Set<string>();
  for (const [group, list] of Object.entries(groups)) {
    for (const [i, options] of list.entries()) {
      const own = [...path, group, i];
      const name = options.name ?? `${group}_${i + 1}`;
      if (names.has(name)) {
        problems.push({
          path: [...own, 'name'],
          at: 'value',
          message: `${name} is the name of another rule`,
        });
      }
      names.add(name);
      const read = readRule(options, { name, group, ...known });
      if ('name' in read) rules.push(read);
      else problems.push(...read.map((problem) => ({ ...problem, path: [...own, ...problem.path] })));
    }
  }
  return { rules, problems };
}

function readRule(
  options: AlertRuleOptions,
  { name, group, channels, metrics }: Known & { readonly name: string; readonly group: string },
): AlertRule | Problem[] {
  const problems: Problem[] = [];
  const add = (key: string, message: string, within = 0): void => {
    problems.push({ path: [key], at: 'value', message, within });
  };
  const condition = parseCondition(options.condition, metrics);
  if ('wrong' in condition) add('condition', condition.wrong, condition.at);
  const durationOf = (key: 'for' | 'keepFiring'): number => {
    const duration = parseQuantity(options[key], 'duration');
    const ms = 'value' in duration ? Math.round(duration.value * 1000) : 0;
    if ('wrong' in duration) add(key, duration.wrong);
    else if (ms > MAX_FOR_MS) add(key, 'must not be longer than 7 d');
    return ms;
  };
  const [forMs, keepFiringMs] = [durationOf('for'), durationOf('keepFiring')];
  for (const [i, channel] of (options.channels ?? []).entries()) {
    if (channels === null || channels.includes(channel)) continue;
    const mend = didYouMean(channel, channels) || `; channels are ${channels.join(', ')}`;
    problems.push({ path: ['channels', i], at: 'value', message: `names no channel${mend}` });
  }
  if ('wrong' in condition) return problems;
  const mistake = checkMessage(options.message, condition.value);
  if (mistake !== undefined) add('message', mistake.wrong, mistake.at);
  if (problems.length > 0) return problems;
  return {
    name,
    group,
    condition: condition.value,
    text: options.condition,
    forMs,
    keepFiringMs,
    level: options.level,
    message: options.message,
    channels: options.channels ?? null,
  };
}

function channelNames(channels: unknown): string[] {
  return z.record(z.string(), z.unknown()).safeParse(channels).success
    ? Object.keys(channels as object)
    : ['log'];
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
