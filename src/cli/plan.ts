/** `rowferry plan`: which rows a change of sharding moves, from where to where, before anything is started. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { RowferryError } from '../errors.ts';
import type { Layout, Place } from '../routing/layout.ts';
import { columnsOfBoth, KeyPlan, planByPeriod, rowsOfShare, shareOf } from '../routing/plan.ts';
import type { MovePlan, Share } from '../routing/plan.ts';
import { configOption } from './config-option.ts';
import type { CliContext, Terminal } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { addKeyOptions, keySourceCount, readKeys } from './key-source.ts';
import type { KeySourceOptions } from './key-source.ts';
import { rowCount } from './row-count.ts';
import { layoutOfRules, ruleHelp } from './rule-option.ts';
import { layoutText } from './rule-text.ts';
import { chosenLayouts, routeOption } from './table-layouts.ts';
import type { Cell } from './text-table.ts';
import { textTable } from './text-table.ts';

interface PlanOptions extends KeySourceOptions {
  readonly config: string;
  readonly route?: string;
  readonly from?: string;
  readonly to: string;
  readonly fromTables?: string;
  readonly toTables?: string;
  readonly rows?: number;
  readonly json?: boolean;
}

/** More pairs than people read are shown by target. */
const MOST_PAIRS = 32;

export function planCommand({ output, env, signal, terminal }: CliContext): Command {
  const command = new Command('plan')
    .description('say which rows a change of sharding moves, from where to where')
    .argument('[table]', 'source table schema.table or a table at the targets; or give --from')
    .requiredOption('--to <file|yaml>', 'the new configuration file; with --from the new rule')
    .addOption(configOption())
    .addOption(routeOption())
    .option('--from <yaml>', 'the old rule over the targets')
    .option('--from-tables <yaml>', 'the old rule over the tables of each target')
    .option('--to-tables <yaml>', 'the new rule over the tables of each target')
    .option('--rows <count>', 'rows of the table, such as 50M: shares are told in rows as well', rowCount);
  return addKeyOptions(command)
    .option('--json', 'one JSON object for programs')
    .addHelpText(
      'after',
      `${ruleHelp('--from', '--from-tables')}

Without keys the shares are exact for keys that are spread evenly: one common period of the rules is walked. With keys
(--range, --file, --query) they are exact for these keys. A row stays when its target and its table keep their names.`,
    )
    .action(async (table: string | undefined, options: PlanOptions, command: Command) => {
      if ((table === undefined) === (options.from === undefined))
        command.error('error: name either a table or a rule by --from');
      if (options.from === undefined && (options.fromTables ?? options.toTables) !== undefined)
        command.error("error: options '--from-tables' and '--to-tables' need option '--from'");
      if (keySourceCount(options) > 1)
        command.error('error: give keys by one of --range, --file and --query');
      const [from, to] = await layoutsFor(table, options, env);
      const plan =
        keySourceCount(options) === 0
          ? walked(from, to)
          : await counted(from, to, options, () => loadConfig(options.config, env), signal);
      if (signal.aborted) {
        output.err('stopped before the last key: nothing can be said');
        process.exitCode = EXIT.transient;
        return;
      }
      if (options.json === true) output.out(JSON.stringify(planJson(plan, from, to, options.rows)));
      else for (const line of planLines(plan, from, to, options.rows, terminal)) output.out(line);
    });
}

async function layoutsFor(
  table: string | undefined,
  { config, route, from, to, fromTables, toTables }: PlanOptions,
  env: CliContext['env'],
): Promise<readonly [Layout, Layout]> {
  if (from !== undefined || table === undefined)
    return [layoutOfRules(from ?? '', fromTables, '--from'), layoutOfRules(to, toTables, '--to')];
  const one = async (file: string): Promise<Layout> => {
    const [first, second] = await chosenLayouts(loadConfig(file, env), table, route);
    if (first !== undefined && second === undefined) return first.layout;
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', `${file} has several routes of ${table}`, {
      hint: 'name the target table of one of them by --route',
    });
  };
  return [await one(config), await one(to)];
}

function walked(from: Layout, to: Layout): MovePlan {
  const plan = planByPeriod(from, to);
  if (plan !== null) return plan;
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    'these two rules have no common period that could be walked',
    {
      hint: 'give real keys by --range, --file or --query: they are counted exactly',
    },
  );
}

async function counted(
  from: Layout,
  to: Layout,
  options: KeySourceOptions,
  configOf: Parameters<typeof readKeys>[2],
  signal: AbortSignal,
): Promise<MovePlan> {
  let plan: KeyPlan | undefined;
  for await (const { columns, rows } of readKeys(options, columnsOfBoth(from, to), configOf, signal)) {
    plan ??= new KeyPlan(from, to, columns);
    for (const row of rows) plan.add(row);
  }
  return (plan ?? new KeyPlan(from, to)).result();
}

/** The screen of `rowferry plan`. Pure. */
function planLines(
  plan: MovePlan,
  from: Layout,
  to: Layout,
  rows: number | undefined,
  terminal: Terminal,
): string[] {
  const pairs = plan.pairs.length > MOST_PAIRS ? pairsByTarget(plan) : plan.pairs;
  const rowCells = (share: Share, count: number): Cell[] => {
    if (rows !== undefined) return [rowsOfShare(share, rows)];
    return plan.basis === 'keys' ? [count] : [];
  };
  const hasRows = rows !== undefined || plan.basis === 'keys';
  const [moving] = rowCells(plan.share, plan.moving);
  const basis =
    plan.basis === 'period'
      ? `of evenly spread keys (one period of ${show(plan.of)} was walked)`
      : `of the ${show(plan.of)} keys`;
  return [
    `from  ${layoutText(from)}`,
    `to    ${layoutText(to)}`,
    '',
    `moves ${fractionText(plan.share)} (${percentText(plan.share)}) ${basis}` +
      (typeof moving === 'number' && rows !== undefined ? `, ${show(moving)} of ${show(rows)} rows` : ''),
    ...(pairs.length === 0
      ? []
      : [
          '',
          ...(pairs === plan.pairs
            ? []
            : [`${show(plan.pairs.length)} pairs of tables move rows; by target (--json lists all):`]),
          ...textTable(
            ['from', 'to', 'share', '%', ...(hasRows ? ['rows'] : [])],
            pairs.map((pair) => [
              placeText(pair.from, from, to),
              placeText(pair.to, from, to),
              fractionText(pair.share),
              percentText(pair.share),
              ...rowCells(pair.share, pair.count),
            ]),
            terminal,
          ),
        ]),
    ...plan.refused.map(({ kind, rows }) => `refused ${show(rows)}: ${kind}`),
  ];
}

/** Rows that move between tables of one target or between targets; the table's name is left out. */
function pairsByTarget({ pairs, of }: MovePlan): MovePlan['pairs'] {
  const sums = new Map<string, { from: Place; to: Place; count: number }>();
  for (const { from, to, count } of pairs) {
    const name = JSON.stringify([from.target, to.target]);
    const sum = sums.get(name) ?? { from: { ...from, table: '' }, to: { ...to, table: '' }, count: 0 };
    sum.count += count;
    sums.set(name, sum);
  }
  return [...sums.values()].map((sum) => ({ ...sum, share: shareOf(sum.count, of) }));
}

/** As much of a place's name as tells it from others: the target where there are several, the table where there are. */
function placeText(place: Place, from: Layout, to: Layout): string {
  const hasTables =
    place.table !== '' && (from.tables !== null || to.tables !== null || from.spec.to !== to.spec.to);
  const hasTargets = from.spec.targets.length > 1 || to.spec.targets.length > 1 || !hasTables;
  return [...(hasTargets ? [place.target] : []), ...(hasTables ? [place.table] : [])].join(' ');
}

function planJson(plan: MovePlan, from: Layout, to: Layout, rows: number | undefined): object {
  const inRows = (share: Share): object => (rows === undefined ? {} : { rows: rowsOfShare(share, rows) });
  return {
    from: layoutText(from),
    to: layoutText(to),
    ...plan,
    ...inRows(plan.share),
    pairs: plan.pairs.map((pair) => ({ ...pair, ...inRows(pair.share) })),
  };
}

function fractionText({ numerator, denominator }: Share): string {
  return numerator === 0 ? 'nothing' : denominator === 1 ? 'all' : `${show(numerator)}/${show(denominator)}`;
}

function percentText({ percent }: Share): string {
  return `${percent.toLocaleString('en-US', { maximumFractionDigits: 4 })} %`;
}

function show(value: number): string {
  return value.toLocaleString('en-US');
}
