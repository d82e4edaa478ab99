/** Times of a source by this machine's clock: neither a clock that is wrong nor a session that sets the time hides lag. */
import { describe, expect, it } from 'vitest';
import { askTime, EventTimes, SourceClock } from '../../../src/capture/source-clock.ts';
import type { BinlogEvent } from '../../../src/drivers/binlog-event.ts';
import type { Table } from '../../../src/model/table.ts';

const NOW = 1_800_000_000_000;
const CURRENT = { file: 'binlog.000002', offset: 1_000 };
const DAY_MS = 86_400_000;

function clockAt(): { readonly clock: SourceClock; readonly warned: number[] } {
  const warned: number[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: () => void warned.push(1) };
  return { clock: new SourceClock(log), warned };
}

const begin = (end: number, commitTimeMs: number | null): BinlogEvent => {
  return { kind: 'begin', gtid: null, commitTimeMs, end };
};
const commit = (end: number, timeMs: number): BinlogEvent => ({ kind: 'commit', gtid: null, end, timeMs });

function times(clock = clockAt().clock): EventTimes {
  return new EventTimes(clock, CURRENT.file, CURRENT);
}

describe('the clock of a source', () => {
  it('is known by half of a round trip, and apart only as far as that trip cannot explain', () => {
    const { clock } = clockAt();
    expect(clock.offsetMs).toBeNull();
    clock.measured(NOW + 60_050, NOW, NOW + 100);
    expect(clock.offsetMs).toBe(60_000);
    clock.measured(NOW - 29_950, NOW, NOW + 100);
    expect(clock.offsetMs).toBe(-30_000);
    clock.measured(NOW + 90, NOW, NOW + 100);
    expect(clock.offsetMs).toBe(0);
  });

  it('is warned of once it is a second off, and again only after it was right', () => {
    const { clock, warned } = clockAt();
    for (const offsetMs of [900, 1_500, 60_000, -2_000, 0, 5_000]) clock.measured(NOW + offsetMs, NOW, NOW);
    expect(warned).toHaveLength(2);
  });

  it('neither hides lag when it is ahead nor makes any when it is behind', () => {
    for (const offsetMs of [60_000, -60_000]) {
      const { clock } = clockAt();
      clock.measured(NOW + offsetMs, NOW, NOW);
      const of = times(clock);
      expect(of.of(begin(2_000, NOW + offsetMs - 250), true, NOW)).toMatchObject({ commitTimeMs: NOW - 250 });
      expect(of.of(commit(2_100, NOW + offsetMs - 250), true, NOW)).toMatchObject({ timeMs: NOW - 250 });
    }
  });
});

describe('the time of a transaction', () => {
  it('is never later than it was read, whatever its session had set', () => {
    expect(times().of(commit(2_100, NOW + DAY_MS), false, NOW)).toMatchObject({ timeMs: NOW });
    expect(times().of(begin(2_000, NOW + DAY_MS), false, NOW)).toMatchObject({ commitTimeMs: NOW });
  });

  it('is when it came where the source does not tell, once all that was old is read and nothing waits before it', () => {
    const of = times();
    expect(of.of(begin(900, null), true, NOW)).toMatchObject({ commitTimeMs: null });
    expect(of.of(begin(1_000, null), true, NOW)).toMatchObject({ commitTimeMs: null });
    expect(of.of(begin(1_100, null), true, NOW)).toMatchObject({ commitTimeMs: NOW });
    expect(of.of(begin(1_200, null), false, NOW)).toMatchObject({ commitTimeMs: null });
    of.of({ kind: 'rotate', file: 'binlog.000003', offset: 4 }, true, NOW);
    expect(of.of(begin(100, null), true, NOW)).toMatchObject({ commitTimeMs: NOW });
  });

  it('that the source tells is taken, to the fraction of a millisecond', () => {
    expect(times().of(begin(2_000, NOW - 12.5), true, NOW)).toMatchObject({ commitTimeMs: NOW - 12.5 });
  });
});

describe('the time of a transaction between heartbeat rows', () => {
  const heartbeats: Table = { schema: 'rowferry', name: 'heartbeat', columns: [], key: [] };
  /** Written at the time that its only value is. */
  const row = (writtenMs: number, end: number): BinlogEvent => {
    return { kind: 'rows', table: heartbeats, op: 'insert', rows: [[writtenMs]], end, timeMs: 0, bytes: 1 };
  };
  const timesBy = (isElsewhere: boolean): EventTimes =>
    new EventTimes(clockAt().clock, CURRENT.file, CURRENT, {
      everyMs: 1_000,
      isElsewhere,
      of: ({ table, rows }) => (table === heartbeats ? Number(rows[0]?.[0]) : undefined),
    });

  it('is no earlier than the row before it, and no later than the next one may be, where only statements tell', () => {
    const of = timesBy(false);
    of.of(begin(500, null), false, NOW);
    of.of(row(NOW - 60_000, 600), false, NOW);
    expect(of.of(begin(700, null), false, NOW)).toMatchObject({ commitTimeMs: null });
    const told = (timeMs: number) => of.of(commit(800, timeMs), false, NOW);
    expect(told(NOW - 90_000)).toMatchObject({ timeMs: NOW - 60_000 });
    expect(told(NOW - 59_000)).toMatchObject({ timeMs: NOW - 59_000 });
    expect(told(NOW + DAY_MS)).toMatchObject({ timeMs: NOW - 60_000 });
  });

  it('counts the way to here where the reader waits for it: that of the row before took as long', () => {
    const of = timesBy(false);
    of.of(begin(2_000, null), true, NOW);
    of.of(row(NOW - 300, 2_100), true, NOW);
    expect(of.of(begin(2_200, null), true, NOW + 400)).toMatchObject({ commitTimeMs: NOW + 100 });
  });

  it('is the source’s own where that tells it, and not the replica’s where rows are written at a primary', () => {
    for (const [isElsewhere, commitTimeMs] of [
      [false, NOW + 250],
      [true, NOW - 5_000 + 250],
    ] as const) {
      const of = timesBy(isElsewhere);
      of.of(begin(2_000, NOW), true, NOW);
      of.of(row(NOW - 5_000, 2_100), true, NOW);
      expect(of.of(begin(2_200, NOW + 250), true, NOW + 260)).toMatchObject({ commitTimeMs });
    }
  });

  it('is what its statements tell before the first row of a link, where a replica’s own time would hide how far it is behind', () => {
    const of = timesBy(true);
    expect(of.of(begin(2_000, NOW), true, NOW)).toMatchObject({ commitTimeMs: null });
    expect(of.of(commit(2_100, NOW - 60_000), true, NOW)).toMatchObject({ timeMs: NOW - 60_000 });
    of.of(begin(2_200, NOW + 100), true, NOW + 100);
    of.of(row(NOW - 60_000, 2_300), true, NOW + 100);
    expect(of.of(begin(2_400, NOW + 200), true, NOW + 200)).toMatchObject({ commitTimeMs: NOW - 59_900 });
  });

  it('is never later than it was read', () => {
    const of = timesBy(true);
    of.of(begin(2_000, NOW - 500), true, NOW);
    of.of(row(NOW, 2_100), true, NOW);
    expect(of.of(begin(2_200, NOW - 100), true, NOW)).toMatchObject({ commitTimeMs: NOW });
  });
});

describe('asking a server for its time', () => {
  it('takes the answer as UTC, and nothing from an answer that is no time', async () => {
    const { clock } = clockAt();
    await askTime(async () => [{ now: null }], clock);
    expect(clock.offsetMs).toBeNull();
    const ahead = new Date(Date.now() + 3_600_000).toISOString().replace('T', ' ').replace('Z', '000');
    await askTime(async () => [{ now: ahead }], clock);
    expect(Math.abs((clock.offsetMs ?? 0) - 3_600_000)).toBeLessThan(1_000);
  });
});
