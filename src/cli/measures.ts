/** `rowferry alerts report|withdraw`: what another program has measured, to the daemon of this machine. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { RowferryError } from '../errors.ts';
import type { MeasureChange, MeasureName } from '../observe/alerts/measures.ts';
import { Measures } from '../observe/alerts/measures.ts';
import { readStatuses } from '../wiring/status-file.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { DaemonApi } from './daemon-api.ts';
import { readPair } from './set-values.ts';

interface MeasureOptions {
  readonly config: string;
  readonly label?: Readonly<Record<string, string>>;
}

export function addMeasureVerbs(command: Command, { output, env, signal }: CliContext): void {
  const tell = (changes: readonly MeasureChange[]): void => {
    for (const { part, from, to } of changes) output.out(`${part}: ${from} -> ${to}`);
  };
  const verb = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .argument('<metric>', 'a metric of alerts.metrics')
      .addOption(configOption())
      .option('--label <name=value>', 'a label of the metric; each is given once', addLabel);

  verb('report', 'report what another program has measured, for the rules that ask for it')
    .argument('<value>', 'with its unit, such as "0.2 %", "120 ms" or 3')
    .action(async (metric: string, value: string, { config: file, label = {} }: MeasureOptions) => {
      const config = loadConfig(file, env);
      const name = { metric, labels: label };
      const report = { ...name, value };
      // A mistake is told in the words of the command line, without a daemon.
      new Measures(config.alerts.metrics, []).report([report], 0, '');
      tell(await reportToOne(config, report, name, signal));
    });

  verb('withdraw', 'forget what was reported for a set of labels: its alerts are resolved').action(
    async (metric: string, { config: file, label = {} }: MeasureOptions) => {
      const config = loadConfig(file, env);
      const changes = await withdrawFrom(daemonsOf(config), { metric, labels: label }, signal);
      if (changes.length > 0) return tell(changes);
      throw new RowferryError(
        'ROWFERRY_DAEMON_REFUSED',
        `no daemon of this pipeline here has such a report of ${metric}, or takes actions`,
        {
          hint: 'name each of its labels; GET /api/measures lists what was reported; http.token must be set',
        },
      );
    },
  );
}

/**
 * One daemon is told, so that one alert fires. The others forget what they were told before, when they were the first: nobody
 * would ever tell them that it is over.
 */
async function reportToOne(
  config: Config,
  report: MeasureName & { readonly value: string },
  name: MeasureName,
  signal: AbortSignal,
): Promise<readonly MeasureChange[]> {
  const daemons = daemonsOf(config);
  for (const [at, daemon] of daemons.entries()) {
    const answer = await daemon.act('/api/measures', { measures: [report] }, signal);
    if (answer === undefined) continue;
    await withdrawFrom(daemons.slice(at + 1), name, signal);
    return answer.changes;
  }
  throw nobody();
}

/** From those that have it. */
async function withdrawFrom(
  daemons: readonly DaemonApi[],
  { metric, labels }: MeasureName,
  signal: AbortSignal,
): Promise<readonly MeasureChange[]> {
  const changes: MeasureChange[] = [];
  for (const daemon of daemons) {
    const told = await daemon.read<{ readonly measures: readonly MeasureName[] }>('/api/measures', signal);
    const has = told?.measures.some(
      (one) =>
        one.metric === metric &&
        Object.entries(one.labels).every(([label, value]) => labels[label] === value),
    );
    if (has !== true) continue;
    const answer = await daemon.act('/api/measures/withdraw', { measures: [{ metric, labels }] }, signal);
    changes.push(...(answer?.changes ?? []));
  }
  return changes;
}

function daemonsOf(config: Config): DaemonApi[] {
  return readStatuses(config).flatMap((status) => DaemonApi.of(config, status) ?? []);
}

function nobody(): RowferryError {
  return new RowferryError('ROWFERRY_DAEMON_REFUSED', 'no daemon of this pipeline here takes it', {
    hint: 'start it, with http.token set; on another machine POST /api/measures (docs/http.md)',
  });
}

function addLabel(text: string, before: Readonly<Record<string, string>> | undefined) {
  const pair = readPair(text);
  if (pair === undefined) throw new InvalidArgumentError(`${text} has no =`);
  return { ...before, [pair[0]]: pair[1] };
}
