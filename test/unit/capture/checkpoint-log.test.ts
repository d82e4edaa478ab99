import { describe, expect, it } from 'vitest';
import type { CheckpointRecord, CheckpointStore, LogEntry } from '../../../src/capture/checkpoint-log.ts';
import {
  CheckpointWriter,
  encodeRecord,
  readCheckpointLog,
  recordKey,
} from '../../../src/capture/checkpoint-log.ts';
import type { SavePoint } from '../../../src/capture/checkpoint-log.ts';
import { newCopy, NO_SNAPSHOT } from '../../../src/capture/snapshot-state.ts';
import { ALL_FLOW } from '../../../src/capture/table-flow.ts';
import { resolveReplay } from '../../../src/capture/replay.ts';
import type { Position } from '../../../src/model/position.ts';

const UUID = '3da747c4-e569-11f1-8f8a-02fc00000001';
const at = (offset: number, file = 'binlog.000001'): Position => ({ file, offset, server: 's1' });
const signal = new AbortController().signal;

/** A log in memory with the broker's one promise: appended records get the next offset. */
class MemoryLog implements CheckpointStore {
  readonly entries: LogEntry[] = [];
  beforeAppend: () => void = () => {};

  readAll(): Promise<readonly LogEntry[]> {
    return Promise.resolve([...this.entries]);
  }

  append(key: string, value: string): Promise<number> {
    this.beforeAppend();
    return Promise.resolve(this.entries.push({ offset: this.entries.length, key, value }) - 1);
  }

  add(record: CheckpointRecord): void {
    this.entries.push({ offset: this.entries.length, key: recordKey(record), value: encodeRecord(record) });
  }
}

const claimAt =
  (position: Position, epoch = 1) =>
  () => ({ epoch, start: position, by: 'test', timeMs: 1 });

const point = (offset: number, commitMs: number | null): SavePoint => ({
  position: at(offset),
  commitMs,
  snapshot: NO_SNAPSHOT,
  flow: ALL_FLOW,
});

describe('the checkpoint log', () => {
  it('goes on from the last checkpoint of the newest claim', async () => {
    const log = new MemoryLog();
    const { writer } = await CheckpointWriter.claim(log, claimAt(at(4)), signal);
    expect(await writer.save(point(100, 5), 6, signal)).toBe('saved');
    const state = readCheckpointLog(log.entries);
    expect(state).toMatchObject({ epoch: 1, incarnation: 0, position: at(100), commitMs: 5, end: 2 });
    expect(state.history.map(({ position }) => position.offset)).toEqual([100]);
  });

  it('hands what operators asked for to one capture, once', async () => {
    const log = new MemoryLog();
    const ask = (id: string): void =>
      log.add({ kind: 'snapshot', id, action: 'pause', table: 'shop.a', by: id, timeMs: 1 });
    const who = (found: unknown): readonly string[] =>
      (found as { readonly asked: readonly { readonly by: string }[] }).asked.map(({ by }) => by);
    ask('before');
    const { writer, state } = await CheckpointWriter.claim(log, claimAt(at(4)), signal);
    expect(who(state)).toEqual(['before']);
    expect(await writer.save(point(10, 1), 2, signal)).toBe('saved');
    log.add({ kind: 'accept', statement: 'binlog.000001:9', by: 'ack', timeMs: 2 });
    expect(who(await writer.save(point(20, 1), 2, signal))).toEqual(['ack']);
    // One that comes in between its checkpoint and its look is met with the next.
    log.beforeAppend = () => ask('at');
    const readAll = log.readAll.bind(log);
    log.readAll = async () => {
      ask('behind');
      return await readAll();
    };
    expect(who(await writer.save(point(30, 1), 2, signal))).toEqual(['at']);
    log.beforeAppend = () => {};
    log.readAll = readAll;
    expect(who(await writer.save(point(40, 1), 2, signal))).toEqual(['behind']);
    log.add({ kind: 'claim', id: 'r', epoch: 2, start: at(4), by: 'replay', asked: 'replay', timeMs: 3 });
    // The capture that it supersedes tells nothing of it, nor does its last checkpoint.
    expect(await writer.save(point(50, 1), 4, signal)).toBe('superseded');
    const next = await CheckpointWriter.claim(log, claimAt(at(4), 2), signal);
    expect(who(next.state)).toEqual(['replay']);
    expect(readCheckpointLog(log.entries).asked).toEqual([]);
  });

  it('is known by its first claim, whoever claims later and however two first ones meet', async () => {
    const log = new MemoryLog();
    const first = (await CheckpointWriter.claim(log, claimAt(at(4)), signal)).writer;
    expect(first.lineage).toBe(first.claim);
    log.beforeAppend = () => {
      log.beforeAppend = () => {};
      log.add({ kind: 'accept', statement: 'binlog.000001:9', by: 'operator', timeMs: 2 });
    };
    const second = (await CheckpointWriter.claim(log, claimAt(at(4)), signal)).writer;
    expect(second).toMatchObject({ lineage: first.claim });
    expect(second.claim).not.toBe(first.claim);

    const raced = new MemoryLog();
    raced.beforeAppend = () => {
      raced.beforeAppend = () => {};
      raced.add({ kind: 'claim', id: 'theirs', epoch: 1, start: at(4), by: 'other', timeMs: 1 });
    };
    const { writer } = await CheckpointWriter.claim(raced, claimAt(at(4)), signal);
    expect(writer.lineage).toBe('theirs');
    expect(readCheckpointLog(raced.entries).lineage).toBe('theirs');
  });

  it('a zombie: its checkpoint after a newer claim does not count, and it learns so at once (C1)', async () => {
    const log = new MemoryLog();
    const zombie = (await CheckpointWriter.claim(log, claimAt(at(4)), signal)).writer;
    await zombie.save(point(100, null), 1, signal);
    const { writer } = await CheckpointWriter.claim(
      log,
      (state) => ({ epoch: 1, start: state.position, by: 'b', timeMs: 2 }),
      signal,
    );
    await writer.save(point(200, null), 3, signal);
    expect(await zombie.save(point(150, null), 4, signal)).toBe('superseded');
    expect(readCheckpointLog(log.entries).position).toEqual(at(200));
    expect(await writer.save(point(210, null), 5, signal)).not.toBe('superseded');
  });

  it('an acknowledged statement in between does not supersede anybody', async () => {
    const log = new MemoryLog();
    const { writer } = await CheckpointWriter.claim(log, claimAt(at(4)), signal);
    log.add({ kind: 'accept', statement: 'binlog.000001:77', server: 's1', gtid: null, by: 'op', timeMs: 1 });
    expect(await writer.save(point(100, null), 1, signal)).not.toBe('superseded');
    const { accepted } = readCheckpointLog(log.entries);
    expect(accepted.pass({ server: 's1', statement: 'binlog.000001:77', gtid: null })).toBe(true);
    expect(accepted.pass({ server: 's1', statement: 'binlog.000001:78', gtid: null })).toBe(false);
  });

  it('a request for a table to be copied reaches the running capture with its next save, and once', async () => {
    const log = new MemoryLog();
    const { writer } = await CheckpointWriter.claim(log, claimAt(at(4)), signal);
    const ask = { kind: 'snapshot', id: 's', action: 'add', table: 'shop.a', by: 'op', timeMs: 1 } as const;
    log.add(ask);
    log.add(ask);
    const told = await writer.save(point(100, null), 1, signal);
    const request = { request: { action: 'add', table: 'shop.a' }, end: 2 };
    expect(told).toMatchObject({ requests: [request] });
    const snapshot = { requests: 2, tables: [newCopy('shop.a', 2)] };
    await writer.save({ ...point(110, null), snapshot }, 2, signal);
    expect(readCheckpointLog(log.entries)).toMatchObject({ snapshot, requests: [] });
  });

  it('a copy goes on from what was saved, or from the claim that began it', async () => {
    const log = new MemoryLog();
    const begun = { requests: 0, tables: [newCopy('shop.a', 0)] };
    await CheckpointWriter.claim(log, () => ({ ...claimAt(at(4))(), snapshot: begun }), signal);
    expect(readCheckpointLog(log.entries).snapshot).toEqual(begun);
    const { writer } = await CheckpointWriter.claim(log, claimAt(at(4)), signal);
    expect(readCheckpointLog(log.entries).snapshot).toEqual(begun);
    const copied = {
      requests: 0,
      tables: [{ ...newCopy('shop.a', 0), state: 'copying' as const, after: ['7'] }],
    };
    await writer.save({ ...point(100, null), snapshot: copied }, 1, signal);
    await CheckpointWriter.claim(log, claimAt(at(100)), signal);
    expect(readCheckpointLog(log.entries).snapshot).toEqual(copied);
  });

  it("a claim that raced an operator's replay decides again, so that the new epoch is not lost (C3)", async () => {
    const log = new MemoryLog();
    log.add({ kind: 'claim', id: 'a', epoch: 1, start: at(4), by: 'a', timeMs: 0 });
    log.add({ kind: 'checkpoint', incarnation: 0, epoch: 1, position: at(500), commitMs: null, timeMs: 0 });
    let raced = false;
    log.beforeAppend = () => {
      if (raced) return;
      raced = true;
      log.add({ kind: 'claim', id: 'r', epoch: 2, start: at(40), by: 'replay', timeMs: 1 });
    };
    const { claim } = await CheckpointWriter.claim(
      log,
      (state) => ({ epoch: state.epoch, start: state.position, by: 'c', timeMs: 2 }),
      signal,
    );
    expect(claim).toMatchObject({ epoch: 2, start: at(40) });
    expect(readCheckpointLog(log.entries)).toMatchObject({ epoch: 2, position: at(40) });
  });

  it('a late copy of a claim brings neither its place nor its epoch back', () => {
    const log = new MemoryLog();
    const zombie: CheckpointRecord = { kind: 'claim', id: 'z', epoch: 1, start: at(4), by: 'z', timeMs: 0 };
    log.add(zombie);
    log.add({ kind: 'claim', id: 'r', epoch: 2, start: at(40), by: 'replay', timeMs: 1 });
    log.add(zombie);
    log.add({ kind: 'checkpoint', incarnation: 9, epoch: 1, position: at(999), commitMs: null, timeMs: 2 });
    expect(readCheckpointLog(log.entries)).toMatchObject({
      epoch: 2,
      incarnation: 1,
      position: at(40),
      end: 4,
    });
    const again = new MemoryLog();
    again.add(zombie);
    again.add({ kind: 'checkpoint', incarnation: 0, epoch: 1, position: at(100), commitMs: null, timeMs: 2 });
    again.add(zombie);
    expect(readCheckpointLog(again.entries)).toMatchObject({ incarnation: 0, position: at(100) });
  });

  it('stops at a record that it cannot read, naming its offset', () => {
    const entry = { offset: 7, key: 'x', value: '{"v":2}' };
    expect(() => readCheckpointLog([entry])).toThrow(
      expect.objectContaining({ code: 'ROWFERRY_WIRE_CORRUPT', where: { offset: '7' } }),
    );
  });

  it('compaction keys: checkpoints of ten minutes share one per incarnation, so a zombie cannot compact the owner away', () => {
    const checkpoint = (incarnation: number, timeMs: number) =>
      recordKey({ kind: 'checkpoint', incarnation, epoch: 1, position: at(4), commitMs: null, timeMs });
    expect(checkpoint(1, 0)).toBe(checkpoint(1, 599_999));
    expect(checkpoint(1, 0)).not.toBe(checkpoint(2, 0));
    expect(checkpoint(1, 0)).not.toBe(checkpoint(1, 600_000));
  });
});

describe('resolveReplay', () => {
  const log = new MemoryLog();
  log.add({ kind: 'claim', id: 'a', epoch: 1, start: at(4), by: 'a', timeMs: 0 });
  for (const [offset, timeMs] of [
    [100, 1000],
    [200, 2000],
  ] as const) {
    log.add({ kind: 'checkpoint', incarnation: 0, epoch: 1, position: at(offset), commitMs: null, timeMs });
  }
  const state = readCheckpointLog(log.entries);

  it('takes a place, or the last position saved before a time', () => {
    expect(resolveReplay('main', 'binlog.000001:150', state)).toEqual(at(150));
    expect(resolveReplay('main', new Date(1999).toISOString(), state)).toEqual(at(100));
  });

  it('takes the place of the server that is read now, where its predecessor had one of the same name', () => {
    const both = new MemoryLog();
    both.add({ kind: 'claim', id: 'a', epoch: 1, start: at(4), by: 'a', timeMs: 0 });
    const of = (server: string, to: number) => ({ ...at(100), server, gtid: `${UUID}:1-${to}` });
    for (const [epoch, position] of [of('s1', 5), of('s2', 90), { ...of('s2', 95), offset: 200 }].entries())
      both.add({
        kind: 'checkpoint',
        incarnation: 0,
        epoch: epoch + 1,
        position,
        commitMs: null,
        timeMs: epoch,
      });
    const failedOver = readCheckpointLog(both.entries);
    expect(resolveReplay('main', 'binlog.000001:100', failedOver)).toEqual(of('s2', 90));
  });

  it.each(['binlog.000001:201', 'binlog.000002:4', 'yesterday', '1969-01-01'])(
    'refuses %s: ahead, or no position',
    (from) => {
      expect(() => resolveReplay('main', from, state)).toThrow(
        expect.objectContaining({ code: 'ROWFERRY_CONFIG_INVALID' }),
      );
    },
  );
});
