import { describe, expect, it } from 'vitest';
import { progressOf, RateWindow, showDuration } from '../../../src/observe/progress.ts';

const MINUTE = 60_000;

describe('progressOf', () => {
  it('PRG-1: 250,000 of 1,000,000 after 10 minutes are 25 % with 30 minutes left', () => {
    const work = { done: 250_000, total: 1_000_000, elapsedMs: 10 * MINUTE, doneMeanwhile: 250_000 };
    expect(progressOf(work)).toEqual({ percent: 25, remainingMs: 30 * MINUTE });
    expect(showDuration(30 * MINUTE)).toBe('30 min');
  });

  it('knows no time left before anything was done', () => {
    expect(progressOf({ done: 0, total: 10, elapsedMs: 5, doneMeanwhile: 0 }).remainingMs).toBeNull();
  });

  it('PRG-2: goes by the rate since a restart and not by what was done before', () => {
    const work = { done: 500, total: 1_000, elapsedMs: MINUTE, doneMeanwhile: 100 };
    expect(progressOf(work)).toEqual({ percent: 50, remainingMs: 5 * MINUTE });
  });

  it('PRG-2: takes nothing to do as done, and more than expected as all', () => {
    expect(progressOf({ done: 0, total: 0, elapsedMs: 0, doneMeanwhile: 0 })).toEqual({
      percent: 100,
      remainingMs: 0,
    });
    expect(progressOf({ done: 12, total: 10, elapsedMs: 1, doneMeanwhile: 12 })).toEqual({
      percent: 100,
      remainingMs: 0,
    });
  });
});

describe('RateWindow', () => {
  it('forgets what lies behind its window', () => {
    const window = new RateWindow(10_000);
    for (let second = 0; second <= 60; second++)
      window.add(second * 1_000, second < 40 ? 0 : (second - 40) * 500);
    const { elapsedMs, count } = window.stretch;
    expect((count / elapsedMs) * 1_000).toBe(500);
  });

  it('is empty at first', () => {
    expect(new RateWindow(1).stretch).toEqual({ elapsedMs: 0, count: 0 });
  });
});

describe('showDuration', () => {
  it.each([
    [900, '1 s'],
    [61_000, '1 min 1 s'],
    [209_760, '3 min 30 s'],
    [599_100, '10 min'],
    [601_000, '11 min'],
    [3 * 3_600_000 + 5 * MINUTE, '3 h 05 min'],
  ])('%d ms is %s', (ms, text) => {
    expect(showDuration(ms)).toBe(text);
  });
});
