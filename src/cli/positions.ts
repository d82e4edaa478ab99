/** `rowferry positions` and `rowferry replay`: the saved positions of a source, and going back to one. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { formatPosition } from '../model/position.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

export function positionsCommand({ output, env, signal }: CliContext): Command {
  return new Command('positions')
    .description('list the saved positions of each source, newest last')
    .addOption(configOption())
    .option('--source <name>', 'one source only')
    .option('--last <count>', 'how many to show', '20')
    .option('--json', 'one JSON object a line for programs')
    .action(async (options: { config: string; source?: string; last: string; json?: boolean }) => {
      const config = loadConfig(options.config, env);
      const { savedPositions } = await import('../wiring/positions.ts');
      for (const { source, state } of await savedPositions(config, options.source, signal)) {
        for (const { position, timeMs, epoch } of state.history.slice(-Number(options.last))) {
          if (options.json === true) output.out(JSON.stringify({ source, epoch, timeMs, position }));
          else
            output.out(
              `${source}  ${new Date(timeMs).toISOString()}  epoch ${epoch}  ${formatPosition(position)}`,
            );
        }
        if (state.history.length === 0 && options.json !== true) output.out(`${source}  nothing saved yet`);
      }
      if (options.source !== undefined || options.json === true) return;
      for (const { name } of config.debezium) output.out(`${name}  Debezium keeps its positions`);
    });
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
    .addHelpText(
      'after',
      `
While the past is replayed the targets show it: rows go back to what they were and come forward again. Nothing is lost:
every change after the position is applied once more. A replay goes back only, never forward of the saved position.`,
    )
    .action(async (options: { config: string; source?: string; from: string }) => {
      const config = loadConfig(options.config, env);
      const { requestReplay } = await import('../wiring/positions.ts');
      const { source, epoch, position } = await requestReplay(config, options.source, options.from, signal);
      output.out(`${source} is read again from ${formatPosition(position)} as epoch ${epoch}`);
    });
}
