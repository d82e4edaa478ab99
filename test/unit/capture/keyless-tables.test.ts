import { describe, expect, it } from 'vitest';
import { claimSource } from '../../../src/capture/claim.ts';
import type { CheckpointRecord, LogEntry } from '../../../src/capture/checkpoint-log.ts';
import { encodeRecord } from '../../../src/capture/checkpoint-log.ts';
import { begunAnew, KeylessTables } from '../../../src/capture/keyless-tables.ts';
import type { Chunk } from '../../../src/capture/copy-parts.ts';
import type { TableCopy } from '../../../src/capture/snapshot-state.ts';
import { applyRequest, newCopy } from '../../../src/capture/snapshot-state.ts';
import { heldError } from '../../../src/capture/statement-gate.ts';
import { ALL_FLOW, inNextEpoch, release, rewind, TableFlow } from '../../../src/capture/table-flow.ts';
import type { FlowState } from '../../../src/capture/table-flow.ts';
import type { Position } from '../../../src/model/position.ts';
import type { Table } from '../../../src/model/table.ts';
import { partitioner } from '../../../src/wire/partition.ts';

const NAME = 'shop.visits';
const table: Table = {
  schema: 'shop',
  name: 'visits',
  columns: ['who', 'note'].map((name) => ({ name, type: 'int' })),
  key: [],
};
const at = (offset: number, server = 's1'): Position => ({ server, file: 'binlog.000001', offset });
const held = {
  table: NAME,
  statement: 'binlog.000001:50',
  gtid: null,
  why: 'a row of it was changed',
  from: at(10),
  sinceMs: 0,
  isKeyless: true as const,
};

function tables(epoch: number, flow = new TableFlow(ALL_FLOW), first?: TableCopy) {
  let copy = first;
  const keyless = new KeylessTables(epoch, flow, {
    copyOf: () => copy,
    change: (_, change) => (copy = copy && change(copy)),
  });
  const judge = (op: 'insert' | 'update' | 'delete' = 'insert') => keyless.judge({ table, op });
  return { keyless, flow, judge, copy: () => copy };
}

describe('rows of a table without a key', () => {
  it('wait for what is known of their table to be saved, then pass', () => {
    const { judge, flow } = tables(1);
    expect([judge(), judge()]).toEqual(['first', 'passes']);
    expect(flow.state.keyless).toEqual({ [NAME]: { epoch: 1, isOurs: false } });
  });

  it('hold their table when they are changed or deleted, and a copy that is not done is of no use then', () => {
    const copying: TableCopy = { ...newCopy(NAME, 1), state: 'copying', cut: true };
    const { judge, copy } = tables(1, undefined, copying);
    expect(judge('update')).toEqual({ why: expect.stringContaining('was changed') as string });
    expect(copy()).toMatchObject({ state: 'failed', cut: false });
    expect(judge()).toBe('left out');
  });

  it('are left out while their table is to be copied, whatever they are', () => {
    const { judge, copy } = tables(1, undefined, newCopy(NAME, 1));
    expect([judge(), judge('update'), judge('delete')]).toEqual(['left out', 'left out', 'left out']);
    expect(copy()?.cut).toBe(false);
  });

  it('have their table copied anew in another epoch, or held when rowferry never copied it', () => {
    const flow = (isOurs: boolean) =>
      new TableFlow({ ...ALL_FLOW, keyless: { [NAME]: { epoch: 1, isOurs } } });
    const done: TableCopy = { ...newCopy(NAME, 4), state: 'done', cut: true };
    const ours = tables(2, flow(true), done);
    expect(ours.judge()).toBe('left out');
    expect(ours.copy()).toMatchObject({ id: 4, state: 'waiting', cut: false });
    expect(tables(2, flow(false)).judge()).toEqual({ why: expect.stringContaining('come again') as string });
  });

  it('have one partition, whenever they are read', () => {
    const partitionOf = partitioner(table, 64);
    const found = new Set(Array.from({ length: 100 }, (_, i) => partitionOf([i, null])));
    expect(found.size).toBeGreaterThan(30);
    expect(partitionOf([1, 'a'])).toBe(partitioner({ ...table }, 64)([1, 'a']));
  });
});

describe('the copy of a table without a key', () => {
  it('is to be cut again after a restart, unless it was done', () => {
    const copy: TableCopy = { ...newCopy(NAME, 1), state: 'copying', cut: true };
    expect(begunAnew(copy).cut).toBe(false);
    expect(begunAnew({ ...copy, state: 'done' }).cut).toBe(true);
    expect(begunAnew({ ...copy, cut: false })).toEqual({ ...copy, cut: false });
  });

  it('cannot be given up as if no row had been left out', () => {
    const state = { requests: 0, tables: [{ ...newCopy(NAME, 1), cut: false }, newCopy('shop.users', 1)] };
    const after = applyRequest(state, { action: 'cancel', table: null }, 5);
    expect(after.tables).toMatchObject([{ table: NAME, state: 'failed' }]);
    const again = applyRequest(after, { action: 'add', table: NAME, empties: true }, 6);
    expect(again.tables).toMatchObject([{ table: NAME, state: 'waiting', empties: true }]);
    const givenUp = applyRequest(again, { action: 'cancel', table: NAME }, 7);
    expect(givenUp.tables).toMatchObject([{ table: NAME, state: 'failed', cut: false }]);
  });

  it('cannot be given up as if all was there once it is cut: the targets were emptied then, and have a part of the rows', () => {
    const copy: TableCopy = { ...newCopy(NAME, 1), state: 'copying', cut: true };
    const after = applyRequest({ requests: 0, tables: [copy] }, { action: 'cancel', table: NAME }, 5);
    expect(after.tables).toMatchObject([{ table: NAME, state: 'failed', cut: false }]);
    const done: TableCopy = { ...copy, state: 'done' };
    expect(
      applyRequest({ requests: 0, tables: [done] }, { action: 'cancel', table: null }, 5).tables,
    ).toEqual([done]);
  });

  it('lets its table go at the cut, behind which nothing of what held it matters', () => {
    const copy: TableCopy = { ...newCopy(NAME, 1), state: 'copying', cut: false };
    const flow = new TableFlow({ ...ALL_FLOW, held: [held] });
    const { keyless } = tables(1, flow, copy);
    const chunk = { copy, table: { table }, part: 'cut', partitionOf: () => 0, rows: [], passed: () => {} };
    keyless.passed(chunk as unknown as Chunk, copy, () => {});
    expect(flow.state).toMatchObject({ held: [], keyless: { [NAME]: { epoch: 1, isOurs: true } } });
  });

  it('goes on while rows hold its table, and not while a statement does', () => {
    const flow = new TableFlow({ ...ALL_FLOW, held: [held] });
    expect([flow.holds(NAME), flow.holdsCopy(NAME)]).toEqual([true, false]);
    flow.letGo(NAME);
    expect(flow.holds(NAME)).toBe(false);
    const { isKeyless: _, ...statement } = held;
    const other = new TableFlow({ ...ALL_FLOW, held: [statement] });
    other.letGo(NAME);
    expect([other.holds(NAME), other.holdsCopy(NAME)]).toEqual([true, true]);
  });
});

const facts = {
  flavour: 'mysql', version: '9', server: 's1', current: { file: 'binlog.000001', offset: 200 }, gtid: null,
  purgedGtid: null, files: [], tableNames: 'exact',
} as const; // prettier-ignore
const options = {
  source: 'main',
  start: { kind: 'now' },
  by: 'x',
  hasPublished: true,
  copy: [],
} as const;

function logOf(...records: readonly CheckpointRecord[]) {
  const log: LogEntry[] = records.map((record, offset) => ({ offset, key: '', value: encodeRecord(record) }));
  return { readAll: async () => log, append: async () => log.length };
}

describe('what an operator is told of a held table without a key', () => {
  const hint = (why: string) => heldError('main', { ...held, why }).hint;

  it('is how to copy it, and where that helps how to let it go on', () => {
    expect(hint(held.why)).toContain('ddl ack');
    const verdict = tables(
      2,
      new TableFlow({ ...ALL_FLOW, keyless: { [NAME]: { epoch: 1, isOurs: false } } }),
    ).judge();
    const { why } = verdict as { readonly why: string };
    expect(hint(why)).toContain('snapshot add shop.visits --source main --empty');
    expect(hint(why)).not.toContain('ddl ack');
  });
});

describe('a released table without a key', () => {
  const state: FlowState = {
    ...ALL_FLOW,
    held: [held],
    keyless: { [NAME]: { epoch: 3, isOurs: true }, 'shop.old': { epoch: 1, isOurs: true } },
  };
  const accepted = new Set([held.statement]);

  it('goes on behind the event that held it, not with what its transaction brought before', () => {
    const released = release(state, at(100), accepted)!;
    expect(released.start).toEqual(at(10));
    const flow = new TableFlow(released.state);
    expect([20, 50, 51].map((offset) => flow.passes(NAME, at(offset)))).toEqual([false, false, true]);
  });

  it('and all others that were exact are so in the epoch of the release; after a replay none is', () => {
    expect(inNextEpoch(state, 3).keyless).toMatchObject({ [NAME]: { epoch: 4 }, 'shop.old': { epoch: 1 } });
    expect(rewind(state, at(4)).keyless).toEqual(state.keyless);
  });

  it('and all others are copied anew or wait when another server turns up for the release: its rows cannot be compared', async () => {
    const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
    const gtid = `${uuid}:1-10`;
    const withGtid: FlowState = { ...state, held: [{ ...held, from: { ...at(10), gtid } }] };
    const claimed = await claimSource(
      logOf({ kind: 'claim', id: 'c', after: -1, epoch: 3, start: { ...at(100), gtid }, flow: withGtid, by: 'x', timeMs: 1 }),
      { ...options, look: async () => ({ ...facts, server: 's2', gtid: `${uuid}:1-20`, purgedGtid: '' }), releases: accepted },
      new AbortController().signal,
    ); // prettier-ignore
    expect(claimed).toMatchObject({
      epoch: 4,
      position: { server: 's2' },
      flow: { held: [], catchUp: null },
    });
    expect(claimed.flow.keyless).toMatchObject({ [NAME]: { epoch: 3 } });
  });

  it('is not let go on the word of a capture that another one has followed: what that published is not known', async () => {
    const claim = (epoch: number, after: number) =>
      ({ kind: 'claim', id: `c${after}`, after, epoch, start: at(100), by: 'x', timeMs: 1 }) as const;
    const log = logOf(claim(3, -1), { ...claim(3, 0), flow: state });
    const claimed = async (releasedBy: number) =>
      await claimSource(
        log,
        { ...options, look: async () => facts, releases: accepted, releasedBy },
        new AbortController().signal,
      );
    expect(await claimed(0)).toMatchObject({ epoch: 3, flow: { held: [held] } });
    expect(await claimed(1)).toMatchObject({
      epoch: 4,
      flow: { held: [], keyless: { [NAME]: { epoch: 4 } } },
    });
  });
});
