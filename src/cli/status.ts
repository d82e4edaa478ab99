/** `rowferry status`: what is saved (checkpoints, watermarks, parked rows) and, when a daemon runs here, what it does now. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { PipelineStatus } from '../wiring/pipeline-status.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';

export function statusCommand({ output, env, signal }: CliContext): Command {
  return new Command('status')
    .description('show positions, lag, rows/s, partitions and parked rows')
    .addOption(configOption())
    .option('--json', 'one JSON object for programs')
    .action(async ({ config: file, json }: { config: string; json?: boolean }) => {
      const config = loadConfig(file, env);
      const { pipelineStatus } = await import('../wiring/pipeline-status.ts');
      const status = await pipelineStatus(config, signal);
      if (json === true) output.out(JSON.stringify(status));
      else for (const line of statusLines(status)) output.out(line);
    });
}

/** The screen of `rowferry status`. Pure. */
export function statusLines(status: PipelineStatus): string[] {
  const lines = [`pipeline ${status.name}`];
  const { daemon } = status;
  if (daemon === null) lines.push('daemon    none runs on this machine; what follows is what is saved');
  else {
    const lag = daemon.lagMs === null ? 'unknown' : `${daemon.lagMs} ms`;
    lines.push(`daemon    pid ${daemon.pid}, ${daemon.rowsPerSecond} rows/s, lag ${lag}`);
  }
  for (const source of status.sources) {
    const state = source.state === null ? '' : `  ${source.state}`;
    const saved = `  epoch ${source.epoch}  ${source.position ?? 'nothing saved yet'}`;
    lines.push(`source    ${source.name}${state}${source.isDebezium ? '' : saved}`);
    if (source.error !== null) lines.push(`          ${source.error}`);
    const { tables, done, waits } = source.copies;
    if (done < tables) {
      const why = waits === null ? '' : `, waits: ${waits}`;
      lines.push(`          copied ${done} of ${tables} tables${why} (rowferry snapshot status)`);
    }
  }
  lines.push(
    '',
    'partition                                 offset      log end   behind  parked  lag ms  state',
  );
  for (const partition of status.partitions) {
    const cells = [
      `${partition.topic}/${partition.partition}`.padEnd(36),
      String(partition.next ?? '-').padStart(12),
      String(partition.high ?? '-').padStart(12),
      String(partition.behind ?? '-').padStart(8),
      String(partition.parked).padStart(7),
      String(partition.lagMs ?? '-').padStart(7),
    ];
    lines.push(`${cells.join(' ')}  ${partition.state ?? ''}`.trimEnd());
    if (partition.error !== null) lines.push(`          ${partition.error}`);
  }
  return lines;
}
