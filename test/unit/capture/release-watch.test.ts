import { beforeEach, describe, expect, it, vi } from 'vitest';
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
    accepted: new Set(),
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
    watch.accept(new Set(['b.1:10', 'b.1:999']));
    expect(await ready()).toBeUndefined();
    applied = [100, 99];
    expect(await ready()).toBeUndefined();
    ends = [500, 500];
    applied = [100, 100];
    expect(await ready()).toEqual(['b.1:10']);
  });

  it('only with its own rows at the targets, when another one was let go before it was held', async () => {
    flow.hold(held('shop.orders', 'b.1:10'));
    watch.accept(new Set(['b.1:10']));
    expect(await ready()).toBeUndefined();
    // Rows of items go on meanwhile, up to its own statement.
    ends = [500, 500];
    flow.hold(held('shop.items', 'b.1:20'));
    watch.accept(new Set(['b.1:10', 'b.1:20']));
    applied = [100, 100];
    expect(await ready()).toBeUndefined();
    applied = [500, 500];
    expect(await ready()).toEqual(['b.1:10', 'b.1:20']);
  });

  it('at once where nobody ever applied: others consume the topic', async () => {
    flow.hold(held('shop.orders', 'b.1:10'));
    watch.accept(new Set(['b.1:10']));
    applied = [0, 0];
    expect(await ready()).toEqual(['b.1:10']);
  });
});
