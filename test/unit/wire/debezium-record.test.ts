import { describe, expect, it } from 'vitest';
import type { ConnectField } from '../../../src/wire/debezium-columns.ts';
import { DebeziumDecoder } from '../../../src/wire/debezium-record.ts';
import type { RawRecord } from '../../../src/wire/raw-record.ts';
import { envelope, FORMAT, rawRecord, withSchema } from './debezium-text.ts';

const NAME: ConnectField = { field: 'name', type: 'string', optional: true };
const ROW = { id: 1, name: 'new' };
const TYPES = { types: { 'shop.orders': { id: 'int', name: 'varchar' } } };

const bare = (value: unknown, part: Partial<RawRecord> = {}): RawRecord =>
  rawRecord({ value: Buffer.from(JSON.stringify(value)), ...part });

function changeOf(record: RawRecord, decoder = new DebeziumDecoder({ ...FORMAT, ...TYPES })) {
  const decoded = decoder.decode(record);
  if (decoded.kind !== 'changes') throw new Error(`it is a ${decoded.kind}`);
  return { ...decoded.chunk.changes[0]!, epoch: decoded.chunk.epoch };
}

const refused = (message: string, code = 'ROWFERRY_WIRE_CORRUPT') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

describe('a record of Debezium', () => {
  it('is a change with the shape of its schema, its place in the binlog and its server', () => {
    expect(changeOf(withSchema(envelope({ op: 'c', after: ROW }), [NAME]))).toEqual({
      table: {
        schema: 'shop',
        name: 'orders',
        columns: [
          { name: 'id', type: 'int' },
          { name: 'name', type: 'varchar' },
        ],
        key: [0],
      },
      epoch: expect.any(Number),
      sequence: { file: 42, end: 1234, half: 1 },
      timeMs: 1_700_000_000_123,
      before: null,
      after: [1, 'new'],
    });
  });

  it('may be a delete, an update or a row of a snapshot', () => {
    const before = { id: 1, name: null };
    expect(changeOf(bare(envelope({ op: 'd', before })))).toMatchObject({ before: [1, null], after: null });
    const update = changeOf(bare(envelope({ op: 'u', before, after: ROW, source: { row: 3 } })));
    expect(update).toMatchObject({ before: [1, null], after: [1, 'new'], sequence: { half: 7 } });
    const read = envelope({ op: 'r', after: ROW, source: { snapshot: 'first', server_id: 0, pos: 9 } });
    expect(changeOf(bare(read))).toMatchObject({ snapshot: 'row', after: [1, 'new'] });
  });

  it('tells writers apart: connectors and servers', () => {
    const epochOf = (source: object): number =>
      changeOf(bare(envelope({ op: 'c', after: ROW, source }))).epoch;
    expect(epochOf({ pos: 99 })).toBe(epochOf({}));
    expect(new Set([{}, { server_id: 6 }, { name: 'other' }].map(epochOf)).size).toBe(3);
    expect(Number.isSafeInteger(epochOf({}))).toBe(true);
  });

  it('of a key change is a delete before an insert, by their sequences too', () => {
    const [gone, come] = [
      changeOf(bare(envelope({ op: 'd', before: ROW, source: { row: 2 } }))),
      changeOf(bare(envelope({ op: 'c', after: { ...ROW, id: 2 }, source: { row: 2 } }))),
    ];
    expect(gone.sequence.half).toBeLessThan(come.sequence.half);
  });

  it('keeps the identity of its shape while the schema stays, and gets another one when it changes', () => {
    const decoder = new DebeziumDecoder(FORMAT);
    const first = changeOf(withSchema(envelope({ op: 'c', after: ROW }), [NAME]), decoder);
    expect(changeOf(withSchema(envelope({ op: 'd', before: ROW }), [NAME]), decoder).table).toBe(first.table);
    const added: ConnectField = { field: 'n', type: 'int32' };
    const wider = changeOf(
      withSchema(envelope({ op: 'c', after: { ...ROW, n: 7 } }), [NAME, added]),
      decoder,
    );
    expect(wider.after).toEqual([1, 'new', 7]);
    expect(changeOf(withSchema(envelope({ op: 'c', after: ROW }), [NAME]), decoder).table).toBe(first.table);
  });

  it.each([
    ['a tombstone', rawRecord({ value: null }), 'tombstone'],
    ['a heartbeat', bare({ ts_ms: 5 }), 'other'],
    ['the begin of a transaction', bare({ status: 'BEGIN', id: 'x', event_count: null, data_collections: null, ts_ms: 5 }), 'other'],
    ['a change of a schema', bare({ source: {}, ts_ms: 5, databaseName: 'shop', ddl: 'CREATE …', tableChanges: [] }), 'other'],
  ])('may be no row: %s', (_, record, kind) => {
    expect(new DebeziumDecoder(FORMAT).decode(record)).toEqual({ kind });
  }); // prettier-ignore

  it.each([
    ['is flattened', bare(ROW), 'no Debezium envelope'],
    ['is empty', bare({}), 'no Debezium envelope'],
    ['is a list', bare([]), 'no Debezium envelope'],
    ['is not JSON', rawRecord({ value: Buffer.from('Obj\u0001') }), 'not JSON'],
    ['has no key', bare(envelope({ op: 'c', after: ROW }), { key: null }), 'no key'],
    ['has the key of another table', bare(envelope({ op: 'c', after: ROW }), { key: Buffer.from('{"code":1}') }), 'key names columns'],
    ['has an unknown operation', bare(envelope({ op: 'm', after: ROW })), 'operation'],
    ['comes from another kind of database', bare(envelope({ op: 'c', after: ROW, source: { connector: 'postgresql' } })), 'neither mysql nor mariadb'],
    ['has no place in the binlog', bare(envelope({ op: 'c', after: ROW, source: { file: null } })), 'where in the binlog'],
    ['has no image', bare(envelope({ op: 'u', after: ROW })), 'lacks an image'],
    ['lacks a column', withSchema(envelope({ op: 'c', after: { id: 1 } }), [NAME]), 'lacks a column'],
    ['changes its key', bare(envelope({ op: 'u', before: { ...ROW, id: 2 }, after: ROW })), 'changes its key'],
  ])('is refused when it %s', (_, record, message) => {
    expect(() => changeOf(record)).toThrow(refused(message));
  }); // prettier-ignore

  it('stops at a TRUNCATE', () => {
    expect(() => changeOf(bare(envelope({ op: 't' })))).toThrow(refused('TRUNCATE', 'ROWFERRY_SOURCE_DDL'));
  });

  it('without a schema needs the type of every column', () => {
    const decoder = new DebeziumDecoder({ ...FORMAT, types: { 'shop.orders': { id: 'int' } } });
    expect(() => changeOf(bare(envelope({ op: 'c', after: ROW })), decoder)).toThrow(
      refused('no type is known of name'),
    );
  });

  it('is refused when its converter writes defaults in place of NULL and a column of the table has one', () => {
    const replaced = { snapshot: 'false' };
    const withDefault: ConnectField = { ...NAME, default: 'none' };
    const schema = (column: ConnectField, source: object) =>
      withSchema(envelope({ op: 'c', after: ROW, source }), [column]);
    expect(() => changeOf(schema(withDefault, replaced))).toThrow(
      refused('defaults in place of NULL in name'),
    );
    expect(() => changeOf(bare(envelope({ op: 'c', after: ROW, source: replaced })))).toThrow(
      refused('defaults in place of NULL'),
    );
    expect(changeOf(schema(NAME, replaced)).after).toEqual([1, 'new']);
    expect(changeOf(schema(withDefault, { snapshot: null })).after).toEqual([1, 'new']);
  });
});
