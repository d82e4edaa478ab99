/** The screen of `rowferry status --watch`: everything that matters of a pipeline at a glance. Pure. */
import type { Described } from '../errors.ts';
import { readDescribed } from '../errors.ts';
import { counted } from '../model/counted.ts';
import { showDuration } from '../observe/progress.ts';
import type { DaemonStatus } from '../wiring/daemon-status.ts';
import { partitionTroubles } from '../wiring/partition-troubles.ts';
import { copyBar, copyProgress } from './copy-progress.ts';
import type { AlertLine, LiveDaemons } from './daemon-api.ts';
import { aligned, errorLines, showLag, wrapped } from './status-text.ts';

interface ScreenSize {
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
    counted(alerts.filter(({ firedMs }) => firedMs !== null).length, 'alert'),
  ];
  return statuses.length === 0 ? `${parts[0]}  no daemon runs on this machine` : parts.join('  ');
}

function headLine(name: string, statuses: readonly DaemonStatus[], nowMs: number): string {
  const parts = [
    `rowferry ${name}`,
    statuses.length === 1 ? `pid ${statuses[0]?.pid}` : counted(statuses.length, 'daemon'),
    `lag ${showLag(worstLag(statuses, nowMs))}`,
    `${count(total(statuses, ({ rowsPerSecond }) => rowsPerSecond))} rows/s`,
    `${bytes(total(statuses, ({ bytesPerSecond }) => bytesPerSecond))}/s`,
    new Date(nowMs).toTimeString().slice(0, 8),
  ];
  return parts.join('   ');
}

function captureLines(captures: readonly Capture[], nowMs: number): string[] {
  if (captures.length === 0) return [];
  const rows = captures.map(({ source, state, position, readUntilMs, bytes: read }) => {
    const age = readUntilMs === null ? '-' : showLag(Math.max(0, nowMs - readUntilMs));
    return [source, state, placeOf(position), age, bytes(read)];
  });
  const [header = '', ...lines] = aligned(
    [['CAPTURE', 'state', 'saved position', 'read', 'bytes'], ...rows],
    [3, 4],
    [12, 9, 24, 8, 8],
  );
  return [
    header,
    ...captures.flatMap(({ error, pause, nextTryMs }, at) => [
      lines[at] ?? '',
      ...(pause === null ? [] : [`  paused by ${pause.by} for ${since(pause.timeMs, nowMs)}`]),
      ...(error === null ? [] : troubleLines('', readDescribed(error), nextTry(nextTryMs, nowMs))),
    ]),
  ];
}

/** File and offset: a set of GTIDs may be longer than any line, and `rowferry status` has it. */
function placeOf(position: string | null): string {
  return position?.replace(/ \(gtid .*\)$/s, '') ?? '-';
}

/** The first line says whose trouble it is and when it is tried again. */
function troubleLines(whose: string, error: Described, again: string): string[] {
  const [first = '', ...rest] = errorLines(error);
  return [`  ${whose}${first}${again}`, ...rest.map((line) => `  ${line}`)];
}

function partitionLines(
  statuses: readonly DaemonStatus[],
  partitions: readonly Partition[],
  nowMs: number,
): string[] {
  if (partitions.length === 0) return [];
  const queue = bytes(total(partitions, ({ queueBytes }) => queueBytes));
  const paused = statuses.flatMap(({ pause }) => pause ?? [])[0];
  const troubles = partitionTroubles(
    partitions.filter(({ state }) => state === 'waiting' || state === 'stopped'),
  );
  const slowest = partitions.toSorted((a, b) => (b.lagMs ?? Infinity) - (a.lagMs ?? Infinity))[0];
  const most =
    slowest === undefined || slowest.lagMs === 0
      ? ''
      : `   slowest ${slowest.topic}/${slowest.partition} ${showLag(slowest.lagMs)}`;
  return [
    '',
    `PARTITIONS  ${stateCounts(partitions)}   queue ${queue}${most}`,
    ...(paused === undefined ? [] : [`  paused by ${paused.by} for ${since(paused.timeMs, nowMs)}`]),
    ...troubles
      .slice(0, MOST_TROUBLES)
      .flatMap(({ partitions: which, error, nextTryMs }) =>
        troubleLines(`${which}: `, error, nextTry(nextTryMs, nowMs)),
      ),
    ...more(
      total(troubles.slice(MOST_TROUBLES), ({ count }) => count),
      'partition',
    ),
  ];
}

function targetLines(targets: readonly Target[]): string[] {
  if (targets.length === 0) return [];
  const worst = targets.toSorted(
    (a, b) => (b.lagMs ?? Infinity) - (a.lagMs ?? Infinity) || b.parked - a.parked,
  );
  return [
    '',
    ...aligned(
      [
        ['TARGET', 'lag', 'parked'],
        ...worst
          .slice(0, MOST_TARGETS)
          .map(({ target, lagMs, parked }) => [target, showLag(lagMs), count(parked)]),
      ],
      [1, 2],
      [24, 10, 10],
    ),
    ...more(targets.length - MOST_TARGETS, 'target, not slower', 'targets, none of them slower'),
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
          `  ${part}  ${phase} for ${since(sinceMs, nowMs)}, ${counted(tries, 'try', 'tries')} failed: ${errorCode}${nextTry(nextTryMs, nowMs)}`,
      ),
    ...more(outages.length - MOST_TROUBLES, 'part'),
  ];
}

function copyLines(captures: readonly Capture[], size: ScreenSize): string[] {
  const copies = captures.flatMap((capture) => capture.copies.map((copy) => ({ capture, copy })));
  const open = copies.filter(({ copy }) => copy.state !== 'done');
  if (open.length === 0) return [];
  const waits = captures.flatMap(({ copyWaits }) => copyWaits ?? [])[0];
  return [
    '',
    `COPIES  ${copies.length - open.length} of ${counted(copies.length, 'table')} done${waits === undefined ? '' : `   waits: ${waits}`}`,
    ...aligned(
      open.slice(0, MOST_COPIES).map(({ capture, copy }) => copyCells(copy, capture.copyRate, size)),
      [2, 3],
      [20, 20, 6, 11],
    ),
    ...more(open.length - MOST_COPIES, 'table'),
  ];
}

function copyCells(copy: Copy, rate: Capture['copyRate'], size: ScreenSize): string[] {
  const { table, state, paused, rows } = copy;
  const { percent, remainingMs } = copyProgress(copy, rate);
  const left = state === 'copying' && remainingMs !== null ? `~${showDuration(remainingMs)}` : '';
  const told = paused ? 'paused' : state === 'copying' ? left : state;
  return [table, copyBar(percent, size), `${percent.toFixed(1)}%`, count(rows), told];
}

function parkedLine(partitions: readonly Partition[], nowMs: number): string[] {
  const parked = total(partitions, (partition) => partition.parked);
  if (parked === 0) return [];
  const oldest = Math.min(...partitions.flatMap(({ oldestParkedMs }) => oldestParkedMs ?? []));
  return [
    '',
    `PARKED  ${counted(parked, 'row')}, the oldest for ${since(oldest, nowMs)} (rowferry parked list)`,
  ];
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
    ...more(held.length - MOST_TROUBLES, 'table'),
  ];
}

function alertLines(alerts: readonly AlertLine[], nowMs: number): string[] {
  const firing = alerts.filter(({ firedMs }) => firedMs !== null);
  if (firing.length === 0) return [];
  // One cause makes a rule fire for many partitions: it is told by its first.
  const rules = [...new Set(firing.map(({ rule }) => rule))].map((rule) =>
    firing.filter((alert) => alert.rule === rule),
  );
  return [
    '',
    `ALERTS  ${firing.length}`,
    ...rules.slice(0, MOST_ALERTS).flatMap(([first, ...others]) => {
      if (first === undefined) return [];
      const { level, message, sinceMs, rule } = first;
      const like = others.length === 0 ? '' : `, and ${others.length} more of ${rule}`;
      return [`  ${level}  ${message} (for ${since(sinceMs, nowMs)})${like}`];
    }),
    ...more(rules.length - MOST_ALERTS, 'rule that fires', 'rules that fire'),
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

function since(timeMs: number, nowMs: number): string {
  return showDuration(Math.max(0, nowMs - timeMs));
}

function nextTry(timeMs: number | null, nowMs: number): string {
  return timeMs === null ? '' : ` (again in ${showDuration(Math.max(0, timeMs - nowMs))})`;
}

function more(number: number, one: string, several?: string): string[] {
  return number > 0 ? [`  and ${counted(number, `more ${one}`, `more ${several ?? `${one}s`}`)}`] : [];
}

/** Sentences go on in the next line; what is still too long (a table's line, a word) is cut. */
function fit(lines: readonly string[], { columns, rows, unicode }: ScreenSize): string[] {
  const most = Math.max(1, rows - 1);
  const whole = lines.flatMap((line) => (/^ {2}/.test(line) ? wrapped(line, columns, '    ') : [line]));
  const hidden = whole.length - most;
  const shown = hidden > 0 ? [...whole.slice(0, most - 1), `and ${counted(hidden + 1, 'more line')}`] : whole;
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
