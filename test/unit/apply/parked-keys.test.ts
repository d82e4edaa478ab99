import { describe, expect, it } from 'vitest';
import { ParkedKeys, parkedName } from '../../../src/apply/parked-keys.ts';
import type { ParkedEntry } from '../../../src/targets/target.ts';

const entry = (part: Partial<ParkedEntry>): ParkedEntry => ({
  topic: 't',
  partition: 0,
  sourceTable: 'shop.users',
  table: 'users',
  key: ['7'],
  reason: 'conflict',
  detail: '',
  sequence: { epoch: 1, file: 1, end: 1, half: 0 },
  parkedAtMs: 0,
  attempts: 0,
  ...part,
});
const writer = (origin?: string) => ({
  table: { name: 'users' },
  ...(origin === undefined ? {} : { origin: { value: origin } }),
});

describe('ParkedKeys', () => {
  it('keeps entries of one key by target, table and origin: none is forgotten for another', () => {
    const keys = new ParkedKeys();
    keys.add(0, entry({ origin: 'x:shop.users' }));
    keys.add(0, entry({ origin: 'y:shop.users' }));
    keys.add(1, entry({}));
    expect(keys.size).toBe(3);
    keys.delete(0, parkedName(writer('y:shop.users'), ['7']));
    expect(keys.has(0, parkedName(writer('x:shop.users'), ['7']))).toBe(true);
    expect(keys.has(0, parkedName(writer('y:shop.users'), ['7']))).toBe(false);
    expect(keys.has(0, parkedName(writer(), ['7']))).toBe(false);
    expect(keys.has(1, parkedName(writer(), ['7']))).toBe(true);
    expect(keys.hasAny(0, 'users')).toBe(true);
  });

  it('counts an entry that is parked again once', () => {
    const keys = new ParkedKeys();
    keys.add(0, entry({}));
    keys.add(0, entry({ attempts: 2 }));
    keys.delete(0, entry({}));
    expect([keys.size, keys.hasAny(0, 'users')]).toEqual([0, false]);
  });
});
