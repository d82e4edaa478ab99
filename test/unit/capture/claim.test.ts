import { describe, expect, it } from 'vitest';
import type { CheckpointRecord, CheckpointStore, LogEntry } from '../../../src/capture/checkpoint-log.ts';
import { encodeRecord, readCheckpointLog, recordKey } from '../../../src/capture/checkpoint-log.ts';
import { claimSource } from '../../../src/capture/claim.ts';
import type { FlowState } from '../../../src/capture/table-flow.ts';
import { TableFlow } from '../../../src/capture/table-flow.ts';
import type { SourceFacts } from '../../../src/capture/start-position.ts';
import type { Position } from '../../../src/model/position.ts';

const at = (offset: number): Position => ({ server: 's1', file: 'binlog.000001', offset });
const { signal } = new AbortController();
const STATEMENT = 'binlog.000001:20';
const HELD: FlowState = {
  held: [
    {
      table: 'shop.items',
      statement: STATEMENT,
      gtid: null,
      why: 'it drops a column',
      from: at(10),
      sinceMs: 0,
    },
  ],
  catchUp: null,
  passed: [],
};

class MemoryLog implements CheckpointStore {
  readonly entries: LogEntry[] = [];
  beforeAppend: () => void = () => {};
  readAll = async (): Promise<readonly LogEntry[]> => [...this.entries];
  append = async (key: string, value: string): Promise<number> => {
    this.beforeAppend();
    this.beforeAppend = () => {};
    return this.entries.push({ offset: this.entries.length, key, value }) - 1;
  };
  add(record: CheckpointRecord): void {
    this.entries.push({ offset: this.entries.length, key: recordKey(record), value: encodeRecord(record) });
  }
}

function heldAt100(): MemoryLog {
  const log = new MemoryLog();
  log.add({ kind: 'claim', id: 'first', epoch: 1, start: at(4), by: 'a', timeMs: 1 });
  log.add({
    kind: 'checkpoint',
    incarnation: 0,
    epoch: 1,
    position: at(100),
    commitMs: 1,
    flow: HELD,
    timeMs: 2,
  });
  log.add({ kind: 'accept', statement: STATEMENT, by: 'operator', timeMs: 3 });
  return log;
}

const facts: SourceFacts = {
  flavour: 'mysql',
  version: '9',
  server: 's1',
  current: at(500),
  gtid: null,
  purgedGtid: null,
  files: [],
  tableNames: 'exact',
};
const options = {
  source: 'main',
  start: { kind: 'now' },
  look: async () => facts,
  by: 'b',
  hasPublished: true,
  copy: [],
  releases: new Set<string>(),
} as const;

async function released(log: MemoryLog) {
  return await claimSource(log, { ...options, releases: new Set([STATEMENT]) }, signal);
}

it('a claim looks at the source when it knows what is saved, which another capture may move up to then', async () => {
  const log = heldAt100();
  const readAll = log.readAll;
  const order: string[] = [];
  log.readAll = async () => (order.push('saved'), await readAll());
  const look = async () => (order.push('source'), facts);
  await claimSource(log, { ...options, look }, signal);
  expect(order).toEqual(['saved', 'source']);
});

it('a claim goes on from what the capture before saved while the source was asked, and holds what that holds', async () => {
  const log = heldAt100();
  const ofBoth = log.entries.splice(1);
  log.add({ kind: 'checkpoint', incarnation: 0, epoch: 1, position: at(10), commitMs: 1, timeMs: 2 });
  const look = async () => {
    for (const { key, value } of ofBoth) await log.append(key, value);
    return facts;
  };
  const claimed = await claimSource(log, { ...options, look }, signal);
  expect(claimed).toMatchObject({ epoch: 1, position: at(100), flow: HELD });
  expect(claimed.accepted.records).toHaveLength(1);
  expect(readCheckpointLog(log.entries)).toMatchObject({ epoch: 1, position: at(100), flow: HELD });
});

describe('a claim that lets a held table go', () => {
  const CAUGHT_UP = { held: [], catchUp: { until: at(100), behind: { 'shop.items': at(10) } } };

  it('goes back to the statement under a new epoch', async () => {
    const claimed = await released(heldAt100());
    expect(claimed).toMatchObject({ epoch: 2, position: at(10), flow: CAUGHT_UP });
  });

  it('lets the statement pass that is read once more, also without GTIDs and acknowledged with a former version', async () => {
    const { flow, accepted } = await released(heldAt100());
    const place = { server: 's1', statement: STATEMENT, gtid: null };
    expect(accepted.pass(place)).toBe(false);
    expect(new TableFlow(flow).hasPassed(place)).toBe(true);
    expect(new TableFlow(flow).hasPassed({ ...place, server: 's2' })).toBe(false);
  });

  it('goes back to the statement also when another capture claimed in between: nothing that was left out is lost', async () => {
    const log = heldAt100();
    log.beforeAppend = () =>
      log.add({ kind: 'claim', id: 'other', epoch: 1, start: at(100), flow: HELD, by: 'c', timeMs: 4 });
    const claimed = await released(log);
    expect(claimed).toMatchObject({ position: at(10), flow: CAUGHT_UP });
    expect(claimed.epoch).toBeGreaterThan(1);
    expect(readCheckpointLog(log.entries)).toMatchObject({ position: at(10), flow: CAUGHT_UP });
  });

  it('undoes no replay that came in between, though its writer is killed before it decides again', async () => {
    const log = heldAt100();
    const flow = { ...HELD, held: [] };
    log.beforeAppend = () => {
      log.add({ kind: 'claim', id: 'replay', epoch: 2, start: at(6), flow, by: 'operator', timeMs: 4 });
      log.readAll = () => Promise.reject(new Error('killed'));
    };
    await expect(released(log)).rejects.toThrow('killed');
    expect(log.entries).toHaveLength(5);
    expect(readCheckpointLog(log.entries)).toMatchObject({ epoch: 2, incarnation: 3, position: at(6), flow });
  });

  it('replays every table when an operator went back in between', async () => {
    const log = heldAt100();
    const flow = { ...HELD, held: [] };
    log.beforeAppend = () =>
      log.add({ kind: 'claim', id: 'replay', epoch: 2, start: at(6), flow, by: 'operator', timeMs: 4 });
    const claimed = await released(log);
    expect(claimed).toMatchObject({ position: at(6), flow });
    expect(claimed.epoch).toBeGreaterThan(1);
  });
});

/**
 * The order of events: tables are let go and catch up with where the reader had been; the source fails over meanwhile. What is
 * read then comes from other files, whose places lie anywhere against those of before.
 */
describe('a claim at another server while tables catch up', () => {
  const gtidsUntil = (end: number): string => `3da747c4-e569-11f1-8f8a-02fc00000001:1-${end}`;
  const saved = { ...at(60), gtid: gtidsUntil(6) };
  const flow: FlowState = {
    held: [],
    catchUp: {
      until: { ...at(100), gtid: gtidsUntil(10) },
      behind: { 'shop.items': { ...at(10), gtid: gtidsUntil(1) } },
    },
    passed: ['s1 binlog.000001:20'],
  };

  async function claimedAt(server: string) {
    const log = new MemoryLog();
    log.add({ kind: 'claim', id: 'first', epoch: 1, start: { ...at(4), gtid: '' }, by: 'a', timeMs: 1 });
    const checkpoint = { kind: 'checkpoint', incarnation: 0, epoch: 1, commitMs: 1, timeMs: 2 } as const;
    log.add({ ...checkpoint, position: saved, flow });
    const look = async () => ({ ...facts, server, gtid: gtidsUntil(20), purgedGtid: '' });
    return await claimSource(log, { ...options, look }, signal);
  }

  it('publishes every table from the saved place on', async () => {
    const claimed = await claimedAt('s2');
    expect(claimed).toMatchObject({ epoch: 2, position: { server: 's2', gtid: saved.gtid } });
    const after = new TableFlow(claimed.flow);
    for (const table of ['shop.items', 'shop.orders'])
      expect([table, after.passes(table, at(70))]).toEqual([table, true]);
    expect(claimed.flow).toEqual({ held: [], catchUp: null, passed: [] });
  });

  it('goes on catching up at the same one', async () => {
    const claimed = await claimedAt('s1');
    expect(claimed).toMatchObject({ epoch: 1, position: saved, flow });
  });
});
