/** Up to when a source is known to be read (I-9): what shows that it is idle, and what does not. */
import { describe, expect, it } from 'vitest';
import type { HeartbeatEvent } from '../../../src/drivers/binlog-event.ts';
import { Horizon } from '../../../src/capture/horizon.ts';

const NOW = 1_800_000_000_000;
const CURRENT = { file: 'binlog.000002', offset: 1_000 };
const HERE: HeartbeatEvent = { kind: 'heartbeat', ...CURRENT };

function horizonOf(rowMs: number | null): { readonly horizon: Horizon; readonly told: string[] } {
  const told: string[] = [];
  const note = (_: unknown, text: string): void => void told.push(text);
  const log = { debug: note, info: note, warn: note, error: note };
  return { horizon: new Horizon({ source: 'main', current: CURRENT, rowMs, log }), told };
}

const end = (commitMs: number, rowMs?: number, offset = 2_000) => {
  const place = { file: CURRENT.file, offset, gtid: null, commitMs };
  return rowMs === undefined ? place : { ...place, rowMs };
};

describe('the horizon of a source without a heartbeat row', () => {
  it('is that of the last transaction, and now when its binlog says that nothing is behind', () => {
    const { horizon } = horizonOf(null);
    expect([horizon.ms, horizon.isCurrent]).toEqual([null, false]);
    horizon.transaction(end(NOW - 50, undefined, 900), NOW);
    expect([horizon.ms, horizon.isCurrent, horizon.readMs(NOW + 5)]).toEqual([NOW - 50, false, NOW]);
    expect(horizon.heartbeat({ ...HERE, offset: 999 }, true, NOW + 10)).toBe(false);
    expect(horizon.heartbeat(HERE, false, NOW + 10)).toBe(false);
    expect(horizon.heartbeat(HERE, true, NOW + 10)).toBe(true);
    expect([horizon.ms, horizon.isCurrent, horizon.readMs(NOW + 20)]).toEqual([NOW + 10, true, NOW + 10]);
  });

  it('is never overdue', () => {
    const { horizon, told } = horizonOf(null);
    horizon.transaction(end(NOW), NOW);
    expect(horizon.isOverdue(NOW + 1e9)).toBe(false);
    expect(told).toEqual([]);
  });
});

describe('the horizon of a source with a heartbeat row', () => {
  it('does not go by what the binlog says of itself, though that shows where it stands', () => {
    const { horizon } = horizonOf(1_000);
    expect(horizon.heartbeat(HERE, true, NOW)).toBe(false);
    expect([horizon.ms, horizon.isCurrent]).toEqual([null, true]);
  });

  it('is the row’s time when it came at once with nothing behind it, and nothing was read later than that', () => {
    const { horizon } = horizonOf(1_000);
    horizon.transaction(end(NOW - 20, NOW - 20), NOW);
    expect(horizon.drained(NOW)).toBe(true);
    expect([horizon.ms, horizon.readMs(NOW + 500)]).toEqual([NOW - 20, NOW - 20]);
    expect(horizon.drained(NOW)).toBe(false);
  });

  it('has the delay of a row that was long on its way, or of a change behind it', () => {
    const { horizon } = horizonOf(1_000);
    horizon.transaction(end(NOW - 3_000, NOW - 3_000), NOW);
    expect(horizon.drained(NOW)).toBe(false);
    expect([horizon.ms, horizon.readMs(NOW)]).toEqual([NOW - 3_000, NOW]);
    horizon.transaction(end(NOW, NOW), NOW);
    horizon.transaction(end(NOW + 5), NOW + 10);
    expect(horizon.drained(NOW + 10)).toBe(false);
  });

  it('is not idle by a row of the past that is read again', () => {
    const { horizon } = horizonOf(1_000);
    horizon.transaction(end(NOW, NOW, 900), NOW);
    expect(horizon.drained(NOW)).toBe(false);
  });

  it('ages when nothing comes for longer than rows may take, which is told once, until something comes', () => {
    const { horizon, told } = horizonOf(1_000);
    // Nothing has ever come: counted from the first look.
    expect(horizon.isOverdue(NOW)).toBe(false);
    expect(horizon.isOverdue(NOW + 3_001)).toBe(true);
    horizon.transaction(end(NOW + 4_000, NOW + 4_000), NOW + 4_000);
    expect([7_000, 7_001, 8_000].map((later) => horizon.isOverdue(NOW + later))).toEqual([false, true, true]);
    expect([horizon.ms, horizon.readMs(NOW + 8_000)]).toEqual([NOW + 4_000, NOW + 8_000]);
    horizon.heartbeat(HERE, true, NOW + 8_500);
    expect(horizon.isOverdue(NOW + 8_500)).toBe(true);
    horizon.transaction(end(NOW + 9_000, NOW + 9_000), NOW + 9_000);
    expect(horizon.isOverdue(NOW + 9_000)).toBe(false);
    const late = 'no heartbeat row comes from main: lag counts from what is known to be read';
    const again = 'the heartbeat row comes from main again';
    expect(told).toEqual([late, again, late, again]);
  });
});
