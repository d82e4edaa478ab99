import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import { GtidSet } from '../../../src/model/gtid-set.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4e11fa47-71ca-11e1-9e33-c80aa9429562';

const source = fc.constantFrom(A, B, `${A}:ferry`, `${A}:other_1`, `${B}:x`);
const mysqlGtid = fc
  .tuple(source, fc.integer({ min: 1, max: 30 }))
  .map(([name, number]) => `${name}:${number}`);
const mysqlGtids = fc.array(mysqlGtid, { maxLength: 60 });
const mariadbGtid = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 }))
  .map((parts) => parts.join('-'));

function setOf(gtids: readonly string[]): GtidSet {
  const set = GtidSet.parse('');
  for (const gtid of gtids) set.add(gtid);
  return set;
}

describe('a MySQL GTID set', () => {
  test('prints as the server prints it', () => {
    const text = `${A}:1-5:7:9-11:ferry:1-2:other_1:4,${B}:1-27`;
    expect(GtidSet.parse(text).toString()).toBe(text);
    expect(GtidSet.parse(`${B.toUpperCase()}:1-27,\n ${A}:9-11:1-5:7:other_1:4:ferry:1:2`).toString()).toBe(
      text,
    );
    expect(GtidSet.parse(' ').toString()).toBe('');
  });

  test('holds exactly what was added, in whatever order', () => {
    fc.assert(
      fc.property(mysqlGtids, mysqlGtid, (gtids, other) => {
        const set = setOf(gtids);
        for (const gtid of gtids) expect(set.contains(gtid)).toBe(true);
        expect(set.contains(other)).toBe(gtids.includes(other));
        expect(set.equals(setOf(gtids.toReversed()))).toBe(true);
        expect(set.isEmpty()).toBe(gtids.length === 0);
      }),
    );
  });

  test('is the same after printing and reading, and adding to a copy leaves it alone', () => {
    fc.assert(
      fc.property(mysqlGtids, mysqlGtid, (gtids, more) => {
        const set = setOf(gtids);
        const text = set.toString();
        expect(GtidSet.parse(text).toString()).toBe(text);
        set.clone().add(more);
        expect(set.toString()).toBe(text);
      }),
    );
  });

  test('unites and compares like a set', () => {
    fc.assert(
      fc.property(mysqlGtids, mysqlGtids, (left, right) => {
        const [a, b] = [setOf(left), setOf(right)];
        expect(a.union(b).equals(setOf([...left, ...right]))).toBe(true);
        expect(a.isSubsetOf(b)).toBe(left.every((gtid) => right.includes(gtid)));
        expect(a.isSubsetOf(a.union(b)) && b.isSubsetOf(a.union(b))).toBe(true);
      }),
    );
  });

  test('keeps intervals merged', () => {
    fc.assert(
      fc.property(mysqlGtids, (gtids) => {
        for (const part of setOf(gtids).toString().split(/[:,]/)) {
          const [first = 0, last = first] = part.split('-').map(Number);
          if (Number.isInteger(first) && part.length < 20) expect(last).toBeGreaterThanOrEqual(first);
        }
        const numbers = [...new Set(gtids.filter((gtid) => gtid.startsWith(`${B}:`) && !gtid.includes('x')))];
        const gaps = setOf(numbers).toString().split(':').length - 1;
        const sorted = numbers.map((gtid) => Number(gtid.split(':')[1])).toSorted((a, b) => a - b);
        const runs = sorted.filter((number, index) => index === 0 || sorted[index - 1] !== number - 1).length;
        expect(numbers.length === 0 ? 0 : gaps).toBe(runs);
      }),
    );
  });
});

describe('a MariaDB GTID position', () => {
  test('prints as the server prints it', () => {
    expect(GtidSet.parse('1-3-45, 0-1-1234').toString()).toBe('0-1-1234,1-3-45');
  });

  test('covers all of a domain up to the last transaction', () => {
    const position = GtidSet.parse('0-1-100,7-2-5');
    expect(['0-1-100', '0-9-1', '7-2-5'].every((gtid) => position.contains(gtid))).toBe(true);
    expect(['0-1-101', '7-2-6', '3-1-1'].some((gtid) => position.contains(gtid))).toBe(false);
    position.add('0-2-101');
    expect(position.toString()).toBe('0-2-101,7-2-5');
    expect(GtidSet.parse('0-1-99').isSubsetOf(position)).toBe(true);
    expect(position.isSubsetOf(GtidSet.parse('0-2-101'))).toBe(false);
  });

  test('unites to what covers both', () => {
    fc.assert(
      fc.property(fc.array(mariadbGtid), fc.array(mariadbGtid), (left, right) => {
        const [a, b] = [setOf(left), setOf(right)];
        const both = a.union(b);
        expect(a.isSubsetOf(both) && b.isSubsetOf(both)).toBe(true);
        expect(GtidSet.parse(both.toString()).equals(both)).toBe(true);
      }),
    );
  });
});

test('the empty set is part of every set and holds nothing', () => {
  const empty = GtidSet.parse('');
  expect(empty.isSubsetOf(GtidSet.parse(`${A}:1`)) && empty.isSubsetOf(GtidSet.parse('0-1-1'))).toBe(true);
  expect(empty.contains(`${A}:1`)).toBe(false);
  expect(GtidSet.parse(`${A}:1`).isSubsetOf(empty)).toBe(false);
});

test('sets of the two flavours do not mix', () => {
  expect(GtidSet.parse(`${A}:1`).isSubsetOf(GtidSet.parse('0-1-1'))).toBe(false);
  expect(() => GtidSet.parse(`${A}:1`).union(GtidSet.parse('0-1-1'))).toThrow(RowferryError);
  expect(() => {
    GtidSet.parse('0-1-1').add(`${A}:1`);
  }).toThrow(RowferryError);
});

test.each([
  A, `${A}:`, `${A}:0`, `${A}:5-1`, `${A}:1-`, `${A}:tag`, `${A}:tag:`, `${A}:1:tag`, `${A}:a:b:1`, `${A}:9tag:1`, 'nonsense',
  `${A}:99999999999999999`, `${A}:1,0-1-1`, '0-1', '0-1-1-1', '0-1-1,0-2-2', '5000000000-1-1', 'x-1-1', '0--1-1', `${A}:1.5`,
])('%s is refused', (text) => {
  expect(() => GtidSet.parse(text)).toThrow(/not a M/);
}); // prettier-ignore
