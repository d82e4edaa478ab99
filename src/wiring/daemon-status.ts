/** What a daemon is doing now, gathered from its roles: what the status file, the API and the metrics tell. */
import { hostname } from 'node:os';
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { TargetStatus } from '../apply/target-status.ts';
import type { CaptureStatus, ShownCopy } from '../capture/capture-progress.ts';
import type { Lag } from '../model/lag.ts';
import { lagAt, largestLag, risingLag } from '../model/lag.ts';
import type { HistogramCounts } from '../observe/histogram.ts';
import { mergeHistograms } from '../observe/histogram.ts';
import { RateWindow } from '../observe/progress.ts';
import type { OutageStatus } from '../runtime/outages.ts';
import { VERSION } from '../version.ts';
import type { Pause } from './pauses.ts';
import type { ApplyRoleStatus, CaptureRoleStatus, RoleStatus } from './role-messages.ts';

/** A copy without the keys at which it stands: they are values of rows. */
export type CopyStatus = Omit<ShownCopy, 'after' | 'upper' | 'keyForm'>;

export interface SourceStatus extends Omit<CaptureStatus, 'copies'> {
  readonly pause: Pause | null;
  readonly copies: readonly CopyStatus[];
}

export interface DaemonStatus {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly host: string;
  readonly role: string;
  readonly startedMs: number;
  readonly timeMs: number;
  /** Where its API answers; null when it has none. */
  readonly http: string | null;
  /** Row changes applied in a second, over the last few seconds. */
  readonly rowsPerSecond: number;
  /** Bytes of binlog read in a second, over the last few seconds. */
  readonly bytesPerSecond: number;
  /** Row changes applied since the daemon started. */
  readonly rows: number;
  /**
   * The largest lag of any partition, capture, held table or parked row, milliseconds; null while that of a partition is not known, or
   * nothing is.
   */
  readonly lagMs: number | null;
  /** Delays from commit to applied of all changes since the daemon started, in seconds; null where nothing is applied. */
  readonly delays: HistogramCounts | null;
  /** Applying is paused by an operator. */
  readonly pause: Pause | null;
  readonly captures: readonly SourceStatus[];
  readonly partitions: readonly PartitionStatus[];
  /** Each target as the partitions of this process have it. */
  readonly targets: readonly TargetStatus[];
  /** Parts that wait for a server, and how their tries go. */
  readonly outages: readonly OutageStatus[];
}

const WINDOW_MS = 5_000;

export interface DaemonIdentity {
  readonly name: string;
  readonly role: string;
  readonly startedMs: number;
}

/** Keeps the windows that rates are told from. */
export class StatusGatherer {
  readonly #identity: DaemonIdentity;
  readonly #rows = new RateWindow(WINDOW_MS);
  readonly #bytes = new RateWindow(WINDOW_MS);

  constructor(identity: DaemonIdentity) {
    this.#identity = identity;
  }

  /** To be called about twice a second. */
  gather(roles: readonly RoleStatus[], http: string | null, timeMs: number): DaemonStatus {
    const captures = roles.filter((role): role is CaptureRoleStatus => role.role === 'capture');
    const appliers = roles.filter((role): role is ApplyRoleStatus => role.role === 'apply');
    const rows = appliers.reduce((sum, { counts }) => sum + counts.changes, 0);
    const bytes = captures.reduce((sum, { capture }) => sum + capture.bytes, 0);
    this.#rows.add(timeMs, rows);
    this.#bytes.add(timeMs, bytes);
    const partitions = appliers.flatMap((role) => role.partitions);
    const status: DaemonStatus = {
      ...this.#identity,
      version: VERSION,
      pid: process.pid,
      host: hostname(),
      timeMs,
      http,
      rowsPerSecond: perSecond(this.#rows),
      bytesPerSecond: perSecond(this.#bytes),
      rows,
      lagMs: null,
      delays: mergeHistograms(appliers.map(({ counts }) => counts.delaySeconds)),
      pause: appliers.find(({ pause }) => pause !== null)?.pause ?? null,
      captures: captures.map(({ capture, pause }) => ({
        ...capture,
        pause,
        copies: capture.copies.map(withoutKeys),
      })),
      partitions,
      targets: appliers.flatMap((role) => role.targets),
      outages: roles.flatMap((role) => role.outages),
    };
    return statusAt(status, timeMs);
  }
}

/** The same with its lags as they are at another time: what is known to rise has risen since. */
export function statusAt(status: DaemonStatus, timeMs: number): DaemonStatus {
  const at = <T extends Lag>(part: T): T => ({ ...part, ...lagAt(part, timeMs) });
  const [captures, partitions] = [status.captures.map(at), status.partitions.map(at)];
  // What a held table's rows are behind no marker tells: markers follow the other tables.
  const held = captures.flatMap((capture) => capture.held.map(({ sinceMs }) => risingLag(sinceMs, timeMs)));
  // A capture that stands by knows of no lag; others do.
  const known = [...captures, ...held].filter(({ lagMs }) => lagMs !== null);
  const parked = partitions.flatMap(({ oldestParkedMs }) =>
    oldestParkedMs === null ? [] : [risingLag(oldestParkedMs, timeMs)],
  );
  const { lagMs } = largestLag([...partitions, ...known, ...parked]);
  return { ...status, timeMs, lagMs, captures, partitions, targets: status.targets.map(at) };
}

/** Of a copy what may be shown: not the keys at which it stands. */
export function withoutKeys({
  after: _after,
  upper: _upper,
  keyForm: _form,
  ...copy
}: ShownCopy): CopyStatus {
  return copy;
}

function perSecond(window: RateWindow): number {
  const { elapsedMs, count } = window.stretch;
  return elapsedMs > 0 ? Math.max(0, Math.round((count * 1000) / elapsedMs)) : 0;
}
