import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modulo } from '../../../src/routing/algorithms.ts';
import { Router } from '../../../src/routing/router.ts';

const table = {
  schema: 'shop',
  name: 'orders',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'user_id', type: 'bigint' },
  ],
  key: [0],
};

describe('modulo', () => {
  it('is exact for every integer, Euclidean for negative ones (SHR-1, SHR-15)', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
        fc.integer({ min: 1, max: 4096 }),
        (key, count) => {
          const expected = ((key % BigInt(count)) + BigInt(count)) % BigInt(count);
          expect(modulo(count)(String(key))).toBe(Number(expected));
        },
      ),
    );
  });

  it('gives numbers and their texts one shard, and never minus zero', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 64 }), (key, count) => {
        const shard = modulo(count)(key);
        expect(Object.is(shard, modulo(count)(String(key)))).toBe(true);
        expect(Object.is(shard, -0)).toBe(false);
      }),
    );
  });

  it('knows 9007199254740993, which a double cannot hold (SHR-7)', () => {
    expect(modulo(64)('9007199254740993')).toBe(1);
    expect(modulo(2)('18446744073709551615')).toBe(1);
  });

  it.each([null, '', 'abc', '1.5', 1.5, ' 1', '1e3'])(
    'refuses %j by its kind and not by its value',
    (key) => {
      expect(() => modulo(4)(key)).toThrow(/sharding key is (NULL|an empty text|not an integer)/);
    },
  );
});

describe('Router', () => {
  const rules = [
    {
      from: 'shop.orders',
      to: 'orders',
      targets: ['a', 'b'],
      shards: { by: 'USER_ID', algorithm: 'modulo' as const },
    },
    { from: 'shop.users', to: 'users', targets: ['b', 'a'], shards: null },
  ];
  const router = new Router(rules, ['a', 'b']);

  it('MOV-5: user 5 -> 6 moves, 5 -> 9 stays (of 4 shards)', () => {
    const four = ['s0', 's1', 's2', 's3'];
    const route = new Router([{ ...rules[0]!, targets: four }], four).placements(table)[0]!;
    expect([5, 6, 9].map((user) => route.place(['7', user]))).toEqual([1, 2, 1]);
  });

  it('gives each of several targets without shards a layout of its own', () => {
    const users = { ...table, name: 'users' };
    const placements = router.placements(users);
    expect(placements.map((placement) => placement.place(['1', 1]))).toEqual([1, 0]);
    expect(new Set(placements.map(({ id }) => id)).size).toBe(2);
  });

  it('keeps a layout over two shapes of one table', () => {
    const wider = { ...table, columns: [...table.columns, { name: 'note', type: 'text' }] };
    expect(router.placements(wider)[0]!.id).toBe(router.placements(table)[0]!.id);
  });

  it('names the table that no route covers, and the column that is not there', () => {
    expect(() => router.placements({ ...table, name: 'x' })).toThrow('no route says where rows of shop.x go');
    expect(() => router.placements({ ...table, columns: [table.columns[0]!] })).toThrow(
      'shop.orders has no column USER_ID',
    );
  });
});
