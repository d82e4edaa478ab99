/**
 * Whether a daemon does its work. Pure.
 *
 * Idle is ready: a part fails only when there is something to do and it got nowhere for the bound, or when it stopped. What an
 * operator paused is ready too: it does what it was told, and its lag tells the rest.
 */
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { ApplyRoleStatus, CaptureRoleStatus, RoleStatus, RoleView } from '../wiring/role-messages.ts';

interface PartHealth {
  /** `apply`, `capture <source>`, or a topic and partition. */
  readonly part: string;
  readonly state: string;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly reason: string | null;
}

interface Health {
  readonly ok: boolean;
  readonly parts: readonly PartHealth[];
}

interface HealthBounds {
  /** A part with something to do may stand still for so long. */
  readonly stallMs: number;
  /** A capture saves a position at least this often. */
  readonly checkpointMs: number;
}

/** A thread that reports four times a second is taken for dead after so long. */
const SILENT_MS = 60_000;

export function readiness(roles: readonly RoleView[], bounds: HealthBounds, nowMs: number): Health {
  const parts = roles.flatMap(({ name, status, reportedMs, failureCode }): PartHealth[] => {
    if (failureCode !== undefined) return [part(name, 'stopped', `ended with ${failureCode}`)];
    if (status === undefined) return [part(name, 'starting', 'has not begun yet')];
    const silentMs = nowMs - reportedMs;
    if (silentMs > bounds.stallMs) return [part(name, 'silent', `has told nothing for ${seconds(silentMs)}`)];
    const own =
      status.role === 'capture'
        ? [captureHealth(name, status, bounds, nowMs)]
        : applyHealth(name, status, bounds, nowMs);
    return withOutages(own, status, bounds, nowMs);
  });
  return { ok: parts.every(({ ready }) => ready), parts };
}

/** Alive is whatever still answers: only a thread that fell silent for good is worth a restart. */
export function liveness(roles: readonly RoleView[], nowMs: number): Health {
  const parts = roles.map(({ name, reportedMs }) => {
    const silentMs = nowMs - reportedMs;
    const isSilent = silentMs > SILENT_MS;
    return part(
      name,
      isSilent ? 'silent' : 'alive',
      isSilent ? `has told nothing for ${seconds(silentMs)}` : null,
    );
  });
  return { ok: parts.every(({ ready }) => ready), parts };
}

/** A part that is tried again is in another state every now and then: what it waits for tells how long it has been away. */
function withOutages(
  parts: readonly PartHealth[],
  { outages }: RoleStatus,
  { stallMs }: HealthBounds,
  nowMs: number,
): PartHealth[] {
  // A copy or a heartbeat row that waits holds nothing else up.
  const long = outages.filter(
    ({ part, sinceMs }) => !/^(?:copy|heartbeat row) /.test(part) && nowMs - sinceMs > stallMs,
  );
  const away = long.map((outage) =>
    part(outage.part, 'waiting', `waits for ${seconds(nowMs - outage.sinceMs)} (${outage.errorCode})`),
  );
  const told = new Set(parts.filter(({ ready }) => !ready).map((own) => own.part));
  const news = away.filter((outage) => !told.has(outage.part));
  const replaced = new Set(news.map((outage) => outage.part));
  return [...parts.filter((own) => !replaced.has(own.part)), ...news];
}

function captureHealth(
  name: string,
  { capture }: CaptureRoleStatus,
  { stallMs, checkpointMs }: HealthBounds,
  nowMs: number,
): PartHealth {
  const { state, sinceMs, savedMs, errorCode } = capture;
  const inStateMs = nowMs - sinceMs;
  const stoodMs = nowMs - Math.max(savedMs ?? 0, sinceMs);
  if (state === 'stopped') return part(name, state, `stopped with ${errorCode ?? 'an error'}`);
  if (state === 'starting') return part(name, state, `is starting for ${seconds(inStateMs)}`);
  if (state === 'reading' && stoodMs > Math.max(stallMs, 3 * checkpointMs))
    return part(name, state, `has saved no position for ${seconds(stoodMs)}`);
  if ((state === 'waiting' || state === 'holding') && inStateMs > stallMs)
    return part(
      name,
      state,
      `${state} for ${seconds(inStateMs)}${errorCode === null ? '' : ` (${errorCode})`}`,
    );
  return part(name, state, null);
}

function applyHealth(
  name: string,
  { partitions, counts, pause }: ApplyRoleStatus,
  { stallMs }: HealthBounds,
  nowMs: number,
): PartHealth[] {
  const state = pause === null ? 'running' : 'paused';
  // Paused before it ever joined is what somebody wanted as well.
  const joined = counts.rebalances > 0 || pause !== null;
  const own = joined ? part(name, state, null) : part(name, 'starting', 'has not joined its group yet');
  return [own, ...partitions.map((partition) => partitionHealth(partition, stallMs, nowMs))];
}

function partitionHealth(partition: PartitionStatus, stallMs: number, nowMs: number): PartHealth {
  const { topic, state, sinceMs, progressedMs, queueBytes, writing, errorCode } = partition;
  const name = `${topic}/${partition.partition}`;
  const inStateMs = nowMs - sinceMs;
  const stoodMs = nowMs - Math.max(progressedMs ?? 0, sinceMs);
  if (state === 'stopped') return part(name, state, `stopped with ${errorCode ?? 'an error'}`);
  if (state === 'waiting' && inStateMs > stallMs)
    return part(name, state, `waits for ${seconds(inStateMs)} (${errorCode ?? 'no error'})`);
  if (state === 'claiming' && inStateMs > stallMs)
    return part(name, state, `is claiming for ${seconds(inStateMs)}`);
  if (state === 'running' && (writing || queueBytes > 0) && stoodMs > stallMs)
    return part(name, state, `has work and got nowhere for ${seconds(stoodMs)}`);
  return part(name, state, null);
}

function part(name: string, state: string, reason: string | null): PartHealth {
  return { part: name, state, ready: reason === null, reason };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
