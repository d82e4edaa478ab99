import { describe, expect, it } from 'vitest';
import { statusLines } from '../../../src/cli/status.ts';

describe('rowferry status', () => {
  it('tells both steps of the way on for a table that waits', () => {
    const held = {
      table: 'shop.orders',
      statement: 'binlog.000007:777',
      why: 'ALTER TABLE drops a column',
      acknowledged: null,
      waits: null,
    };
    const source = {
      name: 'main',
      isDebezium: false,
      state: null,
      epoch: 1,
      position: 'binlog.000007:900',
      savedMs: 0,
      error: null,
      copies: { tables: 0, done: 0, waits: null },
      held: [held],
    };
    const lines = statusLines({
      name: 'shop',
      timeMs: 0,
      daemons: [],
      sources: [source],
      partitions: [],
      away: [],
    });
    expect(lines.slice(2, 5)).toEqual([
      'source    main  epoch 1  binlog.000007:900',
      '          shop.orders waits: ALTER TABLE drops a column',
      '            make the same change at the targets, then: rowferry ddl ack --source main --at binlog.000007:777',
    ]);

    const acknowledged = { timeMs: 0, by: 'mia' };
    const letGo = { ...held, acknowledged, waits: 'until partition 3 is there' };
    const after = { ...source, held: [letGo] };
    expect(
      statusLines({ name: 'shop', timeMs: 0, daemons: [], away: [], sources: [after], partitions: [] }),
    ).toContain(
      '            acknowledged at 1970-01-01T00:00:00.000Z by mia, waits until partition 3 is there',
    );
  });
});
