/** `rowferry positions` and `rowferry replay`: the saved positions of a source, and going back to one. */
import { Command } from 'commander';
import type { CheckpointState } from '../capture/checkpoint-log.ts';
import { loadConfig } from '../config/load.ts';
import { formatPosition } from '../model/position.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

export function positionsCommand({ output, env, signal }: CliContext): Command {
  return new Command('positions')
    .description(
      'list the saved positions of each source, newest last; one that was saved again and again is one line',
    )
    .addOption(configOption())
    .option('--source <name>', 'one source only')
    .option('--last <count>', 'how many places to show', '20')
    .option('--json', 'one JSON object a line for programs')
    .action(async (options: { config: string; source?: string; last: string; json?: boolean }) => {
      const config = loadConfig(options.config, env);
      const { savedPositions } = await import('../wiring/positions.ts');
      for (const { source, state } of await savedPositions(config, options.source, signal)) {
        const last = Number(options.last);
        if (options.json === true) {
          for (const { position, timeMs, epoch } of state.history.slice(-last))
            output.out(JSON.stringify({ source, epoch, timeMs, position }));
          continue;
        }
        for (const line of positionLines(state.history).slice(-last)) output.out(`${source}  ${line}`);
        if (state.history.length === 0) output.out(`${source}  nothing saved yet`);
      }
      if (options.source !== undefined || options.json === true) return;
      for (const { name } of config.debezium) output.out(`${name}  Debezium keeps its positions`);
    });
}

type Saved = CheckpointState['history'][number];

/** One line for each place: from when it was the saved one, and until when it was saved again. Pure. */
export function positionLines(history: readonly Saved[]): string[] {
  const runs: { readonly text: string; readonly fromMs: number; untilMs: number }[] = [];
  for (const { position, timeMs, epoch } of history) {
    const text = `epoch ${epoch}  ${formatPosition(position)}`;
    const last = runs.at(-1);
    if (last?.text === text) last.untilMs = timeMs;
    else runs.push({ text, fromMs: timeMs, untilMs: timeMs });
  }
  const iso = (ms: number): string => new Date(ms).toISOString();
  const times = runs.map(({ fromMs, untilMs }) =>
    fromMs === untilMs ? iso(fromMs) : `${iso(fromMs)} to ${iso(untilMs)}`,
  );
  const width = Math.max(0, ...times.map(({ length }) => length));
  return runs.map(({ text }, at) => `${(times[at] ?? '').padEnd(width)}  ${text}`);
}

export function replayCommand({ output, env, signal }: CliContext): Command {
  return new Command('replay')
    .description('read a source again from an earlier position; a running capture follows within seconds')
    .addOption(configOption())
    .option('--source <name>', 'the source; may be left out when there is one')
    .requiredOption(
      '--from <position>',
      '"file:offset", "gtid:SET", or a time (the last position saved before it)',
    )
    .option('--force', 'also where it reads acknowledged statements once more, whose rows had other columns')
    .addHelpText(
      'after',
      `
While the past is replayed the targets show it: rows go back to what they were and come forward again. Nothing is lost:
every change after the position is applied once more. A replay goes back only, never forward of the saved position.`,
    )
    .action(async (options: { config: string; source?: string; from: string; force?: boolean }) => {
      const config = loadConfig(options.config, env);
      const { requestReplay } = await import('../wiring/positions.ts');
      const request = { from: options.from, force: options.force === true };
      const { source, epoch, position } = await requestReplay(config, options.source, request, signal);
      output.out(`${source} is read again from ${formatPosition(position)} as epoch ${epoch}`);
    });
}
