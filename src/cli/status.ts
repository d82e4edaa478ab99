/** `rowferry status`: what is saved (checkpoints, watermarks, parked rows) and, when a daemon runs here, what it does now. */
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/config.ts';
import { readDescribed } from '../errors.ts';
import { counted } from '../model/counted.ts';
import { sleep } from '../runtime/backoff.ts';
import { partitionTroubles } from '../wiring/partition-troubles.ts';
import type { PipelineStatus } from '../wiring/pipeline-status.ts';
import { configOption } from './config-option.ts';
import type { CliContext } from './context.ts';
import { liveDaemons } from './daemon-api.ts';
import { plainLine, screenLines } from './status-screen.ts';
import { aligned, errorLines, showLag } from './status-text.ts';

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
function acknowledgedText(
  { timeMs, by }: { readonly timeMs: number; readonly by: string },
  waits: string | null,
): string {
  return `acknowledged at ${new Date(timeMs).toISOString()} by ${by}${waits === null ? '' : `, waits ${waits}`}`;
}

const INDENT = ' '.repeat(10);

/** The screen of `rowferry status`. Pure. */
export function statusLines(status: PipelineStatus): string[] {
  return [
    `pipeline ${status.name}`,
    ...daemonLines(status.daemons),
    ...status.sources.flatMap(sourceLines),
    ...status.away.flatMap(awayLines),
    '',
    ...partitionTable(status.partitions),
  ];
}

function daemonLines(daemons: PipelineStatus['daemons']): string[] {
  if (daemons.length === 0) return ['daemon    none runs on this machine; what follows is what is saved'];
  return daemons.flatMap(({ pid, role, rowsPerSecond, lagMs, http, outages, pauses }) => {
    const part = role === 'all' ? '' : ` (${role})`;
    const rate = `${rowsPerSecond.toLocaleString('en-US')} rows/s`;
    const api = http === null ? '' : `, ${http}`;
    return [
      `daemon    pid ${pid}${part}, ${rate}, lag ${showLag(lagMs)}${api}`,
      ...pauses.map(
        ({ part, by, timeMs }) =>
          `${INDENT}${part} is paused by ${by} since ${new Date(timeMs).toISOString()} (rowferry resume)`,
      ),
      ...outages.map(({ part, phase, tries, errorCode }) => {
        const failed = `${counted(tries, 'try', 'tries')} to reach its server failed`;
        return `${INDENT}${part} is ${phase}: ${failed} (${errorCode})`;
      }),
    ];
  });
}

function sourceLines(source: PipelineStatus['sources'][number]): string[] {
  const state = source.state === null ? '' : `  ${source.state}`;
  // Without an epoch nothing is known of what is saved.
  const place = source.position ?? (source.epoch === null ? '-' : 'nothing saved yet');
  const saved = `  epoch ${source.epoch ?? '-'}  ${place}`;
  const lines = [`source    ${source.name}${state}${source.isDebezium ? '' : saved}`];
  if (source.error !== null)
    lines.push(...errorLines(readDescribed(source.error)).map((line) => `${INDENT}${line}`));
  const { tables, done, waits } = source.copies;
  if (done < tables) {
    const why = waits === null ? '' : `, waits: ${waits}`;
    lines.push(`${INDENT}copied ${done} of ${counted(tables, 'table')}${why} (rowferry snapshot status)`);
  }
  for (const { table, why, statement, acknowledged, waits } of source.held) {
    lines.push(`${INDENT}${table} waits: ${why}`);
    lines.push(
      acknowledged === null
        ? `${INDENT}  ${WAY_ON} rowferry ddl ack --source ${source.name} --at ${statement}`
        : `${INDENT}  ${acknowledgedText(acknowledged, waits)}`,
    );
  }
  return lines;
}

function awayLines({ part, why }: PipelineStatus['away'][number]): string[] {
  const [kind = part, name = ''] = part.split(' ');
  const [first = '', ...rest] = errorLines(readDescribed(why));
  return [
    `${kind.padEnd(9)} ${name}${name === '' ? '' : '  '}${first}`,
    ...rest.map((line) => `${INDENT}${line}`),
  ];
}

function partitionTable(partitions: PipelineStatus['partitions']): string[] {
  const cell = (number: number | null): string => (number === null ? '-' : number.toLocaleString('en-US'));
  const rows = partitions.map(({ topic, partition, next, high, behind, parked, lagMs, state }) => [
    `${topic}/${partition}`,
    ...[next, high, behind, parked].map(cell),
    lagMs === null ? '-' : showLag(lagMs),
    state ?? '',
  ]);
  const header = ['partition', 'offset', 'log end', 'behind', 'parked', 'lag', 'state'];
  const troubles = partitionTroubles(partitions).flatMap(({ partitions: which, error }) => {
    const [first = '', ...rest] = errorLines(error);
    return ['', `${which}: ${first}`, ...rest];
  });
  return [...aligned([header, ...rows], [1, 2, 3, 4, 5]), ...troubles];
}
