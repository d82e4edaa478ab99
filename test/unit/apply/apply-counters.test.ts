import { describe, expect, it } from 'vitest';
import { ApplyCounters } from '../../../src/apply/apply-counters.ts';
import { quantile } from '../../../src/observe/histogram.ts';
import type { TableBatch } from '../../../src/targets/target.ts';

function tableBatch(name: string, upserts: number, deletes: number): TableBatch {
  const table = { name, columns: [], primaryKey: [], uniqueKeys: [] };
  const source = {
    schema: 's',
    name,
    columns: [],
    primaryKey: [],
  } as unknown as TableBatch['writer']['source'];
  const sequence = { epoch: 1, file: 1, end: 1, half: 0 };
  return {
    writer: { source, table, columns: [], key: [], hasUniqueKeys: false },
    deletes: Array.from({ length: deletes }, () => ['1']),
    upserts: Array.from({ length: upserts }, () => ({ key: ['1'], row: ['1'], sequence })),
    unpark: [],
  };
}

describe('counters of applying', () => {
  it('count rows that were written: parked ones were not', () => {
    const counters = new ApplyCounters();
    counters.committed('a', [tableBatch('t', 3, 1)], [{ table: 't' }]);
    counters.committed('b', [tableBatch('t', 1, 0)], []);
    expect(counters.current.rows).toEqual([
      { target: 'a', table: 't', upserts: 2, deletes: 1 },
      { target: 'b', table: 't', upserts: 1, deletes: 0 },
    ]);
  });

  it('tell of a bounded number of tables, all others together, and lose no row by it', () => {
    const counters = new ApplyCounters();
    for (let i = 0; i < 2_000; i++) counters.committed(`target${i % 3}`, [tableBatch(`t${i}`, 1, 0)], []);
    const { rows } = counters.current;
    expect(rows.length).toBeLessThanOrEqual(503);
    expect(rows.reduce((sum, { upserts }) => sum + upserts, 0)).toBe(2_000);
    expect(rows.filter(({ table }) => table === 'other')).toHaveLength(3);
  });

  it('do not take heartbeats for batches', () => {
    const counters = new ApplyCounters();
    counters.applied({ changes: 0, bytes: 100, seconds: 1, moves: 0 });
    counters.applied({ changes: 2, bytes: 100, seconds: 0.004, moves: 1 });
    const { batches, batchSeconds, moves } = counters.current;
    expect({ batches, moves, observed: batchSeconds.count, sum: batchSeconds.sum }).toEqual({
      batches: 1,
      moves: 1,
      observed: 1,
      sum: 0.004,
    });
  });

  it('tell the delay of each change from its commit, of copied rows none, and never less than nothing', () => {
    const change = (timeMs: number, snapshot?: 'row') => ({
      table: { schema: 's', name: 't', columns: [], key: [] },
      sequence: { file: 1, end: 1, row: 0, half: 0 as const },
      timeMs,
      before: null,
      after: null,
      ...(snapshot === undefined ? {} : { snapshot }),
    });
    const counters = new ApplyCounters();
    const commits = [change(9_000), change(9_000), change(0, 'row'), change(9_990), change(99_000)];
    counters.visible(commits, 10_000);
    const { delaySeconds } = counters.current;
    expect({ count: delaySeconds.count, sum: delaySeconds.sum }).toEqual({ count: 4, sum: 2.01 });
    expect(quantile(delaySeconds, 0.25)).toBe(0.001);
    expect(quantile(delaySeconds, 0.5)).toBe(0.01);
    expect(quantile(delaySeconds, 1)).toBe(1);
  });
});
