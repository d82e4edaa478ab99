/** `rowferry pause`, `resume` and `log-level`: steering what runs. */
import { Command, Option } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { RowferryError } from '../errors.ts';
import { counted } from '../model/counted.ts';
import { localUser } from '../wiring/local-user.ts';
import { readStatuses } from '../wiring/status-file.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { askDaemon, askDaemons, DaemonApi } from './daemon-api.ts';

interface PauseOptions {
  readonly config: string;
  readonly role: 'all' | 'apply' | 'capture';
  readonly source?: string;
}

export function pauseCommand(context: CliContext): Command {
  return pauseVerb(context, true)
    .description('hold applying, capturing or both, in every process of the pipeline, until somebody resumes')
    .addHelpText(
      'after',
      `
What is paused keeps its place and its membership; its lag rises. The pause is kept in Kafka: it holds for processes that
start later too, and no restart ends it. Mind how long the source keeps its binlog and Kafka its records.`,
    );
}

export function resumeCommand(context: CliContext): Command {
  return pauseVerb(context, false)
    .description(
      'go on from the place that was held, and make parts that wait for their next try make it now',
    )
    .addHelpText(
      'after',
      `
What is mended need not be waited for: parts of this machine's daemons that wait for a server, or stopped and are tried
again by themselves, try at once, whether anything was paused or not.`,
    );
}

function pauseVerb({ output, env, signal }: CliContext, paused: boolean): Command {
  const verb = paused ? 'pause' : 'resume';
  return new Command(verb)
    .addOption(configOption())
    .addOption(
      new Option('--role <role>', 'one side only').choices(['all', 'apply', 'capture']).default('all'),
    )
    .option('--source <name>', 'the capture of one source only')
    .action(async ({ config: file, role, source }: PauseOptions) => {
      const config = loadConfig(file, env);
      const body = { role, ...(source === undefined ? {} : { source }) };
      const answers = paused
        ? [await askDaemon(config, `/api/${verb}`, body, signal)]
        : await askDaemons(config, `/api/${verb}`, body, signal);
      const changes = answers[0]?.changes ?? (await pauseByKafka(config, { role, source }, paused, signal));
      for (const { part, from, to } of changes) {
        output.out(
          from === to ? `${part} is ${to} already` : `${part} is ${to}; processes follow within seconds`,
        );
      }
      const waited = answers.reduce((sum, answer) => sum + (answer?.counts?.['waited'] ?? 0), 0);
      if (waited > 0) output.out(`${counted(waited, 'part')} that waited for the next try: it is made now`);
    });
}

/** Without a daemon here it is the same record in Kafka. */
async function pauseByKafka(
  config: Config,
  { role, source }: { readonly role: PauseOptions['role']; readonly source: string | undefined },
  paused: boolean,
  signal: AbortSignal,
) {
  const { pauseParts, setPauses } = await import('../wiring/pauses.ts');
  return await setPauses(config, pauseParts(config, role, source), paused, localUser(), signal);
}

export function logLevelCommand({ output, env, signal }: CliContext): Command {
  return new Command('log-level')
    .description('change how much the daemons of this machine log, until they end')
    .argument('<level>', 'debug, info, warn or error')
    .addOption(configOption())
    .action(async (level: string, { config: file }: { config: string }) => {
      const config = loadConfig(file, env);
      let asked = 0;
      for (const status of readStatuses(config)) {
        const answer = await DaemonApi.of(config, status)?.act('/api/log-level', { level }, signal);
        if (answer === undefined) continue;
        asked += 1;
        for (const { from, to } of answer.changes) output.out(`pid ${status.pid}: ${from} -> ${to}`);
      }
      if (asked > 0) return;
      throw new RowferryError('ROWFERRY_DAEMON_REFUSED', 'no daemon of this pipeline takes actions here', {
        hint: 'set http.token and restart it, or set log.level',
      });
    });
}
