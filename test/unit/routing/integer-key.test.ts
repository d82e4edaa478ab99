import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { euclideanModulo, floorDivide, integerKey } from '../../../src/routing/integer-key.ts';
import type { RouteKey } from '../../../src/routing/rule.ts';

const reader = { algorithm: 'modulo', by: 'user_id' };
const anyInteger = fc.oneof(
  fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }),
  fc.bigInt({ min: 2n ** 53n - 70n, max: 2n ** 53n + 70n }),
  fc.bigInt({ min: -(2n ** 53n) - 70n, max: -(2n ** 53n) + 70n }),
  fc.bigInt({ min: -200n, max: 200n }),
);

describe('integerKey', () => {
  it('gives every form of one key one form: a number where that is exact, else a bigint', () => {
    fc.assert(
      fc.property(anyInteger, (key) => {
        const safe = BigInt(Number.MIN_SAFE_INTEGER) <= key && key <= BigInt(Number.MAX_SAFE_INTEGER);
        const expected = safe ? Number(key) : key;
        expect(integerKey(key, reader)).toBe(expected);
        expect(integerKey(String(key), reader)).toBe(expected);
        if (safe) expect(integerKey(Number(key), reader)).toBe(expected);
      }),
    );
  });

  it('takes leading zeros and minus zero', () => {
    expect(integerKey('0000000000000000000042', reader)).toBe(42);
    expect(['-0', '-00000000000000000000', -0].map((key) => integerKey(key, reader))).toEqual([0, 0, 0]);
  });

  it.each<[RouteKey, string]>([
    [null, 'NULL'],
    ['', 'an empty text'],
    ...[' 1', '1 ', '1.0', '1e3', '+1', '0x10', '1n', '१', '1\n', '9'.repeat(41), 1.5, 2 ** 53, NaN].map(
      (key): [RouteKey, string] => [key, 'not an integer'],
    ),
    [new Uint8Array([49]), 'not an integer'],
  ])('refuses %j as %s, naming the column', (key, kind) => {
    expect(() => integerKey(key, reader)).toThrow(
      expect.objectContaining({
        code: 'ROWFERRY_ROUTE_KEY',
        message: `the sharding key is ${kind}, modulo needs an integer`,
        where: { column: 'user_id' },
      }),
    );
  });
});

describe('floorDivide and euclideanModulo', () => {
  it('belong together: key = quotient * divisor + rest, with a rest of 0 to divisor-1', () => {
    fc.assert(
      fc.property(anyInteger, fc.integer({ min: 1, max: 2 ** 32 }), (text, divisor) => {
        const key = integerKey(text, reader);
        const rest = euclideanModulo(key, divisor);
        expect(rest).toBeGreaterThanOrEqual(0);
        expect(rest).toBeLessThan(divisor);
        expect(Object.is(rest, -0)).toBe(false);
        expect(BigInt(floorDivide(key, divisor)) * BigInt(divisor) + BigInt(rest)).toBe(text);
      }),
    );
  });

  it('floor also below zero', () => {
    expect([-1, -64, -65, 0, 63].map((key) => floorDivide(key, 64))).toEqual([-1, -1, -2, 0, 0]);
    expect(floorDivide(-(2n ** 64n) - 1n, 2)).toBe(-(2n ** 63n) - 1n);
  });

  it('are exact next to every multiple of a divisor, up to the largest safe integers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (divisor, at) => {
          const quotient = Math.floor((Number.MAX_SAFE_INTEGER / divisor) * at);
          for (const key of [quotient * divisor - 1, 1 - quotient * divisor, -quotient * divisor - 1]) {
            if (!Number.isSafeInteger(key)) continue;
            const rest = ((BigInt(key) % BigInt(divisor)) + BigInt(divisor)) % BigInt(divisor);
            expect(BigInt(floorDivide(key, divisor))).toBe((BigInt(key) - rest) / BigInt(divisor));
          }
        },
      ),
    );
  });
});
