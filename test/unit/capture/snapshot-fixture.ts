import { onTestFinished } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import type { CopySource, SnapshotOptions } from '../../../src/capture/copy-parts.ts';
import type { Mark } from '../../../src/capture/mark.ts';
import type { SnapshotPorts } from '../../../src/capture/snapshot.ts';
import { Snapshot } from '../../../src/capture/snapshot.ts';
import type { SnapshotState } from '../../../src/capture/snapshot-state.ts';
import { ALL_FLOW, TableFlow } from '../../../src/capture/table-flow.ts';
import { Outages } from '../../../src/runtime/outages.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';

export interface RunningSnapshot {
  readonly snapshot: Snapshot;
  readonly end: () => Promise<void>;
}

/** A snapshot of what `source` holds, in chunks of two rows, that runs until the test is finished. */
export function startSnapshot(
  source: CopySource,
  state: SnapshotState,
  changes: Partial<SnapshotOptions & SnapshotPorts> = {},
): RunningSnapshot {
  const log = changes.log ?? silentLog;
  const snapshot = new Snapshot(
    {
      source: 'main',
      partitions: 2,
      writer: { pipeline: 'p', source: 'main', lineage: 'first', claim: 'mine', incarnation: 7 },
      epoch: 1,
      captures: () => true,
      flow: new TableFlow(ALL_FLOW),
      readers: 1,
      chunkMs: 500,
      leastRows: 2,
      mostRows: 2,
      lagMs: 1_000,
      leastPercent: 5,
      rowsPerSecond: null,
      queueBytes: 1e6,
      log,
      outages: new Outages({ maxMs: 30_000, log }),
      ...changes,
    },
    {
      connect: async () => source,
      applied: async () => [1e9, 1e9],
      occupied: async () => [],
      signals: async () => [],
      closed: () => null,
      ...changes,
    },
    state,
  );
  const stop = new AbortController();
  const done = snapshot.run({ pendingBytes: 0, acknowledged: 1e9, ends: [0, 0] }, stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  return { snapshot, end };
}

export async function nextMark({ marks }: { readonly marks: Mark[] }): Promise<Mark> {
  await waitUntil(() => marks.length > 0, { what: 'a mark', intervalMs: 5 });
  return marks.shift()!;
}
