import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRule } from '../../../src/routing/create-rule.ts';
import { xxHash64 } from '../../../src/routing/xxhash64.ts';

const by = 'phone';
const refusal = (message: string) =>
  expect.objectContaining({ code: 'ROWFERRY_ROUTE_KEY', message, where: { column: by } });
const anyKey = fc.oneof(
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.bigInt(),
  fc.uint8Array({ minLength: 1 }),
  fc.maxSafeInteger(),
);

/** What is hashed of a key. */
function textOf(key: string | bigint | number | Uint8Array): string {
  return key instanceof Uint8Array ? Buffer.from(key).toString('base64') : String(key);
}

describe('substring (SHR-9)', () => {
  const digits = (at: number, length: number) => createRule({ algorithm: 'substring', by, at, length });

  it('the last digit of a phone number gives 10 tables', () => {
    const rule = digits(-1, 1);
    expect(rule.count).toBe(10);
    for (const [phone, index] of [
      ['13800138004', 4],
      ['13800138000', 0],
      ['+49 30 123-7', 7],
    ] as const) {
      expect(rule.label(rule.indexOf(phone))).toBe(index);
    }
  });

  it('reads from the front and from the end, with leading zeros', () => {
    expect(digits(0, 4).indexOf('20260704-17')).toBe(2026);
    expect(digits(4, 2).indexOf('20260704-17')).toBe(7);
    expect(digits(-4, 2).indexOf('…1540')).toBe(15);
    expect(digits(-4, 4).indexOf('0040')).toBe(40);
    expect([1, 2, 3, 4].map((length) => digits(0, length).count)).toEqual([10, 100, 1000, 10_000]);
  });

  it('takes a number or a bigint as its decimal text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1000n, max: 2n ** 80n }), fc.integer({ min: -4, max: -2 }), (key, at) => {
        const rule = digits(at, 2);
        expect(rule.indexOf(key)).toBe(Number(String(key).substr(at, 2)));
        expect(rule.indexOf(String(key))).toBe(rule.indexOf(key));
        if (Number.isSafeInteger(Number(key))) expect(rule.indexOf(Number(key))).toBe(rule.indexOf(key));
      }),
    );
  });

  it.each(['138', '', '12a4', '٣٣٣٣', '-123', '12 4'].map((key) => [key]))(
    'refuses %j for four digits',
    (key) => {
      const kind = key === '' ? 'an empty text' : 'of another form';
      expect(() => digits(0, 4).indexOf(key)).toThrow(
        refusal(`the sharding key is ${kind}, substring needs 4 digits at position 0`),
      );
      expect(() => digits(-4, 4).indexOf(key)).toThrow(/substring needs 4 digits at position -4/);
    },
  );

  it('refuses a sign, a NULL, a fraction and bytes', () => {
    expect(() => digits(0, 1).indexOf(-5)).toThrow(/of another form/);
    expect(() => digits(0, 1).indexOf(null)).toThrow(/is NULL/);
    expect(() => digits(0, 1).indexOf(1.5)).toThrow(/not an integer/);
    expect(() => digits(0, 1).indexOf(new Uint8Array([49]))).toThrow(/not an integer/);
  });

  it('refuses digits that would lie past the last character', () => {
    expect(() => digits(-1, 2)).toThrow(/2 digits from position -1 go past the last character/);
    expect(digits(-2, 2).indexOf('99')).toBe(99);
  });
});

describe('hash', () => {
  const hash = (count: number, seed?: number) =>
    createRule({ algorithm: 'hash', by, count, ...(seed === undefined ? {} : { seed }) });

  // Reference values of another implementation (libxxhash): unsigned hash mod 1024.
  it.each([
    ['heiå', 538, 586],
    ['订单-2026-🚚', 968, 418],
    ['123456789112345', 311, 210],
    ['123e4567-e89b-12d3-a456-426614174000', 799, 994],
    ['18446744073709551615', 71, 923],
    ['-5', 880, 518],
  ])('%s has the place that every xxHash64 gives it', (key, unseeded, seeded) => {
    expect([hash(1024).indexOf(key), hash(1024, 7).indexOf(key)]).toEqual([unseeded, seeded]);
    if (/^-?\d+$/.test(key)) expect(hash(1024).indexOf(BigInt(key))).toBe(unseeded);
  });

  it('has one place for bytes and for the base64 by which the daemon knows the same column', () => {
    const bytes = Buffer.from('123e4567e89b12d3a456426614174000', 'hex');
    expect(hash(1024).indexOf(new Uint8Array(bytes))).toBe(hash(1024).indexOf(bytes.toString('base64')));
    const part = new Uint8Array(bytes.buffer, bytes.byteOffset + 4, 8);
    expect(hash(1024).indexOf(part)).toBe(hash(1024).indexOf(bytes.subarray(4, 12).toString('base64')));
  });

  it('takes numbers as their decimal text', () => {
    expect(hash(1024).indexOf(-5)).toBe(880);
    expect(hash(1024).indexOf(123456789112345)).toBe(311);
  });

  it('is the unsigned hash modulo the count, whatever the key', () => {
    fc.assert(
      fc.property(
        anyKey,
        fc.integer({ min: 1, max: 65_536 }),
        fc.maxSafeInteger().map(Math.abs),
        (key, count, seed) => {
          const expected = Number(xxHash64(textOf(key), BigInt(seed)) % BigInt(count));
          expect(hash(count, seed).indexOf(key)).toBe(expected);
          expect(hash(count, seed).cycle).toEqual({ of: `hash:${seed}`, period: count });
        },
      ),
    );
  });

  it('refuses NULL, empty keys and numbers that are none', () => {
    expect(() => hash(4).indexOf(null)).toThrow(refusal('the sharding key is NULL, hash needs a value'));
    expect(() => hash(4).indexOf('')).toThrow(/is an empty text/);
    expect(() => hash(4).indexOf(new Uint8Array())).toThrow(/is an empty text/);
    expect(() => hash(4).indexOf(Infinity)).toThrow(/is not a finite number/);
  });
});

describe('ring', () => {
  const ring = (nodes: readonly string[], points?: number, seed?: number) =>
    createRule({
      algorithm: 'ring',
      by,
      nodes,
      ...(points === undefined ? {} : { points }),
      ...(seed === undefined ? {} : { seed }),
    });

  it('has the places that another implementation gives keys 0 to 39', () => {
    const rule = ring(['a', 'b', 'c'], undefined, 5);
    const places = Array.from({ length: 40 }, (_, key) => rule.indexOf(key)).join('');
    expect(places).toBe('1221201112020220221222110012211220122101');
  });

  it('gives every key one node, the same for each form of the key', () => {
    const rule = ring(['a', 'b', 'c', 'd', 'e'], 3);
    fc.assert(
      fc.property(anyKey, (key) => {
        const index = rule.indexOf(key);
        expect(Number.isInteger(index) && index >= 0 && index < 5).toBe(true);
        expect(rule.indexOf(textOf(key))).toBe(index);
        expect(rule.label(index)).toBe('abcde'[index]);
      }),
    );
  });

  it('goes on at its start after the last point', () => {
    // With one point for each of two nodes, each owns what lies between the other point and its own.
    const points = ['x', 'y'].map((node) => xxHash64(`${node}#0`, 0n) >> 11n);
    const [lower, upper] = [points[0]! < points[1]! ? 0 : 1, points[0]! < points[1]! ? 1 : 0];
    const rule = ring(['x', 'y'], 1);
    const seen = new Set<string>();
    for (let key = 0; key < 200; key++) {
      const point = xxHash64(String(key), 0n) >> 11n;
      const isBetween = point > points[lower]! && point <= points[upper]!;
      seen.add(point > points[upper]! ? 'past the last' : isBetween ? 'between' : 'before the first');
      expect(rule.indexOf(key)).toBe(isBetween ? upper : lower);
    }
    expect(seen.size).toBe(3);
    // A key that is the name of a point lies on it.
    expect([rule.indexOf('x#0'), rule.indexOf('y#0')]).toEqual([0, 1]);
  });

  it('a new node takes about 1/(n+1) of the keys and moves no other', () => {
    for (const n of [1, 2, 4, 9]) {
      const nodes = Array.from({ length: n }, (_, i) => `node-${i}`);
      const [before, after] = [ring(nodes), ring([...nodes, 'new'])];
      let moved = 0;
      for (let key = 0; key < 20_000; key++) {
        const index = after.indexOf(key);
        if (index === before.indexOf(key)) continue;
        moved++;
        expect(index).toBe(n);
      }
      const share = (moved / 20_000) * (n + 1);
      expect(share).toBeGreaterThan(0.75);
      expect(share).toBeLessThan(1.25);
    }
  });

  it('asks for the order of nodes in labels only: a key keeps its node', () => {
    const [one, other] = [ring(['a', 'b', 'c']), ring(['c', 'a', 'b'])];
    for (let key = 0; key < 500; key++) {
      expect(other.label(other.indexOf(key))).toBe(one.label(one.indexOf(key)));
    }
  });

  it('refuses no node, the same node twice and more points than a ring can have', () => {
    expect(() => ring([])).toThrow(/"nodes" is empty/);
    expect(() => ring(['a', 'b', 'a'])).toThrow(/"nodes" holds a twice/);
    expect(() => ring(['a', 'b'], 600_000)).toThrow(/"points" must be a whole number of 1 to 524288/);
    expect(() => ring(['a']).indexOf('')).toThrow(/is an empty text/);
  });
});
