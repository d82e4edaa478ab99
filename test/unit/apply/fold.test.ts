import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FoldedRow } from '../../../src/apply/fold.ts';
import { foldChanges, workByTarget } from '../../../src/apply/fold.ts';
import { planStages } from '../../../src/apply/stages.ts';
import type { Change } from '../../../src/model/change.ts';
import type { Row, Table } from '../../../src/model/table.ts';
import { Router } from '../../../src/routing/router.ts';

const table: Table = {
  schema: 'shop',
  name: 'orders',
  columns: ['id', 'user_id', 'note'].map((name) => ({ name, type: 'bigint' })),
  key: [0],
};
const TARGETS = ['a', 'b', 'c'];
const modulo = (count: number) => ({ algorithm: 'modulo' as const, by: 'user_id', count });
const rule = { takes: () => [], sources: null, columns: null };
const router = new Router(
  [
    {
      ...rule,
      to: 'orders',
      // Two tables a target, by another half of the key, so that rows move within a target, between targets and both.
      layout: {
        targets: TARGETS,
        shards: modulo(3),
        tables: { rule: { algorithm: 'expression', expression: 'user_id / 3 % 2', count: 2 } },
      },
    },
    { ...rule, to: 'archive', layout: { targets: ['a', 'b'], shards: null, tables: null } },
  ],
  TARGETS,
).of('main');

type Image = readonly [string, number, number] | null;
/** A history of a few rows: each step puts a row somewhere, changes it, moves it or removes it. */
const history = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 3 }),
    user: fc.integer({ min: -4, max: 8 }),
    remove: fc.boolean(),
  }),
  { maxLength: 40 },
);

function changesOf(steps: readonly { id: number; user: number; remove: boolean }[]): Change[] {
  const now = new Map<number, Image>();
  const changes: Change[] = [];
  for (const [i, { id, user, remove }] of steps.entries()) {
    const before = now.get(id) ?? null;
    const after: Image = remove ? null : [String(id), user, i];
    if (before === null && after === null) continue;
    now.set(id, after);
    changes.push({ table, before, after, timeMs: i, sequence: { file: 1, end: i, half: 0 } });
  }
  return changes;
}

/** The naive model: every change by itself, in order, in every layout. */
function naive(state: Map<string, Image>, changes: readonly Change[]): void {
  for (const { before, after } of changes) {
    for (const { id: layout, place } of router.placements(table)) {
      const name = (row: Row) => {
        const { target, table } = router.places[place(row)]!;
        return `${layout}|${TARGETS[target]}.${table}|${String(row[0])}`;
      };
      if (before !== null) state.delete(name(before));
      if (after !== null) state.set(name(after), after as Image);
    }
  }
}

/** Runs the planned stages; `crashAfter` stops after so many transactions, `seen` is called between them. */
function execute(
  state: Map<string, Image>,
  next: number[],
  changes: readonly Change[],
  end: number,
  crashAfter: number,
  between: () => void,
): void {
  const work = workByTarget(foldChanges(changes, router), router.places);
  const behind = [0, 1, 2].filter((target) => next[target]! < end);
  let transactions = 0;
  for (const stage of planStages(work, behind, true)) {
    for (const { target, kind } of stage) {
      if (transactions++ >= crashAfter) return;
      for (const { to, upserts, deletes, moveDeletes } of work.get(target)?.tables ?? []) {
        const removed = [...(kind === 'leave' ? [] : deletes), ...(kind === 'arrive' ? [] : moveDeletes)];
        const name = (row: FoldedRow) =>
          `${row.placement.id}|${TARGETS[target]}.${to}|${String(row.image[0])}`;
        for (const row of removed) state.delete(name(row));
        if (kind === 'leave') continue;
        for (const row of upserts) state.set(name(row), row.image as unknown as Image);
      }
      if (kind !== 'arrive') next[target] = end;
      between();
    }
  }
}

const sorted = (state: Map<string, Image>) => [...state].toSorted(([a], [b]) => (a < b ? -1 : 1));

describe('fold and stages', () => {
  it('reach what the naive row-by-row model reaches, however the history is cut into batches', () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat(39), { maxLength: 5 }), (steps, cuts) => {
        const changes = changesOf(steps);
        const ends = [...new Set([...cuts.filter((cut) => cut < changes.length), changes.length])].toSorted(
          (a, b) => a - b,
        );
        const expected = new Map<string, Image>();
        naive(expected, changes);
        const state = new Map<string, Image>();
        const next = [0, 0, 0];
        let start = 0;
        for (const end of ends) {
          execute(state, next, changes.slice(start, end), end, Infinity, () => {});
          start = end;
        }
        expect(sorted(state)).toEqual(sorted(expected));
      }),
    );
  });

  it('reach it after a crash between any two transactions, when the next owner starts at the smallest watermark and reaches the planned end', () => {
    fc.assert(
      fc.property(history, fc.nat(39), fc.nat(6), (steps, cut, crashAfter) => {
        const changes = changesOf(steps);
        const end = Math.min(cut, changes.length);
        const expected = new Map<string, Image>();
        naive(expected, changes);
        const state = new Map<string, Image>();
        const next = [0, 0, 0];
        execute(state, next, changes.slice(0, end), end, crashAfter, () => {});
        const start = Math.min(...next);
        execute(state, next, changes.slice(start), changes.length, Infinity, () => {});
        expect(sorted(state)).toEqual(sorted(expected));
      }),
    );
  });

  it('keep a row that exists before and after the batch in at least one place at every instant (I-6)', () => {
    fc.assert(
      fc.property(history, fc.nat(39), (steps, cut) => {
        const changes = changesOf(steps);
        const middle = Math.min(cut, changes.length);
        const state = new Map<string, Image>();
        naive(state, changes.slice(0, middle));
        const places = (id: string) =>
          [...state.keys()].filter((key) => key.startsWith('0|') && key.endsWith(`|${id}`)).length;
        const batch = changes.slice(middle);
        const always = ['0', '1', '2', '3'].filter(
          (id) =>
            places(id) === 1 &&
            batch.every(({ before, after }) => (after ?? before)![0] !== id || after !== null),
        );
        execute(state, [middle, middle, middle], batch, changes.length, Infinity, () => {
          for (const id of always) expect(places(id)).toBeGreaterThanOrEqual(1);
        });
        for (const id of always) expect(places(id)).toBe(1);
      }),
    );
  });

  it('never cancels an insert and a delete of one batch: a target may already hold the row', () => {
    const insert = changesOf([{ id: 1, user: 0, remove: false }])[0]!;
    const remove: Change = {
      ...insert,
      before: insert.after,
      after: null,
      sequence: { file: 1, end: 9, half: 0 },
    };
    const work = workByTarget(foldChanges([insert, remove], router), router.places);
    expect(work.get(0)!.tables.flatMap(({ deletes }) => deletes)).toHaveLength(2);
  });

  it('A -> B -> A in one batch deletes at B and keeps the row at A', () => {
    const steps = [0, 1, 0].map((user) => ({ id: 1, user, remove: false }));
    const work = workByTarget(foldChanges(changesOf(steps), router), router.places);
    expect(work.get(0)).toMatchObject({ gains: true, loses: false });
    expect(work.get(1)).toMatchObject({ gains: false, loses: true });
    const stages = planStages(work, [0, 1], true);
    expect(stages).toEqual([[{ target: 0, kind: 'full' }], [{ target: 1, kind: 'full' }]]);
  });

  it('cuts the transaction in two where a target gains and loses (A3)', () => {
    const changes = changesOf([
      { id: 1, user: 0, remove: false },
      { id: 2, user: 1, remove: false },
      { id: 1, user: 1, remove: false },
      { id: 2, user: 0, remove: false },
    ]);
    const stages = planStages(
      workByTarget(foldChanges(changes.slice(2), router), router.places),
      [0, 1, 2],
      false,
    );
    expect(stages).toEqual([
      [
        { target: 0, kind: 'arrive' },
        { target: 1, kind: 'arrive' },
      ],
      [
        { target: 0, kind: 'leave' },
        { target: 1, kind: 'leave' },
      ],
    ]);
  });

  it('moves a row between two tables of one target in one transaction, also when the target loses other rows', () => {
    const changes = changesOf([
      { id: 1, user: 0, remove: false },
      { id: 2, user: 0, remove: false },
      { id: 1, user: 3, remove: false },
      { id: 2, user: 1, remove: false },
    ]);
    const work = workByTarget(foldChanges(changes.slice(2), router), router.places);
    const orders = work.get(0)!.tables.filter(({ to }) => to.startsWith('orders'));
    const ids = (rows: readonly FoldedRow[]) => rows.map(({ image }) => image[0]);
    expect(
      orders.map(({ to, upserts, deletes, moveDeletes }) => [
        to,
        ids(upserts),
        ids(deletes),
        ids(moveDeletes),
      ]),
    ).toEqual([
      ['orders_00', [], ['1'], ['2']],
      ['orders_01', ['1'], [], []],
    ]);
    expect(work.get(0)).toMatchObject({ gains: false, loses: true });
  });

  describe('with columns (VSP-3)', () => {
    const columns = { only: ['id', 'user_id'] };
    const layout = { targets: ['a'], shards: null, tables: null };
    const cold = new Router([{ ...rule, to: 'core', layout, columns }], ['a']).of('main');
    const steps = (notes: readonly number[], user = 1): Change[] =>
      notes.slice(1).map((note, i) => ({
        table,
        before: ['1', user, notes[i]!],
        after: ['1', user, note],
        timeMs: 0,
        sequence: { file: 1, end: i, half: 0 },
      }));

    it('leaves a row alone when no change touches a column that is written', () => {
      expect(foldChanges(steps([1, 2, 3]), cold)).toEqual([]);
    });

    it('writes a value that went and came back: a target may stand between the two', () => {
      const [there] = steps([1, 2], 1);
      const changes: Change[] = [
        { ...there!, after: ['1', 2, 2] },
        { ...there!, before: ['1', 2, 2], after: ['1', 1, 1] },
        ...steps([1, 9]),
      ];
      expect(foldChanges(changes, cold).map(({ image }) => image)).toEqual([['1', 1]]);
    });

    it('writes an update that a row of a snapshot gave way to, whatever it changed', () => {
      const [update] = steps([1, 2]);
      expect(foldChanges([{ ...update!, snapshot: 'window' }], cold)).toHaveLength(1);
    });

    it('writes inserts and deletes whatever they hold', () => {
      const [update] = steps([1, 2]);
      expect(foldChanges([{ ...update!, before: null }], cold)).toHaveLength(1);
      const [gone] = foldChanges([{ ...update!, after: null }], cold);
      expect(gone).toMatchObject({ place: -1, touched: [0], image: ['1', 1] });
    });
  });
});
