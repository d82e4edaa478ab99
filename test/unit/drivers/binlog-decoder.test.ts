import { describe, expect, test } from 'vitest';
import { BinlogDecoder } from '../../../src/drivers/binlog-decoder.ts';
import { EVENT, type BinlogEvent } from '../../../src/drivers/binlog-event.ts';
import { RowferryError } from '../../../src/errors.ts';
import {
  altered,
  ARTIFICIAL,
  decodeAll,
  eventBytes,
  formatDescription,
  gtid,
  gtidText,
  query,
  recordedEvents,
  rotate,
} from './binlog-bytes.ts';

const wanted = { wants: (schema: string): boolean => schema === 'shop' };

function errorOf(action: () => unknown): RowferryError {
  try {
    action();
  } catch (error) {
    if (error instanceof RowferryError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function rowsOf(events: readonly BinlogEvent[]): Extract<BinlogEvent, { kind: 'rows' }>[] {
  return events.filter((event) => event.kind === 'rows');
}

describe.each(['mysql', 'mariadb'] as const)('a recorded transaction of %s', (server) => {
  const document = {
    mysql: '{"a": 12345678901234567890, "b": [1, 2.5, null, "x"]}',
    mariadb: '{"b": [1, 2.5, null, "x"], "a": 12345678901234567890}',
  };
  const full = [
    '18446744073709551615', -1, 'a😀', '-12.34', '2024-02-29 23:59:58.123456', '2024-02-29 23:59:58.123', '-00:01:00.50',
    0.1, 2.5, 'ü😀', 'a,c', '10000000011', 'AQIAAA==', 'AP8=', 'é€', 2024, document[server],
  ]; // prettier-ignore
  const empty = ['2', 2, ...Array.from({ length: 15 }, () => null)];
  const updated = empty.map((value, index) => (index === 3 ? '99.00' : index === 15 ? 0 : value));

  test('gives begin, rows in wire form and commit', () => {
    const events = decodeAll(recordedEvents(server), wanted);
    expect(events.map(({ kind }) => kind)).toEqual([
      'rotate', 'statement', 'begin', 'rows', 'rows', 'rows', 'commit', 'statement', 'heartbeat',
    ]); // prettier-ignore
    expect(rowsOf(events).map(({ op, rows }) => [op, rows])).toEqual([
      ['insert', [full, empty]],
      ['update', [empty, updated]],
      ['delete', [full]],
    ]);
    for (const event of rowsOf(events)) expect(event.timeMs).toBe(1_700_000_000_000);
  });

  test('describes the table in canonical types, with its key in key order', () => {
    const [insert, update] = rowsOf(decodeAll(recordedEvents(server), wanted));
    expect(insert?.table.key).toEqual([1, 0]);
    expect(insert?.table.columns.map(({ type }) => type)).toEqual([
      'bigint unsigned', 'smallint', 'varchar', 'decimal(12,2)', 'datetime(6)', 'timestamp(3)', 'time(2)', 'float', 'double',
      'enum', 'set', 'bit(11)', 'binary(4)', 'blob', 'varchar', 'year', server === 'mysql' ? 'json' : 'text',
    ]); // prettier-ignore
    expect(update?.table).toBe(insert?.table);
  });

  test('takes a declared key in the place of the primary key, in the order in which it is declared', () => {
    const keyed = (...key: readonly string[]) => ({ ...wanted, keyOf: () => key });
    const [first] = rowsOf(decodeAll(recordedEvents(server), wanted));
    const names = first!.table.columns.map(({ name }) => name);
    const key = [names[0]!, names[1]!.toUpperCase()];
    expect(rowsOf(decodeAll(recordedEvents(server), keyed(...key)))[0]?.table.key).toEqual([0, 1]);

    const lacking = errorOf(() => decodeAll(recordedEvents(server), keyed(names[0]!, 'nowhere')));
    expect(lacking).toMatchObject({
      code: 'ROWFERRY_SOURCE_UNSUPPORTED',
      where: { table: expect.stringMatching(/^shop\./), column: 'nowhere', position: expect.any(String) },
    });
    expect(lacking.message).toContain('without a column of its declared key');
    const empty = errorOf(() => decodeAll(recordedEvents(server), keyed(names[2]!)));
    expect(empty.message).toContain('whose declared key may be NULL');
    expect(empty.where.column).toBe(names[2]);
  });

  test('tells how much each column holds', () => {
    const [insert] = rowsOf(decodeAll(recordedEvents(server), wanted));
    const rooms = insert!.table.columns.map(({ room }) => room);
    const plain = { nullable: true, unsigned: false, bytes: null, charset: null, labels: null };
    expect(rooms.slice(0, 4)).toEqual([
      { ...plain, nullable: false, unsigned: true },
      { ...plain, nullable: false },
      { ...plain, bytes: 160, charset: 'utf8mb4' },
      plain,
    ]);
    expect(rooms[9]).toEqual({ ...plain, charset: 'utf8mb4', labels: ['plain', 'ü😀'] });
    expect(rooms.slice(12, 15).map((room) => [room?.bytes, room?.charset])).toEqual([
      [4, null],
      [65_535, null],
      [20, 'latin1'],
    ]);
  });

  test('gives offsets that rise and end where the source stands', () => {
    const events = decodeAll(recordedEvents(server), wanted);
    const ends = events.flatMap((event) => ('end' in event ? [event.end] : []));
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
    expect(new Set(ends).size).toBe(ends.length);
    expect(events.at(-1)).toMatchObject({ kind: 'heartbeat', offset: ends.at(-1) });
  });

  test('costs nothing but its ends where the table is not wanted', () => {
    const events = decodeAll(recordedEvents(server), { wants: () => false });
    expect(rowsOf(events)).toEqual([]);
    expect(events.filter(({ kind }) => kind === 'commit')).toHaveLength(1);
  });

  test('is refused when any byte is not what was written', () => {
    const events = recordedEvents(server);
    const first = events.findIndex(
      (event) => event[4] === EVENT.WRITE_ROWS || event[4] === EVENT.WRITE_ROWS_V1,
    );
    for (let byte = 19; byte < events[first]!.length; byte += 7) {
      const broken = Buffer.from(events[first]!);
      broken[byte] = broken[byte]! ^ 0x10;
      const error = errorOf(() => decodeAll([...events.slice(0, first), broken], wanted));
      expect(error.code).toBe('ROWFERRY_SOURCE_DECODE');
      expect(error.message).toContain('checksum');
      expect(error.where.position).toMatch(/^binlog\.\d+:\d+$/);
    }
  });

  test('is never misread where its rows end too early, whatever the checksum says', () => {
    const events = recordedEvents(server);
    const first = events.findIndex(
      (event) => event[4] === EVENT.WRITE_ROWS || event[4] === EVENT.WRITE_ROWS_V1,
    );
    let faults = 0;
    for (let cut = 1; cut < events[first]!.length - 24; cut += 1) {
      const whole = events[first]!;
      const short = altered(whole.subarray(0, whole.length - cut), (bytes) =>
        bytes.writeUInt32LE(bytes.length + 4, 9),
      );
      const decoder = new BinlogDecoder(wanted);
      decodeAll(events.slice(0, first), { decoder });
      try {
        // Only a cut before or between the rows is none.
        expect([[], [full]]).toContainEqual(rowsOf(decodeAll([short], { decoder }))[0]?.rows);
      } catch (error) {
        if (!(error instanceof RowferryError)) throw error;
        expect(error.code).toMatch(/^ROWFERRY_SOURCE_(DECODE|UNSUPPORTED)$/);
        faults += 1;
      }
    }
    expect(faults).toBeGreaterThan(100);
  });
});

test('a fault in a value names table and column', () => {
  const events = recordedEvents('mysql');
  const index = events.findIndex((event) => event[4] === EVENT.WRITE_ROWS);
  // The ENUM's index lies behind the DOUBLE 2.5.
  const enumAt = events[index]!.indexOf(Buffer.from('0000000000000440', 'hex')) + 8;
  const broken = altered(events[index]!, (bytes) => bytes.writeUInt8(9, enumAt));
  const error = errorOf(() => decodeAll([...events.slice(0, index), broken], wanted));
  expect(error.where).toMatchObject({ table: 'shop.item', column: 'kind' });
  expect(error.describe()).not.toContain('18446744073709551615');
});

describe('positions', () => {
  const xid = (parts: object): Buffer => eventBytes({ type: EVENT.XID, body: Buffer.alloc(8), ...parts });

  test('count on past 4 GiB, where headers hold the lower half only', () => {
    const start = 0xffff_ff00;
    const events = decodeAll([
      rotate('binlog.000007', start),
      formatDescription(false),
      query('BEGIN', { logPos: start + 42 }),
      xid({ logPos: (start + 42 + 27) % 2 ** 32 }),
      query('BEGIN', { logPos: (start + 42 + 27 + 42 + 200) % 2 ** 32 }),
    ]);
    expect(events.flatMap((event) => ('end' in event ? [event.end] : []))).toEqual([
      start + 42,
      start + 42 + 27,
      start + 42 + 27 + 42 + 200,
    ]);
  });

  test('are counted where headers hold none, and caught up at the next that does', () => {
    const events = decodeAll([
      rotate('binlog.000001', 1000),
      formatDescription(false),
      query('BEGIN', { logPos: 5042 }),
      query('CREATE TABLE t (a int)', { logPos: 0 }),
      xid({ logPos: 6000 }),
    ]);
    expect(events.flatMap((event) => ('end' in event ? [event.end] : []))).toEqual([5042, 5042 + 59, 6000]);
  });

  test('that step back are an error', () => {
    const events = [rotate('binlog.000001', 1000), formatDescription(false), query('BEGIN', { logPos: 900 })];
    expect(errorOf(() => decodeAll(events)).message).toContain('steps back');
  });

  test('do not move for what the server makes up', () => {
    const decoder = new BinlogDecoder(wanted);
    decodeAll([rotate('binlog.000001', 1000), formatDescription(false)], { decoder });
    const heartbeat = eventBytes({ type: EVENT.HEARTBEAT, body: Buffer.from('binlog.000001'), logPos: 1000 });
    const list = eventBytes({
      type: EVENT.MARIADB_GTID_LIST,
      body: Buffer.alloc(4),
      flags: ARTIFICIAL,
      logPos: 77,
    });
    expect(decodeAll([heartbeat, list], { decoder })).toEqual([
      { kind: 'heartbeat', file: 'binlog.000001', offset: 1000 },
    ]);
    expect(decoder.offset).toBe(1000);
  });

  test('of heartbeats past 4 GiB are read in full', () => {
    const body = Buffer.concat([Buffer.alloc(8), Buffer.from('binlog.000001')]);
    body.writeBigUInt64LE(5_000_000_000n);
    const events = decodeAll([rotate('binlog.000001', 4), eventBytes({ type: EVENT.HEARTBEAT, body })]);
    expect(events.at(-1)).toEqual({ kind: 'heartbeat', file: 'binlog.000001', offset: 5_000_000_000 });
  });
});

describe('a transaction', () => {
  const head = [rotate('binlog.000001', 4), formatDescription(false)];
  /** The recorded table map and insert, without checksums. */
  const rows = recordedEvents('mysql')
    .filter((event) => event[4] === EVENT.TABLE_MAP || event[4] === EVENT.WRITE_ROWS)
    .slice(0, 2)
    .map((event) => eventBytes({ type: event[4]!, body: event.subarray(19, -4) }));

  test('that is rolled back after its rows were handed on is refused', () => {
    for (const end of ['ROLLBACK', 'ROLLBACK TO `s`']) {
      const error = errorOf(() => decodeAll([...head, gtid(1), query('BEGIN'), ...rows, query(end)], wanted));
      expect(error.code).toBe('ROWFERRY_SOURCE_UNSUPPORTED');
      expect(error.message).toContain('rolled back');
    }
  });

  test('that is rolled back without rows of wanted tables is done all the same', () => {
    const events = decodeAll(
      [...head, gtid(5), query('BEGIN'), ...rows, query('ROLLBACK TO `s`'), query('ROLLBACK')],
      {
        wants: () => false,
      },
    );
    expect(events.at(-1)).toMatchObject({ kind: 'commit', gtid: gtidText(5) });
  });

  test('ends with the statement COMMIT too, and savepoints are no statements', () => {
    const events = decodeAll([...head, gtid(5), query('BEGIN'), query('SAVEPOINT `s`'), query('COMMIT')]);
    expect(events.slice(1).map(({ kind }) => kind)).toEqual(['begin', 'commit']);
    expect(events.at(-1)).toMatchObject({ gtid: gtidText(5) });
  });

  test('that never ended is not taken for done', () => {
    const error = errorOf(() => decodeAll([...head, gtid(1), query('BEGIN'), ...rows, gtid(2)], wanted));
    expect(error.message).toContain('without end');
  });

  test('without a GTID is anonymous, also after one with', () => {
    const anonymous = eventBytes({ type: EVENT.ANONYMOUS_GTID, body: Buffer.alloc(25) });
    const events = decodeAll([
      ...head,
      gtid(1),
      query('CREATE TABLE a (a int)'),
      anonymous,
      query('CREATE TABLE b (a int)'),
    ]);
    expect(events.slice(1)).toMatchObject([
      { gtid: gtidText(1), standalone: true, schema: 'shop' },
      { gtid: null, standalone: true },
    ]);
  });

  test('has rows only of tables that this file describes', () => {
    const [map, insert] = rows as [Buffer, Buffer];
    expect(rowsOf(decodeAll([...head, map, insert], wanted))).toHaveLength(1);
    for (const between of [rotate('binlog.000002', 4), formatDescription(false)]) {
      const error = errorOf(() => decodeAll([...head, map, between, insert], wanted));
      expect(error.message).toContain('not described');
    }
  });

  test('may end a statement with a rows event of no table', () => {
    const nothing = eventBytes({
      type: EVENT.WRITE_ROWS,
      body: Buffer.from('ffffff0000000100020000', 'hex'),
    });
    expect(rowsOf(decodeAll([...head, nothing], wanted))).toEqual([]);
  });
});

test('incidents and unknown events are handed on with their codes', () => {
  const events = decodeAll([
    rotate('binlog.000001', 4),
    formatDescription(false),
    eventBytes({ type: EVENT.INCIDENT, body: Buffer.from([1, 0, 0]), logPos: 1000 }),
    eventBytes({ type: 99, logPos: 2000 }),
    eventBytes({ type: 98, logPos: 3000, flags: 0x80 }),
  ]);
  expect(events.slice(1)).toEqual([
    { kind: 'incident', code: 1, end: 1000 },
    { kind: 'unknown', code: 99, ignorable: false, end: 2000 },
    { kind: 'unknown', code: 98, ignorable: true, end: 3000 },
  ]);
});

test('a first rotate is read whether it has a checksum or not', () => {
  for (const checksum of [true, false]) {
    expect(decodeAll([rotate('binlog.000123', 4, { checksum })])).toEqual([
      { kind: 'rotate', file: 'binlog.000123', offset: 4 },
    ]);
  }
});

test('a statement is read in the character set of its session', () => {
  const variables = Buffer.from([
    0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 3, 0x73, 0x74, 0x64, 4, 8, 0, 8, 0, 45, 0,
  ]);
  const body = Buffer.concat([
    Buffer.alloc(8),
    Buffer.from([0, 0, 0, variables.length, 0]),
    variables,
    Buffer.from([0]),
    Buffer.from('DROP TABLE \xe9\x80', 'latin1'),
  ]);
  const events = decodeAll([
    rotate('binlog.000001', 4),
    formatDescription(false),
    eventBytes({ type: EVENT.QUERY, body }),
  ]);
  expect(events.at(-1)).toMatchObject({ sql: 'DROP TABLE é€' });
});
