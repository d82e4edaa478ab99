/** `rowferry ddl ack`: an operator has dealt with a statement for which a table, or the capture, waits. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

export function ddlCommand({ output, env, signal }: CliContext): Command {
  const command = new Command('ddl').description('statements that change captured tables');
  command
    .command('ack')
    .description(
      'let a table, or a capture that stopped, go on after a statement: you have made its change at the targets',
    )
    .addOption(configOption())
    .option('--source <name>', 'the source; may be left out when there is one')
    .requiredOption('--at <file:position>', 'the place that the log line and `rowferry status` name')
    .action(async (options: { config: string; source?: string; at: string }) => {
      const config = loadConfig(options.config, env);
      const { acknowledgeStatement } = await import('../wiring/positions.ts');
      const { source, held } = await acknowledgeStatement(config, options.source, options.at, signal);
      output.out(
        `${source} passes the statement at ${options.at}: a running capture goes on by itself; start one that has stopped`,
      );
      if (held.some(({ statement }) => statement === options.at)) return;
      output.out(
        'no table is saved as waiting for a statement there: right only where the whole capture stopped at it',
      );
      for (const { table, statement } of held) output.out(`  ${table} waits since ${statement}`);
    });
  return command;
}
