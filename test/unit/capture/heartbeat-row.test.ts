import { describe, expect, it } from 'vitest';
import {
  CREATE_HEARTBEAT_TABLE,
  isHeartbeatTable,
  readHeartbeat,
  utcMs,
  writeHeartbeat,
} from '../../../src/capture/heartbeat-row.ts';
import type { RowsEvent } from '../../../src/drivers/binlog-event.ts';
import type { Row } from '../../../src/model/table.ts';

const OWNER = { pipeline: 'p', source: 'main' };
const TIME = '2026-01-31 12:00:00.123456';
const TIME_MS = Date.UTC(2026, 0, 31, 12, 0, 0, 123);
const NAMES = [...(CREATE_HEARTBEAT_TABLE.at(-1) ?? '').matchAll(/^ {2}([a-z_]+) [a-z]/gm)].map(
  ([, name]) => name!,
);

function event(rows: readonly Row[], op: RowsEvent['op'] = 'insert', names = NAMES): RowsEvent {
  const columns = names.map((name) => ({ name, type: 'varchar' }));
  const table = { schema: 'rowferry', name: 'heartbeat', columns, key: [0, 1] };
  return { kind: 'rows', table, op, rows, end: 100, timeMs: 1, bytes: 1 };
}

describe('a heartbeat row', () => {
  it('is read by the names of its columns, in UTC, as it is after a change', () => {
    expect(NAMES).toEqual(['pipeline', 'source', 'written_at']);
    expect(readHeartbeat(event([['p', 'main', TIME]]), OWNER)).toBe(TIME_MS);
    const images = [
      ['p', 'main', '2026-01-31 11:59:59.000000'],
      ['p', 'main', TIME],
    ];
    expect(readHeartbeat(event(images, 'update'), OWNER)).toBe(TIME_MS);
    const moved = ['written_at', 'more', 'source', 'pipeline'];
    expect(readHeartbeat(event([[TIME, 1, 'main', 'p']], 'insert', moved), OWNER)).toBe(TIME_MS);
  });

  it('is ours only with both names, and tells nothing when it goes or holds no time', () => {
    expect(readHeartbeat(event([['other', 'main', TIME]]), OWNER)).toBeUndefined();
    expect(readHeartbeat(event([['p', 'other', TIME]]), OWNER)).toBeUndefined();
    expect(readHeartbeat(event([['p', 'main', TIME]], 'delete'), OWNER)).toBeUndefined();
    expect(readHeartbeat(event([['p', 'main', '0000-00-00 00:00:00.000000']]), OWNER)).toBeUndefined();
    expect(readHeartbeat(event([['p', 'main', null]]), OWNER)).toBeUndefined();
    expect(readHeartbeat(event([]), OWNER)).toBeUndefined();
  });

  it('stands in the schema of rowferry alone, and names are quoted', () => {
    expect(isHeartbeatTable('rowferry', 'heartbeat')).toBe(true);
    expect([isHeartbeatTable('shop', 'heartbeat'), isHeartbeatTable('rowferry', 'mark')]).toEqual([
      false,
      false,
    ]);
    expect(writeHeartbeat({ pipeline: "a'b", source: 'main' })).not.toContain("'a'b'");
    expect(utcMs(TIME)).toBe(TIME_MS);
  });
});
