/** What changed between two looks at a daemon, for those who follow it. Pure. */
import type { HistoryEntry } from '../observe/alerts/alert-book.ts';
import type { DaemonStatus } from '../wiring/daemon-status.ts';

interface StateChange {
  readonly part: string;
  /** Null when the part is new. */
  readonly from: string | null;
  /** Null when the part is gone: another process has it now. */
  readonly to: string | null;
  /** Code of the error that it met. */
  readonly errorCode: string | null;
}

interface PartState {
  readonly state: string;
  readonly errorCode: string | null;
}

export function stateChanges(before: DaemonStatus, now: DaemonStatus): StateChange[] {
  const old = statesOf(before);
  const fresh = statesOf(now);
  const changes: StateChange[] = [];
  for (const [part, { state, errorCode }] of fresh) {
    const was = old.get(part);
    if (was?.state !== state || was.errorCode !== errorCode)
      changes.push({ part, from: was?.state ?? null, to: state, errorCode });
  }
  for (const [part, { state }] of old) {
    if (!fresh.has(part)) changes.push({ part, from: state, to: null, errorCode: null });
  }
  return changes;
}

/** An alert that fired or was resolved, as followers hear of it. */
export function alertEvent({ kind, alert, isSilenced }: HistoryEntry): object {
  const { rule, level, labels, message, value, sinceMs } = alert;
  return { kind, rule, level, labels, message, value, sinceMs, isSilenced };
}

function statesOf({ captures, partitions }: DaemonStatus): Map<string, PartState> {
  const states = new Map<string, PartState>();
  for (const { source, state, errorCode, copies } of captures) {
    states.set(`capture ${source}`, { state, errorCode });
    for (const copy of copies)
      states.set(`copy ${source} ${copy.table}`, {
        state: copy.paused ? 'paused' : copy.state,
        errorCode: null,
      });
  }
  for (const { topic, partition, state, errorCode } of partitions)
    states.set(`${topic}/${partition}`, { state, errorCode });
  return states;
}
