import { describe, expect, it } from 'vitest';
import type { Accept } from '../../../src/capture/acknowledgements.ts';
import type { CheckpointRecord } from '../../../src/capture/checkpoint-log.ts';
import { encodeRecord, readCheckpointLog, recordKey } from '../../../src/capture/checkpoint-log.ts';
import { acknowledgedAfter, resolveReplay } from '../../../src/capture/replay.ts';
import type { Position } from '../../../src/model/position.ts';

const at = (offset: number, gtid?: string): Position => ({
  file: 'binlog.000002',
  offset,
  server: 's1',
  ...(gtid === undefined ? {} : { gtid }),
});

const U = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const RENAME = { table: 'shop.items', why: 'ALTER TABLE renames a column' };

const ack = (statement: string, more: Partial<Accept> = {}): Accept => ({
  kind: 'accept',
  server: 's1',
  statement,
  gtid: null,
  held: [RENAME],
  by: 'kim',
  timeMs: 1,
  ...more,
});

const claim = (start: Position): CheckpointRecord => ({
  kind: 'claim',
  id: 'c',
  epoch: 1,
  start,
  by: 'a',
  timeMs: 0,
});

const state = (...records: readonly CheckpointRecord[]) =>
  readCheckpointLog(
    records.map((record, offset) => ({ offset, key: recordKey(record), value: encodeRecord(record) })),
  );

describe('the acknowledged statements that a replay reads once more', () => {
  it('are those behind its start, with what they did', () => {
    const places = ['binlog.000001:900', 'binlog.000002:100', 'binlog.000002:300'];
    const found = state(claim(at(500)), ...places.map((place) => ack(place)));
    expect(acknowledgedAfter(at(100), found)).toEqual([
      'shop.items: ALTER TABLE renames a column, at binlog.000002:300',
    ]);
    expect(acknowledgedAfter(at(99), found)).toHaveLength(2);
    expect(acknowledgedAfter({ ...at(4), file: 'binlog.000001' }, found)).toHaveLength(3);
    expect(acknowledgedAfter(at(500), found)).toEqual([]);
  });

  it('are told by their transactions where those are known, whatever server has them', () => {
    const found = state(
      claim(at(500, `${U}:1-9`)),
      ack('binlog.000009:70', { server: 's0', gtid: `${U}:5` }),
      ack('binlog.000002:400', { gtid: `${U}:3` }),
    );
    const from = (text: string) => acknowledgedAfter(resolveReplay('main', `gtid:${text}`, found), found);
    expect(from(`${U}:1-4`)).toEqual(['shop.items: ALTER TABLE renames a column, at binlog.000009:70']);
    expect(from(`${U}:1-2`)).toHaveLength(2);
    expect(from(`${U}:1-5`)).toEqual([]);
  });

  it('are those of other servers only by a transaction, and of a start by GTIDs all that have none', () => {
    const found = state(
      claim(at(500, `${U}:1-9`)),
      ack('binlog.000002:300', { server: 's0' }),
      ack('binlog.000001:300'),
    );
    expect(acknowledgedAfter(at(200), found)).toEqual([]);
    expect(acknowledgedAfter(resolveReplay('main', `gtid:${U}:1-8`, found), found)).toHaveLength(1);
  });

  it('of former versions are told by what was held, or by their place alone', () => {
    const former = (statement: string): Accept => {
      const { held: _, ...record } = ack(statement);
      return record;
    };
    const held = {
      table: 'shop.users',
      statement: 'binlog.000002:300',
      gtid: null,
      why: 'RENAME TABLE renames a table',
      from: at(250),
      sinceMs: 1,
    };
    const found = state(
      claim(at(4)),
      {
        kind: 'checkpoint',
        incarnation: 0,
        epoch: 1,
        position: at(500),
        commitMs: null,
        flow: { held: [held], catchUp: null, passed: [] },
        timeMs: 2,
      },
      former('binlog.000002:300'),
      former('binlog.000002:400'),
    );
    expect(acknowledgedAfter(at(4), found)).toEqual([
      'shop.users: RENAME TABLE renames a table, at binlog.000002:300',
      'a statement, at binlog.000002:400',
    ]);
  });
});
