/** `rowferry snapshot add|status|pause|resume|cancel`: copying what tables hold while the pipeline runs. */
import { Command } from 'commander';
import { copyState } from '../capture/snapshot-state.ts';
import { loadConfig } from '../config/load.ts';
import { readDescribed } from '../errors.ts';
import { counted } from '../model/counted.ts';
import { showDuration } from '../observe/progress.ts';
import { sleep } from '../runtime/backoff.ts';
import { listed } from '../schema/listed.ts';
import type { SourceCopies } from '../wiring/snapshots.ts';
import { configOption } from './config-option.ts';
import type { CliContext, Terminal } from './context.ts';
import { copyBar, copyProgress } from './copy-progress.ts';
import { errorLines } from './status-text.ts';
import { textTable } from './text-table.ts';

type Copy = SourceCopies['tables'][number];

interface SnapshotOptions {
  readonly config: string;
  readonly source?: string;
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly all?: boolean;
  readonly empty?: boolean;
}

const WATCH_MS = 1_000;

export function snapshotCommand(context: CliContext): Command {
  const { output, env, signal, terminal } = context;
  const command = new Command('snapshot').description('copy what tables hold while their changes flow');
  const verb = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(configOption())
      .option('--source <name>', 'the source; may be left out when there is one');

  verb('status', 'how far each table is')
    .option('--watch', 'show it anew every second until all is copied')
    .option('--json', 'one JSON object a line for programs')
    .action(async (options: SnapshotOptions) => {
      const config = loadConfig(options.config, env);
      const { snapshotStatus } = await import('../wiring/snapshots.ts');
      for (;;) {
        const sources = await snapshotStatus(config, options.source, signal);
        for (const source of sources) {
          if (options.json === true) output.out(JSON.stringify(source));
          else for (const line of snapshotLines(source, terminal)) output.out(line);
        }
        if (options.watch !== true || signal.aborted || sources.every(isOver)) break;
        await sleep(WATCH_MS, signal);
      }
    });

  const asks = [
    ['add', 'copy a captured table (again); rows that the source lacks are not removed at the targets'],
    ['pause', 'stop copying a table after the chunks that are being read'],
    ['resume', 'go on with a table that was paused or has failed'],
    ['cancel', 'give a copy up; what was copied stays'],
  ] as const;
  for (const [action, description] of asks) {
    const ask = verb(action, description).argument(
      action === 'add' ? '<table>' : '[table]',
      '`schema.table`',
    );
    if (action !== 'add') ask.option('--all', 'every table of the source');
    else
      ask.option(
        '--empty',
        'of a table without a key: empty its target tables, whoever wrote what they hold',
      );
    ask.action(async (table: string | undefined, options: SnapshotOptions) => {
      if (table === undefined && options.all !== true) {
        ask.error(`say which table, or --all`);
      }
      const config = loadConfig(options.config, env);
      const { requestSnapshot } = await import('../wiring/snapshots.ts');
      const empties = options.empty === true ? { empties: true as const } : {};
      const request = { action, table: table ?? null, ...empties };
      const { source, copies } = await requestSnapshot(config, options.source, request, signal);
      const tables = copies.map((copy) => `${copy.table} (${copyState(copy)})`);
      const told = table !== undefined && tables.length === 0 ? table : listed(tables, 'tables');
      output.out(`asked ${source} to ${action} ${told}; its capture takes it up within seconds`);
    });
  }
  return command;
}

/** Nothing is left to wait for: all is at the targets, or an operator has to act. */
function isOver({ tables, pending }: SourceCopies): boolean {
  return (
    pending === 0 && tables.every(({ state, paused }) => state === 'done' || state === 'failed' || paused)
  );
}

/** The screen of `rowferry snapshot status` for one source. Pure. */
function snapshotLines(copies: SourceCopies, terminal: Terminal): string[] {
  const { source, tables, isLive, waits, rate, pending } = copies;
  const lines = [`source ${source}${isLive ? '' : '  (no capture runs on this machine: as last saved)'}`];
  if (pending > 0) lines.push(`  ${counted(pending, 'request waits', 'requests wait')} for a capture`);
  if (waits !== null) lines.push(`  waits: ${waits}`);
  if (tables.length === 0) return [...lines, '  nothing is copied or was'];
  const rows = tables.map((copy) => {
    const { percent, remainingMs } = copyProgress(copy, rate);
    const bar = copyBar(percent, terminal);
    return [
      copy.table,
      copyState(copy),
      bar,
      `${percent.toFixed(2)}%`,
      rowsText(copy),
      leftText(copy, remainingMs),
    ];
  });
  lines.push(...textTable(['table', 'state', '', 'percent', 'rows', 'left'], rows, terminal));
  for (const { table, error } of tables) {
    if (error === null) continue;
    lines.push(...errorLines(readDescribed(`${table}: ${error}`)).map((line) => `  ${line}`));
  }
  return lines;
}

function rowsText({ state, rows, estimate }: Copy): string {
  const read = rows.toLocaleString('en-US');
  return state === 'done' || state === 'arriving' ? read : `${read} / ~${estimate.toLocaleString('en-US')}`;
}

function leftText({ state }: Copy, remainingMs: number | null): string {
  if (state !== 'copying') return '';
  return remainingMs === null ? 'unknown' : `about ${showDuration(remainingMs)}`;
}
