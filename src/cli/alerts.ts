/** `rowferry alerts list|metrics|test|prometheus|yaml`: the rules that are in force, without touching any server. */
import { Command, InvalidArgumentError } from 'commander';
import { shippedRules } from '../config/alert-rules.ts';
import { loadConfig } from '../config/load.ts';
import { didYouMean } from '../model/suggest.ts';
import { EMPTY_BOOK, look } from '../observe/alerts/alert-book.ts';
import type { Alert } from '../observe/alerts/alert-book.ts';
import { DEFAULT_RULES } from '../observe/alerts/default-rules.ts';
import { ALERT_METRICS, alertMetric } from '../observe/alerts/metrics.ts';
import type { AlertSample, AlertSamples } from '../observe/alerts/metrics.ts';
import { prometheusRules } from '../observe/alerts/prometheus.ts';
import { formatDuration, parseQuantity, UNITS } from '../observe/alerts/quantity.ts';
import type { AlertRule } from '../observe/alerts/rule.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { textTable } from './text-table.ts';

interface RulesOptions {
  readonly config: string;
  readonly shipped?: boolean;
  readonly json?: boolean;
}

interface TestOptions extends RulesOptions {
  readonly set: AlertSamples;
  readonly for?: number;
}

export function alertsCommand({ output, env, terminal }: CliContext): Command {
  const command = new Command('alerts')
    .description('rules of alerts: what is in force, what would fire')
    // Before its verbs are made, which take it over: an error of usage is main's to tell.
    .exitOverride();
  const rulesOf = ({ config, shipped }: RulesOptions): readonly AlertRule[] =>
    shipped === true ? shippedRules().rules : loadConfig(config, env).alerts.rules;
  const verb = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(configOption())
      .option('--shipped', 'the rules that rowferry ships; needs no configuration');

  verb('list', 'list the rules')
    .option('--json', 'one JSON object a line for programs')
    .action((options: RulesOptions) => {
      const rules = rulesOf(options);
      const lines =
        options.json === true
          ? rules.map((rule) => JSON.stringify(listed(rule)))
          : ruleTable(rules, terminal);
      for (const line of lines) output.out(line);
    });

  command
    .command('metrics')
    .description('list the metrics that rules can ask about')
    .action(() => {
      const rows = ALERT_METRICS.map(({ name, dimension, labels }) => [
        name,
        UNITS[dimension],
        labels.join(', '),
      ]);
      for (const line of textTable(['metric', 'unit', 'labels'], rows, terminal)) output.out(line);
    });

  verb('test', 'tell which rules would fire on given values')
    .requiredOption(
      '--set <metric=value,label=value>',
      'a value, such as lag_seconds=61 or disk_space=9%,disk=/data; may be repeated',
      setValue,
    )
    .option('--for <duration>', 'how long the values hold, such as 2m; default: as long as it takes', holdMs)
    .option('--json', 'one JSON object a line for programs')
    .action((options: TestOptions) => {
      const found = test(rulesOf(options), options.set, options.for ?? null);
      if (options.json === true) for (const one of found) output.out(JSON.stringify(one));
      else if (found.length === 0) output.out('nothing fires');
      else {
        const rows = found.map(({ rule, level, state, message }) => [rule, level, state, message]);
        for (const line of textTable(['rule', 'level', 'state', 'message'], rows, terminal)) output.out(line);
      }
    });

  verb('prometheus', 'print the rules as a rule file of Prometheus').action((options: RulesOptions) => {
    output.out(prometheusRules(rulesOf(options)).trimEnd());
  });

  command
    .command('yaml')
    .description('print the shipped rules as a file to begin your own from')
    .action(() => {
      output.out(DEFAULT_RULES.trimEnd());
    });
  return command;
}

function listed({ name, group, level, text, forMs, keepFiringMs, message, channels }: AlertRule): object {
  return { name, group, level, condition: text, forMs, keepFiringMs, message, channels };
}

function ruleTable(rules: readonly AlertRule[], terminal: CliContext['terminal']): string[] {
  const rows = rules.map(({ name, level, text, forMs }) => [
    name,
    level,
    text,
    forMs === 0 ? 'at once' : formatDuration(forMs),
  ]);
  return textTable(['rule', 'level', 'condition', 'for'], rows, terminal);
}

interface Fired {
  readonly rule: string;
  readonly level: string;
  readonly labels: Alert['labels'];
  /** `fires`, or after how much more time it would. */
  readonly state: string;
  readonly message: string;
}

/** What is on once the values have held for so long; null for as long as each rule wants. */
function test(rules: readonly AlertRule[], samples: AlertSamples, heldMs: number | null): Fired[] {
  const settings = { repeatMs: Number.MAX_SAFE_INTEGER, historySize: 1 };
  const first = look(EMPTY_BOOK, rules, samples, 0, settings).book;
  const { book } = look(first, rules, samples, heldMs ?? 0, settings);
  return [...book.active.values()].map(({ rule, level, labels, message, firedMs }) => {
    const forMs = rules.find(({ name }) => name === rule)?.forMs ?? 0;
    const left = forMs - (heldMs ?? 0);
    const state =
      firedMs !== null ? 'fires' : `fires after ${formatDuration(left)}${heldMs === null ? '' : ' more'}`;
    return { rule, level, labels, state, message };
  });
}

/** `lag_seconds=61,source=main`: a bare number is in the metric's own unit (seconds, parts of one, pieces a second). */
function setValue(text: string, before: AlertSamples | undefined): AlertSamples {
  const [first = '', ...rest] = text.split(',');
  const [name, written] = cut(first);
  const metric = alertMetric(name);
  if (metric === undefined) {
    const known = ALERT_METRICS.map((one) => one.name);
    throw new InvalidArgumentError(`${name} is no metric${didYouMean(name, known)}`);
  }
  const isBare = /^\d+(?:\.\d+)?$/.test(written);
  if (isBare && metric.dimension === 'share' && Number(written) > 1)
    throw new InvalidArgumentError(
      `${name}: a share is a part of one; write ${written}% or ${Number(written) / 100}`,
    );
  const value = isBare ? { value: Number(written) } : parseQuantity(written, metric.dimension);
  if ('wrong' in value) throw new InvalidArgumentError(`${name}: ${value.wrong}`);
  const labels = Object.fromEntries(metric.labels.map((label) => [label, `<${label}>`]));
  for (const [label, given] of rest.map(cut)) {
    if (!Object.hasOwn(labels, label)) {
      const known = metric.labels.length === 0 ? 'it has none' : `it has ${metric.labels.join(', ')}`;
      throw new InvalidArgumentError(`${label} is no label of ${name}; ${known}`);
    }
    labels[label] = given;
  }
  const samples = new Map<string, readonly AlertSample[]>(before ?? []);
  return samples.set(name, [...(samples.get(name) ?? []), { labels, value: value.value }]);
}

function cut(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 0) throw new InvalidArgumentError(`${pair} has no =`);
  return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

function holdMs(text: string): number {
  const read = parseQuantity(text, 'duration');
  if ('wrong' in read) throw new InvalidArgumentError(read.wrong);
  return Math.round(read.value * 1000);
}
