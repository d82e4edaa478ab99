import { describe, expect, it } from 'vitest';
import type { Change } from '../../../src/model/change.ts';
import type { Table } from '../../../src/model/table.ts';
import { RowRecordEncoder } from '../../../src/wire/row-record.ts';

const table: Table = {
  schema: 'shop',
  name: 'orders',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'region', type: 'varchar' },
    { name: 'total', type: 'decimal(10,2)' },
  ],
  key: [1, 0],
};
const BEFORE = ['1', 'eu', '5.00'];
const AFTER = ['1', 'eu', '5.10'];

function written(change: Pick<Change, 'before' | 'after'> & Partial<Change>): {
  key: unknown;
  value: unknown;
  text: string;
} {
  const sequence = { file: 42, end: 1300, half: 6 };
  const record = new RowRecordEncoder({ epoch: 3, incarnation: 17 }, 'main').encode(
    { table, sequence, timeMs: 1_700_000_000_123, ...change },
    1_700_000_000_999,
  );
  const text = record.value.toString();
  return { key: JSON.parse(String(record.key)), value: JSON.parse(text), text };
}

describe('a record in the row format, as readers of Debezium’s JSON take it', () => {
  it('has the fields of the envelope and of its source', () => {
    expect(written({ before: BEFORE, after: AFTER }).value).toEqual({
      before: { id: '1', region: 'eu', total: '5.00' },
      after: { id: '1', region: 'eu', total: '5.10' },
      source: {
        version: '1',
        connector: 'rowferry',
        name: 'main',
        ts_ms: 1_700_000_000_123,
        snapshot: 'false',
        db: 'shop',
        sequence: null,
        ts_us: 1_700_000_000_123_000,
        ts_ns: expect.any(Number),
        table: 'orders',
        server_id: 0,
        gtid: null,
        file: '000042',
        pos: 1300,
        row: 3,
        thread: null,
        query: null,
      },
      transaction: null,
      op: 'u',
      ts_ms: 1_700_000_000_999,
      ts_us: 1_700_000_000_999_000,
      ts_ns: expect.any(Number),
    });
  });

  it('tells times to the nanosecond with all digits', () => {
    const { text } = written({ before: null, after: AFTER });
    expect(text).toContain('"ts_us":1700000000123000,"ts_ns":1700000000123000000');
    expect(text).toContain('"ts_us":1700000000999000,"ts_ns":1700000000999000000}');
  });

  it('has the key columns in the order of the key', () => {
    const { key } = written({ before: BEFORE, after: AFTER });
    expect(Object.entries(key as object)).toEqual([
      ['region', 'eu'],
      ['id', '1'],
    ]);
  });

  it.each([
    ['c', 'false', { before: null, after: AFTER }],
    ['u', 'false', { before: BEFORE, after: AFTER }],
    ['d', 'false', { before: BEFORE, after: null }],
    ['r', 'true', { before: null, after: AFTER, snapshot: 'row' }],
    ['u', 'false', { before: BEFORE, after: AFTER, snapshot: 'window' }],
  ] as const)('says %s, with snapshot %s', (op, snapshot, change) => {
    const { value } = written(change);
    expect(value).toMatchObject({ op, source: { snapshot } });
    expect(value).toHaveProperty('before', change.before === null ? null : expect.any(Object));
    expect(value).toHaveProperty('after', change.after === null ? null : expect.any(Object));
  });

  it('keeps names and texts whatever they hold', () => {
    const odd: Table = {
      ...table,
      schema: 'a"b',
      name: '\\n\u2028',
      columns: [{ name: '"', type: 'varchar' }],
      key: [0],
    };
    const { value } = written({ table: odd, before: null, after: ['"\\\u0000'] });
    expect(value).toMatchObject({ after: { '"': '"\\\u0000' }, source: { db: 'a"b', table: '\\n\u2028' } });
  });
});
