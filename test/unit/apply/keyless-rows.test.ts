import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApplyCounters } from '../../../src/apply/apply-counters.ts';
import { BatchWriter } from '../../../src/apply/batch-writer.ts';
import type { TargetState } from '../../../src/apply/batch-writer.ts';
import { EmptiedTables } from '../../../src/apply/emptied-tables.ts';
import { foldChanges } from '../../../src/apply/fold.ts';
import { ParkedKeys } from '../../../src/apply/parked-keys.ts';
import { TableLocks } from '../../../src/apply/table-locks.ts';
import type { Change } from '../../../src/model/change.ts';
import type { Row, Table } from '../../../src/model/table.ts';
import { Router } from '../../../src/routing/router.ts';
import type { Target, TargetTable, WriteBatch, WriteResult } from '../../../src/targets/target.ts';

const columns = ['id', 'user_id'].map((name) => ({ name, type: 'int' }));
/** Rows that nothing tells apart, and rows with a key that move between targets, so that batches have two phases. */
const VISITS: Table = { schema: 'shop', name: 'visits', columns, key: [] };
const ORDERS: Table = { schema: 'shop', name: 'orders', columns, key: [0] };
const NAMES = ['a', 'b', 'c'];
const router = new Router(
  ['visits', 'orders'].map((name) => ({
    takes: (_: string, table: string) => (table === name ? [] : undefined),
    sources: null,
    columns: null,
    to: name,
    layout: { targets: NAMES, shards: { algorithm: 'modulo', by: 'user_id', count: 3 }, tables: null },
  })),
  NAMES,
).of('main');

class Crash extends Error {}

/** What the contract of a target says, in memory: a transaction happens wholly or not at all, and saves `next` with it. */
class MemoryTarget {
  readonly added: string[] = [];
  readonly #crash: () => boolean;
  next = 0;
  planned = 0;

  constructor(crash: () => boolean) {
    this.#crash = crash;
  }

  async describe(tables: readonly string[]): Promise<ReadonlyMap<string, TargetTable>> {
    return new Map(tables.map((name) => [name, { name, columns: [], primaryKey: [], uniqueKeys: [] }]));
  }

  writer(source: Table, table: TargetTable) {
    return { source, table, columns: [], key: source.key, hasUniqueKeys: false };
  }

  async write({ expectNext, tables, save }: WriteBatch): Promise<WriteResult> {
    if (this.#crash()) throw new Crash();
    if (expectNext !== this.next) return { kind: 'stale', found: undefined };
    for (const { writer, upserts } of tables)
      if (writer.key.length === 0) this.added.push(...upserts.map(({ row }) => row.join(' ')));
    if (save.kind === 'next') this.next = save.next;
    else this.planned = save.plannedEnd;
    return { kind: 'done', parked: [] };
  }
}

const step = fc.record({
  isVisit: fc.boolean(),
  id: fc.integer({ min: 0, max: 2 }),
  user: fc.integer({ min: 0, max: 5 }),
});

function changesOf(steps: readonly { isVisit: boolean; id: number; user: number }[]): Change[] {
  const now = new Map<number, Row>();
  return steps.map(({ isVisit, id, user }, i) => {
    const after: Row = [id, user];
    const before = isVisit ? null : (now.get(id) ?? null);
    if (!isVisit) now.set(id, after);
    const sequence = { file: 1, end: i, half: 0 };
    return { table: isVisit ? VISITS : ORDERS, before, after, timeMs: 0, sequence };
  });
}

/** Applies records (one change each) up to `end` from where the targets stand; a crash leaves them as they are. */
async function apply(
  targets: readonly MemoryTarget[],
  changes: readonly Change[],
  end: number,
): Promise<void> {
  const start = Math.min(...targets.map(({ next }) => next));
  const reach = Math.max(end, ...targets.map(({ next, planned }) => Math.max(next, planned)));
  const batch = {
    start,
    end: reach,
    changes: changes.slice(start, reach),
    offsets: changes.slice(start, reach).map((_, i) => start + i),
    marker: undefined,
    additive: [],
    truncate: undefined,
    sequence: { epoch: 1, file: 1, end: reach, half: 0 },
    oldestMs: null,
    newestMs: null,
    bytes: 0,
  };
  const states = targets.map((target, i): TargetState => {
    const named = Object.assign(target, { name: NAMES[i] });
    return { target: named as unknown as Target, next: target.next, sourceTimeMs: null };
  });
  const parked = new ParkedKeys();
  parked.replace(NAMES.map(() => []));
  const id = { topic: 't', partition: 0 };
  const rest = { parked, onBadRow: 'stop', locks: new TableLocks(), counters: new ApplyCounters() } as const;
  const writer = new BatchWriter({ id, owner: 1, states, ...rest });
  const rows = foldChanges(batch.changes, router, batch.offsets);
  await writer.write(batch, { rows, places: router.places }, true, new AbortController().signal);
}

describe('rows without a key', () => {
  it('are added once each, whatever crashes between any two transactions and however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.array(fc.record({ end: fc.nat(30), crashAfter: fc.nat(6) }), { maxLength: 6 }),
        async (steps, tries) => {
          const changes = changesOf(steps);
          let left = Infinity;
          const targets = NAMES.map(() => new MemoryTarget(() => left-- <= 0));
          for (const { end, crashAfter } of tries) {
            left = crashAfter;
            try {
              await apply(targets, changes, Math.min(end, changes.length));
            } catch (error) {
              if (!(error instanceof Crash)) throw error;
            }
          }
          left = Infinity;
          await apply(targets, changes, changes.length);
          const visits = changes.filter(({ table }) => table === VISITS).map(({ after }) => after!);
          for (const [i, { added }] of targets.entries()) {
            const mine = visits.filter((row) => Number(row[1]) % 3 === i).map((row) => row.join(' '));
            expect(added.toSorted()).toEqual(mine.toSorted());
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are refused as changes: nothing tells which row that would be', () => {
    const [insert] = changesOf([{ isVisit: true, id: 1, user: 1 }]);
    expect(() => foldChanges([{ ...insert!, before: [1, 2] }], router, [0])).toThrow('is changed');
  });

  it('are left out behind the TRUNCATE that removed them, of whatever capture they come', () => {
    const emptied = new EmptiedTables();
    const [row] = changesOf([{ isVisit: true, id: 1, user: 1 }]);
    const at = (end: number): Change => ({ ...row!, sequence: { file: 2, end, half: 0 } });
    emptied.add({ topic: 't', sourceTable: 'shop.visits', epoch: 2, file: 2, end: 100 });
    emptied.add({ topic: 't', sourceTable: 'shop.visits', epoch: 2, file: 1, end: 900 });
    expect([emptied.removed(2, at(99)), emptied.removed(2, at(101))]).toEqual([true, false]);
    expect([emptied.removed(1, at(101)), emptied.removed(3, at(1))]).toEqual([true, false]);
    expect(emptied.removed(2, { ...at(1), table: ORDERS })).toBe(false);
  });
});
