/** How a target stands, as the partitions know that one process applies. Pure. */
import type { TargetState } from './batch-writer.ts';
import type { ParkReason } from '../targets/target.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { lagOf, leastOf } from './partition-progress.ts';

/** A snapshot that can be sent to another thread. */
export interface TargetStatus {
  readonly target: string;
  /** Commit time up to which it has all that its partitions bring; null while one of them does not know. */
  readonly appliedUntilMs: number | null;
  /** Milliseconds behind the source. */
  readonly lagMs: number | null;
  /** Rows that wait there, by reason. */
  readonly parked: { readonly conflict: number; readonly data: number };
  /** The same by table; of very many, those with the oldest rows. */
  readonly parkedTables: readonly ParkedTable[];
}

export interface ParkedTable {
  readonly table: string;
  readonly reason: ParkReason;
  readonly rows: number;
  /** Since when the oldest of them waits, milliseconds since 1970. */
  readonly oldestMs: number;
}

/** Tables of a target that are told of one by one: each is a time series and may be an alert. */
const MOST_TABLES = 100;

type Held = { readonly states: readonly TargetState[]; readonly parked: ParkedKeys } | undefined;

export function targetStatus(
  target: string,
  index: number,
  partitions: readonly Held[],
  nowMs: number,
  heartbeatMs: number,
): TargetStatus {
  const appliedUntilMs = leastOf(partitions.map((held) => held?.states[index]?.sourceTimeMs ?? null));
  const parked = { conflict: 0, data: 0 };
  for (const held of partitions) {
    const counts = held?.parked.count(index);
    parked.conflict += counts?.conflict ?? 0;
    parked.data += counts?.data ?? 0;
  }
  const lagMs = lagOf(appliedUntilMs, nowMs, heartbeatMs);
  return { target, appliedUntilMs, lagMs, parked, parkedTables: parkedTables(index, partitions) };
}

function parkedTables(index: number, partitions: readonly Held[]): ParkedTable[] {
  const tables = new Map<string, ParkedTable>();
  const groups = partitions.flatMap((held) => held?.parked.groups ?? []);
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
