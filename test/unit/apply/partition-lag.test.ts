import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/apply/batch.ts';
import { OldestWaiting } from '../../../src/apply/oldest-waiting.ts';
import { PartitionLag } from '../../../src/apply/partition-lag.ts';
import { RecordQueue } from '../../../src/apply/record-queue.ts';
import type { TopicReader } from '../../../src/apply/topic-reader.ts';
import { ownReader } from '../../../src/apply/topic-reader.ts';
import type { Table } from '../../../src/model/table.ts';
import { ChunkBuilder } from '../../../src/wire/chunk.ts';
import type { Marker } from '../../../src/wire/marker.ts';
import { encodeMarker } from '../../../src/wire/marker.ts';

const NOW = 1_000_000;
const WRITER = { epoch: 1, incarnation: 0 };
const TABLE: Table = {
  schema: 'shop',
  name: 'item',
  columns: [{ name: 'id', type: 'int' }],
  key: [0],
};

const marker = (horizonMs: number, readMs?: number, sentMs = readMs ?? horizonMs): Marker => ({
  kind: 'heartbeat',
  ...WRITER,
  horizonMs,
  sentMs,
  position: 'p',
  ...(readMs === undefined ? {} : { readMs }),
});
const batch = (part: Partial<Batch>): Batch => ({
  start: 0,
  end: 1,
  offsets: [],
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
const idleAt = (timeMs: number) => batch({ marker: marker(timeMs, timeMs) });
const rows = (oldestMs: number, newestMs = oldestMs, part: Partial<Batch> = {}) =>
  batch({ oldestMs, newestMs, ...part });
const record = (offset: number, value: Buffer) => ({ offset, key: null, value, headers: {} });

const lagOf = (lag: PartitionLag, nowMs: number) => lag.at(nowMs).lagMs;

function chunk(timeMs: number): Buffer {
  const builder = new ChunkBuilder(WRITER);
  builder.add({
    table: TABLE,
    sequence: { file: 1, end: 1, half: 0 },
    timeMs,
    before: null,
    after: [1],
  });
  return builder.take();
}

function lagWithQueue(reader: TopicReader = ownReader()) {
  const queue = new RecordQueue(1e6, () => {});
  const lag = new PartitionLag(1_000);
  lag.claimed(new OldestWaiting(queue, reader), null);
  return { lag, queue };
}

describe('the lag of a partition (LAG-3, I-9)', () => {
  it('is not known before anything has travelled the whole way', () => {
    expect(lagOf(new PartitionLag(1_000), NOW)).toBeNull();
  });

  it('is 0 while markers tell of an idle source, whatever part of the interval has passed', () => {
    const { lag } = lagWithQueue();
    lag.applied(idleAt(NOW), NOW + 15);
    expect([15, 500, 1_500, 2_015].map((later) => lagOf(lag, NOW + later))).toEqual([0, 0, 0, 0]);
  });

  it('rises from the last horizon when the next marker is overdue: silence is not caught up', () => {
    const { lag } = lagWithQueue();
    lag.applied(idleAt(NOW), NOW + 15);
    expect([2_016, 60_000].map((later) => lagOf(lag, NOW + later))).toEqual([2_016, 60_000]);
  });

  it('is the age of the oldest commit that is being written, to the millisecond', () => {
    const { lag } = lagWithQueue();
    lag.applied(idleAt(NOW), NOW);
    lag.cut(rows(NOW + 10, NOW + 500));
    expect([760, 60_000].map((later) => lagOf(lag, NOW + later))).toEqual([750, 59_990]);
  });

  it('is the age of the oldest commit that waits in the queue, behind whatever markers', () => {
    const { lag, queue } = lagWithQueue();
    lag.applied(idleAt(NOW), NOW);
    queue.push([record(1, encodeMarker(marker(NOW + 900, NOW + 900)))]);
    expect(lagOf(lag, NOW + 5_000)).toBe(5_000);
    queue.push([record(2, chunk(NOW + 4_000)), record(3, chunk(NOW + 4_500))]);
    expect([5_000, 9_000].map((later) => lagOf(lag, NOW + later))).toEqual([1_000, 5_000]);
    queue.shift();
    queue.shift();
    expect(lagOf(lag, NOW + 9_000)).toBe(4_500);
  });

  it('is the delay of the newest change under load, not 0', () => {
    const { lag } = lagWithQueue();
    lag.cut(rows(NOW - 900, NOW - 300));
    lag.applied(rows(NOW - 900, NOW - 300), NOW);
    expect(lagOf(lag, NOW + 20)).toBe(300);
  });

  it('shows a backlog upstream, however fresh the marker, but not the time in which nothing was written', () => {
    const { lag } = lagWithQueue();
    lag.applied(batch({ marker: marker(NOW - 30_000, NOW - 100, NOW - 90) }), NOW);
    expect(lagOf(lag, NOW + 10)).toBe(29_990);
    lag.applied(batch({ marker: marker(NOW - 900, NOW - 895, NOW - 10) }), NOW);
    expect(lagOf(lag, NOW + 10)).toBe(15);
  });

  it('takes a marker of an earlier version for one that was sent when its horizon was known', () => {
    const { lag } = lagWithQueue();
    lag.applied(batch({ marker: marker(NOW - 30_000, undefined, NOW - 100) }), NOW);
    expect(lagOf(lag, NOW)).toBe(30_000);
  });

  it('goes on from what an earlier worker left behind, or from the watermarks when they are further', () => {
    const { lag: before } = lagWithQueue();
    before.cut(rows(NOW - 700));
    const after = new PartitionLag(1_000, before.basisMs);
    expect(lagOf(after, NOW)).toBe(700);
    after.claimed(new OldestWaiting(new RecordQueue(1, () => {}), ownReader()), NOW - 200);
    expect(lagOf(after, NOW)).toBe(200);
  });

  it('goes back with a replay also when what comes first of it is no change, as before a TRUNCATE', () => {
    const sequence = { epoch: 2, file: 1, end: 1, half: 0 };
    const lag = new PartitionLag(1_000);
    lag.applied(rows(NOW), NOW);
    lag.applied(batch({ sequence }), NOW);
    lag.applied(rows(NOW - 60_000, NOW - 60_000, { sequence }), NOW);
    expect(lag.basisMs).toBe(NOW - 60_000);
  });

  it('goes back with a replay, whose commits are old', () => {
    const { lag } = lagWithQueue();
    lag.applied(idleAt(NOW), NOW);
    lag.applied(rows(NOW - 60_000, NOW - 60_000, { sequence: { epoch: 2, file: 1, end: 1, half: 0 } }), NOW);
    expect(lagOf(lag, NOW + 5_000)).toBe(65_000);
  });

  it('is 0 in a topic without markers when all that it held a moment ago is applied, and ages when nobody can tell', () => {
    const { lag } = lagWithQueue();
    lag.reached(NOW, NOW + 5);
    expect([1_000, 2_005, 2_006].map((later) => lagOf(lag, NOW + later))).toEqual([0, 0, 2_006]);
  });

  it('of a target that has the batch which another one lacks is its own', () => {
    const { lag, queue } = lagWithQueue();
    lag.applied(idleAt(NOW - 60_000), NOW - 60_000);
    lag.cut(rows(NOW - 50_000, NOW - 40_000, { start: 1, end: 5 }));
    const lacks = { next: 1, sourceTimeMs: NOW - 60_000 };
    const has = { next: 5, sourceTimeMs: NOW - 40_000 };
    expect([lacks, has].map((state) => lag.ofTarget(state, NOW).lagMs)).toEqual([50_000, 40_000]);
    queue.push([record(5, chunk(NOW - 10_000))]);
    expect([lacks, has].map((state) => lag.ofTarget(state, NOW).lagMs)).toEqual([50_000, 10_000]);
  });
});
