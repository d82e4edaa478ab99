import { describe, expect, it } from 'vitest';
import type { BinlogKept, ResumePoint } from '../../../src/capture/binlog-headroom.ts';
import { judgeHeadroom, measureHeadroom } from '../../../src/capture/binlog-headroom.ts';
import { HeadroomWatch } from '../../../src/capture/headroom-watch.ts';
import { RowferryError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';

const UUID = '3da747c4-e569-11f1-8f8a-02fc00000001';
const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;

const kept: BinlogKept = {
  files: [5, 6, 7].map((number) => ({ name: `binlog.00000${number}`, size: 1_000 })),
  expireSeconds: 24 * 3_600,
  maxBytes: null,
};

function pointIn(number: number, other: Partial<ResumePoint> & { readonly gtid?: string } = {}): ResumePoint {
  const { gtid, ...rest } = other;
  const place = { server: 's', file: `binlog.00000${number}`, offset: 400 };
  return {
    position: gtid === undefined ? place : { ...place, gtid },
    commitMs: NOW - 10 * HOUR,
    untilMs: NOW - 10 * HOUR,
    ...rest,
  };
}

const measure = (point: ResumePoint, other: Partial<BinlogKept> = {}) =>
  measureHeadroom(point, { ...kept, ...other }, NOW);

describe('the headroom of the binlog', () => {
  it('is what retention leaves of the age of the position, and the bytes on both sides of it', () => {
    expect(measure(pointIn(6))).toEqual({
      isGone: false,
      olderBytes: 1_400,
      behindBytes: 1_600,
      headroomMs: 14 * HOUR,
      headroomBytes: null,
    });
  });

  it('is whole in the file that is being written, however long ago the last commit was', () => {
    expect(measure(pointIn(7))?.headroomMs).toBe(24 * HOUR);
  });

  it('does not shrink with GTIDs while the source is idle; a place in a file does, which is removed all the same', () => {
    const idle = { untilMs: NOW };
    expect(measure(pointIn(6, { ...idle, gtid: 's:1-9' }))?.headroomMs).toBe(24 * HOUR);
    expect(measure(pointIn(6, idle))?.headroomMs).toBe(14 * HOUR);
  });

  it('is none once the file is removed, but with GTIDs only when changes were', () => {
    expect(measure(pointIn(4))).toMatchObject({ isGone: true, headroomMs: 0 });
    expect(measure(pointIn(4, { gtid: 's:1-9' }))).toMatchObject({ isGone: true });
    expect(measure(pointIn(4, { gtid: 's:1-9', untilMs: NOW }))).toBeUndefined();
  });

  it('goes by the GTIDs that the source has removed, where it tells: it may have removed files that hold none', () => {
    const idle = pointIn(4, { gtid: `${UUID}:1-9`, untilMs: null });
    expect(measure(idle, { purgedGtid: `${UUID}:1-9` })).toBeUndefined();
    expect(measure(idle, { purgedGtid: `${UUID}:1-10` })).toMatchObject({ isGone: true, headroomMs: 0 });
    const stuck = pointIn(6, { gtid: `${UUID}:1-9` });
    expect(measure(stuck, { purgedGtid: `${UUID}:1-9` })?.headroomMs).toBe(14 * HOUR);
    expect(measure(stuck, { purgedGtid: `${UUID}:1-10` })).toMatchObject({ isGone: true });
  });

  it('has no bytes for a place that only GTIDs name, as of a source that never writes: nothing is behind it', () => {
    const first = pointIn(5, { gtid: `${UUID}:1-9`, commitMs: null, untilMs: null });
    const named = { ...first, position: { ...first.position, offset: 4 } };
    expect(measure(named, { maxBytes: 2_000, purgedGtid: `${UUID}:1-9` })).toBeUndefined();
    expect(measure(named, { maxBytes: 2_000 })).toBeUndefined();
    expect(measure(named, { purgedGtid: `${UUID}:1-10` })).toMatchObject({ isGone: true });
  });

  it('is not known for GTIDs alone, nor for a file that the server does not have yet', () => {
    const byGtid = pointIn(6);
    expect(measure({ ...byGtid, position: { ...byGtid.position, file: '' } })).toBeUndefined();
    expect(measure(pointIn(9))).toBeUndefined();
    expect(measure(pointIn(6, { commitMs: null }))?.headroomMs).toBeNull();
    expect(measure(pointIn(6), { expireSeconds: null })?.headroomMs).toBeNull();
  });

  it('counts from the start of the position’s file where size removes files', () => {
    expect(measure(pointIn(6), { maxBytes: 5_000 })?.headroomBytes).toBe(3_000);
    expect(measure(pointIn(5), { maxBytes: 2_000 })?.headroomBytes).toBe(0);
  });

  it.each([
    ['ample', pointIn(6), {}, false],
    ['short past half of the time', pointIn(6, { commitMs: NOW - 13 * HOUR }), {}, false],
    ['short past half of the size', pointIn(6), { maxBytes: 3_900 }, false],
    ['ample within half of the size', pointIn(6), { maxBytes: 4_100 }, false],
    ['gone', pointIn(4), {}, true],
    ['brief for a copy', pointIn(7), {}, true],
    ['ample for a copy', pointIn(7), { expireSeconds: 3 * 86_400 }, true],
  ] as const)('is %s', (expected, point, other, isCopying) => {
    const all = { ...kept, ...other };
    const { state, text } = judgeHeadroom(measure(point, other), all, {
      position: point.position,
      isCopying,
    });
    expect(state).toBe(expected.split(' ')[0]);
    if (state === 'short' || state === 'gone') expect(text).toContain('binlog.00000');
  });
});

describe('the watch over it', () => {
  function watch() {
    const said: string[] = [];
    const note = (_: unknown, message: string): void => void said.push(message);
    const world = {
      nowMs: NOW,
      point: pointIn(6) as ResumePoint | undefined,
      copying: false,
      looks: 0,
      fails: false,
    };
    const watching = new HeadroomWatch({
      point: () => world.point,
      isCopying: () => world.copying,
      nowMs: () => world.nowMs,
      log: { ...silentLog, info: note, warn: note },
      look: async () => {
        world.looks += 1;
        if (world.fails) throw new RowferryError('ROWFERRY_SOURCE_LINK', 'gone away');
        return kept;
      },
    });
    return { world, said, watching };
  }

  it('asks at most once a minute and speaks once for each state', async () => {
    const { world, said, watching } = watch();
    for (let second = 0; second < 150; second++) {
      world.nowMs = NOW + second * 1_000;
      await watching.step();
    }
    expect(world.looks).toBe(3);
    expect(said).toEqual([]);
    for (const later of [3, 4, 5]) {
      world.nowMs = NOW + later * HOUR;
      await watching.step();
    }
    expect(said).toEqual([expect.stringContaining('the source may remove the binlog')]);
    expect(watching.headroom).toMatchObject({ headroomMs: 9 * HOUR });
    world.point = pointIn(7);
    world.nowMs += HOUR;
    await watching.step();
    expect(said.slice(1)).toEqual(['the source keeps its binlog for long enough again']);
  });

  it('asks again at once when a position that only GTIDs named gets its place', async () => {
    const { world, watching } = watch();
    world.point = pointIn(6, { gtid: `${UUID}:1-9` });
    const { position } = world.point;
    world.point = { ...world.point, position: { ...position, offset: 4 } };
    for (const _ of [1, 2]) await watching.step();
    expect([world.looks, watching.headroom]).toEqual([1, null]);
    world.point = { ...world.point, position };
    for (const _ of [1, 2]) await watching.step();
    expect(world.looks).toBe(2);
    expect(watching.headroom).not.toBeNull();
  });

  it('speaks at once when a copy begins while little is kept', async () => {
    const { world, said, watching } = watch();
    await watching.step();
    world.copying = true;
    await watching.step();
    await watching.step();
    expect(said).toEqual([
      expect.stringContaining('tables are copied while the source keeps its binlog for 24 hours'),
    ]);
    expect(world.looks).toBe(1);
  });

  it('knows nothing of a source that does not answer, says so once, and asks no stand-by’s', async () => {
    const { world, said, watching } = watch();
    world.fails = true;
    for (const minute of [0, 2, 4]) {
      world.nowMs = NOW + minute * 60_000;
      await watching.step();
    }
    expect(said).toEqual([expect.stringContaining('binlog headroom is not known: ')]);
    expect(watching.headroom).toBeNull();
    world.point = undefined;
    world.nowMs = NOW + HOUR;
    await watching.step();
    expect(world.looks).toBe(3);
  });
});
