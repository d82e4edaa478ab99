import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/apply/batch.ts';
import { PartitionProgress } from '../../../src/apply/partition-progress.ts';
import { RecordQueue } from '../../../src/apply/record-queue.ts';

const HEARTBEAT_MS = 1000;
const NOW = 1_000_000;
const queue = new RecordQueue(1000, () => {});
const nothing = { upserts: 0, deletes: 0, moves: 0 };
const batch = (part: Partial<Batch>): Batch => ({
  start: 0,
  end: 1,
  changes: [],
  marker: undefined,
  additive: [],
  truncate: undefined,
  sequence: { epoch: 1, file: 1, end: 1, half: 0 },
  oldestMs: null,
  newestMs: null,
  bytes: 0,
  ...part,
});
const markerAt = (horizonMs: number) =>
  batch({
    marker: { kind: 'heartbeat', epoch: 1, incarnation: 0, horizonMs, sentMs: horizonMs, position: 'p' },
  });

describe('lag (LAG-3, I-9)', () => {
  it('is unknown before anything has travelled the whole way', () => {
    expect(new PartitionProgress().lagMs(NOW, HEARTBEAT_MS)).toBeNull();
  });

  it('is 0 when the last marker is fresh', () => {
    const progress = new PartitionProgress();
    progress.applied(markerAt(NOW - 900), nothing, queue);
    expect(progress.lagMs(NOW, HEARTBEAT_MS)).toBe(0);
  });

  it('counts from the commit of the oldest change that is being written', () => {
    const progress = new PartitionProgress();
    progress.applied(markerAt(NOW - 10), nothing, queue);
    progress.writing(batch({ oldestMs: NOW - 750, newestMs: NOW }));
    expect(progress.lagMs(NOW, HEARTBEAT_MS)).toBe(750);
    progress.applied(batch({ oldestMs: NOW - 750, newestMs: NOW }), nothing, queue);
    expect(progress.lagMs(NOW, HEARTBEAT_MS)).toBe(0);
  });

  it('rises while nothing arrives: silence is not caught up', () => {
    const progress = new PartitionProgress();
    progress.applied(markerAt(NOW), nothing, queue);
    const lags = [1000, 3000, 60_000].map((later) => progress.lagMs(NOW + later, HEARTBEAT_MS));
    expect(lags).toEqual([0, 3000, 60_000]);
  });

  it('a marker that tells of an old horizon (a backlog upstream) is lag, however fresh the marker', () => {
    const progress = new PartitionProgress();
    progress.applied(markerAt(NOW - 30_000), nothing, queue);
    expect(progress.lagMs(NOW, HEARTBEAT_MS)).toBe(30_000);
  });
});
