/** Times of a source by this machine's clock: neither a clock that is wrong nor a session that sets the time hides lag. */
import { describe, expect, it } from 'vitest';
import { EventTimes, SourceClock } from '../../../src/capture/source-clock.ts';
import type { BinlogEvent } from '../../../src/drivers/binlog-event.ts';

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
