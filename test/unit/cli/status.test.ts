import { describe, expect, it } from 'vitest';
import { positionLines } from '../../../src/cli/positions.ts';
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

  it('tells what several partitions met once, below their table, with place and mend on lines of their own', () => {
    const partition = (number: number, error: string | null) => ({
      topic: 'shop.main',
      partition: number,
      next: 12_345,
      high: 12_391,
      behind: 46,
      parked: 0,
      lagMs: 209_760,
      state: error === null ? 'running' : 'stopped',
      error,
    });
    const missing = (number: number): string =>
      `ROWFERRY_TARGET_SCHEMA: no table orders_16 [topic shop.main, partition ${number}, offset 1${number}, target east] -> create it`;
    const partitions = [
      ...[0, 1, 2, 4].map((number) => partition(number, missing(number))),
      partition(3, null),
      partition(5, 'ROWFERRY_WIRE_CORRUPT: not JSON\nat all [topic shop.main, partition 5, offset 77]'),
    ];
    const lines = statusLines({
      name: 'shop',
      timeMs: 0,
      daemons: [],
      sources: [],
      partitions,
      away: [
        { part: 'target west', why: 'cannot be reached: ROWFERRY_TARGET_LINK: gone [target west] -> wait' },
      ],
    });
    expect(lines).toContain('target    west  cannot be reached: ROWFERRY_TARGET_LINK: gone');
    expect(lines).toContain('shop.main/0  12,345   12,391      46       0  3 min 30 s  stopped');
    expect(lines.slice(-8)).toEqual([
      '',
      'partitions 0-2, 4 of shop.main: ROWFERRY_TARGET_SCHEMA: no table orders_16',
      '  where: target east',
      '  mend: create it',
      '',
      'shop.main/5: ROWFERRY_WIRE_CORRUPT: not JSON',
      'at all',
      '  where: offset 77',
    ]);
  });
});

describe('rowferry positions', () => {
  it('shows a place that was saved again and again as one line', () => {
    const saved = (timeMs: number, offset: number, epoch = 1) =>
      ({ epoch, timeMs, position: { file: 'binlog.000001', offset, server: 'a' } }) as never;
    expect(
      positionLines([saved(0, 4), saved(5_000, 9), saved(10_000, 9), saved(15_000, 9), saved(20_000, 9, 2)]),
    ).toEqual([
      '1970-01-01T00:00:00.000Z                              epoch 1  binlog.000001:4',
      '1970-01-01T00:00:05.000Z to 1970-01-01T00:00:15.000Z  epoch 1  binlog.000001:9',
      '1970-01-01T00:00:20.000Z                              epoch 2  binlog.000001:9',
    ]);
  });
});
