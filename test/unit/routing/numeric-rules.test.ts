import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRule } from '../../../src/routing/create-rule.ts';
import type { RouteKey, RuleSpec, ShardRule } from '../../../src/routing/rule.ts';

const by = 'user_id';
const segments = (count: number, half: 'low' | 'high' = 'low', slots = 64) =>
  createRule({ algorithm: 'segments', by, count, half, slots });
const labelOf = (rule: ShardRule, ...keys: RouteKey[]) => rule.label(rule.indexOf(...keys));
/** A key as it may arrive: decimal text, bigint, and a number where that is exact. */
const formsOf = (key: bigint): RouteKey[] =>
  Number.isSafeInteger(Number(key)) ? [String(key), key, Number(key)] : [String(key), key];
const allSlots = Array.from({ length: 64 }, (_, slot) => slot);

const numericRule: fc.Arbitrary<RuleSpec> = fc.oneof(
  fc.record({
    algorithm: fc.constant('modulo' as const),
    by: fc.constant(by),
    count: fc.integer({ min: 1, max: 65_536 }),
  }),
  fc
    .record({
      slotBits: fc.nat(16),
      countBits: fc.nat(16),
      half: fc.constantFrom('low' as const, 'high' as const),
    })
    .map(({ slotBits, countBits, half }) => {
      const count = 2 ** Math.min(slotBits, countBits);
      return { algorithm: 'segments' as const, by, slots: 2 ** slotBits, count, half };
    }),
  fc
    .record({ current: fc.integer({ min: 1, max: 200 }), run: fc.integer({ min: 1, max: 200 }) })
    .map(({ current, run }) => ({ algorithm: 'virtual-nodes' as const, by, max: current * run, current })),
  fc.constantFrom('low' as const, 'high' as const).map((half) => ({
    algorithm: 'slot-map' as const,
    by,
    half,
    slots: 10,
    map: { one: '0-3, 9', two: '4', three: '5-8' },
  })),
);

describe('modulo', () => {
  it('SHR-1, MOV-5: users 5, 6 and 9 of 4 shards', () => {
    const rule = createRule({ algorithm: 'modulo', by, count: 4 });
    expect([5, 6, 9].map((key) => labelOf(rule, key))).toEqual([1, 2, 1]);
  });

  it('RSH-1: from 2 to 4 shards, half of each shard moves', () => {
    const [two, four] = [2, 4].map((count) => createRule({ algorithm: 'modulo', by, count }));
    const moves = [2, 3, 4, 5, 6, 7].map((key) => [two!.indexOf(key), four!.indexOf(key)]);
    expect(moves).toEqual([
      [0, 2],
      [1, 3],
      [0, 0],
      [1, 1],
      [0, 2],
      [1, 3],
    ]);
  });
});

describe('segments', () => {
  it('SHR-2: 16 tables of 4 slots, named 00, 04 … 60', () => {
    const rule = segments(16);
    expect(allSlots.map((key) => labelOf(rule, key))).toEqual(allSlots.map((key) => Math.floor(key / 4) * 4));
  });

  it('SHR-3: 64 slots are shared by any count that divides them', () => {
    for (const count of [1, 2, 4, 8, 16, 32, 64]) {
      const labels = allSlots.map((key) => labelOf(segments(count), key));
      expect(new Set(labels).size).toBe(count);
      expect(labels[63]).toBe(64 - 64 / count);
    }
  });

  it.each([
    [0n, 0, 0, [0, 0, 0, 0], [0, 0, 0, 0]],
    [5n, 0, 5, [0, 0, 0, 0], [0, 0, 4, 5]],
    [63n, 0, 63, [0, 0, 0, 0], [48, 56, 60, 63]],
    [64n, 1, 0, [0, 0, 0, 1], [0, 0, 0, 0]],
    [256n, 4, 0, [0, 0, 4, 4], [0, 0, 0, 0]],
    [1000n, 15, 40, [0, 0, 12, 15], [32, 40, 40, 40]],
    [4095n, 63, 63, [32, 48, 60, 63], [48, 56, 60, 63]],
    [4096n, 0, 0, [0, 0, 0, 0], [0, 0, 0, 0]],
    [123456789n, 52, 21, [32, 48, 52, 52], [16, 16, 20, 21]],
    [9007199254740993n, 0, 1, [0, 0, 0, 0], [0, 0, 0, 1]],
  ])('SHR-7: key %s', (key, databaseSlot, tableSlot, databases, tables) => {
    for (const form of formsOf(key)) {
      expect(labelOf(segments(64, 'high'), form)).toBe(databaseSlot);
      expect(labelOf(segments(64), form)).toBe(tableSlot);
      expect([2, 4, 16, 64].map((count) => labelOf(segments(count, 'high'), form))).toEqual(databases);
      expect([4, 8, 16, 64].map((count) => labelOf(segments(count), form))).toEqual(tables);
    }
  });

  it('SHR-7: keys above 2147483647 work, also those that no number holds', () => {
    expect(labelOf(segments(64), '2147483648')).toBe(0);
    expect(labelOf(segments(64), '18446744073709551615')).toBe(63);
    expect(labelOf(segments(64, 'high'), '18446744073709551614')).toBe(63);
  });

  it('SHR-15: a negative key has its place too, the slots of -1 are the last ones', () => {
    for (const key of [-1, '-1', -1n]) {
      expect(labelOf(segments(64), key)).toBe(63);
      expect(labelOf(segments(64, 'high'), key)).toBe(63);
    }
    expect(labelOf(segments(64, 'high'), '-4097')).toBe(63);
    expect(labelOf(segments(64, 'high'), -65)).toBe(62);
  });

  it('both halves are the formulas of SHR-4 with a floor, for every integer', () => {
    const floor = (key: bigint, by: bigint) => (key - (((key % by) + by) % by)) / by;
    const modulo = (key: bigint) => Number(((key % 64n) + 64n) % 64n);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (key) => {
        expect(segments(64).indexOf(key)).toBe(modulo(key));
        expect(segments(64, 'high').indexOf(key)).toBe(modulo(floor(key, 64n)));
      }),
    );
  });

  it('doubling moves exactly half of the slots, always to a new name (RSH-3)', () => {
    for (const count of [1, 2, 4, 8, 16, 32]) {
      const [before, after] = [segments(count), segments(count * 2)];
      const moved = allSlots.filter((slot) => labelOf(before, slot) !== labelOf(after, slot));
      expect(moved).toHaveLength(32);
      const oldNames = new Set(allSlots.map((slot) => labelOf(before, slot)));
      expect(moved.some((slot) => oldNames.has(labelOf(after, slot)))).toBe(false);
    }
  });

  it('SHR-16: order number …1540 with 16 databases and 16 tables is 12 and 40', () => {
    const [databases, tables] = [segments(16, 'high'), segments(16)];
    expect(databases.label(databases.indexOfSlot!(15))).toBe(12);
    expect(tables.label(tables.indexOfSlot!(40))).toBe(40);
  });

  it('SHR-17: slot 07 is table 04 of 16 and 06 of 32', () => {
    expect([16, 32].map((count) => segments(count)).map((rule) => rule.label(rule.indexOfSlot!(7)))).toEqual([
      4, 6,
    ]);
  });

  it.each([-1, 64, 1.5, NaN])('refuses slot %s, which a number of another scheme may carry', (slot) => {
    expect(() => segments(16).indexOfSlot!(slot)).toThrow(
      expect.objectContaining({ code: 'ROWFERRY_ROUTE_KEY', message: 'the slot is not one of 0 to 63' }),
    );
  });

  it('refuses slots that are no power of two and counts that do not divide them', () => {
    expect(() => segments(3)).toThrow(/64 slots cannot be shared evenly by 3 shards/);
    expect(() => segments(4, 'low', 100)).toThrow(/"slots" must be a power of two, not 100/);
  });
});

describe('virtual-nodes', () => {
  const bucketsOf = (current: number): (string | number)[] => {
    const rule = createRule({ algorithm: 'virtual-nodes', by, max: 16, current });
    return Array.from({ length: 16 }, (_, key) => labelOf(rule, key));
  };

  it('names each of 16 slots by the first one of its run', () => {
    expect(bucketsOf(4)).toEqual([0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12]);
    expect(bucketsOf(8)).toEqual([0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14]);
  });

  it('goes round after the last slot and names its shards in order', () => {
    const rule = createRule({ algorithm: 'virtual-nodes', by, max: 16, current: 4 });
    expect(Array.from({ length: rule.count! }, (_, index) => rule.label(index))).toEqual([0, 4, 8, 12]);
    const buckets = bucketsOf(4);
    for (let key = 0; key < 48; key++) expect(labelOf(rule, key)).toBe(buckets[key % 16]);
    expect(labelOf(rule, '18446744073709551615')).toBe(12);
  });

  it('RSH-3: (16,4) to (16,8) moves slots 2,3,6,7,10,11,14,15', () => {
    const [before, after] = [bucketsOf(4), bucketsOf(8)];
    const moved = before.flatMap((name, slot) => (after[slot] === name ? [] : [[slot, name, after[slot]]]));
    expect(moved.map(([slot]) => slot)).toEqual([2, 3, 6, 7, 10, 11, 14, 15]);
    expect(moved.map(([, from, to]) => [from, to])).toEqual(
      [
        [0, 2],
        [4, 6],
        [8, 10],
        [12, 14],
      ].flatMap((pair) => [pair, pair]),
    );
  });

  it.each([
    [10, 3, /10 slots cannot be shared evenly by 3 shards: runs of 3 would make 4 of them/],
    [16, 5, /16 slots cannot be shared evenly by 5 shards: runs of 3 would make 6 of them/],
  ])('C19: refuses (%i,%i)', (max, current, message) => {
    expect(() => createRule({ algorithm: 'virtual-nodes', by, max, current })).toThrow(message);
  });
});

describe('slot-map', () => {
  const rule = (map: Record<string, string>, slots?: number) =>
    createRule({ algorithm: 'slot-map', by, map, ...(slots === undefined ? {} : { slots }) });

  it('RSH-5: one hot shard gives slots to a new one, the others stay', () => {
    const before = rule({ a: '0-31', b: '32-63' });
    const after = rule({ a: '0-15, 20', b: '32-63', hot: '16-19, 21-31' });
    const moved = allSlots.filter((slot) => labelOf(before, slot) !== labelOf(after, slot));
    expect(moved).toEqual(allSlots.filter((slot) => slot >= 16 && slot <= 31 && slot !== 20));
    expect(new Set(moved.map((slot) => labelOf(after, slot)))).toEqual(new Set(['hot']));
    expect(after.label(after.indexOfSlot!(20))).toBe('a');
  });

  it('keeps names as texts, also those made of digits', () => {
    expect(labelOf(rule({ '00': '0-31', '08': '32-63' }), 40)).toBe('08');
  });

  it('reads ranges with any spaces, in any order, of any number of slots', () => {
    const map = rule({ a: ' 9 ,0 - 3', b: '4-8' }, 10);
    expect([0, 3, 4, 8, 9, 10, -1].map((key) => labelOf(map, key))).toEqual([
      'a',
      'a',
      'b',
      'b',
      'a',
      'a',
      'a',
    ]);
  });

  it('reports all that is wrong with a map at once', () => {
    expect(() => rule({ a: '0-31, 5', b: '30-40, 64', c: '50-63, x', d: '9-7' })).toThrow(
      expect.objectContaining({
        code: 'ROWFERRY_CONFIG_INVALID',
        message:
          'slot-map rule: not a range of slots 0 to 63: "64" of b; not a range of slots 0 to 63: "x" of c; ' +
          'not a range of slots 0 to 63: "9-7" of d; claimed by a and a: 5; claimed by a and b: 30-31; ' +
          'without an owner: 41-49',
      }),
    );
  });

  it('refuses a name without slots, and a map without names', () => {
    expect(() => rule({ a: '0-63', b: '' })).toThrow(/not a range of slots 0 to 63: "" of b/);
    expect(() => rule({})).toThrow(/"map" is empty/);
  });
});

describe('every rule of integers', () => {
  it('answers an index in range, the same for number, text and bigint', () => {
    fc.assert(
      fc.property(
        numericRule,
        fc.oneof(fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }), fc.maxSafeInteger().map(BigInt)),
        (spec, key) => {
          const rule = createRule(spec);
          const [index, ...others] = formsOf(key).map((form) => rule.indexOf(form));
          expect(index! >= 0 && index! < rule.count! && Number.isInteger(index)).toBe(true);
          expect(Object.is(index, -0)).toBe(false);
          for (const other of others) expect(other).toBe(index);
        },
      ),
    );
  });

  it('repeats with its cycle', () => {
    fc.assert(
      fc.property(numericRule, fc.nat(), (spec, key) => {
        const rule = createRule(spec);
        const { of, period } = rule.cycle!;
        expect(of).toBe('key');
        expect(rule.indexInCycle!(key % period)).toBe(rule.indexOf(key));
        expect(rule.indexInCycle!(key)).toBe(rule.indexOf(key));
        expect(rule.indexOf(key + period)).toBe(rule.indexOf(key));
      }),
    );
  });
});
