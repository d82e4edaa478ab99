import type { CaptureOptions } from '../../../src/capture/capture-options.ts';
import type { SnapshotPorts } from '../../../src/capture/snapshot.ts';
import type { SourceFacts } from '../../../src/capture/start-position.ts';
import { Outages } from '../../../src/runtime/outages.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';

/** Of a capture of every table that never beats and saves nothing but what it must. */
export function captureOptions(changes: Partial<CaptureOptions>): CaptureOptions {
  return {
    pipeline: 'p',
    source: 'main',
    captures: () => true,
    capturesIn: () => true,
    hasDeclaredKey: () => false,
    partitions: 1,
    format: 'row',
    keyless: 'refuse',
    chunkBytes: 1,
    queueBytes: 1e6,
    checkpointMs: 1e9,
    heartbeatMs: Infinity,
    heartbeatRow: false,
    start: { kind: 'earliest' },
    by: 'test',
    snapshot: {
      readers: 1,
      chunkMs: 1,
      leastRows: 1,
      mostRows: 1,
      lagMs: 1,
      leastPercent: 1,
      rowsPerSecond: null,
    },
    outages: new Outages({ maxMs: 30_000, log: silentLog }),
    onReading: () => {},
    schemaPolicy: { ddl: 'apply', truncate: 'apply' },
    log: silentLog,
    ...changes,
  };
}

export const NO_COPYING: SnapshotPorts = {
  connect: () => Promise.reject(new Error('nothing is copied')),
  applied: async () => [0],
  signals: async () => [],
  closed: () => null,
  occupied: async () => [],
};

/** A MySQL whose one binlog file ends there. */
export function factsAt({ file, offset }: SourceFacts['current']): SourceFacts {
  return {
    flavour: 'mysql',
    version: '9',
    server: 's1',
    current: { file, offset },
    gtid: null,
    purgedGtid: null,
    files: [{ name: file, size: 1_000 }],
    tableNames: 'exact',
  };
}
