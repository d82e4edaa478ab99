/** `rowferry run`: the daemon. */
import { Command, Option } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Role, RunningDaemon } from '../wiring/daemon.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

export function runCommand({ env, signal }: CliContext): Command {
  return new Command('run')
    .description('run the daemon: capture every source and apply to every target')
    .addOption(configOption())
    .addOption(
      new Option('--role <role>', 'run one side only; any number of processes may run each')
        .choices(['all', 'capture', 'apply'])
        .default('all'),
    )
    .addHelpText(
      'after',
      `
Captures stand by for each other: one is active for each source. Appliers share the partitions.
SIGTERM finishes what is in flight within "drainMs", a second one leaves at once. Nothing is lost by kill -9:
the next start goes on from the checkpoint and from the watermarks in the targets.`,
    )
    .action(async ({ config: file, role }: { config: string; role: Role }) => {
      const config = loadConfig(file, env);
      const [{ createLog }, { runDaemon }, { HttpServer }] = await Promise.all([
        import('../observe/log.ts'),
        import('../wiring/daemon.ts'),
        import('../server/http-server.ts'),
      ]);
      const log = createLog({ ...config.log, fields: { pipeline: config.name } });
      const serve = config.http.enabled
        ? async (daemon: RunningDaemon) => await HttpServer.start(daemon)
        : undefined;
      await runDaemon(config, role, log, signal, serve);
    });
}
