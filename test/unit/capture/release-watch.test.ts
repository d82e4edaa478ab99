import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Acknowledgements } from '../../../src/capture/acknowledgements.ts';
import { ReleaseWatch } from '../../../src/capture/release-watch.ts';
import { ALL_FLOW, TableFlow } from '../../../src/capture/table-flow.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';

const { signal } = new AbortController();
const held = (table: string, statement: string) => ({
  table,
  statement,
  gtid: null,
  why: 'ALTER TABLE changes the primary key',
  from: { server: 's1', file: 'binlog.000001', offset: 4 },
  sinceMs: 0,
});

const accepted = (...statements: readonly string[]): Acknowledgements =>
  new Acknowledgements(
    statements.map((statement) => {
      return { kind: 'accept', statement, server: 's1', gtid: null, by: 'mia', timeMs: 7 };
    }),
  );

let flow: TableFlow;
let ends: number[];
let applied: number[];
let watch: ReleaseWatch;
beforeEach(() => {
  vi.useFakeTimers();
  flow = new TableFlow(ALL_FLOW);
  ends = [100, 100];
  applied = [50, 50];
  watch = new ReleaseWatch({
    flow,
    accepted: accepted(),
    published: async () => [...ends],
    applied: async () => applied,
    log: silentLog,
  });
  return () => vi.useRealTimers();
});
const ready = async (): Promise<readonly string[] | undefined> => {
  vi.advanceTimersByTime(1_000);
  const statements = await watch.ready(signal);
  return statements === undefined ? undefined : [...statements];
};

describe('a held table goes on', () => {
  it('when the targets have what was published before, and not while they lack some of it', async () => {
    flow.hold(held('shop.orders', 'b.1:10'));
    expect(await ready()).toBeUndefined();
    watch.accept(accepted('b.1:10', 'b.1:999'));
    expect(await ready()).toBeUndefined();
    applied = [100, 99];
    expect(await ready()).toBeUndefined();
    ends = [500, 500];
    applied = [100, 100];
    expect(await ready()).toEqual(['b.1:10']);
  });

  it('only with its own rows at the targets, when another one was let go before it was held', async () => {
    flow.hold(held('shop.orders', 'b.1:10'));
    watch.accept(accepted('b.1:10'));
    expect(await ready()).toBeUndefined();
    // Rows of items go on meanwhile, up to its own statement.
    ends = [500, 500];
    flow.hold(held('shop.items', 'b.1:20'));
    watch.accept(accepted('b.1:10', 'b.1:20'));
    applied = [100, 100];
    expect(await ready()).toBeUndefined();
    applied = [500, 500];
    expect(await ready()).toEqual(['b.1:10', 'b.1:20']);
  });

  it('not before an applier has come, also where none has applied yet: those that come later would meet both keys', async () => {
    flow.hold(held('shop.orders', 'b.1:10'));
    watch.accept(accepted('b.1:10'));
    applied = [];
    expect(await ready()).toBeUndefined();
    expect(watch.progressOf(held('shop.orders', 'b.1:10')).waits).toContain('--no-wait');
    applied = [100, 100];
    expect(await ready()).toEqual(['b.1:10']);
  });

  it('at once where an operator says that others consume the topic', async () => {
    flow.hold(held('shop.orders', 'b.1:10'));
    const record = { kind: 'accept', statement: 'b.1:10', server: 's1', by: 'mia', timeMs: 7 } as const;
    watch.accept(new Acknowledgements([record, { ...record, waits: false }]));
    applied = [];
    expect(await ready()).toEqual(['b.1:10']);
  });
});

describe('a held table tells', () => {
  it('whether and by whom it was let go, and which partitions it waits for', async () => {
    const table = held('shop.orders', 'b.1:10');
    flow.hold(table);
    expect(watch.progressOf(table)).toEqual({ acknowledged: null, waits: null });
    watch.accept(accepted('b.1:10'));
    applied = [100, 99];
    await ready();
    expect(watch.progressOf(table)).toEqual({
      acknowledged: { timeMs: 7, by: 'mia' },
      waits: 'until the targets have what precedes the statement: partition 1 (at 99 of 100)',
    });
  });
});
