import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { reachedCells, refuseCorrelated } from '../../../src/routing/correlation.ts';
import { createRule } from '../../../src/routing/create-rule.ts';
import type { RuleSpec } from '../../../src/routing/rule.ts';

const by = 'user_id';
const segments = (half: 'low' | 'high', count = 64, slots = 64) =>
  createRule({ algorithm: 'segments', by, half, count, slots });
const modulo = (count: number, column = by) => createRule({ algorithm: 'modulo', by: column, count });
const hash = (count: number, seed?: number) =>
  createRule({ algorithm: 'hash', by, count, ...(seed === undefined ? {} : { seed }) });

describe('reachedCells (SHR-5)', () => {
  it('64 of 4096 cells when both levels are key mod 64, all with independent halves', () => {
    expect(reachedCells(segments('low'), segments('low'))).toEqual({ reached: 64, cells: 4096 });
    expect(reachedCells(segments('high'), segments('low'))).toEqual({ reached: 4096, cells: 4096 });
  });

  it('keys 0 to 4095 hit each cell once', () => {
    const [databases, tables] = [segments('high'), segments('low')];
    const cells = Array.from({ length: 4096 }, (_, key) => databases.indexOf(key) * 64 + tables.indexOf(key));
    expect(new Set(cells).size).toBe(4096);
    const same = Array.from({ length: 4096 }, (_, key) => tables.indexOf(key) * 64 + tables.indexOf(key));
    expect(new Set(same).size).toBe(64);
  });

  it('counts what keys really reach', () => {
    const count = fc.integer({ min: 1, max: 30 });
    fc.assert(
      fc.property(count, count, (a, b) => {
        const cells = new Set(Array.from({ length: a * b }, (_, key) => `${key % a}/${key % b}`));
        expect(reachedCells(modulo(a), modulo(b))).toEqual({ reached: cells.size, cells: a * b });
      }),
    );
    expect(reachedCells(segments('low', 16), modulo(64))).toEqual({ reached: 64, cells: 1024 });
    expect(
      reachedCells(
        segments('low', 4),
        createRule({ algorithm: 'slot-map', by, map: { a: '0-31', b: '32-63' } }),
      ),
    ).toEqual({
      reached: 4,
      cells: 8,
    });
    expect(reachedCells(hash(8), hash(4))).toEqual({ reached: 8, cells: 32 });
  });

  it('compares columns without case, as MySQL does', () => {
    expect(reachedCells(modulo(4), modulo(4, 'USER_ID'))).toEqual({ reached: 4, cells: 16 });
  });

  it('walks the longest period that it takes, and no longer one', () => {
    const [high, low] = [segments('high', 1024, 1024), segments('low', 1024, 1024)];
    expect(reachedCells(high, low)).toEqual({ reached: 2 ** 20, cells: 2 ** 20 });
    expect(reachedCells(high, modulo(6))).toBeNull();
  });

  it('knows without walking that periods without a common divisor reach every cell', () => {
    const high = segments('high', 4096, 4096);
    expect(reachedCells(high, modulo(3))).toEqual({ reached: 3 * 4096, cells: 3 * 4096 });
  });

  it('cannot tell for other columns, other hashes and rules without a cycle', () => {
    expect(reachedCells(modulo(4), modulo(4, 'shop_id'))).toBeNull();
    expect(reachedCells(hash(4), hash(4, 1))).toBeNull();
    expect(reachedCells(hash(4), modulo(4))).toBeNull();
    expect(reachedCells(modulo(4), createRule({ algorithm: 'ring', by, nodes: ['a'] }))).toBeNull();
  });
});

describe('refuseCorrelated', () => {
  it('refuses the same function at both levels and says what to do', () => {
    expect(() => refuseCorrelated(segments('low'), segments('low'))).toThrow(
      expect.objectContaining({
        code: 'ROWFERRY_CONFIG_INVALID',
        message: 'both levels use user_id in the same way: only 64 of 4096 cells would ever get a row',
        hint: expect.stringContaining('half: high'),
      }),
    );
    expect(() => refuseCorrelated(hash(4), hash(8))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('seed') }),
    );
  });

  it('accepts levels that reach every cell, and those that it cannot compare', () => {
    refuseCorrelated(segments('high', 16), segments('low', 16));
    refuseCorrelated(modulo(3), modulo(4));
    refuseCorrelated(modulo(1), modulo(4));
    refuseCorrelated(hash(4), hash(4, 1));
    refuseCorrelated(hash(4), modulo(4));
    refuseCorrelated(modulo(4), modulo(4, 'shop_id'));
  });

  it.each<RuleSpec>([
    { algorithm: 'ring', by, nodes: ['a', 'b'] },
    { algorithm: 'substring', by, at: -1, length: 1 },
    { algorithm: 'expression', expression: 'user_id / 7 % 5', count: 5 },
    { algorithm: 'date', by, period: 'month', since: '2026-01', count: 12 },
  ])('refuses one and the same $algorithm rule twice', (spec) => {
    const count = createRule(spec).count!;
    expect(() => refuseCorrelated(createRule(spec), createRule(spec))).toThrow(
      `only ${count} of ${count * count} cells`,
    );
  });
});
