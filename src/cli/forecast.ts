/** `rowferry forecast`: how real keys would spread over a layout, with an exit code for pipelines. */
import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config/load.ts';
import { Forecast } from '../routing/forecast.ts';
import type { BrokenLimit, ForecastLimits, ForecastResult } from '../routing/forecast.ts';
import type { Layout } from '../routing/layout.ts';
import { barChart } from './bar-chart.ts';
import { configOption } from './config-option.ts';
import type { CliContext, Terminal } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { addKeyOptions, keySourceCount, readKeys } from './key-source.ts';
import type { KeySourceOptions } from './key-source.ts';
import { layoutOfRules, ruleHelp } from './rule-option.ts';
import { layoutText } from './rule-text.ts';
import { chosenLayouts, routeOption } from './table-layouts.ts';
import { textTable } from './text-table.ts';

interface ForecastOptions extends KeySourceOptions {
  readonly config: string;
  readonly route?: string;
  readonly rule?: string;
  readonly tablesRule?: string;
  readonly maxSkew: number;
  readonly allowEmpty?: boolean;
  readonly ascii?: boolean;
  readonly json?: boolean;
}

export function forecastCommand({ output, env, signal, terminal }: CliContext): Command {
  const command = new Command('forecast')
    .description('count real keys by target and table before a rule goes live')
    .argument('[table]', 'source table schema.table or a table at the targets; or give --rule')
    .addOption(configOption())
    .addOption(routeOption())
    .option('--rule <yaml>', 'the rule over the targets')
    .option('--tables-rule <yaml>', 'the rule over the tables of each target');
  return addKeyOptions(command)
    .option('--max-skew <factor>', 'largest accepted rows of one table over the mean', skewLimit, 1.2)
    .option('--allow-empty', 'accept tables without a row')
    .option('--ascii', 'draw with # and - alone')
    .option('--json', 'one JSON object a layout for programs')
    .addHelpText(
      'after',
      `${ruleHelp('--rule', '--tables-rule')}

Answers 0 when every layout keeps its limits and ${EXIT.data} when one does not: skew, a table without a row, or a key that the rule refuses.`,
    )
    .action(async (table: string | undefined, options: ForecastOptions, command: Command) => {
      if ((table === undefined) === (options.rule === undefined))
        command.error('error: name either a table or a --rule');
      if (options.tablesRule !== undefined && options.rule === undefined)
        command.error("error: option '--tables-rule' needs option '--rule'");
      if (keySourceCount(options) !== 1)
        command.error('error: give keys by one of --range, --file and --query');
      const layouts = await layoutsFor(table, options, env);
      const configOf = () => loadConfig(options.config, env);
      const forecasts = await countKeys(layouts, options, configOf, signal);
      if (signal.aborted) {
        output.err('stopped before the last key: nothing can be said');
        process.exitCode = EXIT.transient;
        return;
      }
      const limits = { maxSkew: options.maxSkew, allowEmpty: options.allowEmpty === true };
      const screen = options.ascii === true ? { ...terminal, unicode: false } : terminal;
      for (const [i, forecast] of forecasts.entries()) {
        const result = forecast.result(limits);
        if (options.json === true) output.out(JSON.stringify({ rule: layoutText(layouts[i]!), ...result }));
        else for (const line of forecastLines(layouts[i]!, result, limits, screen)) output.out(line);
        if (!result.verdict.ok) process.exitCode = EXIT.data;
      }
    });
}

async function layoutsFor(
  table: string | undefined,
  { config, route, rule, tablesRule }: ForecastOptions,
  env: CliContext['env'],
): Promise<readonly Layout[]> {
  if (rule !== undefined || table === undefined) return [layoutOfRules(rule ?? '', tablesRule)];
  const chosen = await chosenLayouts(loadConfig(config, env), table, route);
  return chosen.map(({ layout }) => layout);
}

/** Reads the keys once, for all layouts. */
async function countKeys(
  layouts: readonly Layout[],
  options: KeySourceOptions,
  configOf: Parameters<typeof readKeys>[2],
  signal: AbortSignal,
): Promise<readonly Forecast[]> {
  const by = [
    ...new Map(layouts.flatMap((layout) => layout.by.map((name) => [name.toLowerCase(), name]))).values(),
  ];
  let forecasts: readonly Forecast[] | undefined;
  for await (const { columns, rows } of readKeys(options, by, configOf, signal)) {
    forecasts ??= layouts.map((layout) => new Forecast(layout, columns));
    for (const forecast of forecasts) for (const row of rows) forecast.add(row);
  }
  return forecasts ?? layouts.map((layout) => new Forecast(layout));
}

/** The screen of `rowferry forecast`. Pure. */
function forecastLines(
  layout: Layout,
  result: ForecastResult,
  limits: ForecastLimits,
  terminal: Terminal,
): string[] {
  const { rows, targets, tables, byTarget, byTable, byCell, refused, verdict } = result;
  const levels = [
    {
      name: 'target',
      spread: byTarget,
      bars: targets.map(({ target, rows }) => ({ label: target, value: rows })),
    },
    {
      name: 'table',
      spread: byTable,
      bars: tables.map(({ table, rows }) => ({ label: table, value: rows })),
    },
  ].filter(({ bars }) => bars.length > 1);
  const spreads = [
    ...levels.map(({ name, spread }) => ({ name, spread })),
    // With one level alone its places are the physical tables.
    ...(levels.length === 1 ? [] : [{ name: 'physical table', spread: byCell }]),
  ];
  return [
    layoutText(layout),
    `${show(rows)} rows in ${show(byCell.places)} physical tables`,
    ...levels.flatMap(({ name, bars }) => ['', `rows of each ${name}`, ...barChart(bars, terminal)]),
    '',
    ...textTable(
      ['spread over', 'count', 'min', 'max', 'mean', 'skew', 'empty'],
      spreads.map(({ name, spread }) => [
        `each ${name}`,
        spread.places,
        spread.min,
        spread.max,
        show(spread.mean, 1),
        spread.skew === null ? null : spread.skew.toFixed(4),
        spread.empty,
      ]),
      terminal,
    ),
    ...refused.map(({ kind, rows }) => `refused ${show(rows)}: ${kind}`),
    '',
    ...(verdict.ok
      ? [`good: skew ${byCell.skew?.toFixed(4) ?? '-'} is within ${limits.maxSkew}`]
      : verdict.broken.map((broken) => `BAD: ${brokenText(broken)}`)),
  ];
}

function brokenText(broken: BrokenLimit): string {
  switch (broken.limit) {
    case 'skew':
      return `the fullest physical table holds ${broken.skew.toFixed(4)} times the mean, more than ${broken.maxSkew}`;
    case 'empty':
      return `${show(broken.cells)} physical tables get no row (--allow-empty accepts that)`;
    case 'refused':
      return `the rule refuses ${show(broken.rows)} keys`;
    case 'no rows':
      return 'no key was counted';
  }
}

function skewLimit(text: string): number {
  const limit = Number(text);
  if (!(limit >= 1)) throw new InvalidArgumentError('Must be 1 (perfectly even) or more.');
  return limit;
}

function show(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
