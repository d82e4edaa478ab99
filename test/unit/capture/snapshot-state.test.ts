import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkLedger } from '../../../src/capture/chunk-ledger.ts';
import { CopyWindow, nextChunkRows } from '../../../src/capture/copy-window.ts';
import type { SnapshotState } from '../../../src/capture/snapshot-state.ts';
import { applyRequest, newCopy, withCopy } from '../../../src/capture/snapshot-state.ts';

const state = (...tables: readonly string[]): SnapshotState => ({
  requests: 0,
  tables: tables.map((table) => newCopy(table, 0)),
});

describe('requests', () => {
  it('add a table anew, as another copy than the one before', () => {
    const begun = withCopy(state('s.a'), { table: 's.a', id: 0 }, (copy) => ({
      ...copy,
      state: 'copying',
      after: ['5'],
    }));
    const again = applyRequest(begun, { action: 'add', table: 's.a' }, 7);
    expect(again).toMatchObject({ requests: 7, tables: [newCopy('s.a', 7)] });
    // What the first copy still has under way no longer counts.
    expect(withCopy(again, { table: 's.a', id: 0 }, (copy) => ({ ...copy, after: ['9'] }))).toEqual(again);
  });

  it('pause and resume one table or all, and let a failed one go on', () => {
    const paused = applyRequest(state('s.a', 's.b'), { action: 'pause', table: 's.a' }, 1);
    expect(paused.tables.map((copy) => copy.paused)).toEqual([true, false]);
    const failed = withCopy(paused, { table: 's.b', id: 0 }, (copy) => ({
      ...copy,
      state: 'failed',
      error: 'x',
    }));
    const resumed = applyRequest(failed, { action: 'resume', table: null }, 2);
    expect(resumed.tables.map((copy) => [copy.state, copy.paused, copy.error])).toEqual([
      ['waiting', false, null],
      ['copying', false, null],
    ]);
  });

  it('count once, also when a late copy of one comes after the first was compacted away', () => {
    const once = applyRequest(state('s.a'), { action: 'add', table: 's.a' }, 7, 'r');
    expect(applyRequest(once, { action: 'add', table: 's.a' }, 9, 'r').tables).toEqual(once.tables);
  });

  it('leave a table alone that is done', () => {
    const done = withCopy(state('s.a'), { table: 's.a', id: 0 }, (copy) => ({ ...copy, state: 'done' }));
    expect(applyRequest(done, { action: 'pause', table: null }, 1).tables[0]?.paused).toBe(false);
  });

  it('cancel what is not done', () => {
    const done = withCopy(state('s.a', 's.b'), { table: 's.a', id: 0 }, (copy) => ({
      ...copy,
      state: 'done',
    }));
    expect(applyRequest(done, { action: 'cancel', table: null }, 3).tables.map(({ table }) => table)).toEqual(
      ['s.a'],
    );
  });
});

describe('ChunkLedger', () => {
  it('moves on over finished chunks only when all before them are, in whatever order they finish', () => {
    const order = fc.nat({ max: 12 }).chain((count) =>
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, i) => i),
        { minLength: count },
      ),
    );
    fc.assert(
      fc.property(order, (finishing) => {
        const ledger = new ChunkLedger();
        for (let id = 0; id < finishing.length; id++) ledger.open(id, [id]);
        const finished = new Set<number>();
        let rows = 0;
        for (const id of finishing) {
          finished.add(id);
          const moved = ledger.finish(id, 10);
          rows += moved?.rows ?? 0;
          let prefix = 0;
          while (finished.has(prefix)) prefix++;
          expect(rows).toBe(prefix * 10);
          if (moved !== undefined) expect(moved.after).toEqual([prefix - 1]);
        }
        expect(ledger.isEmpty).toBe(true);
      }),
    );
  });

  it('keeps the rest of a chunk that was cut short before the chunks behind it', () => {
    const ledger = new ChunkLedger();
    ledger.open(1, [10]);
    ledger.open(2, [20]);
    ledger.split(1, [4], 3);
    expect(ledger.finish(2, 5)).toBeUndefined();
    expect(ledger.finish(1, 1)).toEqual({ after: [4], rows: 1 });
    expect(ledger.finish(3, 1)).toEqual({ after: [20], rows: 6 });
  });
});

describe('CopyWindow', () => {
  const options = { lagMs: 1_000, leastRows: 100, mostRows: 10_000 };

  it('grows while chunks arrive in time, shrinks when they are late, and never closes for good', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 200 }), (latenesses) => {
        const window = new CopyWindow(options);
        for (const elapsedMs of latenesses) {
          expect(window.isOpen).toBe(true);
          const before = window.allowed;
          window.begun(before);
          window.arrived(before, elapsedMs);
          if (elapsedMs > options.lagMs) expect(window.allowed).toBeLessThanOrEqual(before);
          else expect(window.allowed).toBeGreaterThanOrEqual(before);
          expect(window.allowed).toBeGreaterThanOrEqual(options.leastRows);
          expect(window.allowed).toBeLessThanOrEqual(options.mostRows);
        }
      }),
    );
  });

  it('closes when enough is on its way, and always lets one chunk go', () => {
    const window = new CopyWindow(options);
    window.begun(50_000);
    expect(window.isOpen).toBe(false);
    window.corrected(50_000, 40_000);
    window.arrived(40_000, 10);
    expect([window.isOpen, window.underway]).toEqual([true, 0]);
  });
});

describe('nextChunkRows', () => {
  const limits = { targetMs: 500, least: 1_000, most: 50_000 };

  it.each([
    [{ rows: 10_000, elapsedMs: 250 }, 20_000],
    [{ rows: 10_000, elapsedMs: 1 }, 20_000],
    [{ rows: 10_000, elapsedMs: 5_000 }, 5_000],
    [{ rows: 1_000, elapsedMs: 5_000 }, 1_000],
    [{ rows: 40_000, elapsedMs: 100 }, 50_000],
  ])('after %j come %d rows', (last, rows) => {
    expect(nextChunkRows(last, limits)).toBe(rows);
  });
});
