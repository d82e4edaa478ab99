/** A function of the user's as a rule: its answer is checked, and what it throws never carries a row's value further. */
import { RowferryError } from '../errors.ts';
import type { RouteKey, RuleSpec, ShardRule } from './rule.ts';
import { MOST_SHARDS, checkWhole, refused } from './spec-check.ts';

type CustomSpec = Extract<RuleSpec, { readonly algorithm: 'custom' }>;

export function customRule(spec: CustomSpec): ShardRule {
  const { algorithm, by, count, shardOf, version } = spec;
  checkWhole(algorithm, 'count', count, 1, MOST_SHARDS);
  if (typeof shardOf !== 'function') {
    throw refused(algorithm, 'there is no function', { hint: 'export a function (keys, count) => index' });
  }
  if (version === '') {
    throw refused(algorithm, '"version" is empty', { hint: 'name the version of the function' });
  }
  const where = { column: by.join(', ') };
  const ask = (keys: readonly RouteKey[]): number => {
    try {
      return shardOf(keys, count);
    } catch (thrown) {
      throw new RowferryError('ROWFERRY_ROUTE_KEY', `the custom rule threw ${nameOf(thrown)}`, {
        where,
        hint: 'call its function with the keys of this row to see why',
        cause: withoutMessage(thrown),
      });
    }
  };
  return {
    spec,
    by,
    count,
    label: (index) => index,
    indexOf(...keys) {
      const index = ask(keys);
      if (Number.isInteger(index) && index >= 0 && index < count) return index + 0;
      throw new RowferryError(
        'ROWFERRY_ROUTE_KEY',
        `the custom rule answered out of range: not a whole number of 0 to ${count - 1}`,
        { where, hint: 'correct its function; it must answer an index for every key' },
      );
    },
    cycle: null,
  };
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.constructor.name : `a ${typeof thrown}`;
}

/** The place that threw and nothing that it said: the message of somebody else's error may hold the key. */
function withoutMessage(thrown: unknown): Error {
  const place = new Error('message left out, it may hold a row value');
  if (!(thrown instanceof Error) || thrown.stack === undefined) return place;
  const at = thrown.stack.indexOf(thrown.message);
  const frames = at < 0 ? '' : thrown.stack.slice(at + thrown.message.length);
  place.stack = `${nameOf(thrown)}: ${place.message}${frames}`;
  return place;
}
