/** The rules of keys of any text: digits at a place, a hash, and a consistent-hash ring. */
import { integerKey } from './integer-key.ts';
import { routeKeyError } from './route-key.ts';
import type { RouteKey, RuleSpec, ShardRule } from './rule.ts';
import { MOST_SHARDS, checkNames, checkWhole, refused } from './spec-check.ts';
import { xxHash64 } from './xxhash64.ts';

type Spec<A extends RuleSpec['algorithm']> = Extract<RuleSpec, { readonly algorithm: A }>;

const DEFAULT_POINTS = 160;
/** Points of a whole ring: enough for the largest, and placed in seconds. */
const MOST_POINTS = 2 ** 20;
const LONGEST_TEXT = 65_535;
/** The top 53 of 64 bits: as many as a number holds. */
const DROPPED_BITS = 11n;
const CODE_OF_0 = 48;

/** The number that `length` digits make, from position `at` on. */
export function substringRule(spec: Spec<'substring'>): ShardRule {
  const { algorithm, at, length } = spec;
  checkWhole(algorithm, 'length', length, 1, 4);
  checkWhole(algorithm, 'at', at, -LONGEST_TEXT, LONGEST_TEXT);
  if (at < 0 && at + length > 0) {
    throw refused(algorithm, `${length} digits from position ${at} go past the last character`, {
      hint: `start at ${-length} or before`,
    });
  }
  const count = 10 ** length;
  return {
    spec,
    by: [spec.by],
    count,
    label: (index) => index,
    indexOf(key: RouteKey) {
      const text = typeof key === 'string' ? key : String(integerKey(key, spec));
      const start = at < 0 ? text.length + at : at;
      let index = 0;
      for (let place = start; place < start + length; place++) {
        // NaN past either end, like any code that is no digit.
        const digit = text.charCodeAt(place) - CODE_OF_0;
        if (!(digit >= 0 && digit <= 9)) {
          throw routeKeyError(key, spec, `${length} digits at position ${at}`, 'of another form');
        }
        index = index * 10 + digit;
      }
      return index;
    },
    cycle: null,
  };
}

/** xxHash64 of the key's text as an unsigned number, modulo `count`. */
export function hashRule(spec: Spec<'hash'>): ShardRule {
  const { algorithm, count, seed = 0 } = spec;
  checkWhole(algorithm, 'count', count, 1, MOST_SHARDS);
  const bigSeed = checkedSeed(algorithm, seed);
  const bigCount = BigInt(count);
  return {
    spec,
    by: [spec.by],
    count,
    label: (index) => index,
    indexOf: (key: RouteKey) => Number(xxHash64(hashInput(key, spec), bigSeed) % bigCount),
    cycle: { of: `hash:${seed}`, period: count },
    indexInCycle: (n) => n % count,
  };
}

/**
 * A consistent-hash ring: each node stands at `points` points, and a key belongs to the node of the first point at or after
 * its own, past the last one again to the first. A new node takes keys to itself and moves no other.
 */
export function ringRule(spec: Spec<'ring'>): ShardRule {
  const { algorithm, nodes, points: perNode = DEFAULT_POINTS, seed = 0 } = spec;
  checkNames(algorithm, 'nodes', nodes);
  checkWhole(algorithm, 'number of nodes', nodes.length, 1, MOST_SHARDS);
  checkWhole(algorithm, 'points', perNode, 1, Math.floor(MOST_POINTS / nodes.length));
  const bigSeed = checkedSeed(algorithm, seed);
  const { points, owners } = placePoints(nodes, perNode, bigSeed);
  return {
    spec,
    by: [spec.by],
    count: nodes.length,
    label: (index) => nodes[index]!,
    indexOf: (key: RouteKey) => owners[successor(points, pointOf(hashInput(key, spec), bigSeed))]!,
    cycle: null,
  };
}

function placePoints(
  nodes: readonly string[],
  perNode: number,
  seed: bigint,
): { readonly points: Float64Array; readonly owners: Uint16Array } {
  const placed = nodes.flatMap((node, owner) =>
    Array.from({ length: perNode }, (_, i) => ({ owner, point: pointOf(`${node}#${i}`, seed) })),
  );
  placed.sort((a, b) => a.point - b.point || a.owner - b.owner);
  return {
    points: Float64Array.from(placed, ({ point }) => point),
    owners: Uint16Array.from(placed, ({ owner }) => owner),
  };
}

/** Place of the first point at or after `point`; of equal points the first, so that ties go by the order of the nodes. */
function successor(points: Float64Array, point: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (points[middle]! < point) low = middle + 1;
    else high = middle;
  }
  return low === points.length ? 0 : low;
}

function pointOf(input: string, seed: bigint): number {
  return Number(xxHash64(input, seed) >> DROPPED_BITS);
}

/**
 * A key has one place in whatever form it comes: numbers and bigints are hashed as their decimal text, bytes as the base64 by
 * which the daemon knows the column that holds them.
 */
function hashInput(key: RouteKey, spec: Spec<'hash' | 'ring'>): string {
  if (typeof key === 'string' || key instanceof Uint8Array) {
    if (key.length > 0) return typeof key === 'string' ? key : base64(key);
  } else if (typeof key === 'bigint' || (typeof key === 'number' && Number.isFinite(key))) {
    return String(key);
  }
  throw routeKeyError(key, spec, 'a value', 'not a finite number');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function checkedSeed(algorithm: string, seed: number): bigint {
  checkWhole(algorithm, 'seed', seed, 0, Number.MAX_SAFE_INTEGER);
  return BigInt(seed);
}
