/** What is known of a source goes on when one capture of it ends and the next has not read anything yet. */
import { describe, expect, it } from 'vitest';
import { CaptureLag } from '../../../src/capture/capture-lag.ts';
import { CaptureProgress } from '../../../src/capture/capture-progress.ts';
import { newCopy } from '../../../src/capture/snapshot-state.ts';
import { ALL_FLOW } from '../../../src/capture/table-flow.ts';

const NOW = 1_800_000_000_000;
const POSITION = { server: 's', file: 'binlog.000007', offset: 900 };
const HELD = {
  table: 'shop.t',
  statement: 'binlog.000007:800',
  gtid: null,
  why: 'ALTER TABLE drops a column',
  from: POSITION,
  sinceMs: NOW - 5_000,
};
const SAVED = {
  position: POSITION,
  commitMs: NOW - 9_000,
  savedMs: NOW - 1_000,
  snapshot: { requests: 0, tables: [newCopy('shop.t', 1)] },
  flow: { ...ALL_FLOW, held: [HELD] },
};

function recalled(): CaptureProgress {
  const progress = new CaptureProgress('main', new CaptureLag(1_000));
  progress.recall(SAVED);
  return progress;
}

const known = {
  held: [{ table: 'shop.t', statement: HELD.statement, why: HELD.why, sinceMs: HELD.sinceMs }],
  position: expect.stringContaining('binlog.000007:900') as string,
  savedMs: NOW - 1_000,
  copies: [expect.objectContaining({ table: 'shop.t', state: 'waiting' }) as object],
};

describe('the progress of a capture', () => {
  it('is what is saved before anything is read, paused or not', () => {
    const progress = recalled();
    progress.enter('paused');
    expect(progress.status(null)).toMatchObject(known);
    expect(progress.resume?.position).toEqual(POSITION);
  });

  it('is what the capture before it knew, until it knows better', () => {
    const before = recalled();
    const next = new CaptureProgress('main', before.lag, before);
    next.enter('starting');
    expect(next.status(null)).toMatchObject({ ...known, events: 0, copyThrottle: null });
    next.flows({ state: ALL_FLOW });
    next.saved({ position: POSITION, commitMs: null, untilMs: null }, NOW);
    expect(next.status(null)).toMatchObject({ held: [], savedMs: NOW });
  });

  it('is forgotten where another process captures', () => {
    const progress = recalled();
    progress.enter('standby');
    expect(progress.status(null)).toMatchObject({ held: [], copies: [], position: null, savedMs: null });
    expect(progress.isKnown).toBe(false);
  });
});
