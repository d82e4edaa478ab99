/** Sharding algorithms: pure functions from a sharding key to a shard's index. Exact for 64-bit keys. */
import { RowferryError } from '../errors.ts';
import type { WireValue } from '../model/table.ts';

/** Chooses a shard by the value of the sharding column. Throws ROWFERRY_ROUTE_KEY for a value that the rule cannot take. */
export type ShardFunction = (key: WireValue) => number;

const INTEGER = /^-?\d{1,40}$/;
/** Up to this many characters an integer's text is exact as a JavaScript number. */
const EXACT_DIGITS = 15;

/**
 * SHR-1: `key mod count`, Euclidean, so that -1 mod 4 is 3 and an index is never negative. Keys may be any integer, also
 * beyond 2^53 (9007199254740993 mod 2 is 1).
 */
export function modulo(count: number): ShardFunction {
  const big = BigInt(count);
  return (key) => {
    if (typeof key === 'number' && Number.isSafeInteger(key)) return euclidean(key, count);
    if (typeof key !== 'string' || !INTEGER.test(key)) throw notAnInteger(key);
    if (key.length <= EXACT_DIGITS) return euclidean(Number(key), count);
    const rest = BigInt(key) % big;
    return Number(rest < 0n ? rest + big : rest);
  };
}

function euclidean(key: number, count: number): number {
  const rest = key % count;
  return rest < 0 ? rest + count : rest + 0;
}

/** SHR-15: says which rule a key breaks, by its kind and never by its value. */
function notAnInteger(key: WireValue): RowferryError {
  const kind = key === null ? 'NULL' : key === '' ? 'an empty text' : 'not an integer';
  return new RowferryError('ROWFERRY_ROUTE_KEY', `the sharding key is ${kind}, modulo needs an integer`, {
    hint: 'shard by a NOT NULL integer column, or correct the row at the source',
  });
}
