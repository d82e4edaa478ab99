/** `rowferry check`: everything that can be known before the first row, all findings at once. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

export function checkCommand({ output, env, signal }: CliContext): Command {
  return new Command('check')
    .description('check configuration, sources, Kafka and targets; lists every problem with its mend')
    .addOption(configOption())
    .action(async ({ config: file }: { config: string }) => {
      const config = loadConfig(file, env);
      const { checkPipeline } = await import('../wiring/check.ts');
      const problems = await checkPipeline(config, (line) => output.out(line), signal);
      if (problems > 0) {
        output.err(`${problems} problem${problems === 1 ? '' : 's'} found`);
        process.exitCode = 2;
      } else {
        output.out('ready to run');
      }
    });
}
