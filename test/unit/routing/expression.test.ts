import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import { expressionRule } from '../../../src/routing/expression-rule.ts';
import { compileExpression } from '../../../src/routing/expression.ts';
import type { RouteKey } from '../../../src/routing/rule.ts';
import { xxHash64 } from '../../../src/routing/xxhash64.ts';

const ruleOf = (expression: string, count = 4) =>
  expressionRule({ algorithm: 'expression', expression, count });
const valueOf = (expression: string, ...keys: RouteKey[]) => compileExpression(expression).evaluate(keys);

/** What is thrown, which has to be an error of rowferry. */
function refusal(action: () => unknown): RowferryError {
  try {
    action();
  } catch (error) {
    if (error instanceof RowferryError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('the language', () => {
  it.each<[string, RouteKey[], number | bigint]>([
    ['user_id / 64 % 4', [1000], 3],
    ['user_id / 64 % 4', ['1000'], 3],
    ['user_id / 64 % 4', [1000n], 3],
    ['USER_ID / 64 % 4', ['9223372036854775807'], 3],
    ['a + 1', ['9007199254740991'], 2n ** 53n],
    ['a % 1000', ['18446744073709551615'], 615],
    ['a * a', ['-9007199254740993'], 9007199254740993n ** 2n],
    ['a / 2', [-7], -4],
    ['a / -2', [7], -4],
    ['a % 4', [-1], 3],
    ['a % -4', [-1], 3],
    ['a - 2 - 3', [10], 5],
    ['a - (2 - 3)', [10], 11],
    ['-a * 2 + 3', [5], -7],
    ['- - a', [5], 5],
    ['a + b * 2', [1, '2'], 5],
    ['not a = 1 and b = 2 ? 1 : 0', [2, 2], 1],
    ['not (a = 1 and b = 2) ? 1 : 0', [1, 2], 0],
    ['a = 1 OR b = 2 And b = 3 ? 1 : 0', [1, 9], 1],
    ['a = 1 ? 10 : a = 2 ? 20 : 30', [2], 20],
    ['(a = 1 ? a : b) + 1', [1, 5], 2],
    ['a = 0 ? 0 : 12 / a', [0], 0],
    ["region = 'eu' ? 0 : region = 'us' ? 1 : 2", ['us'], 1],
    ["region = 'o''neil' ? 1 : 0", ["o'neil"], 1],
    ["a = '5' ? 1 : 0", [5], 1],
    ["a < 'b' ? 1 : 0", ['ab'], 1],
    ["a < '\u{1f600}' ? 1 : 0", ['\uffee'], 1],
    ['int(a) = int(b) ? 1 : 0', ['007', 7], 1],
    ['text(a) = text(b) ? 1 : 0', ['007', 7], 0],
    ['text(a = 1 ? a : b) = text(7) ? 1 : 0', [2, '7'], 1],
    ['`order no` + `a``b`', [1, 2], 3],
    ['`and` + 1', [1], 2],
    ['abs(a) + min(a, 3, b) + max(a, b)', [-5, 2], 2],
    ['int(substr(phone, -1, 1))', ['13800138004'], 4],
    ['int(substr(no, -4, 2))', ['99991540'], 15],
    ['int(substr(no, 0, 2))', [9876], 98],
    ["substr(a, 1, 9) = 'bc' ? 1 : 0", ['abc'], 1],
    ["substr(a, -4, 4) = '' ? 1 : 0", ['abc'], 1],
    ["substr(a, 1, -1) = '' ? 1 : 0", ['abc'], 1],
    ["substr(a, 0, -1) = '' ? 1 : 0", ['abc'], 1],
    ["substr(a, 1, 1) = 'b' ? 1 : 0", ['\u{1f600}b'], 1],
    ['length(a)', ['\u{1f600}b'], 2],
    ['length(a)', [-0], 1],
    ['length(a)', [new Uint8Array([1, 2, 3])], 4],
    ["lower(a) = 'Äbc' ? 1 : 0", ['ÄBC'], 1],
    ["upper(a) = 'äBC' ? 1 : 0", ['äbc'], 1],
    ['year(t) * 10000 + month(t) * 100 + day(t)', ['2024-02-29 23:59:59.999999'], 20240229],
    ['Year(t)', ['0000-00-00'], 0],
    ['hash(a)', ['k'], xxHash64('k', 0n)],
    ['hash(a, 7) % 4', ['k'], Number(xxHash64('k', 7n) % 4n)],
    ['hash(a + 1)', [41], xxHash64('42', 0n)],
  ])('%s of %o is %s', (expression, keys, expected) => {
    expect(valueOf(expression, ...keys)).toBe(expected);
  });

  it('gives a number, its bigint and its text one value, as integer and as text', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (key) => {
        for (const expression of ['a / 7', 'hash(a)', 'length(a)', 'a % 64']) {
          const value = valueOf(expression, key);
          expect(valueOf(expression, String(key))).toBe(value);
          expect(valueOf(expression, BigInt(key))).toBe(value);
        }
      }),
    );
  });

  it.each([
    ['', 1, 'expected a value'],
    ['a +', 4, 'expected a value'],
    ['a + * 2', 5, 'found "*"'],
    ['(a + 1', 7, 'expected ")", found the end'],
    ['a b', 3, 'expected an operator or the end, found "b"'],
    ["a 'secret'", 3, 'found a text'],
    ["a '+' 2", 3, 'found a text'],
    ['a `or` 2', 3, 'found "or"'],
    ['a + 1.5', 6, 'there are no fractions'],
    ['orders.id', 7, 'no table names'],
    ['a && b', 3, 'found "&"'],
    ["a = 'x", 5, "a closing '"],
    ['a + `b', 5, 'a closing `'],
    ['a = 1 ? 2', 10, 'expected ":"'],
    [
      'modulo(a, 4)',
      1,
      'one of int, text, substr, length, lower, upper, year, month, day, hash, abs, min, max',
    ],
    ['constructor(a)', 1, 'expected a function'],
    ['length()', 1, 'expected length(text), found 0 values'],
    ['a + length(a, 2)', 5, 'found 2 values'],
    ["a + 'x'", 5, 'expected an integer for "+", found a text'],
    ['a = 1', 3, 'expected an integer for the result, found a condition'],
    ["lower('x')", 1, 'expected an integer for the result, found a text'],
    ['a ? 1 : 2', 1, 'expected a condition such as a = 1 for "?", found a column'],
    ['not a', 5, 'expected a condition'],
    ['a < b ? 1 : 0', 1 + 2, 'int(…) or text(…) around both columns'],
    ["a + 1 = 'x' ? 1 : 0", 7, 'two integers or two texts'],
    ["a = 1 ? 2 : 'x'", 13, 'expected an integer on both sides of ":", found a text'],
    ['hash(a, a)', 9, 'an integer literal'],
    ['hash(a, -1)', 9, 'an integer literal'],
    ['length(a + 1)', 10, 'expected a text for length(text), found an integer'],
    ['1 + 2', 1, 'expected a column somewhere'],
    [`a + ${'9'.repeat(41)}`, 5, 'at most 40 digits'],
    [`a + ${'1'.repeat(997)}`, 1001, 'at most 1000 characters'],
  ])('refuses %s at character %i', (expression, at, message) => {
    const error = refusal(() => ruleOf(expression));
    expect(error.code).toBe('ROWFERRY_CONFIG_INVALID');
    expect(error.message).toContain(`character ${at}: `);
    expect(error.message).toContain(message);
  });

  it.each([
    ['parentheses', (n: number) => '('.repeat(n) + 'a' + ')'.repeat(n)],
    ['calls', (n: number) => 'abs('.repeat(n) + 'a' + ')'.repeat(n)],
    ['minus signs', (n: number) => '-'.repeat(n) + 'a'],
    ['branches', (n: number) => 'a=1?0:'.repeat(n) + 'a'],
    ['right operands', (n: number) => 'a+('.repeat(n) + 'a' + ')'.repeat(n)],
  ])('takes 64 levels of %s and not one more', (_, nested) => {
    expect(() => ruleOf(nested(64))).not.toThrow();
    expect(refusal(() => ruleOf(nested(65))).message).toContain('at most 64 levels');
  });

  it('takes a chain of 500 operators, which is no nesting', () => {
    expect(valueOf(Array.from({ length: 500 }, () => 'a').join('+'), 2)).toBe(1000);
  });

  it('never throws anything but an error of rowferry, whatever the text', () => {
    const words = [
      'a',
      '`b`',
      "'x'",
      '1',
      '64',
      '(',
      ')',
      ',',
      '+',
      '-',
      '*',
      '/',
      '%',
      '=',
      '<',
      '?',
      ':',
      ' ',
    ]
      .concat(['not', 'and', 'or', 'int(', 'substr(', 'hash(', 'year(', 'text(', "'", '`', '>=', '${', '\\'])
      .concat(['process.exit(1)', 'constructor', '__proto__', '\n', '\u{1f600}']);
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 1100 }),
      fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((parts) => parts.join('')),
    );
    const key = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.bigInt(), fc.constant(null));
    fc.assert(
      fc.property(text, fc.array(key, { maxLength: 4 }), (expression, keys) => {
        try {
          ruleOf(expression).indexOf(...keys);
        } catch (error) {
          expect(error).toBeInstanceOf(RowferryError);
          expect((error as RowferryError).code).toMatch(/^ROWFERRY_(CONFIG_INVALID|ROUTE_KEY)$/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('runs no code', () => {
    const reach = globalThis as { reached?: boolean };
    for (const code of [
      'globalThis.reached = true',
      "a + ''.constructor.constructor('globalThis.reached = true')()",
      '(() => (globalThis.reached = true))()',
      'a + `${(globalThis.reached = true)}`',
      'eval("globalThis.reached = true")',
    ]) {
      expect(refusal(() => ruleOf(code).indexOf('globalThis.reached = true')).action).toMatch(/stop|data/);
    }
    expect(reach.reached).toBeUndefined();
  });
});

describe('expressionRule', () => {
  it('reads its columns in order of appearance, each once whatever its case', () => {
    const rule = ruleOf('(tenant * 3 + User_Id + tenant + USER_ID) % 4');
    expect(rule.by).toEqual(['tenant', 'User_Id']);
    expect(rule.indexOf(1, '2')).toBe((3 + 2 + 1 + 2) % 4);
  });

  it('has its shards by number, and no cycle', () => {
    const rule = ruleOf('a % 8', 8);
    expect(rule).toMatchObject({ count: 8, cycle: null, spec: { expression: 'a % 8' } });
    expect(rule.label(5)).toBe(5);
    expect(rule.indexOf(-1)).toBe(7);
  });

  it.each<[string, RouteKey[], string, string]>([
    ['a % 4', [null], 'a', 'NULL'],
    ['a % 4', [''], 'a', 'an empty text'],
    ['a % 4', ['secret-4711'], 'a', 'not an integer'],
    ['a % 4', [4711.5], 'a', 'not an integer'],
    ['a % 4', [2 ** 60], 'a', 'not an integer'],
    ['a + b', [0, 'secret-4711'], 'b', 'not an integer'],
    ['a + b', [0], 'b', 'NULL'],
    ['a = 0 ? 0 : b', [0, null], 'b', 'NULL'],
    ['length(a)', [4711.5], 'a', 'not an integer'],
    ['int(substr(phone, 0, 6))', ['secret-4711'], 'phone', 'not an integer'],
    ['int(substr(phone, -20, 1))', ['4711'], 'phone', 'an empty text'],
    ['hash(a) % 4', [''], 'a', 'an empty text'],
    ['year(t) % 4', ['4711/01/01'], 't', 'not a date'],
    ['4711 / a', [0], 'a', 'the divisor at character 8 of the expression is 0'],
    ['4711 % a', ['-0'], 'a', 'the divisor at character 8 of the expression is 0'],
  ])('%s of %o names the column and the kind, never the value', (expression, keys, column, kind) => {
    const error = refusal(() => ruleOf(expression).indexOf(...keys));
    expect(error).toMatchObject({ code: 'ROWFERRY_ROUTE_KEY', where: { column } });
    expect(error.message).toContain(kind);
    expect(error.describe()).not.toMatch(/4711|secret/);
  });

  it.each([4, -1, '4711', '99999999999999999999'])('refuses %s as a shard of 4, without saying it', (key) => {
    const error = refusal(() => ruleOf('a + 0').indexOf(key));
    expect(error.code).toBe('ROWFERRY_ROUTE_KEY');
    expect(error.message).toBe('the expression answered a number outside 0..3');
  });

  it.each([0, -1, 1.5, NaN])('refuses %d shards', (count) => {
    expect(refusal(() => ruleOf('a', count)).code).toBe('ROWFERRY_CONFIG_INVALID');
  });
});
