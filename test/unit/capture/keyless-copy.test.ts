import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import type { Mark } from '../../../src/capture/mark.ts';
import type { Snapshot } from '../../../src/capture/snapshot.ts';
import { newCopy } from '../../../src/capture/snapshot-state.ts';
import type { SnapshotTable } from '../../../src/capture/snapshot-table.ts';
import type { CopiedRows, CopySource } from '../../../src/capture/copy-parts.ts';
import { RowferryError } from '../../../src/errors.ts';
import type { Row, Table } from '../../../src/model/table.ts';
import { nextMark, startSnapshot } from './snapshot-fixture.ts';

const table: Table = {
  schema: 'shop',
  name: 'visits',
  columns: [{ name: 'note', type: 'text' }],
  key: [],
};

/** A table without a key, in memory; its marks go by in the binlog when the test says so. */
class Visits implements CopySource {
  rows: Row[] = [];
  /** Its rows cannot be read. */
  breaks = false;
  readonly marks: Mark[] = [];

  async prepare(): Promise<void> {}
  async mark(mark: Mark): Promise<void> {
    this.marks.push(mark);
  }
  async describe(): Promise<SnapshotTable> {
    return { table, plans: [], index: '', key: [], keyForm: '', estimatedRows: this.rows.length };
  }
  async readAtCut(_: SnapshotTable, mark: () => Promise<void>) {
    const rows = [...this.rows];
    const { breaks } = this;
    await mark();
    return (async function* () {
      if (breaks) throw new RowferryError('ROWFERRY_SOURCE_DECODE', 'a value cannot be read');
      yield* rows;
    })();
  }
  async upper(): Promise<null> {
    return null;
  }
  async boundary(): Promise<never> {
    throw new Error('it has no ranges');
  }
  async read(): Promise<never> {
    throw new Error('it has no ranges');
  }
  async close(): Promise<void> {}
  destroy(): void {}
}

function start(visits: Visits, queueBytes = 1e6, copy = newCopy('shop.visits', 0)): Snapshot {
  return startSnapshot(visits, { requests: 0, tables: [copy] }, { queueBytes }).snapshot;
}

/** Lets the next mark go by. */
async function next(visits: Visits, snapshot: Snapshot): Promise<CopiedRows | undefined> {
  const copied = snapshot.passed(await nextMark(visits));
  copied?.finish();
  snapshot.flushed(1);
  return copied;
}

describe('the copy of a table without a key', () => {
  it('is cut once and handed out piece by piece', async () => {
    const visits = new Visits();
    visits.rows = [['a'], ['b'], ['c']];
    const snapshot = start(visits);
    expect(await next(visits, snapshot)).toMatchObject({ rows: [], cut: { empties: false } });
    expect((await next(visits, snapshot))?.rows).toEqual([['a'], ['b']]);
    expect((await next(visits, snapshot))?.rows).toEqual([['c']]);
    expect(snapshot.state.tables).toMatchObject([{ state: 'done', rows: 3, cut: true }]);
  });

  it('is handed out in smaller pieces where rows are large', async () => {
    const visits = new Visits();
    visits.rows = [['large'], ['larger'], ['largest']];
    const snapshot = start(visits, 3);
    await next(visits, snapshot);
    for (const row of visits.rows) expect((await next(visits, snapshot))?.rows).toEqual([row]);
    expect((await next(visits, snapshot))?.rows).toEqual([]);
    expect(snapshot.state.tables).toMatchObject([{ state: 'done', rows: 3 }]);
  });

  it('begins anew when a statement stands before its last mark: the table may be empty since', async () => {
    const visits = new Visits();
    visits.rows = [['a']];
    const snapshot = start(visits);
    await next(visits, snapshot);
    // The session that read has ended, so that a TRUNCATE waits for it no longer; the mark comes behind that.
    const last = await nextMark(visits);
    visits.rows = [];
    snapshot.changed('shop.visits', true);
    expect(snapshot.passed(last)).toBeUndefined();
    expect(snapshot.keyless.judge({ table, op: 'insert' })).toBe('left out');
    expect(await next(visits, snapshot)).toMatchObject({ cut: { empties: true } });
    expect((await next(visits, snapshot))?.rows).toEqual([]);
    expect(snapshot.state.tables).toMatchObject([{ state: 'done', rows: 0 }]);
  });

  it.each(['is cut when another capture takes over', 'breaks behind its cut'])(
    'that %s leaves out what comes until it is cut again: the rest of it is nowhere',
    async (how) => {
      const visits = new Visits();
      visits.breaks = how.startsWith('breaks');
      const cut = { state: 'copying', cut: true } as const;
      const snapshot = start(visits, 1e6, { ...newCopy('shop.visits', 0), ...(visits.breaks ? {} : cut) });
      if (visits.breaks) {
        await next(visits, snapshot);
        await waitUntil(() => snapshot.state.tables[0]?.state === 'failed', {
          what: 'it to fail',
          intervalMs: 5,
        });
      }
      expect(snapshot.state.tables).toMatchObject([{ cut: false }]);
      expect(snapshot.keyless.judge({ table, op: 'insert' })).toBe('left out');
    },
  );
});
