/** `rowferry check`: everything that can be known before the first row, all findings at once. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { readDescribed } from '../errors.ts';
import { counted } from '../model/counted.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import type { Finding } from '../wiring/check.ts';
import { EXIT } from './exit-codes.ts';
import { errorLines } from './status-text.ts';

export function checkCommand({ output, env, signal }: CliContext): Command {
  return new Command('check')
    .description(
      'check configuration, sources, Kafka and targets; lists every problem with its mend, and tables and partitions that wait for an operator',
    )
    .addOption(configOption())
    .option('--json', 'one JSON object a finding for programs')
    .action(async ({ config: file, json }: { config: string; json?: boolean }) => {
      const config = loadConfig(file, env);
      const { checkPipeline } = await import('../wiring/check.ts');
      const { problems, warnings } = await checkPipeline(
        config,
        (finding) => {
          if (json === true) output.out(JSON.stringify(finding));
          else for (const line of findingLines(finding)) output.out(line);
        },
        signal,
      );
      const warned = counted(warnings, 'warning');
      if (problems > 0) {
        output.err(`${counted(problems, 'problem')}, ${warned}`);
        process.exitCode = EXIT.config;
      } else if (json !== true) {
        output.out(warnings === 0 ? 'ready to run' : `ready to run, with ${warned}`);
      }
    });
}

const LABELS = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' } as const;

/** The first line says what it is about; the others, with place and mend, are set in. */
function findingLines({ state, about, what }: Finding): string[] {
  const [first = '', ...rest] = errorLines(readDescribed(what));
  return [`${LABELS[state]} ${about}: ${first}`, ...rest.map((line) => `        ${line}`)];
}
