import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import type { Mark } from '../../../src/capture/mark.ts';
import type { Snapshot, SnapshotPorts } from '../../../src/capture/snapshot.ts';
import { ALL_FLOW, TableFlow } from '../../../src/capture/table-flow.ts';
import type { SnapshotState } from '../../../src/capture/snapshot-state.ts';
import { newCopy } from '../../../src/capture/snapshot-state.ts';
import type { SnapshotTable } from '../../../src/capture/snapshot-table.ts';
import type { CopiedRows, CopySource, Passing, SnapshotOptions } from '../../../src/capture/copy-parts.ts';
import { settled } from '../../../src/capture/copy-marks.ts';
import { RowferryError } from '../../../src/errors.ts';
import type { Change } from '../../../src/model/change.ts';
import type { Row, Table } from '../../../src/model/table.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';
import type { RunningSnapshot } from './snapshot-fixture.ts';
import { nextMark, startSnapshot } from './snapshot-fixture.ts';

const table: Table = {
  schema: 'shop',
  name: 'goods',
  columns: [
    { name: 'id', type: 'int' },
    { name: 'name', type: 'varchar' },
  ],
  key: [0],
};

/** A source in memory whose marks go by in the binlog when the test says so. */
class Goods implements CopySource {
  readonly rows = new Map<number, string>();
  readonly marks: Mark[] = [];
  failures: RowferryError[] = [];
  keyForm = 'id';
  /** A row that is committed in the binlog but cannot be read before the next mark is committed. */
  late: readonly [number, string] | undefined;

  async prepare(): Promise<void> {}
  /** Marks get no answer, as from a host that vanished, until the connections are cut. */
  isSilent = false;
  #cut: (() => void) | undefined;

  get isWaiting(): boolean {
    return this.#cut !== undefined;
  }

  async mark(mark: Mark): Promise<void> {
    if (this.isSilent)
      await new Promise<void>(
        (_, reject) => (this.#cut = () => reject(new RowferryError('ROWFERRY_SOURCE_LINK', 'cut'))),
      );
    if (this.late !== undefined) this.rows.set(...this.late);
    this.late = undefined;
    // Those of no chunk only make sure of what can be read.
    if (mark.chunk > 0) this.marks.push(mark);
  }
  async readAtCut(): Promise<never> {
    throw new RowferryError('ROWFERRY_INVARIANT', 'the goods have a key');
  }
  async describe(): Promise<SnapshotTable> {
    return {
      table,
      plans: [],
      index: 'PRIMARY',
      key: [],
      keyForm: this.keyForm,
      estimatedRows: this.rows.size,
    };
  }
  async upper() {
    return this.rows.size === 0 ? null : [Math.max(...this.rows.keys())];
  }
  async boundary(
    _: SnapshotTable,
    after: readonly unknown[] | null,
    upper: readonly (string | number | null)[],
    rows: number,
  ) {
    const ids = [...this.rows.keys()].filter((id) => id > Number(after?.[0] ?? -1)).toSorted((a, b) => a - b);
    return ids.length < rows ? upper : [ids[rows - 1]!];
  }
  async read(
    _reader: number,
    _table: SnapshotTable,
    after: readonly unknown[] | null,
    to: readonly unknown[],
  ) {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const ids = [...this.rows.keys()].filter((id) => id > Number(after?.[0] ?? -1) && id <= Number(to[0]));
    return { rows: ids.map((id): Row => [id, this.rows.get(id)!]), last: null };
  }
  async close(): Promise<void> {}
  destroy(): void {
    this.#cut?.();
  }
}

let flow = new TableFlow(ALL_FLOW);
beforeEach(() => {
  flow = new TableFlow(ALL_FLOW);
});

function start(
  goods: Goods,
  state: SnapshotState = { requests: 0, tables: [newCopy('shop.goods', 0)] },
  changes: Partial<SnapshotOptions & SnapshotPorts> = {},
): RunningSnapshot {
  const captures = (_: string, name: string): boolean => name !== 'unknown';
  return startSnapshot(goods, state, { flow, captures, ...changes });
}

/** Lets the marks of the next chunk go by, with changes between them. */
async function nextChunk(
  goods: Goods,
  snapshot: Snapshot,
  ...within: readonly Change[]
): Promise<CopiedRows | undefined> {
  expect(snapshot.passed(await nextMark(goods))).toBeUndefined();
  for (const change of within) snapshot.seen(change);
  const copied = snapshot.passed(await nextMark(goods));
  copied?.finish();
  snapshot.flushed(1);
  return copied;
}

const update = (id: number, name: string): Change => ({
  table,
  before: [id, 'old'],
  after: [id, name],
  timeMs: 0,
  sequence: { file: 1, end: 1, half: 0 },
});

describe('the wait for the marks of a chunk', () => {
  const never = new AbortController().signal;
  const nothing = new Promise<never>(() => {});

  it('goes on for as long as the capture is behind: its marks are on their way', async () => {
    const behind = [true, true, false];
    expect(await settled(nothing, { isBehind: () => behind.shift()! }, never, 5)).toBe('lost');
    expect(behind).toEqual([]);
  });

  it('ends with the marks however late they come', async () => {
    const late = sleep(30).then((): Passing => 'overrun');
    expect(await settled(late, { isBehind: () => true }, never, 5)).toBe('overrun');
  });

  it('ends with the capture', async () => {
    const stop = AbortSignal.timeout(10);
    expect(await settled(nothing, { isBehind: () => false }, stop, 60_000)).toBe('queued');
  });
});

describe('Snapshot', () => {
  it('hands out a chunk where its high mark goes by, without the rows that changed since its low mark', async () => {
    const goods = new Goods();
    for (let id = 1; id <= 3; id++) goods.rows.set(id, `name ${id}`);
    const { snapshot } = start(goods);
    const gone: Change = { ...update(1, 'x'), after: null };
    expect((await nextChunk(goods, snapshot, gone))?.rows).toEqual([[2, 'name 2']]);
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'copying', after: [2], rows: 1 });
    expect((await nextChunk(goods, snapshot))?.rows).toEqual([[3, 'name 3']]);
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'done', rows: 2 });
  });

  it('has updates between its marks written in any case, and no others', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    const { snapshot } = start(goods);
    expect(snapshot.seen(update(1, 'b'))).not.toHaveProperty('snapshot');
    snapshot.passed(await nextMark(goods));
    expect(snapshot.seen(update(1, 'c'))).toMatchObject({ snapshot: 'window' });
    expect(snapshot.seen({ ...update(9, 'c'), before: null })).not.toHaveProperty('snapshot');
    const other = { ...table, name: 'other' };
    expect(snapshot.seen({ ...update(1, 'c'), table: other })).not.toHaveProperty('snapshot');
    snapshot.passed(await nextMark(goods));
    expect(snapshot.seen(update(1, 'd'))).not.toHaveProperty('snapshot');
  });

  it('reads a chunk anew under other marks when its link was lost, and ignores the marks of the first try', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    goods.failures = [new RowferryError('ROWFERRY_SOURCE_LINK', 'lost')];
    const { snapshot } = start(goods);
    const first = await nextMark(goods);
    const second = await nextMark(goods);
    expect(second).toMatchObject({ edge: 'low' });
    expect(second.chunk).not.toBe(first.chunk);
    snapshot.passed(first);
    expect(snapshot.passed({ ...first, edge: 'high' })).toBeUndefined();
    snapshot.passed(second);
    expect(snapshot.passed(await nextMark(goods))?.rows).toEqual([[1, 'a']]);
  });

  it.each([
    ['whose low mark never came by', 0],
    ['between whose marks more keys changed than are kept', 1_000_001],
  ])('reads a chunk anew %s: what it read may be older than a change', async (_, changes) => {
    const goods = new Goods();
    goods.rows.set(1, 'old');
    const { snapshot } = start(goods);
    const low = await nextMark(goods);
    if (changes > 0) snapshot.passed(low);
    for (let id = 1; id <= changes; id++) snapshot.seen(update(id, 'new'));
    const high = await nextMark(goods);
    goods.rows.set(1, 'new');
    expect(snapshot.passed(high)).toBeUndefined();
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'copying', after: null, rows: 0 });
    const copied = await nextChunk(goods, snapshot);
    expect(copied?.rows).toEqual([[1, 'new']]);
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'done', rows: 1 });
  });

  it('lets no row of a held table go, though its chunk was begun behind the statement', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    const { snapshot } = start(goods);
    const low = await nextMark(goods);
    flow.hold({
      table: 'shop.goods',
      statement: 'binlog.000001:10',
      gtid: null,
      why: 'ALTER TABLE changes the primary key',
      from: { server: 's', file: 'binlog.000001', offset: 9 },
      sinceMs: 1,
    });
    snapshot.changed('shop.goods', true);
    snapshot.passed(low);
    expect(snapshot.passed(await nextMark(goods))).toBeUndefined();
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'copying', after: null, rows: 0 });
  });

  it('stops a table that cannot be read and goes on with the next one', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    goods.failures = [new RowferryError('ROWFERRY_SOURCE_DECODE', 'broken')];
    const { snapshot } = start(goods, {
      requests: 0,
      tables: [newCopy('shop.bad', 0), newCopy('shop.goods', 0)],
    });
    snapshot.passed(await nextMark(goods));
    await waitUntil(() => snapshot.state.tables[0]?.state === 'failed', {
      what: 'the failure to be told',
      intervalMs: 5,
    });
    expect(snapshot.state.tables[0]?.error).toContain('broken');
    expect((await nextChunk(goods, snapshot))?.rows).toEqual([[1, 'a']]);
    expect(snapshot.state.tables.map(({ state }) => state)).toEqual(['failed', 'done']);
  });

  it('reads a chunk anew when a statement changed its table between the marks', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'of before');
    const { snapshot } = start(goods);
    snapshot.passed(await nextMark(goods));
    snapshot.changed('shop.goods', true);
    const high = await nextMark(goods);
    goods.rows.set(1, 'of after');
    expect(snapshot.passed(high)).toBeUndefined();
    expect((await nextChunk(goods, snapshot))?.rows).toEqual([[1, 'of after']]);
  });

  it('waits while its table is held, though it met the change before the binlog told of it', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    goods.failures = [new RowferryError('ROWFERRY_SOURCE_SCHEMA', 'unknown column')];
    const { snapshot } = start(goods);
    snapshot.passed(await nextMark(goods));
    const from = { server: 's', file: 'binlog.000001', offset: 4 };
    const why = 'ALTER TABLE drops a column';
    flow.hold({ table: 'shop.goods', statement: 'binlog.000001:9', gtid: null, why, from, sinceMs: 1 });
    await waitUntil(() => snapshot.reason?.includes('waits for an operator') === true, {
      what: 'the copy to rest',
      intervalMs: 5,
    });
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'copying', error: null });
    expect(goods.marks).toEqual([]);
  });

  it('reads a table anew that turns out to be another than it was described', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    goods.failures = [new RowferryError('ROWFERRY_SOURCE_SCHEMA', 'unknown column')];
    const { snapshot } = start(goods);
    snapshot.passed(await nextMark(goods));
    expect((await nextChunk(goods, snapshot))?.rows).toEqual([[1, 'a']]);
    expect(snapshot.state.tables[0]?.state).toBe('done');
  });

  it('leaves rows alone that a copy begun anew will bring', async () => {
    const goods = new Goods();
    for (let id = 1; id <= 4; id++) goods.rows.set(id, `name ${id}`);
    const { snapshot } = start(goods);
    const low = await nextMark(goods);
    snapshot.passed(low);
    snapshot.asked([{ id: 'a', request: { action: 'add', table: 'shop.goods' }, end: 5 }]);
    snapshot.passed(await nextMark(goods))?.finish();
    expect(snapshot.state.tables[0]).toMatchObject({ id: 5, after: null, rows: 0 });
    await nextChunk(goods, snapshot);
    await nextChunk(goods, snapshot);
    expect(snapshot.state.tables[0]).toMatchObject({ id: 5, state: 'done', rows: 4 });
  });

  it('is done at once with an empty table', async () => {
    const { snapshot } = start(new Goods());
    await waitUntil(() => snapshot.state.tables[0]?.state === 'done', {
      what: 'it to be done',
      intervalMs: 5,
    });
  });

  it('fixes the upper key after a mark of its own: a row that was committed before it can be read by then', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    goods.late = [2, 'late'];
    const { snapshot } = start(goods);
    expect((await nextChunk(goods, snapshot))?.rows).toEqual([
      [1, 'a'],
      [2, 'late'],
    ]);
  });

  it('begins anew when the key has changed meanwhile: its ranges mean something else', async () => {
    const goods = new Goods();
    for (let id = 1; id <= 2; id++) goods.rows.set(id, `name ${id}`);
    const half = {
      ...newCopy('shop.goods', 0),
      state: 'copying' as const,
      keyForm: 'nr',
      upper: [900],
      after: [800],
      rows: 50,
    };
    const { snapshot } = start(goods, { requests: 0, tables: [half] });
    expect((await nextChunk(goods, snapshot))?.rows).toHaveLength(2);
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'done', rows: 2 });
  });

  it('counts rows only once they were handed on, and shows a table as arriving until they are at the targets', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    const { snapshot } = start(goods);
    snapshot.passed(await nextMark(goods));
    const copied = snapshot.passed(await nextMark(goods));
    expect(snapshot.state.tables[0]?.state).toBe('copying');
    copied?.finish();
    expect(snapshot.state.tables[0]?.state).toBe('done');
    expect([...snapshot.arriving]).toEqual(['shop.goods']);
    snapshot.flushed(1);
    await waitUntil(() => snapshot.arriving.size === 0, { what: 'the rows to arrive', intervalMs: 5 });
  });

  it('ignores marks of a pipeline of the same name from another Kafka, and warns once', () => {
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_: unknown, message: string) => void warnings.push(message) };
    const { snapshot } = start(new Goods(), { requests: 0, tables: [] }, { log });
    const own = { pipeline: 'p', source: 'main', lineage: 'first', claim: 'mine', incarnation: 7 };
    const mark: Mark = { ...own, chunk: 1, edge: 'low' };
    expect(snapshot.whose(mark)).toBe('ours');
    for (const incarnation of [7, 8]) {
      const foreign = { ...mark, lineage: 'another first', claim: 'theirs', incarnation };
      expect(snapshot.whose(foreign)).toBe('stranger');
    }
    expect(warnings).toEqual([expect.stringContaining('another pipeline of the name p')]);
  });

  it('refuses a table whose changes nobody captures', async () => {
    const { snapshot } = start(new Goods(), { requests: 0, tables: [newCopy('shop.unknown', 0)] });
    await waitUntil(() => snapshot.state.tables[0]?.state === 'failed', {
      what: 'it to be refused',
      intervalMs: 5,
    });
    expect(snapshot.state.tables[0]?.error).toContain('not captured by this process');
  });

  it('goes slower, not nowhere, while somebody is to be spared, and tells for whom', async () => {
    const goods = new Goods();
    for (let id = 1; id <= 6; id++) goods.rows.set(id, `name ${id}`);
    const limits = { slowAbove: 5, calmAt: 4 };
    const busy = {
      cause: 'source-threads',
      value: 9,
      ...limits,
      what: 'source main runs 9 threads',
    } as const;
    const care = { signals: async () => [busy], closed: () => null };
    const { snapshot } = start(goods, undefined, care);
    for (let copied = 0; copied < 6; copied += 2) await nextChunk(goods, snapshot);
    expect(snapshot.state.tables[0]).toMatchObject({ state: 'done', rows: 6 });
    const other = new Goods();
    other.rows.set(1, 'a');
    const { snapshot: slow } = start(other, undefined, care);
    await nextMark(other);
    expect(slow.throttle).toEqual({ share: 0.5, causes: ['source-threads'] });
    expect(slow.reason).toBe('slowed to 50 %: source main runs 9 threads');
  });

  it('waits for its hours, and says so', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    let closed: string | null = 'not now';
    const care = { signals: async () => [], closed: () => closed };
    const { snapshot } = start(goods, undefined, care);
    await waitUntil(() => snapshot.reason === 'not now', { what: 'the reason', intervalMs: 5 });
    expect(snapshot.throttle).toEqual({ share: 1, causes: ['hours'] });
    expect(goods.marks).toEqual([]);
    closed = null;
    expect((await nextChunk(goods, snapshot))?.rows).toHaveLength(1);
    expect(snapshot.reason).toBeNull();
  });

  it('holds nobody up when its source fell silent: its connections are cut with the capture', async () => {
    const goods = new Goods();
    goods.rows.set(1, 'a');
    goods.isSilent = true;
    const { end } = start(goods);
    await waitUntil(() => goods.isWaiting, { what: 'a mark to be sent', intervalMs: 5 });
    await expect(Promise.race([end().then(() => 'ended'), sleep(5_000).then(() => 'held up')])).resolves.toBe(
      'ended',
    );
  });
});
