import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  ANY_DIGIT,
  mayOverlap,
  parseTablePattern,
  patternOf,
  TableFilter,
} from '../../../src/model/table-filter.ts';

const names = fc.string({ unit: fc.constantFrom('a', 'b', '_', '$', 'ä'), minLength: 1, maxLength: 5 });
const patterns = fc.string({
  unit: fc.constantFrom('a', 'b', '_', '$', 'ä', '*', '?'),
  minLength: 1,
  maxLength: 5,
});

/** What `*` and `?` mean, spelled out; all characters of these tests are one code unit long. */
function covers(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const rest = pattern.slice(1);
  if (pattern.startsWith('*')) return covers(rest, name) || (name !== '' && covers(pattern, name.slice(1)));
  return name !== '' && (pattern[0] === '?' || pattern[0] === name[0]) && covers(rest, name.slice(1));
}

test('a table is captured when an include matches and no exclude does', () => {
  const lists = fc.array(fc.tuple(fc.boolean(), patterns, patterns), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(lists, names, names, (list, schema, table) => {
      const matching = (exclude: boolean): boolean =>
        list.some(([bang, s, t]) => bang === exclude && covers(s, schema) && covers(t, table));
      const filter = new TableFilter(list.map(([bang, s, t]) => `${bang ? '!' : ''}${s}.${t}`));
      const expected = matching(false) && !matching(true);
      expect(filter.matches(schema, table)).toBe(expected);
      // The second answer comes from the cache.
      expect(filter.matches(schema, table)).toBe(expected);
    }),
  );
});

test('the order of patterns does not matter', () => {
  for (const list of [
    ['!shop.audit', 'shop.*'],
    ['shop.*', '!shop.audit'],
  ]) {
    const filter = new TableFilter(list);
    expect(filter.matches('shop', 'orders')).toBe(true);
    expect(filter.matches('shop', 'audit')).toBe(false);
    expect(filter.includes.map(({ text }) => text)).toEqual(['shop.*']);
    expect(filter.excludes.map(({ text }) => text)).toEqual(['!shop.audit']);
  }
});

test('a schema of which a table matches may match', () => {
  const lists = fc.array(fc.tuple(fc.boolean(), patterns, patterns), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(lists, names, names, (list, schema, table) => {
      const filter = new TableFilter(list.map(([bang, s, t]) => `${bang ? '!' : ''}${s}.${t}`));
      if (filter.matches(schema, table)) expect(filter.mayMatchIn(schema)).toBe(true);
    }),
  );
});

test.each([
  [['shop.orders'], true],
  [['shop.ord*'], true],
  [['s*.?', '!shop.a'], true],
  [['*.*', '!shop.*'], false],
  [['*.*', '!s?op.**'], false],
  [['shop.orders', '!shop.ord*'], false],
  [['shop.rowferry_parked'], false],
  [['crm.*'], false],
])('of %j, whether shop may match is %s', (list, expected) => {
  expect(new TableFilter(list).mayMatchIn('shop')).toBe(expected);
});

test('no table of a system schema may match', () => {
  expect(new TableFilter(['*.*']).mayMatchIn('MySQL')).toBe(false);
});

test('characters of regular expressions stand for themselves', () => {
  const filter = new TableFilter(['s(h)o+p.a[1]$|b^{2}\\']);
  expect(filter.matches('s(h)o+p', 'a[1]$|b^{2}\\')).toBe(true);
  expect(filter.matches('shop', 'a1')).toBe(false);
});

test.each([
  ['mysql', 'user'],
  ['MySQL', 'user'],
  ['information_schema', 'TABLES'],
  ['performance_schema', 'threads'],
  ['sys', 'sys_config'],
  ['rowferry', 'mark'],
  ['shop', 'rowferry_watermark'],
  ['shop', 'rowferry_parked'],
  ['shop', 'rowferry_truncated'],
])('%s.%s is never captured', (schema, table) => {
  expect(new TableFilter(['*.*', `${schema}.${table}`]).matches(schema, table)).toBe(false);
});

test('names with the same characters in another split do not share an answer', () => {
  const filter = new TableFilter(['a.bc']);
  expect(filter.matches('a', 'bc')).toBe(true);
  expect(filter.matches('ab', 'c')).toBe(false);
});

test('more names than the cache holds are still answered rightly', () => {
  const filter = new TableFilter(['shop.t*', '!shop.*9']);
  for (let i = 0; i < 20_100; i += 1) expect(filter.matches('shop', `t${i}`)).toBe(i % 10 !== 9);
});

test.each(['', 'shop', 'shop.', '.orders', '!', '!.x', 'a.b.c', '!!a.b', 'a b'])(
  '%j is no pattern',
  (text) => {
    expect(parseTablePattern(text)).toHaveProperty('wrong');
  },
);

describe('regular expressions', () => {
  it('match the whole name, include and exclude', () => {
    const filter = new TableFilter(['/shop\\.orders_\\d+/', '!/.*_99/']);
    expect(
      ['orders_1', 'orders_99', 'orders_1_old', 'old_orders_1'].map((t) => filter.matches('shop', t)),
    ).toEqual([true, false, false, false]);
    expect(filter.mayMatchIn('shop')).toBe(true);
    expect(filter.matches('mysql', 'orders_1')).toBe(false);
  });

  it('answer their groups, wildcards what they stand for', () => {
    const groups = (text: string, schema: string, table: string) => {
      const pattern = parseTablePattern(text);
      return 'value' in pattern ? pattern.value.groups(schema, table) : pattern.wrong;
    };
    expect(groups('/(.+)\\.orders_(\\d+)/', 'shop', 'orders_07')).toEqual(['shop', '07']);
    expect(groups('shop_*.orders_??', 'shop_eu', 'orders_07')).toEqual(['eu', '0', '7']);
    expect(groups('shop.orders', 'shop', 'orders')).toEqual([]);
    expect(groups('shop.orders', 'shop', 'users')).toBeUndefined();
    expect(groups('/(/', 'a', 'b')).toMatch(/regular expression/);
  });

  it('cannot step out of the slashes that bind them to the whole name', () => {
    expect(parseTablePattern('/shop\\.a)|(?:crm.*/')).toHaveProperty('wrong');
  });

  it('know how many groups they have, as wildcards do', () => {
    const count = (text: string) => patternOf(text).groupCount;
    expect(['/(a)|(b(c))/', '/(?:a)(?<n>b)/', '/a|/', 's?.*_*', 's.t'].map(count)).toEqual([3, 1, 0, 3, 0]);
  });
});

describe('mayOverlap', () => {
  it('is true whenever a table matches both patterns', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 5 });
    const table = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(name, name, table, (one, other, found) => {
        const both = [one, other].every((text) => new TableFilter([`s.${text}`]).matches('s', found));
        if (both) expect(mayOverlap(`s.${one}`, `s.${other}`)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['shop.orders', 'shop.orders', true],
    ['shop.orders', 'shop.ord*', true],
    ['shop.a*c', 'shop.ab*', true],
    ['shop.a?', 'shop.*b', true],
    ['shop.a?', 'shop.abc', false],
    ['shop.orders_*', 'shop.users_*', false],
    ['shop.*', 'log.*', false],
    ['/x/', 'log.*', true],
    ['/shop\\.o.*/', 'shop.orders', true],
    ['/shop\\.o.*/', 'shop.users', false],
  ])('%s and %s: %s', (one, other, expected) => {
    expect(mayOverlap(one, other)).toBe(expected);
    expect(mayOverlap(other, one)).toBe(expected);
  });
});

it('patterns of many wildcards are compared in time', () => {
  const pattern = (letter: string): string => `s.${`*${letter}`.repeat(400)}`;
  expect(mayOverlap(pattern('a'), pattern('b'))).toBe(false);
  expect(mayOverlap(`${pattern('a')}*`, `s.*${'a'.repeat(500)}`)).toBe(true);
});

describe('mayMatch', () => {
  it('is true whenever a table with such a name matches', () => {
    const lists = fc.array(fc.tuple(fc.boolean(), patterns), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(lists, patterns, names, (list, like, table) => {
        fc.pre(covers(like, table));
        const filter = new TableFilter(list.map(([bang, text]) => `${bang ? '!' : ''}s.${text}`));
        if (filter.matches('s', table)) expect(filter.mayMatch('s', like)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  const YEAR = `o_${ANY_DIGIT.repeat(4)}`;
  it.each([
    [['s.o_2025*'], YEAR, true],
    [['s.o_20?5'], YEAR, true],
    [['s.o_old'], YEAR, false],
    [['s.*', '!s.o_????'], YEAR, false],
    [['s.*', '!s.o_202*'], YEAR, true],
    [['s.*', '!s.o_*'], 'o_*_x', false],
    [['s.*', '!s.o_?'], 'o_*', true],
    [['/s\\.x/'], YEAR, true],
    [['s.*', '!/s\\.o_.*/'], YEAR, true],
    [['s.*', '!/s\\.x/'], '?', true],
    [['s.o', 't.*'], 'o', true],
    [['s.*'], 'rowferry_watermark', false],
    [['t.*'], '*', false],
  ])('of %j and a name like %j: %s', (list, name, expected) => {
    expect(new TableFilter(list).mayMatch('s', name)).toBe(expected);
  });
});
