/** Integer keys, exact for 64 bits and beyond, and the two operations that rules need: floor division and its remainder. */
import type { KeyReader } from './route-key.ts';
import { routeKeyError } from './route-key.ts';
import type { RouteKey } from './rule.ts';

/** A number wherever that is exact, otherwise a bigint: one key has one form. */
export type IntegerKey = number | bigint;

const INTEGER = /^-?\d{1,40}$/;
/** Up to this many characters an integer's text is exact as a number. */
const EXACT_DIGITS = 15;

/** Reads a key as an integer. Throws ROWFERRY_ROUTE_KEY for NULL, an empty text and anything that is not an integer. */
export function integerKey(key: RouteKey, reader: KeyReader): IntegerKey {
  if (typeof key === 'string') {
    if (!INTEGER.test(key)) throw notAnInteger(key, reader);
    // `-0` is zero: adding 0 takes the sign away.
    return key.length <= EXACT_DIGITS ? Number(key) + 0 : narrowed(BigInt(key));
  }
  if (typeof key === 'number' && Number.isSafeInteger(key)) return key + 0;
  if (typeof key === 'bigint') return narrowed(key);
  throw notAnInteger(key, reader);
}

/** The remainder of `floorDivide`, 0 to divisor-1 also for negative keys: -1 mod 4 is 3. `divisor` is at most 2^53. */
export function euclideanModulo(key: IntegerKey, divisor: number): number {
  if (typeof key === 'number') {
    const rest = key % divisor;
    return rest < 0 ? rest + divisor : rest + 0;
  }
  const rest = Number(key % BigInt(divisor));
  return rest < 0 ? rest + divisor : rest;
}

/** The largest integer not above key / divisor: -1 / 64 is -1. */
export function floorDivide(key: IntegerKey, divisor: number): IntegerKey {
  if (typeof key === 'number') {
    // Exact: a quotient that is no integer is 1/divisor or more away from one, and rounding bridges less below 2^53.
    return Math.floor(key / divisor);
  }
  const big = BigInt(divisor);
  return narrowed(key / big - (key % big < 0n ? 1n : 0n));
}

function narrowed(key: bigint): IntegerKey {
  const number = Number(key);
  return Number.isSafeInteger(number) ? number : key;
}

function notAnInteger(key: RouteKey, reader: KeyReader): Error {
  return routeKeyError(key, reader, 'an integer', 'not an integer');
}
