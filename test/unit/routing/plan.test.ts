import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MovePlan } from '../../../src/routing/plan.ts';
import { KeyPlan, planByKeys, planByPeriod, rowsOfShare } from '../../../src/routing/plan.ts';
import { Layout } from '../../../src/routing/layout.ts';
import type { RuleSpec } from '../../../src/routing/rule.ts';
import { databases, modulo, tables, twoLevels } from './layouts.ts';

const by = 'user_id';
const byModulo = (count: number): Layout => databases(count, modulo(count));
const virtual = (max: number, current: number): Layout =>
  tables({ algorithm: 'virtual-nodes', by, max, current });

function exact(from: Layout, to: Layout): MovePlan {
  const plan = planByPeriod(from, to);
  if (plan === null) throw new Error('there should be a common period');
  return plan;
}

/** `db0 -> db2: 1/4` or, when only tables differ, `orders_00 -> orders_02: 1/8`. */
function pairTexts({ pairs }: MovePlan, name: 'target' | 'table'): string[] {
  return pairs.map(
    ({ from, to, share }) => `${from[name]} -> ${to[name]}: ${share.numerator}/${share.denominator}`,
  );
}

describe('a plan by period', () => {
  it('RSH-1: doubling by modulo moves half, shard 2 from 0 and shard 3 from 1', () => {
    const plan = exact(byModulo(2), byModulo(4));
    expect(plan).toMatchObject({ basis: 'period', of: 4, moving: 2 });
    expect(plan.share).toEqual({ numerator: 1, denominator: 2, percent: 50 });
    expect(pairTexts(plan, 'target')).toEqual(['db0 -> db2: 1/4', 'db1 -> db3: 1/4']);
    expect(plan.places.map(({ place, ...counts }) => [place.target, counts])).toEqual([
      ['db0', { before: 2, after: 1, leaving: 1, arriving: 0 }],
      ['db1', { before: 2, after: 1, leaving: 1, arriving: 0 }],
      ['db2', { before: null, after: 1, leaving: 0, arriving: 1 }],
      ['db3', { before: null, after: 1, leaving: 0, arriving: 1 }],
    ]);
  });

  it('RSH-3: (16, 4) -> (16, 8) moves half of every old table, the rest keeps its table name', () => {
    const plan = exact(virtual(16, 4), virtual(16, 8));
    expect(plan.share).toMatchObject({ numerator: 1, denominator: 2 });
    expect(pairTexts(plan, 'table')).toEqual([
      'orders_00 -> orders_02: 1/8',
      'orders_04 -> orders_06: 1/8',
      'orders_08 -> orders_10: 1/8',
      'orders_12 -> orders_14: 1/8',
    ]);
  });

  it('RSH-3: of 64 slots 32 move from 16 to 32 tables, each within its own run', () => {
    const segments = (count: number): Layout => tables({ algorithm: 'segments', by, count });
    const plan = exact(segments(16), segments(32));
    expect(plan).toMatchObject({ of: 64, moving: 32, share: { numerator: 1, denominator: 2 } });
    expect(plan.pairs).toHaveLength(16);
    for (const { from, to, count } of plan.pairs) {
      expect(Number(to.table.slice(-2)) - Number(from.table.slice(-2))).toBe(2);
      expect(count).toBe(2);
    }
  });

  it('RSH-4: 2 -> 3 moves two thirds and 3 -> 4 three quarters', () => {
    expect(exact(byModulo(2), byModulo(3)).share).toMatchObject({ numerator: 2, denominator: 3 });
    const plan = exact(byModulo(3), byModulo(4));
    expect(plan.share).toEqual({ numerator: 3, denominator: 4, percent: 75 });
    expect(plan.of).toBe(12);
    expect(plan.pairs.reduce((sum, { count }) => sum + count, 0)).toBe(9);
  });

  it('RSH-5: splitting the slots of one shard leaves every other one untouched', () => {
    const map = (owners: Readonly<Record<string, string>>): Layout =>
      databases(Object.keys(owners).length, { algorithm: 'slot-map', by, map: owners });
    const plan = exact(
      map({ a: '0-15', b: '16-31', c: '32-63' }),
      map({ a: '0-15', b: '16-31', c: '32-47', d: '48-63' }),
    );
    expect(pairTexts(plan, 'target')).toEqual(['db2 -> db3: 1/4']);
    expect(plan.places.filter(({ leaving, arriving }) => leaving + arriving === 0)).toHaveLength(2);
  });

  it('walks two levels at once: doubling the tables of 16 databases moves half within each of them', () => {
    const plan = exact(twoLevels(16, 16), twoLevels(16, 32));
    expect(plan.share).toMatchObject({ numerator: 1, denominator: 2 });
    expect(plan.of).toBe(4_096);
    expect(plan.pairs).toHaveLength(256);
    for (const { from, to } of plan.pairs) expect(to.target).toBe(from.target);
  });

  it('takes a table that is not sharded yet for a layout with one place', () => {
    const single = new Layout({ to: 'orders', targets: ['db0'], shards: null, tables: null });
    expect(pairTexts(exact(single, byModulo(2)), 'target')).toEqual(['db0 -> db1: 1/2']);
  });

  it('moves nothing between equal layouts', () => {
    const plan = exact(twoLevels(4, 4), twoLevels(4, 4));
    expect(plan).toMatchObject({ moving: 0, pairs: [], share: { numerator: 0, denominator: 1, percent: 0 } });
  });

  it.each<[string, RuleSpec]>([
    ['another column', modulo(4, 'supplier_id')],
    ['a hash of the key', { algorithm: 'hash', by, count: 4 }],
    ['a text', { algorithm: 'substring', by, at: -1, length: 1 }],
    ['a period that is too long to walk', modulo(65_521)],
  ])('has no answer for %s: real keys must tell', (_, rule) => {
    const count = rule.algorithm === 'substring' ? 10 : rule.algorithm === 'modulo' ? rule.count : 4;
    expect(planByPeriod(databases(65_519, modulo(65_519)), databases(count, rule))).toBeNull();
  });

  it('compares two hashes of one seed, and not of two', () => {
    const hash = (count: number, seed: number): Layout =>
      databases(count, { algorithm: 'hash', by, count, seed });
    expect(exact(hash(2, 7), hash(4, 7)).share).toMatchObject({ numerator: 1, denominator: 2 });
    expect(planByPeriod(hash(2, 7), hash(4, 8))).toBeNull();
  });
});

describe('a plan by keys', () => {
  it('RSH-1: users 2 to 7 from two shards to four', () => {
    const [from, to] = [byModulo(2), byModulo(4)];
    const moves = [2, 3, 4, 5, 6, 7].map((user) => {
      const { pairs, places } = planByKeys(from, to, [[user]]);
      const [pair] = pairs;
      const stays = places.find(({ before }) => before === 1)?.place.target;
      return pair === undefined ? `stays ${stays}` : `${pair.from.target} -> ${pair.to.target}`;
    });
    expect(moves).toEqual(['db0 -> db2', 'db1 -> db3', 'stays db0', 'stays db1', 'db0 -> db2', 'db1 -> db3']);
  });

  it('MOV-5: of four shards user 5 -> 6 changes its place, 5 -> 9 does not', () => {
    const four = byModulo(4);
    expect([5, 6, 9].map((user) => four.locateKey(user).target)).toEqual(['db1', 'db2', 'db1']);
  });

  it('counts exactly what the period tells, over any whole number of periods', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 3 }),
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
        (before, after, periods, start) => {
          const [from, to] = [byModulo(before), byModulo(after)];
          const plan = exact(from, to);
          const keys = Array.from({ length: plan.of * periods }, (_, i) => [start + BigInt(i)]);
          const counted = planByKeys(from, to, keys);
          expect(counted.share).toEqual(plan.share);
          expect(counted.pairs.map(({ from, to, share }) => ({ from, to, share }))).toEqual(
            plan.pairs.map(({ from, to, share }) => ({ from, to, share })),
          );
          expect(counted.of).toBe(plan.of * periods);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('compares rules of different columns when both are given, and counts refused keys apart', () => {
    const plan = new KeyPlan(byModulo(2), databases(2, modulo(2, 'supplier_id')));
    plan.add([1, 1]);
    plan.add(['2', 3n]);
    plan.add([null, 3]);
    plan.add([1, 'abc']);
    const result = plan.result();
    expect(result).toMatchObject({ basis: 'keys', of: 2, moving: 1 });
    expect(result.refused.map(({ rows }) => rows)).toEqual([1, 1]);
    expect(JSON.stringify(result.refused)).not.toContain('abc');
  });

  it('refuses rows that lack a column of either layout', () => {
    expect(() => new KeyPlan(byModulo(2), databases(2, modulo(2, 'supplier_id')), ['user_id'])).toThrow(
      'there is no column supplier_id to shard by',
    );
  });
});

it('rowsOfShare answers to the nearest row, also for numbers whose product no double holds', () => {
  expect(rowsOfShare({ numerator: 1, denominator: 6 }, 1_000_000)).toBe(166_667);
  expect(rowsOfShare({ numerator: 1, denominator: 2 }, 1_000_000)).toBe(500_000);
  expect(rowsOfShare({ numerator: 4_095, denominator: 4_096 }, 9_007_199_254_740_991)).toBe(
    9_005_000_231_485_439,
  );
});
