/** `rowferry check`: everything that can be known before the first row, all findings at once. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import type { Finding } from '../wiring/check.ts';

export function checkCommand({ output, env, signal }: CliContext): Command {
  return new Command('check')
    .description('check configuration, sources, Kafka and targets; lists every problem with its mend')
    .addOption(configOption())
    .option('--json', 'one JSON object a finding for programs')
    .action(async ({ config: file, json }: { config: string; json?: boolean }) => {
      const config = loadConfig(file, env);
      const { checkPipeline } = await import('../wiring/check.ts');
      const problems = await checkPipeline(
        config,
        (finding) => output.out(json === true ? JSON.stringify(finding) : lineOf(finding)),
        signal,
      );
      if (problems > 0) {
        output.err(`${problems} problem${problems === 1 ? '' : 's'} found`);
        process.exitCode = 2;
      } else if (json !== true) {
        output.out('ready to run');
      }
    });
}

function lineOf({ state, about, what }: Finding): string {
  const label = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[state];
  return `${label} ${about}: ${what}`;
}
