/** How a target stands, as the partitions know that one process applies. Pure. */
import type { Lag } from '../model/lag.ts';
import { largestLag, risingLag } from '../model/lag.ts';
import type { ParkReason } from '../targets/target.ts';
import type { PartitionProgress } from './partition-progress.ts';
import { leastOf } from './partition-progress.ts';

/** A snapshot that can be sent to another thread. Its lag counts the oldest parked row, from when it was parked. */
export interface TargetStatus extends Lag {
  readonly target: string;
  /** Commit time up to which it has all that its partitions bring; null while one of them does not know. */
  readonly appliedUntilMs: number | null;
  /** Rows that wait there, by reason. */
  readonly parked: { readonly conflict: number; readonly data: number };
  /** The same by table; of very many, those with the oldest rows. */
  readonly parkedTables: readonly ParkedTable[];
}

interface ParkedTable {
  readonly table: string;
  readonly reason: ParkReason;
  readonly rows: number;
  /** Since when the oldest of them waits, milliseconds since 1970. */
  readonly oldestMs: number;
}

/** Tables of a target that are told of one by one: each is a time series and may be an alert. */
const MOST_TABLES = 100;

export function targetStatus(
  target: string,
  index: number,
  partitions: readonly PartitionProgress[],
  nowMs: number,
): TargetStatus {
  const parked = { conflict: 0, data: 0 };
  const untils: (number | null)[] = [];
  const lags: Lag[] = [];
  for (const { held, lag } of partitions) {
    const state = held?.states[index];
    untils.push(state?.sourceTimeMs ?? null);
    lags.push(state === undefined ? lag.at(nowMs) : lag.ofTarget(state, nowMs));
    const counts = held?.parked.count(index);
    parked.conflict += counts?.conflict ?? 0;
    parked.data += counts?.data ?? 0;
  }
  const tables = parkedTables(index, partitions);
  // A parked row is not applied. Markers pass it, so that partitions know nothing of it.
  const parkedLags = tables.slice(0, 1).map(({ oldestMs }) => risingLag(oldestMs, nowMs));
  return {
    target,
    appliedUntilMs: leastOf(untils),
    ...largestLag([...lags, ...parkedLags]),
    parked,
    parkedTables: tables,
  };
}

function parkedTables(index: number, partitions: readonly PartitionProgress[]): ParkedTable[] {
  const tables = new Map<string, ParkedTable>();
  const groups = partitions.flatMap(({ held }) => held?.parked.groups ?? []);
  for (const { target, table, reason, rows, oldestMs } of groups) {
    if (target !== index) continue;
    const known = tables.get(`${reason}/${table}`);
    tables.set(`${reason}/${table}`, {
      table,
      reason,
      rows: rows + (known?.rows ?? 0),
      oldestMs: Math.min(oldestMs, known?.oldestMs ?? oldestMs),
    });
  }
  return [...tables.values()].toSorted((a, b) => a.oldestMs - b.oldestMs).slice(0, MOST_TABLES);
}
