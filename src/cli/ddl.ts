/** `rowferry ddl ack`: an operator has dealt with a statement for which a table, or the capture, waits. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

interface AckOptions {
  readonly config: string;
  readonly source?: string;
  readonly at: string;
  readonly ahead?: boolean;
  readonly force?: boolean;
  readonly wait: boolean;
}

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
    .option('--ahead', 'no table waits for it: the whole capture stopped there, or has not come so far')
    .option(
      '--force',
      'also where a route does not fit the table any more (its rows stop the appliers), or targets have columns that no row brings',
    )
    .option('--no-wait', 'others than rowferry consume the topic: wait for no applier')
    .action(async ({ config: file, source: wanted, at: statement, ...how }: AckOptions) => {
      const config = loadConfig(file, env);
      const { acknowledgeStatement } = await import('../wiring/acknowledge.ts');
      const { ahead = false, force = false, wait: waits } = how;
      const request = { statement, ahead, force, waits };
      const { source, tables } = await acknowledgeStatement(config, wanted, request, signal);
      if (tables.length === 0)
        output.out(`${source} passes the statement at ${statement}: start a capture that has stopped`);
      else if (waits)
        output.out(
          `${tables.join(', ')} of ${source}: goes on by itself once the targets have what precedes the statement (rowferry status)`,
        );
      else output.out(`${tables.join(', ')} of ${source}: goes on by itself`);
    });
  return command;
}
