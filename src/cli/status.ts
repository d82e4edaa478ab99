/** `rowferry status`: what is saved (checkpoints, watermarks, parked rows) and, when a daemon runs here, what it does now. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/config.ts';
import { sleep } from '../runtime/backoff.ts';
import type { PipelineStatus } from '../wiring/pipeline-status.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { liveDaemons } from './daemon-api.ts';
import { plainLine, screenLines } from './status-screen.ts';

const WATCH_MS = 1_000;

export function statusCommand(context: CliContext): Command {
  const { output, env, signal } = context;
  return new Command('status')
    .description('show positions, lag, rows/s, partitions and parked rows')
    .addOption(configOption())
    .option('--json', 'one JSON object for programs')
    .option('--watch', 'what the daemons of this machine do, drawn anew each second until Ctrl-C')
    .action(async ({ config: file, json, watch }: { config: string; json?: boolean; watch?: boolean }) => {
      const config = loadConfig(file, env);
      if (watch === true) {
        await watchStatus(context, config, json === true);
        return;
      }
      const { statuses } = await liveDaemons(config, signal);
      const { pipelineStatus } = await import('../wiring/pipeline-status.ts');
      const status = await pipelineStatus(config, signal, statuses);
      if (json === true) output.out(JSON.stringify(status));
      else for (const line of statusLines(status)) output.out(line);
    });
}

const ESCAPE = {
  begin: '\u001b[?1049h\u001b[?25l',
  end: '\u001b[?25h\u001b[?1049l',
  home: '\u001b[H',
  clear: '\u001b[2J\u001b[H',
  lineEnd: '\u001b[K',
  below: '\u001b[J',
} as const;

/** Draws on the other screen of the terminal, which leaves what was there; elsewhere a line a second. */
async function watchStatus(
  { output, terminal, signal }: CliContext,
  config: Config,
  json: boolean,
): Promise<void> {
  const draws = terminal.isInteractive === true && !json;
  let drawn = '';
  try {
    while (!signal.aborted) {
      const live = await liveDaemons(config, signal);
      if (signal.aborted) return;
      const nowMs = Date.now();
      if (json) output.out(JSON.stringify({ timeMs: nowMs, daemons: live.statuses, alerts: live.alerts }));
      else if (!draws) output.out(plainLine(live, nowMs));
      else {
        const { columns, rows = 24, unicode } = terminal;
        const lines = screenLines(live, config.name, { columns, rows, unicode }, nowMs);
        const size = `${columns}x${rows}`;
        const start =
          drawn === '' ? ESCAPE.begin + ESCAPE.clear : drawn === size ? ESCAPE.home : ESCAPE.clear;
        drawn = size;
        output.out(`${start}${lines.join(`${ESCAPE.lineEnd}\n`)}${ESCAPE.lineEnd}${ESCAPE.below}`);
      }
      await sleep(WATCH_MS, signal);
    }
  } finally {
    if (drawn !== '') output.out(ESCAPE.end);
  }
}

const WAY_ON = 'make the same change at the targets, then:';

/** What a table waits for that an operator has let go. */
export function acknowledgedText(
  { timeMs, by }: { readonly timeMs: number; readonly by: string },
  waits: string | null,
): string {
  return `acknowledged at ${new Date(timeMs).toISOString()} by ${by}${waits === null ? '' : `, waits ${waits}`}`;
}

/** The screen of `rowferry status`. Pure. */
export function statusLines(status: PipelineStatus): string[] {
  const lines = [`pipeline ${status.name}`];
  const { daemons } = status;
  if (daemons.length === 0) lines.push('daemon    none runs on this machine; what follows is what is saved');
  for (const { pid, role, rowsPerSecond, lagMs, http, outages, pauses } of daemons) {
    const lag = lagMs === null ? 'unknown' : `${lagMs} ms`;
    const part = role === 'all' ? '' : ` (${role})`;
    lines.push(
      `daemon    pid ${pid}${part}, ${rowsPerSecond} rows/s, lag ${lag}${http === null ? '' : `, ${http}`}`,
    );
    for (const { part, by, timeMs } of pauses)
      lines.push(
        `          ${part} is paused by ${by} since ${new Date(timeMs).toISOString()} (rowferry resume)`,
      );
    for (const { part, phase, tries, errorCode } of outages) {
      lines.push(`          ${part} is ${phase}: ${tries} tries to reach its server failed (${errorCode})`);
    }
  }
  for (const source of status.sources) {
    const state = source.state === null ? '' : `  ${source.state}`;
    // Without an epoch nothing is known of what is saved.
    const place = source.position ?? (source.epoch === null ? '-' : 'nothing saved yet');
    const saved = `  epoch ${source.epoch ?? '-'}  ${place}`;
    lines.push(`source    ${source.name}${state}${source.isDebezium ? '' : saved}`);
    if (source.error !== null) lines.push(`          ${source.error}`);
    const { tables, done, waits } = source.copies;
    if (done < tables) {
      const why = waits === null ? '' : `, waits: ${waits}`;
      lines.push(`          copied ${done} of ${tables} tables${why} (rowferry snapshot status)`);
    }
    for (const { table, why, statement, acknowledged, waits } of source.held) {
      lines.push(`          ${table} waits: ${why}`);
      lines.push(
        acknowledged === null
          ? `            ${WAY_ON} rowferry ddl ack --source ${source.name} --at ${statement}`
          : `            ${acknowledgedText(acknowledged, waits)}`,
      );
    }
  }
  for (const { part, why } of status.away) {
    const [kind = part, name = ''] = part.split(' ');
    lines.push(`${kind.padEnd(9)} ${name}${name === '' ? '' : '  '}${why}`);
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
      String(partition.parked ?? '-').padStart(7),
      String(partition.lagMs ?? '-').padStart(7),
    ];
    lines.push(`${cells.join(' ')}  ${partition.state ?? ''}`.trimEnd());
    if (partition.error !== null) lines.push(`          ${partition.error}`);
  }
  return lines;
}
