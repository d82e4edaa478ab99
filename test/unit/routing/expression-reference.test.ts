import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileExpression } from '../../../src/routing/expression.ts';

type Tree =
  | { readonly kind: 'literal'; readonly value: bigint }
  | { readonly kind: 'column'; readonly index: number }
  | { readonly kind: 'minus'; readonly of: Tree }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Tree; readonly right: Tree }
  | { readonly kind: 'choice'; readonly test: Test; readonly yes: Tree; readonly no: Tree };
type Test =
  | { readonly kind: 'compare'; readonly operator: string; readonly left: Tree; readonly right: Tree }
  | { readonly kind: 'not'; readonly of: Test }
  | { readonly kind: 'join'; readonly operator: string; readonly left: Test; readonly right: Test };

const { tree } = fc.letrec<{ tree: Tree; test: Test }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'tree' },
    fc.record({ kind: fc.constant('column' as const), index: fc.nat(2) }),
    fc.record({ kind: fc.constant('literal' as const), value: fc.bigInt(0n, 10n ** 20n) }),
    fc.record({ kind: fc.constant('literal' as const), value: fc.bigInt(0n, 9n) }),
    fc.record({ kind: fc.constant('minus' as const), of: tie('tree') }),
    fc.record({
      kind: fc.constant('binary' as const),
      operator: fc.constantFrom('+', '-', '*', '/', '%'),
      left: tie('tree'),
      right: tie('tree'),
    }),
    fc.record({ kind: fc.constant('choice' as const), test: tie('test'), yes: tie('tree'), no: tie('tree') }),
  ),
  test: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'tree' },
    fc.record({
      kind: fc.constant('compare' as const),
      operator: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
      left: tie('tree'),
      right: tie('tree'),
    }),
    fc.record({ kind: fc.constant('not' as const), of: tie('test') }),
    fc.record({
      kind: fc.constant('join' as const),
      operator: fc.constantFrom('and', 'or'),
      left: tie('test'),
      right: tie('test'),
    }),
  ),
}));

class DividedByZero extends Error {}

function evaluate(tree: Tree, keys: readonly bigint[]): bigint {
  switch (tree.kind) {
    case 'literal':
      return tree.value;
    case 'column':
      return keys[tree.index]!;
    case 'minus':
      return -evaluate(tree.of, keys);
    case 'choice':
      return evaluate(holds(tree.test, keys) ? tree.yes : tree.no, keys);
    case 'binary': {
      const [a, b] = [evaluate(tree.left, keys), evaluate(tree.right, keys)];
      if (tree.operator === '+') return a + b;
      if (tree.operator === '-') return a - b;
      if (tree.operator === '*') return a * b;
      if (b === 0n) throw new DividedByZero();
      const size = b < 0n ? -b : b;
      const remainder = ((a % size) + size) % size;
      if (tree.operator === '%') return remainder;
      // Rounding down: of a / |b| the remainder comes off; for a negative divisor it is what the negated dividend leaves.
      return b > 0n ? (a - remainder) / b : (-a - (((-a % size) + size) % size)) / size;
    }
  }
}

function holds(test: Test, keys: readonly bigint[]): boolean {
  switch (test.kind) {
    case 'not':
      return !holds(test.of, keys);
    case 'join':
      return test.operator === 'and'
        ? holds(test.left, keys) && holds(test.right, keys)
        : holds(test.left, keys) || holds(test.right, keys);
    case 'compare': {
      const [a, b] = [evaluate(test.left, keys), evaluate(test.right, keys)];
      const order = a < b ? -1 : a > b ? 1 : 0;
      const { operator } = test;
      if (order === 0) return operator === '=' || operator === '<=' || operator === '>=';
      return operator === '!=' || (order < 0 ? operator.startsWith('<') : operator.startsWith('>'));
    }
  }
}

const STRENGTH: Readonly<Record<string, number>> = { or: 1, and: 2, '+': 5, '-': 5, '*': 6, '/': 6, '%': 6 };

/** Prints with no more parentheses than the precedence needs; columns beside each other in a comparison say `int`. */
function print(node: Tree | Test, weakest = 0): string {
  const [text, strength] = printed(node);
  return strength < weakest ? `(${text})` : text;
}

function printed(node: Tree | Test): readonly [string, number] {
  switch (node.kind) {
    case 'literal':
      return [String(node.value), 9];
    case 'column':
      return [`c${node.index}`, 9];
    case 'minus':
      return [`-${print(node.of, 7)}`, 7];
    case 'choice':
      return [`${print(node.test, 1)} ? ${print(node.yes)}:${print(node.no)}`, 0];
    case 'not':
      return [`not ${print(node.of, 3)}`, 3];
    case 'compare':
      return [`int(${print(node.left)}) ${node.operator}${print(node.right, 5)}`, 4];
    default: {
      const strength = STRENGTH[node.operator]!;
      return [`${print(node.left, strength)} ${node.operator} ${print(node.right, strength + 1)}`, strength];
    }
  }
}

describe('against a reference of big integers', () => {
  const edge = fc.constantFrom(
    0n,
    1n,
    -1n,
    2n ** 53n - 1n,
    2n ** 53n,
    -(2n ** 53n),
    2n ** 63n - 1n,
    2n ** 64n - 1n,
  );
  const key = fc.oneof(
    edge,
    fc.bigInt(-20n, 20n),
    fc.bigInt(-(2n ** 66n), 2n ** 66n),
    fc.maxSafeInteger().map(BigInt),
  );

  it('a printed tree is read as the tree and evaluates to its exact value, or divides by 0 where it does', () => {
    let compared = 0;
    fc.assert(
      fc.property(tree, fc.tuple(key, key, key), (tree, keys) => {
        // The columns come first in this order; a `?` binds weakest, so the tree stands in parentheses of its own.
        const source = `c0 * 0 + c1 * 0 + c2 * 0 + (${print(tree)})`;
        fc.pre(source.length <= 1000);
        const run = () => compileExpression(source).evaluate(keys.map(String));
        let expected: bigint;
        try {
          expected = evaluate(tree, keys);
        } catch (error) {
          expect(error).toBeInstanceOf(DividedByZero);
          expect(run).toThrow(/the divisor at character \d+ of the expression is 0/);
          return;
        }
        const value = run();
        expect(BigInt(value)).toBe(expected);
        expect(typeof value === 'number').toBe(Number.isSafeInteger(Number(expected)));
        compared++;
      }),
      { numRuns: 3000 },
    );
    expect(compared).toBeGreaterThan(1000);
  });

  it.each(['+', '-', '*', '/', '%'])('%s is exact at the edges of 2^53', (operator) => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        fc.pre(b !== 0n);
        const left: Tree = { kind: 'column', index: 0 };
        const expected = evaluate({ kind: 'binary', operator, left, right: { kind: 'literal', value: b } }, [
          a,
        ]);
        const value = compileExpression(`a ${operator} b`).evaluate([String(a), b]);
        expect(BigInt(value)).toBe(expected);
        expect(Object.is(value, -0)).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});
