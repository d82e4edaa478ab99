/**
 * `rowferry alerts list|metrics|test|prometheus|yaml`: the rules that are in force, without touching any server; `report` and
 * `withdraw`: what other programs have measured.
 */
import { Command, Option } from 'commander';
import { shippedRules } from '../config/alert-rules.ts';
import { loadConfig } from '../config/load.ts';
import { EMPTY_BOOK, look } from '../observe/alerts/alert-book.ts';
import type { Alert } from '../observe/alerts/alert-book.ts';
import { DEFAULT_RULES } from '../observe/alerts/default-rules.ts';
import { BUILT_IN } from '../observe/alerts/metrics.ts';
import type { AlertSamples, MetricCatalog } from '../observe/alerts/metrics.ts';
import { prometheusRules } from '../observe/alerts/prometheus.ts';
import { formatDuration, UNITS } from '../observe/alerts/quantity.ts';
import { catalogOf } from '../observe/alerts/reported-metrics.ts';
import type { AlertRule } from '../observe/alerts/rule.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { addMeasureVerbs } from './measures.ts';
import { holdMs, samplesOf } from './set-values.ts';
import { textTable } from './text-table.ts';

interface RulesOptions {
  readonly config: string;
  readonly shipped?: boolean;
  readonly json?: boolean;
}

interface TestOptions extends RulesOptions {
  readonly set: readonly string[];
  readonly for?: number;
}

export function alertsCommand(context: CliContext): Command {
  const { output, env, terminal } = context;
  const command = new Command('alerts')
    .description('rules of alerts: what is in force, what would fire')
    // Before its verbs are made, which take it over: an error of usage is main's to tell.
    .exitOverride();
  const rulesOf = ({ config, shipped }: RulesOptions): readonly AlertRule[] =>
    shipped === true ? shippedRules().rules : loadConfig(config, env).alerts.rules;
  const metricsOf = ({ config, shipped }: RulesOptions): MetricCatalog =>
    shipped === true ? BUILT_IN : catalogOf(loadConfig(config, env).alerts.metrics);
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
    .addOption(
      new Option('-c, --config <file>', 'also those that this configuration declares').env('ROWFERRY_CONFIG'),
    )
    .action(({ config }: { readonly config?: string }) => {
      const metrics = config === undefined ? BUILT_IN : metricsOf({ config });
      const rows = [...metrics.values()].map(({ name, dimension, labels }) => [
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
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    )
    .option('--for <duration>', 'how long the values hold, such as 2m; default: as long as it takes', holdMs)
    .option('--json', 'one JSON object a line for programs')
    .action((options: TestOptions, command: Command) => {
      const samples = samplesOf(options.set, metricsOf(options));
      if ('wrong' in samples) return command.error(`error: option '--set' is invalid. ${samples.wrong}`);
      const found = test(rulesOf(options), samples.value, options.for ?? null);
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
  addMeasureVerbs(command, context);
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
