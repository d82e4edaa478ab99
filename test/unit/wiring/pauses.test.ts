import { describe, expect, it } from 'vitest';
import { pauseKey, pauseOf, pauseParts, type PausePart } from '../../../src/wiring/pauses.ts';
import { GOOD, parse } from '../config/config-text.ts';

const APPLY: PausePart = { role: 'apply' };
const MAIN: PausePart = { role: 'capture', source: 'main' };

function record(part: PausePart, paused: boolean, timeMs: number) {
  const value = JSON.stringify({ v: 1, paused, by: `op${timeMs}`, timeMs });
  return { offset: timeMs, key: pauseKey(part), value };
}

describe('pauses', () => {
  it('stand as the newest record of a part says, whatever else the topic holds', () => {
    const layout = { offset: 0, key: 'layout', value: '{}' };
    expect(pauseOf([layout], APPLY)).toBeNull();
    const log = [layout, record(APPLY, true, 1), record(MAIN, true, 2), record(APPLY, false, 3)];
    expect(pauseOf(log, APPLY)).toBeNull();
    expect(pauseOf(log, MAIN)).toEqual({ by: 'op2', timeMs: 2 });
    expect(pauseOf(log, { role: 'capture', source: 'other' })).toBeNull();
  });

  it('mean all parts, one side, or one source', () => {
    const config = parse(GOOD);
    expect(pauseParts(config, 'all', undefined)).toEqual([APPLY, MAIN]);
    expect(pauseParts(config, 'apply', undefined)).toEqual([APPLY]);
    expect(pauseParts(config, 'capture', undefined)).toEqual([MAIN]);
    expect(pauseParts(config, 'all', 'main')).toEqual([MAIN]);
    expect(() => pauseParts(config, 'capture', 'nobody')).toThrow('no source nobody');
  });
});
