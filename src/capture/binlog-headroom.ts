/**
 * How far the source is from removing the binlog that the saved position needs. A capture that is stopped, or held up by Kafka
 * or by an operator's decision, has until then; after it only a copy brings its targets back. Pure.
 */
import { GtidSet } from '../model/gtid-set.ts';
import type { Position } from '../model/position.ts';
import { binlogFileNumber, formatPosition, namesGtidsAlone } from '../model/position.ts';

export interface BinlogFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** The oldest place that is needed: where a capture that starts again would read from. */
export interface ResumePoint {
  readonly position: Position;
  /** Commit time of the last transaction that the position covers; null when it is not known. */
  readonly commitMs: number | null;
  /** Everything that the source had committed by then is saved: later than `commitMs` where the source is idle. */
  readonly untilMs: number | null;
}

/** What the source keeps. */
export interface BinlogKept {
  /** Oldest first; the last one is being written. */
  readonly files: readonly BinlogFile[];
  /** Files older than this are removed; null when age removes none. */
  readonly expireSeconds: number | null;
  /** Files past this size of all together are removed; null when size removes none. */
  readonly maxBytes: number | null;
  /** GTIDs that are not in the files any more; absent where that is not known. */
  readonly purgedGtid?: string;
}

export interface BinlogHeadroom {
  /** The file of the position is removed, or does not exist here. */
  readonly isGone: boolean;
  /** Bytes of older binlog that is kept: what is removed first. */
  readonly olderBytes: number;
  /** Bytes of binlog behind the position. */
  readonly behindBytes: number;
  /** At least so long until age removes the position's file; null when that is not known or never happens. */
  readonly headroomMs: number | null;
  /** Bytes that the source may write until size removes it; null when that never happens. */
  readonly headroomBytes: number | null;
}

/** An idle source that was read up to so long ago is taken as read to its end. */
const FRESH_MS = 60_000;
const DAY_SECONDS = 86_400;
/** Below this any halt that nobody notices in time loses the place. */
export const LEAST_SECONDS = DAY_SECONDS;
/** With a copy, more: who loses the place loses the whole copy, and it should outlast a weekend. */
export const LEAST_SECONDS_OF_COPY = 3 * DAY_SECONDS;

/** Undefined when the files do not tell: a position by GTIDs alone, or of another server. */
export function measureHeadroom(
  { position, commitMs, untilMs }: ResumePoint,
  { files, expireSeconds, maxBytes, purgedGtid }: BinlogKept,
  nowMs: number,
): BinlogHeadroom | undefined {
  const gone = {
    isGone: true,
    olderBytes: 0,
    behindBytes: sizeOf(files),
    headroomMs: 0,
    headroomBytes: 0,
  } as const;
  const { gtid } = position;
  const byGtid = gtid !== undefined;
  // A source that was idle has removed files of which nothing is needed: the server too goes by GTIDs alone.
  const lacksGtids =
    byGtid && purgedGtid !== undefined
      ? !GtidSet.parse(purgedGtid).isSubsetOf(GtidSet.parse(gtid))
      : undefined;
  if (lacksGtids === true) return gone;
  // Of a source that has committed nothing since capture began, or since a replay: its place is nowhere in the files.
  if (namesGtidsAlone(position)) return undefined;
  const index = files.findIndex(({ name }) => name === position.file);
  if (index < 0) {
    const [number, oldest] = [binlogFileNumber(position.file), binlogFileNumber(files[0]?.name ?? '')];
    if (number === undefined || oldest === undefined || number > oldest) return undefined;
    const isIdle = byGtid && untilMs !== null && nowMs - untilMs < FRESH_MS;
    return lacksGtids === false || isIdle ? undefined : gone;
  }
  const [older, rest] = [sizeOf(files.slice(0, index)), sizeOf(files.slice(index))];
  // The server goes by the time at which a file was finished, which is not before the position's.
  const sinceMs = index === files.length - 1 ? nowMs : byGtid ? (untilMs ?? commitMs) : commitMs;
  return {
    isGone: false,
    olderBytes: older + position.offset,
    behindBytes: Math.max(0, rest - position.offset),
    headroomMs:
      expireSeconds === null || sinceMs === null
        ? null
        : Math.max(0, expireSeconds * 1_000 - Math.max(0, nowMs - sinceMs)),
    headroomBytes: maxBytes === null ? null : Math.max(0, maxBytes - rest),
  };
}

function sizeOf(files: readonly BinlogFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** What to tell an operator: once for each `state`. */
export interface HeadroomVerdict {
  readonly state: 'ample' | 'brief' | 'short' | 'gone';
  readonly text: string;
}

/** Half of what is kept is spent: short. Little is kept while tables are copied: brief. */
export function judgeHeadroom(
  headroom: BinlogHeadroom | undefined,
  { expireSeconds, maxBytes }: BinlogKept,
  { position, isCopying }: { readonly position: Position; readonly isCopying: boolean },
): HeadroomVerdict {
  const place = formatPosition(position);
  if (headroom?.isGone === true) {
    const text = `the source has removed the binlog file of the saved position ${place}: a capture that stops cannot go on from it`;
    return { state: 'gone', text };
  }
  const { headroomMs = null, headroomBytes = null } = headroom ?? {};
  if (headroomMs !== null && expireSeconds !== null && headroomMs < expireSeconds * 500) {
    const text =
      `the source may remove the binlog of the saved position ${place} in ${hours(headroomMs / 1_000)}: it keeps ` +
      `${hours(expireSeconds)}; find out what holds capture up, or raise binlog_expire_logs_seconds`;
    return { state: 'short', text };
  }
  if (headroomBytes !== null && maxBytes !== null && headroomBytes < maxBytes / 2) {
    const text =
      `the source removes the binlog of the saved position ${place} after ${mebibytes(headroomBytes)} more: it keeps ` +
      `${mebibytes(maxBytes)}; find out what holds capture up, or raise the limit of its size`;
    return { state: 'short', text };
  }
  if (isCopying && expireSeconds !== null && expireSeconds < LEAST_SECONDS_OF_COPY) {
    const text = `tables are copied while the source keeps its binlog for ${hours(expireSeconds)} only: a halt for longer loses the copy`;
    return { state: 'brief', text };
  }
  return { state: 'ample', text: 'the source keeps its binlog for long enough again' };
}

/** How long binlog files stay; null when their age removes none. */
export function retentionSeconds(variables: ReadonlyMap<string, string>): number | null {
  if (variables.get('binlog_expire_logs_auto_purge') === 'OFF') return null;
  const seconds = Number(variables.get('binlog_expire_logs_seconds') ?? 0);
  const days = Number(variables.get('expire_logs_days') ?? 0);
  if (seconds > 0) return seconds;
  return days > 0 ? days * DAY_SECONDS : null;
}

/** Size of all binlog files past which the oldest go (MariaDB 11.4, Percona); null without such a limit. */
export function limitBytes(variables: ReadonlyMap<string, string>): number | null {
  const bytes = Number(variables.get('max_binlog_total_size') ?? variables.get('binlog_space_limit') ?? 0);
  return bytes > 0 ? bytes : null;
}

/** The variables that the two read. */
export const RETENTION_VARIABLES: readonly string[] = [
  'binlog_expire_logs_auto_purge',
  'binlog_expire_logs_seconds',
  'binlog_space_limit',
  'expire_logs_days',
  'max_binlog_total_size',
];

export function hours(seconds: number): string {
  return `${Math.round(seconds / 360) / 10} hours`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
