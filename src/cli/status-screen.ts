/** The screen of `rowferry status --watch`: everything that matters of a pipeline at a glance. Pure. */
import { showDuration } from '../observe/progress.ts';
import type { DaemonStatus } from '../wiring/daemon-status.ts';
import { copyBar, copyProgress } from './copy-progress.ts';
import type { AlertLine, LiveDaemons } from './daemon-api.ts';

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
  /** Shows more than ASCII. */
  readonly unicode: boolean;
}

type Capture = DaemonStatus['captures'][number];
type Partition = DaemonStatus['partitions'][number];
type Copy = Capture['copies'][number];

interface Target {
  readonly target: string;
  readonly lagMs: number | null;
  readonly parked: number;
}

const MOST_TROUBLES = 5;
const MOST_TARGETS = 12;
const MOST_COPIES = 8;
const MOST_ALERTS = 5;

/** Lines of at most `columns` characters, at most `rows - 1` of them. */
export function screenLines(live: LiveDaemons, name: string, size: ScreenSize, nowMs: number): string[] {
  const { statuses, alerts } = live;
  const captures = activeCaptures(statuses);
  const partitions = statuses.flatMap((status) => status.partitions);
  const lines = [
    headLine(name, statuses, nowMs),
    rule(size),
    ...captureLines(captures, nowMs),
    ...partitionLines(statuses, partitions, nowMs),
    ...outageLines(statuses, nowMs),
    ...targetLines(targetsOf(statuses)),
    ...copyLines(captures, size),
    ...parkedLine(partitions, nowMs),
    ...heldLines(captures, nowMs),
    ...alertLines(alerts, nowMs),
  ];
  if (statuses.length === 0) lines.push('no daemon of this pipeline runs on this machine');
  return fit(lines, size);
}

/** One line, for logs and pipes. */
export function plainLine({ statuses, alerts }: LiveDaemons, nowMs: number): string {
  const partitions = statuses.flatMap((status) => status.partitions);
  const captures = activeCaptures(statuses).map(({ source, state }) => `${source} ${state}`);
  const parts = [
    new Date(nowMs).toISOString(),
    `lag ${showLag(worstLag(statuses, nowMs))}`,
    `${count(total(statuses, ({ rowsPerSecond }) => rowsPerSecond))} rows/s`,
    captures.length === 0 ? 'no capture' : `captures ${captures.join(', ')}`,
    `partitions ${stateCounts(partitions)}`,
    `${count(total(partitions, ({ parked }) => parked))} parked`,
    `${count(total(activeCaptures(statuses), ({ held }) => held.length))} held`,
    `${alerts.filter(({ firedMs }) => firedMs !== null).length} alerts`,
  ];
  return statuses.length === 0 ? `${parts[0]}  no daemon runs on this machine` : parts.join('  ');
}

function headLine(name: string, statuses: readonly DaemonStatus[], nowMs: number): string {
  const parts = [
    `rowferry ${name}`,
    statuses.length === 1 ? `pid ${statuses[0]?.pid}` : `${statuses.length} daemons`,
    `lag ${showLag(worstLag(statuses, nowMs))}`,
    `${count(total(statuses, ({ rowsPerSecond }) => rowsPerSecond))} rows/s`,
    `${bytes(total(statuses, ({ bytesPerSecond }) => bytesPerSecond))}/s`,
    new Date(nowMs).toTimeString().slice(0, 8),
  ];
  return parts.join('   ');
}

function captureLines(captures: readonly Capture[], nowMs: number): string[] {
  if (captures.length === 0) return [];
  const rows = captures.flatMap((capture) => {
    const { source, state, position, readUntilMs, bytes: read, error, pause, nextTryMs } = capture;
    const age = readUntilMs === null ? '-' : showLag(Math.max(0, nowMs - readUntilMs));
    const line = columns([source, 18], [state, 9], [position ?? '-', 30], [age, -8], [bytes(read), -8]);
    return [
      line,
      ...(pause === null ? [] : [`  paused by ${pause.by} for ${since(pause.timeMs, nowMs)}`]),
      ...(error === null ? [] : [`  ${error}${nextTry(nextTryMs, nowMs)}`]),
    ];
  });
  return [
    columns(['CAPTURE', 18], ['state', 9], ['saved position', 30], ['read', -8], ['bytes', -8]),
    ...rows,
  ];
}

function partitionLines(
  statuses: readonly DaemonStatus[],
  partitions: readonly Partition[],
  nowMs: number,
): string[] {
  if (partitions.length === 0) return [];
  const queue = bytes(total(partitions, ({ queueBytes }) => queueBytes));
  const paused = statuses.flatMap(({ pause }) => pause ?? [])[0];
  const troubled = partitions.filter(({ state }) => state === 'waiting' || state === 'stopped');
  const slowest = partitions.toSorted((a, b) => (b.lagMs ?? Infinity) - (a.lagMs ?? Infinity))[0];
  const most =
    slowest === undefined || slowest.lagMs === 0
      ? ''
      : `   slowest ${slowest.topic}/${slowest.partition} ${showLag(slowest.lagMs)}`;
  return [
    '',
    `PARTITIONS  ${stateCounts(partitions)}   queue ${queue}${most}`,
    ...(paused === undefined ? [] : [`  paused by ${paused.by} for ${since(paused.timeMs, nowMs)}`]),
    ...troubled
      .slice(0, MOST_TROUBLES)
      .map(
        ({ topic, partition, error, nextTryMs }) =>
          `  ${topic}/${partition} ${error ?? ''}${nextTry(nextTryMs, nowMs)}`,
      ),
    ...more(troubled.length - MOST_TROUBLES, 'partitions'),
  ];
}

function targetLines(targets: readonly Target[]): string[] {
  if (targets.length === 0) return [];
  const worst = targets.toSorted(
    (a, b) => (b.lagMs ?? Infinity) - (a.lagMs ?? Infinity) || b.parked - a.parked,
  );
  return [
    '',
    columns(['TARGET', 30], ['lag', -10], ['parked', -10]),
    ...worst
      .slice(0, MOST_TARGETS)
      .map(({ target, lagMs, parked }) => columns([target, 30], [showLag(lagMs), -10], [count(parked), -10])),
    ...more(targets.length - MOST_TARGETS, 'targets, none of them slower'),
  ];
}

function outageLines(statuses: readonly DaemonStatus[], nowMs: number): string[] {
  const outages = statuses.flatMap((status) => status.outages);
  if (outages.length === 0) return [];
  return [
    '',
    `OUTAGES  ${outages.length} ${outages.length === 1 ? 'part waits' : 'parts wait'} for a server; they resume by themselves`,
    ...outages
      .slice(0, MOST_TROUBLES)
      .map(
        ({ part, phase, tries, sinceMs, nextTryMs, errorCode }) =>
          `  ${part}  ${phase} for ${since(sinceMs, nowMs)}, ${tries} tries failed: ${errorCode}${nextTry(nextTryMs, nowMs)}`,
      ),
    ...more(outages.length - MOST_TROUBLES, 'parts'),
  ];
}

function copyLines(captures: readonly Capture[], size: ScreenSize): string[] {
  const copies = captures.flatMap((capture) => capture.copies.map((copy) => ({ capture, copy })));
  const open = copies.filter(({ copy }) => copy.state !== 'done');
  if (open.length === 0) return [];
  const waits = captures.flatMap(({ copyWaits }) => copyWaits ?? [])[0];
  return [
    '',
    `COPIES  ${copies.length - open.length} of ${copies.length} tables done${waits === undefined ? '' : `   waits: ${waits}`}`,
    ...open.slice(0, MOST_COPIES).map(({ capture, copy }) => copyLine(copy, capture.copyRate, size)),
    ...more(open.length - MOST_COPIES, 'tables'),
  ];
}

function copyLine(copy: Copy, rate: Capture['copyRate'], size: ScreenSize): string {
  const { table, state, paused, rows } = copy;
  const { percent, remainingMs } = copyProgress(copy, rate);
  const left = state === 'copying' && remainingMs !== null ? `~${showDuration(remainingMs)}` : '';
  const told = paused ? 'paused' : state === 'copying' ? left : state;
  return columns(
    [table, 26],
    [copyBar(percent, size), 20],
    [`${percent.toFixed(1)}%`, -6],
    [count(rows), -11],
    [told, 13],
  );
}

function parkedLine(partitions: readonly Partition[], nowMs: number): string[] {
  const parked = total(partitions, (partition) => partition.parked);
  if (parked === 0) return [];
  const oldest = Math.min(...partitions.flatMap(({ oldestParkedMs }) => oldestParkedMs ?? []));
  return ['', `PARKED  ${count(parked)} rows, the oldest for ${since(oldest, nowMs)} (rowferry parked list)`];
}

function heldLines(captures: readonly Capture[], nowMs: number): string[] {
  const held = captures.flatMap((capture) => capture.held.map((entry) => ({ ...entry, of: capture.source })));
  if (held.length === 0) return [];
  return [
    '',
    `HELD  ${held.length} ${held.length === 1 ? 'table waits' : 'tables wait'}: make the change at the targets, then`,
    ...held
      .slice(0, MOST_TROUBLES)
      .flatMap(({ of, table, why, statement, sinceMs, acknowledged, waits }) => [
        `  ${table}  ${why} (for ${since(sinceMs, nowMs)})`,
        acknowledged === null
          ? `    rowferry ddl ack --source ${of} --at ${statement}`
          : `    acknowledged ${since(acknowledged.timeMs, nowMs)} ago by ${acknowledged.by}${waits === null ? '' : `, waits ${waits}`}`,
      ]),
    ...more(held.length - MOST_TROUBLES, 'tables'),
  ];
}

function alertLines(alerts: readonly AlertLine[], nowMs: number): string[] {
  const firing = alerts.filter(({ firedMs }) => firedMs !== null);
  if (firing.length === 0) return [];
  return [
    '',
    `ALERTS  ${firing.length}`,
    ...firing
      .slice(0, MOST_ALERTS)
      .map(({ level, message, sinceMs }) => `  ${level}  ${message} (for ${since(sinceMs, nowMs)})`),
    ...more(firing.length - MOST_ALERTS, 'alerts'),
  ];
}

/** Of several captures of a source the one that is at work; a stand-by only where there is no other. */
function activeCaptures(statuses: readonly DaemonStatus[]): Capture[] {
  const found = new Map<string, Capture>();
  for (const capture of statuses.flatMap((status) => status.captures)) {
    const known = found.get(capture.source);
    if (known === undefined || known.state === 'standby') found.set(capture.source, capture);
  }
  return [...found.values()];
}

/** A target is as late as the process that is furthest behind with it. */
function targetsOf(statuses: readonly DaemonStatus[]): Target[] {
  const found = new Map<string, Target>();
  for (const { target, lagMs, parked } of statuses.flatMap((status) => status.targets)) {
    const known = found.get(target);
    const rows = parked.conflict + parked.data + (known?.parked ?? 0);
    const isUnknown = lagMs === null || (known !== undefined && known.lagMs === null);
    found.set(target, { target, parked: rows, lagMs: isUnknown ? null : Math.max(lagMs, known?.lagMs ?? 0) });
  }
  return [...found.values()];
}

function stateCounts(partitions: readonly Partition[]): string {
  const counts = new Map<string, number>();
  for (const { state } of partitions) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts.size === 0 ? 'none' : [...counts].map(([state, number]) => `${number} ${state}`).join(', ');
}

/** Of partitions and of held tables: these are behind though markers pass them by. */
function worstLag(statuses: readonly DaemonStatus[], nowMs: number): number | null {
  const partitions = statuses.flatMap((status) => status.partitions);
  const lags = partitions.map(({ lagMs }) => lagMs).filter((lag) => lag !== null);
  const held = activeCaptures(statuses).flatMap((capture) =>
    capture.held.map(({ sinceMs }) => nowMs - sinceMs),
  );
  return lags.length === 0 || lags.length < partitions.length ? null : Math.max(...lags, ...held);
}

function showLag(ms: number | null): string {
  if (ms === null) return 'unknown';
  return ms < 10_000 ? `${Math.round(ms)} ms` : showDuration(ms);
}

function since(timeMs: number, nowMs: number): string {
  return showDuration(Math.max(0, nowMs - timeMs));
}

function nextTry(timeMs: number | null, nowMs: number): string {
  return timeMs === null ? '' : ` (again in ${showDuration(Math.max(0, timeMs - nowMs))})`;
}

function more(number: number, what: string): string[] {
  return number > 0 ? [`  and ${count(number)} more ${what}`] : [];
}

/** Cells of fixed widths; a negative width puts the text to the right. */
function columns(...cells: readonly (readonly [text: string, width: number])[]): string {
  return cells
    .map(([text, width]) => (width < 0 ? text.padStart(-width) : text.slice(0, width).padEnd(width)))
    .join(' ')
    .trimEnd();
}

function fit(lines: readonly string[], { columns, rows, unicode }: ScreenSize): string[] {
  const most = Math.max(1, rows - 1);
  const hidden = lines.length - most;
  const shown = hidden > 0 ? [...lines.slice(0, most - 1), `and ${hidden + 1} more lines`] : lines;
  const end = unicode ? '…' : '>';
  return shown.map((line) =>
    line.length > columns ? `${line.slice(0, Math.max(0, columns - 1))}${end}` : line,
  );
}

function rule({ columns, unicode }: ScreenSize): string {
  return (unicode ? '─' : '-').repeat(columns);
}

function total<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function bytes(number: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = number;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
