/** How a target stands, as the partitions know that one process applies. Pure. */
import type { TargetState } from './batch-writer.ts';
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
}

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
  return { target, appliedUntilMs, lagMs: lagOf(appliedUntilMs, nowMs, heartbeatMs), parked };
}
