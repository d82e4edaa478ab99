import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { MarkPlace, TableStatement, TransactionEnd } from '../../../src/capture/assembled.ts';
import { Assembler } from '../../../src/capture/assembler.ts';
import type { Mark } from '../../../src/capture/mark.ts';
import { ALL_FLOW, TableFlow } from '../../../src/capture/table-flow.ts';
import type { BinlogEvent } from '../../../src/drivers/binlog-event.ts';
import { RowferryError } from '../../../src/errors.ts';
import type { Change } from '../../../src/model/change.ts';
import { compareSequence } from '../../../src/model/position.ts';
import { TableFilter } from '../../../src/model/table-filter.ts';
import type { Row, Table } from '../../../src/model/table.ts';

const table: Table = {
  schema: 'shop',
  name: 'orders',
  columns: ['id', 'user_id'].map((name) => ({ name, type: 'bigint' })),
  key: [0],
};
const PARTITIONS = 8;

let changes: { partition: number; change: Change }[];
let ends: TransactionEnd[];
let marks: { mark: Mark; place: MarkPlace }[];
let statements: TableStatement[];
let flow: TableFlow;
let assembler: Assembler;
const make = (
  accepted: readonly string[] = [],
  filter = new TableFilter(['shop.*', '!shop.audit']),
): Assembler =>
  new Assembler(
    {
      source: 'main',
      partitions: PARTITIONS,
      file: 'binlog.000007',
      offset: 4,
      captures: (schema, name) => filter.matches(schema, name),
      capturesIn: (schema) => filter.mayMatchIn(schema),
      hasDeclaredKey: (schema, name) => schema === 'shop' && name === 'events',
      isAccepted: (name) => accepted.includes(name),
      hasPassed: () => false,
      dialect: 'mysql',
      tableNames: 'any',
      flow,
      heartbeatMs: ({ rows }) => (rows[0]?.[0] === 'p' ? Number(rows[0][1]) : undefined),
    },
    {
      change: (partition, change) => changes.push({ partition, change }),
      mark: (mark, place) => marks.push({ mark, place }),
      statement: (found) => statements.push(found),
      waits: () => {},
      transactionEnd: (end) => ends.push(end),
    },
  );

beforeEach(() => {
  changes = [];
  ends = [];
  marks = [];
  statements = [];
  flow = new TableFlow(ALL_FLOW);
  assembler = make();
});

const begin = (end: number): BinlogEvent => ({ kind: 'begin', gtid: 'u:1', commitTimeMs: 1234.567, end });
const rows = (op: 'insert' | 'update' | 'delete', images: readonly Row[], end: number): BinlogEvent => ({
  kind: 'rows',
  table,
  op,
  rows: images,
  end,
  timeMs: 1000,
  bytes: 10,
});
const commit = (end: number): BinlogEvent => ({ kind: 'commit', gtid: 'u:1', end, timeMs: 1000 });
const statement = (sql: string, end: number, standalone = true): BinlogEvent => ({
  kind: 'statement',
  schema: 'shop',
  sql,
  standalone,
  gtid: 'u:2',
  commitTimeMs: 5,
  end,
  timeMs: 1,
});
const feed = (...events: BinlogEvent[]): void => {
  for (const event of events) assembler.handle(event);
};

describe('Assembler', () => {
  it('names every change by file, end position, row and half, and ends transactions at their commit', () => {
    feed(
      begin(10),
      rows(
        'insert',
        [
          ['1', 5],
          ['2', 6],
        ],
        100,
      ),
      commit(130),
    );
    expect(changes.map(({ change }) => change)).toEqual([
      { table, sequence: { file: 7, end: 100, half: 0 }, timeMs: 1234, before: null, after: ['1', 5] },
      { table, sequence: { file: 7, end: 100, half: 2 }, timeMs: 1234, before: null, after: ['2', 6] },
    ]);
    expect(ends).toEqual([{ file: 'binlog.000007', offset: 130, gtid: 'u:1', commitMs: 1234 }]);
  });

  it("splits a key change into a delete and an insert, each in its own key's partition, delete first (I-2)", () => {
    feed(
      rows('insert', [['1', 5]], 50),
      rows('insert', [['2', 5]], 60),
      rows(
        'update',
        [
          ['1', 5],
          ['2', 5],
        ],
        100,
      ),
    );
    const [one, two, removed, added] = changes;
    expect(removed).toEqual({
      partition: one!.partition,
      change: expect.objectContaining({
        before: ['1', 5],
        after: null,
        sequence: { file: 7, end: 100, half: 0 },
      }),
    });
    expect(added).toEqual({
      partition: two!.partition,
      change: expect.objectContaining({
        before: null,
        after: ['2', 5],
        sequence: { file: 7, end: 100, half: 1 },
      }),
    });
  });

  it('keeps all changes of one key in one partition, in order, whatever the shard key does (I-2, I-3)', () => {
    const step = fc.record({
      op: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const),
      id: fc.nat(5),
      to: fc.nat(5),
      user: fc.nat(9),
    });
    fc.assert(
      fc.property(
        fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 30 }),
        (transactions) => {
          changes = [];
          assembler = make();
          let end = 4;
          for (const steps of transactions) {
            for (const { op, id, to, user } of steps) {
              const image: Row = [String(id), user];
              feed(rows(op, op === 'update' ? [image, [String(to), user + 1]] : [image], (end += 40)));
            }
            feed(commit((end += 31)));
          }
          const partitions = new Map<string, number>();
          const last = new Map<number, Change>();
          for (const { partition, change } of changes) {
            const id = String((change.after ?? change.before)![0]);
            if (change.before !== null && change.after !== null)
              expect(change.before[0]).toBe(change.after[0]);
            expect(partitions.get(id) ?? partition).toBe(partition);
            partitions.set(id, partition);
            const previous = last.get(partition);
            if (previous !== undefined)
              expect(compareSequence(previous.sequence, change.sequence)).toBeLessThan(0);
            last.set(partition, change);
          }
        },
      ),
    );
  });

  it('goes on in the next file, and refuses one that goes back', () => {
    feed({ kind: 'rotate', file: 'binlog.000008', offset: 4 }, rows('insert', [['1', 1]], 90), commit(99));
    expect(changes[0]!.change.sequence.file).toBe(8);
    expect(ends[0]!.file).toBe('binlog.000008');
    expect(() => feed({ kind: 'rotate', file: 'binlog.000001', offset: 4 })).toThrow(
      'the binlog went back to binlog.000001',
    );
  });

  it.each([
    ['ALTER TABLE orders DROP COLUMN x', 'ALTER TABLE', 'other', 'orders'],
    ['TRUNCATE orders', 'TRUNCATE', 'truncate', 'orders'],
    ['DROP DATABASE shop', 'DROP DATABASE', 'other', '*'],
    ['DROP TABLE audit, orders', 'DROP TABLE', 'other', 'orders'],
    ['DROP INDEX by_kind ON orders', 'DROP INDEX', 'none', 'orders'],
    ['DROP INDEX by_kind ON events', 'DROP INDEX', 'other', 'events'],
    ['ALTER TABLE events DROP INDEX by_kind', 'ALTER TABLE', 'other', 'events'],
  ])('tells of %s before its transaction ends', (sql, verb, kind, name) => {
    feed(statement(sql, 777));
    expect(statements).toMatchObject([
      { schema: 'shop', table: name, verb, effect: { kind }, name: 'binlog.000007:777', isAccepted: false },
    ]);
    expect(ends.map(({ offset }) => offset)).toEqual([777]);
  });

  it('tells what a table looked like before, unless another statement stands between', () => {
    feed(rows('insert', [['1', 1]], 90), statement('ALTER TABLE orders DROP COLUMN x', 777));
    feed(statement('ALTER TABLE orders DROP COLUMN y', 888));
    expect(statements.map(({ former }) => former)).toEqual([table, undefined]);
  });

  it('tells of text that has come under another character set, before its rows', () => {
    const withCharset = (charset: string): Table => {
      const room = { nullable: true, unsigned: false, bytes: 20, charset, labels: null };
      return { ...table, columns: table.columns.map((column) => ({ ...column, room })) };
    };
    const insert = (charset: string, end: number): BinlogEvent =>
      ({ ...rows('insert', [['1', 1]], end), table: withCharset(charset) }) as BinlogEvent;
    feed(insert('utf8mb4', 90), insert('utf8mb4', 95));
    expect(statements).toEqual([]);
    feed(insert('latin1', 99));
    expect(statements).toMatchObject([
      { table: 'orders', effect: { kind: 'other' }, name: 'binlog.000007:99' },
    ]);
  });

  it('tells of it also when a restart lies between the statement and the first row, and until that row alone', () => {
    const room = { nullable: true, unsigned: false, bytes: 20, charset: 'utf8mb4', labels: null };
    const insert = (charset: string, end: number): BinlogEvent =>
      ({
        ...rows('insert', [['1', 1]], end),
        table: {
          ...table,
          columns: table.columns.map((column) => ({ ...column, room: { ...room, charset } })),
        },
      }) as BinlogEvent;
    const restarted = (): void => {
      flow = new TableFlow({ ...ALL_FLOW, charsets: { 'shop.orders': { user_id: 'latin1' } } });
      assembler = make();
    };
    restarted();
    feed(insert('utf8mb4', 99));
    expect(statements).toMatchObject([{ table: 'orders', effect: { kind: 'other' } }]);
    statements = [];
    restarted();
    feed(insert('latin1', 99));
    expect(statements).toEqual([]);
    expect(flow.state).toEqual(ALL_FLOW);
  });

  it('does not ask again by the rows behind a conversion that an operator has dealt with', () => {
    assembler = make(['binlog.000007:95']);
    const withCharset = (charset: string): Table => {
      const room = { nullable: true, unsigned: false, bytes: 20, charset, labels: null };
      return { ...table, columns: table.columns.map((column) => ({ ...column, room })) };
    };
    const insert = (charset: string, end: number): BinlogEvent =>
      ({ ...rows('insert', [['1', 1]], end), table: withCharset(charset) }) as BinlogEvent;
    feed(insert('latin1', 90), statement('ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4', 95));
    feed(insert('utf8mb4', 99));
    expect(statements).toMatchObject([{ name: 'binlog.000007:95', isAccepted: true }]);
  });

  it('leaves out the rows and statements of a table that is held, and no others', () => {
    flow.hold({
      table: 'shop.orders',
      statement: 'binlog.000007:50',
      gtid: null,
      why: 'ALTER TABLE drops a column',
      from: { server: 's', file: 'binlog.000007', offset: 40 },
      sinceMs: 1,
    });
    const other = { ...table, name: 'items' };
    feed(rows('insert', [['1', 1]], 90), { ...rows('insert', [['2', 1]], 99), table: other } as BinlogEvent);
    feed(statement('TRUNCATE orders', 777));
    expect(changes.map(({ change }) => change.table.name)).toEqual(['items']);
    expect(statements).toEqual([]);
    expect(ends.map(({ offset }) => offset)).toEqual([777]);
  });

  it.each([
    ['ALTER THING orders', 'ROWFERRY_SOURCE_DDL', 'ALTER THING changes what may be captured tables'],
    ["UPDATE orders SET note = 'secret'", 'ROWFERRY_SOURCE_UNSUPPORTED', 'UPDATE was logged as a statement'],
  ])('stops at %s with the place and the way on, without a word of its values', (sql, code, text) => {
    let thrown: unknown;
    try {
      feed(statement(sql, 777));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RowferryError);
    const error = thrown as RowferryError;
    expect(error.code).toBe(code);
    expect(error.describe()).toContain(text);
    expect(error.describe()).toContain('rowferry ddl ack --source main --at binlog.000007:777');
    expect(error.describe()).not.toContain('secret');
    expect(ends).toEqual([]);
  });

  it.each([
    ['DROP DATABASE shop', '*'],
    ['DROP DATABASE "Shop"', '*'],
    ['CREATE OR REPLACE DATABASE shop', '*'],
    ['TRUNCATE TABLE "orders"', 'orders'],
    ['TRUNCATE `table`, orders', 'orders'],
    ['ALTER TABLE "shop"."orders" DROP COLUMN a', 'orders'],
    ['CREATE OR REPLACE TABLE orders (id int)', 'orders'],
    ['ALTER TABLE x EXCHANGE PARTITION p WITH TABLE orders', 'orders'],
    ['ALTER TABLE SHOP.Orders ADD x INT', 'orders'],
    ['TRUNCATE TABLE Orders', 'orders'],
  ])('tells of %s when only some tables of the schema are captured', (sql, name) => {
    for (const patterns of [['shop.orders'], ['shop.ord*']]) {
      statements = [];
      assembler = make([], new TableFilter(patterns));
      feed(statement(sql, 777));
      expect(statements).toMatchObject([{ schema: 'shop', table: name }]);
      statements = [];
      assembler = make([], new TableFilter(['crm.*', 'shop.*', '!shop.*']));
      feed(statement(sql, 777));
      expect(statements).toEqual([]);
    }
  });

  it.each(["TRUNCATE TABLE 'secret'", "ALTER TABLE 'secret' ADD x INT", 'DROP TABLE shop.'])(
    'stops at %s, which may mean a captured table',
    (sql) => {
      for (const patterns of [['shop.orders'], ['shop.ord*']]) {
        assembler = make([], new TableFilter(patterns));
        expect(() => feed(statement(sql, 777))).toThrow(' changes a table that its text does not tell');
        assembler = make([], new TableFilter(['crm.*', 'shop.*', '!shop.*']));
        expect(() => feed(statement(sql, 777))).not.toThrow();
      }
    },
  );

  it('stops at a statement that it does not understand when it had no default schema', () => {
    expect(() => feed({ ...statement("TRUNCATE TABLE 'x'", 777), schema: '' } as BinlogEvent)).toThrow(
      'TRUNCATE changes a table that its text does not tell',
    );
  });

  it.each([
    'UPDATE orders SET note = "secret"',
    'UPDATE orders SET a = 7654321, note = 1.7654321',
    // NO_BACKSLASH_ESCAPES ends the first string earlier than it seems.
    "UPDATE orders SET a = 'x\\', note = 'secret'",
    'INSERT INTO orders VALUES ("a\\", "secret")',
  ])('shows no value of %s, however the session quotes', (sql) => {
    let message = '';
    try {
      assembler = make([], new TableFilter(['*.*']));
      feed(statement(sql, 777));
    } catch (error) {
      message = (error as RowferryError).describe();
    }
    expect(message).toContain('shop.orders');
    expect(message).not.toMatch(/secret|7654321/);
  });

  it('passes the comment that stands in for an event of another version', () => {
    feed(statement('# Dummy event replacing event type 160 that slave cannot handle.', 50));
    expect(ends.map(({ offset }) => offset)).toEqual([50]);
  });

  it('passes a statement that an operator has acknowledged, and those of other tables, and counts them as transactions', () => {
    assembler = make(['binlog.000007:777']);
    feed(
      statement('ALTER TABLE orders ADD x INT', 777),
      statement('TRUNCATE audit', 800),
      statement('ALTER TABLE crm.orders ADD x INT', 900),
      statement('DROP INDEX by_user ON orders', 950),
    );
    expect(ends.map(({ offset }) => offset)).toEqual([777, 800, 900, 950]);
    expect(statements).toMatchObject([
      { table: 'orders', effect: { kind: 'additive' }, isAccepted: true },
      { table: 'orders', effect: { kind: 'none' }, isAccepted: false },
    ]);
  });

  it('passes XA transactions of other tables and refuses rows of captured ones inside XA', () => {
    const xa = (step: 'start' | 'prepare' | 'commit', end: number): BinlogEvent => ({
      kind: 'xa',
      step,
      gtid: null,
      end,
      timeMs: 1,
    });
    feed(xa('start', 10), xa('prepare', 20), xa('commit', 30));
    expect(ends.map(({ offset }) => offset)).toEqual([20, 30]);
    feed(xa('start', 40));
    expect(() => feed(rows('insert', [['1', 1]], 50))).toThrow('an XA transaction changes shop.orders');
    expect(changes).toEqual([]);
  });

  it('stops at incidents and at events that nobody knows, and steps over those marked ignorable', () => {
    feed({ kind: 'unknown', code: 200, ignorable: true, end: 10 });
    expect(() => feed({ kind: 'unknown', code: 201, ignorable: false, end: 20 })).toThrow('event type 201');
    expect(() => feed({ kind: 'incident', code: 1, end: 30 })).toThrow('incident');
  });

  it('hands marks of snapshots out in place, and never as rows', () => {
    const marked: Table = {
      schema: 'rowferry',
      name: 'mark',
      columns: ['pipeline', 'source', 'reader', 'incarnation', 'chunk', 'edge'].map((name) => ({
        name,
        type: 'varchar',
      })),
      key: [0, 1, 2],
    };
    const row = (edge: string, chunk = '3'): Row => ['p', 'main', 1, '17', chunk, edge];
    const event = (op: 'insert' | 'update' | 'delete', images: readonly Row[], end: number): BinlogEvent => ({
      kind: 'rows',
      table: marked,
      op,
      rows: images,
      end,
      timeMs: 1000,
      bytes: 10,
    });
    feed(begin(50), event('insert', [row('low')], 60), commit(70));
    feed(begin(80), event('update', [row('low'), row('high')], 90), commit(99));
    feed(event('delete', [row('high')], 100), event('insert', [row('sideways'), row('low', 'x')], 110));
    // A table of an earlier version: it does not say whose claim wrote them.
    const mark = { pipeline: 'p', source: 'main', lineage: '', claim: '', incarnation: 17, chunk: 3 };
    expect(marks).toEqual([
      { mark: { ...mark, edge: 'low' }, place: { file: 7, end: 60, timeMs: 1234 } },
      { mark: { ...mark, edge: 'high' }, place: { file: 7, end: 90, timeMs: 1234 } },
    ]);
    expect(changes).toEqual([]);
  });

  it('takes our heartbeat row for the time of its transaction, and makes nothing of any', () => {
    const heartbeats: Table = {
      schema: 'rowferry',
      name: 'heartbeat',
      columns: ['pipeline', 'written_at'].map((name) => ({ name, type: 'varchar' })),
      key: [],
    };
    const row = (pipeline: string, end: number): BinlogEvent => ({
      kind: 'rows',
      table: heartbeats,
      op: 'insert',
      rows: [[pipeline, 777]],
      end,
      timeMs: 1000,
      bytes: 10,
    });
    feed(begin(50), row('p', 60), commit(70));
    feed(begin(80), row('another', 90), commit(100));
    feed(begin(110), rows('insert', [['1', 1]], 120), commit(130));
    expect(ends.map(({ offset, commitMs, rowMs }) => [offset, commitMs, rowMs])).toEqual([
      [70, 777, 777],
      [100, 1234, undefined],
      [130, 1234, undefined],
    ]);
    expect(changes.map(({ change }) => change.table.name)).toEqual(['orders']);
  });

  it('refuses a table without a primary key', () => {
    const keyless = { ...table, key: [] };
    expect(() =>
      feed({ kind: 'rows', table: keyless, op: 'insert', rows: [['1', 1]], end: 9, timeMs: 1, bytes: 1 }),
    ).toThrow('shop.orders has no primary key');
  });

  it('refuses events that lie before the saved position: the binlogs were reset and their names are taken', () => {
    const resumed = new Assembler(
      {
        source: 'main',
        partitions: 8,
        file: 'binlog.000007',
        offset: 500,
        captures: () => true,
        capturesIn: () => true,

        isAccepted: () => false,
        hasPassed: () => false,
        dialect: 'mysql',
        tableNames: 'any',
        flow,
      },
      { change: () => {}, mark: () => {}, statement: () => {}, waits: () => {}, transactionEnd: () => {} },
    );
    expect(() => resumed.handle(begin(300))).toThrow('its binlogs were reset');
    const next = make();
    next.handle(begin(600));
    next.handle(commit(700));
  });
});
