import { describe, expect, it } from 'vitest';
import type { LiveDaemons } from '../../../src/cli/daemon-api.ts';
import { plainLine, screenLines } from '../../../src/cli/status-screen.ts';
import { GOOD, parse } from '../config/config-text.ts';
import { applyRole, captureRole, NOW, partition, StillDaemon, view } from '../server/daemon-fixture.ts';
import type { RoleStatus } from '../../../src/wiring/role-messages.ts';

const SIZE = { columns: 80, rows: 40, unicode: false };
const copy = {
  table: 'shop.orders',
  id: 1,
  state: 'copying' as const,
  paused: false,
  keyForm: null,
  upper: null,
  after: null,
  rows: 250_000,
  estimate: 1_000_000,
  startedMs: NOW,
  finishedMs: null,
  error: null,
};

function live(roles: readonly RoleStatus[], alerts: LiveDaemons['alerts'] = []): LiveDaemons {
  const daemon = new StillDaemon(
    parse(GOOD),
    roles.map((role) => view(role.role, role)),
  );
  return { statuses: [daemon.status], alerts };
}

const busy = (): LiveDaemons =>
  live(
    [
      captureRole({ copies: [copy], copyRate: { elapsedMs: 600_000, rows: 250_000 } }),
      applyRole([
        partition({ lagMs: 1_200, parked: 3, oldestParkedMs: NOW - 240_000 }),
        partition({
          partition: 1,
          state: 'waiting',
          error: 'ROWFERRY_TARGET_LINK: gone',
          nextTryMs: NOW + 3_000,
        }),
      ]),
    ],
    [{ rule: 'lag', level: 'critical', message: 'the lag is high', sinceMs: NOW - 60_000, firedMs: NOW }],
  );

describe('the screen of a pipeline', () => {
  it('shows what matters at 80 columns', () => {
    const text = screenLines(busy(), 'shop', SIZE, NOW).join('\n');
    expect(text).toContain('lag 1200 ms');
    expect(text).toMatch(/main +reading +binlog.000001:4 +500 ms +700 B/);
    expect(text).toContain('PARTITIONS  1 running, 1 waiting');
    expect(text).toContain('shop.main/1: ROWFERRY_TARGET_LINK: gone (again in 3 s)');
    expect(text).toMatch(/shop.orders +#####\.{15} +25.0% +250,000 +~30 min/);
    expect(text).toContain('PARKED  3 rows, the oldest for 4 min');
    expect(text).toContain('critical  the lag is high (for 1 min)');
  });

  it('fits any window, and says when something did not', () => {
    for (const columns of [1, 20, 80, 200]) {
      for (const rows of [2, 5, 24]) {
        const lines = screenLines(busy(), 'shop', { columns, rows, unicode: true }, NOW);
        expect(lines.length).toBeLessThan(rows);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      }
    }
    expect(screenLines(busy(), 'shop', { ...SIZE, rows: 6 }, NOW).at(-1)).toMatch(/^and \d+ more lines$/);
    const one = live([applyRole([partition({ parked: 1, oldestParkedMs: NOW - 209_760 })])]);
    expect(screenLines(one, 'shop', SIZE, NOW).join('\n')).toContain(
      'PARKED  1 row, the oldest for 3 min 30 s',
    );
  });

  it('shows a place whole, however long the set of GTIDs', () => {
    const gtid = Array.from({ length: 40 }, (_, at) => `7cd7950a-e5cc-11f1-92a6-02fc000000${at + 10}:1-3515`);
    const position = `mysql-bin.000001:16239839 (gtid ${gtid.join(',')})`;
    const text = screenLines(live([captureRole({ position })]), 'shop', SIZE, NOW).join('\n');
    expect(text).toMatch(/main +reading +mysql-bin.000001:16239839 +500 ms/);
    expect(text).not.toContain('gtid');
  });

  it('tells what many partitions met once, whole, with place and mend', () => {
    const stopped = Array.from({ length: 8 }, (_, number) =>
      partition({
        partition: number,
        state: 'stopped',
        error:
          `ROWFERRY_TARGET_SCHEMA: target east has no table orders_16 for shop.orders [topic shop.main, partition ${number}, ` +
          `offset ${number + 600}, target east, table orders_16] -> create it there (or correct the route); the partition goes on by itself`,
        nextTryMs: NOW + 1_000 * (number + 2),
      }),
    );
    const late = stopped.map(({ partition: number }) => ({
      rule: 'partition_lag',
      level: 'critical',
      message: `Partition ${number} is late`,
      sinceMs: NOW - 60_000,
      firedMs: NOW,
    }));
    const lines = screenLines(live([applyRole(stopped)], late), 'shop', SIZE, NOW);
    const text = lines.join('\n').replaceAll(/\n {4,}/g, ' ');
    expect(text.match(/ROWFERRY_TARGET_SCHEMA/g)).toHaveLength(1);
    expect(text).toContain('partitions 0-7 of shop.main: ROWFERRY_TARGET_SCHEMA: target east has no table');
    expect(text).toContain('(again in 2 s)');
    expect(text).toContain('where: target east, table orders_16 mend: create it there');
    expect(text).toContain('the partition goes on by itself');
    expect(lines.slice(-2)).toEqual([
      'ALERTS  8',
      '  critical  Partition 0 is late (for 1 min), and 7 more of partition_lag',
    ]);
  });

  it('shows the capture at work of several, and a target as late as the slowest process has it', () => {
    const [one] = live([captureRole({ state: 'standby', position: null }), applyRole()]).statuses;
    const two = live([
      captureRole(),
      applyRole([partition({ partition: 1 })], {
        targets: [
          {
            target: 'a',
            appliedUntilMs: NOW,
            lagMs: 7_000,
            lagSinceMs: null,
            parked: { conflict: 1, data: 1 },
            parkedTables: [],
          },
        ],
      }),
    ]).statuses;
    const text = screenLines({ statuses: [one!, ...two], alerts: [] }, 'shop', SIZE, NOW).join('\n');
    expect(text).not.toContain('standby');
    expect(text).toMatch(/^a +7000 ms +2$/m);
  });

  it('says who paused, and that nothing runs', () => {
    const pause = { by: 'kim@ops', timeMs: NOW - 120_000 };
    const paused = live([
      captureRole({ state: 'paused' }, { pause }),
      applyRole([partition({ state: 'paused' })], { pause }),
    ]);
    const text = screenLines(paused, 'shop', SIZE, NOW).join('\n');
    expect(text.match(/paused by kim@ops for 2 min/g)).toHaveLength(2);
    expect(screenLines({ statuses: [], alerts: [] }, 'shop', SIZE, NOW).at(-1)).toContain('no daemon');
  });

  it('is one plain line where nothing is drawn', () => {
    const line = plainLine(busy(), NOW);
    expect(line).toContain('lag 1200 ms');
    expect(line).toContain('partitions 1 running, 1 waiting');
    expect(line).not.toContain('\n');
    expect(line).not.toContain('\u001b');
  });

  it('tells of a held table and the way on, and counts its wait as lag', () => {
    const held = {
      table: 'shop.orders',
      statement: 'binlog.000007:777',
      why: 'ALTER TABLE drops a column',
      sinceMs: NOW - 120_000,
      acknowledged: null,
      waits: null,
    };
    const waits = live([captureRole({ held: [held] }), applyRole([partition({ lagMs: 0 })])]);
    const text = screenLines(waits, 'shop', SIZE, NOW).join('\n');
    expect(text).toContain('lag 2 min');
    expect(text).toContain('HELD  1 table waits: make the change at the targets, then');
    expect(text).toContain('rowferry ddl ack --source main --at binlog.000007:777');
    expect(plainLine(waits, NOW)).toMatch(/lag 2 min .* 1 held /);

    const acknowledged = { timeMs: NOW - 60_000, by: 'mia' };
    const letGo = { ...held, acknowledged, waits: 'until partition 3 is there' };
    const after = live([captureRole({ held: [letGo] }), applyRole([partition({ lagMs: 0 })])]);
    const told = screenLines(after, 'shop', SIZE, NOW).join('\n');
    expect(told).toContain('acknowledged 1 min ago by mia, waits until partition 3 is there');
    expect(told).not.toContain('ddl ack');
  });
});
