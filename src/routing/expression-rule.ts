/** The sharding rule that is an expression over columns; the language is described in `expression.ts`. */
import { compileExpression } from './expression.ts';
import { refusedKey, routeKeyError } from './route-key.ts';
import type { RuleSpec, ShardRule } from './rule.ts';
import { checkWhole, MOST_SHARDS, refused } from './spec-check.ts';

/**
 * Throws ROWFERRY_CONFIG_INVALID for an expression that cannot be read. `indexOf` refuses a row in which any of the columns is
 * NULL, also where the expression would not look at it: a rule depends on all its columns or it is two rules.
 */
export function expressionRule(spec: Extract<RuleSpec, { algorithm: 'expression' }>): ShardRule {
  const { algorithm, expression, count } = spec;
  if (typeof expression !== 'string') {
    throw refused(algorithm, '"expression" is not a text', {
      hint: 'write it in quotes: "user_id / 64 % 4"',
    });
  }
  checkWhole(algorithm, 'count', count, 1, MOST_SHARDS);
  const { columns, evaluate } = compileExpression(expression);
  return {
    spec,
    by: columns,
    count,
    label: (index) => index,
    cycle: null,
    indexOf(...keys) {
      for (const [index, by] of columns.entries()) {
        const key = keys[index] ?? null;
        if (key === null) throw routeKeyError(key, { algorithm, by }, 'a value', 'missing');
      }
      const shard = evaluate(keys);
      if (typeof shard === 'number' && shard >= 0 && shard < count) return shard;
      throw refusedKey({ algorithm }, `the expression answered a number outside 0..${count - 1}`, {
        hint: `end the expression with % ${count}, or correct its count`,
      });
    },
  };
}
