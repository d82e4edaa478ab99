/**
 * The rules of integer keys. All are exact beyond 2^53 and Euclidean: a negative key has an index like
 * any other, and the high slot of -1 is the last one.
 */
import type { IntegerKey } from './integer-key.ts';
import { euclideanModulo, floorDivide, integerKey } from './integer-key.ts';
import { refusedKey } from './route-key.ts';
import type { RouteKey, RuleSpec, ShardRule, SlotHalf } from './rule.ts';
import { slotOwners } from './slot-map.ts';
import { MOST_SHARDS, checkNames, checkWhole, refused } from './spec-check.ts';

type Spec<A extends RuleSpec['algorithm']> = Extract<RuleSpec, { readonly algorithm: A }>;

const DEFAULT_SLOTS = 64;

/** `key mod count`. */
export function moduloRule(spec: Spec<'modulo'>): ShardRule {
  const { count } = spec;
  checkWhole(spec.algorithm, 'count', count, 1, MOST_SHARDS);
  return {
    spec,
    by: [spec.by],
    count,
    label: (index) => index,
    indexOf: (key: RouteKey) => euclideanModulo(integerKey(key, spec), count),
    cycle: { of: 'key', period: count },
    indexInCycle: (n) => n % count,
  };
}

/** Shard `i` holds the slots from `i * slots / count` on and is called by the first of them. */
export function segmentsRule(spec: Spec<'segments'>): ShardRule {
  const { algorithm, count, slots = DEFAULT_SLOTS, half = 'low' } = spec;
  checkWhole(algorithm, 'slots', slots, 1, MOST_SHARDS);
  if (!Number.isInteger(Math.log2(slots))) {
    throw refused(algorithm, `"slots" must be a power of two, not ${slots}`, {
      hint: 'use 64; more only where more than 64 shards are to be expected',
    });
  }
  checkWhole(algorithm, 'count', count, 1, slots);
  if (slots % count !== 0) {
    throw refused(algorithm, `${slots} slots cannot be shared evenly by ${count} shards`, {
      hint: `set "count" to a divisor of ${slots}, or use a slot-map for shards of different sizes`,
    });
  }
  const run = slots / count;
  return slotRule(spec, slots, half, {
    count,
    label: (index) => index * run,
    indexOfSlot: (slot) => Math.floor(slot / run),
  });
}

/** Segments by another name, over `max` slots that need not be a power of two. */
export function virtualNodesRule(spec: Spec<'virtual-nodes'>): ShardRule {
  const run = runLength(spec.max, spec.current);
  return slotRule(spec, spec.max, 'low', {
    count: spec.current,
    label: (index) => index * run,
    indexOfSlot: (slot) => Math.floor(slot / run),
  });
}

/** Every slot has the owner that the map says. */
export function slotMapRule(spec: Spec<'slot-map'>): ShardRule {
  const { algorithm, map, slots = DEFAULT_SLOTS, half = 'low' } = spec;
  const names = Object.keys(map);
  checkWhole(algorithm, 'slots', slots, 1, MOST_SHARDS);
  checkNames(algorithm, 'map', names);
  const owners = slotOwners(map, slots);
  return slotRule(spec, slots, half, {
    count: names.length,
    label: (index) => names[index]!,
    indexOfSlot: (slot) => owners[slot]!,
  });
}

/** One of the two independent slot numbers of a key. */
function slotOf(key: IntegerKey, slots: number, half: SlotHalf): number {
  return euclideanModulo(half === 'low' ? key : floorDivide(key, slots), slots);
}

interface SlotTable {
  readonly count: number;
  readonly label: (index: number) => number | string;
  /** For slots known to exist. */
  readonly indexOfSlot: (slot: number) => number;
}

function slotRule(
  spec: Spec<'segments' | 'virtual-nodes' | 'slot-map'>,
  slots: number,
  half: SlotHalf,
  table: SlotTable,
): ShardRule {
  if (half !== 'low' && half !== 'high') {
    throw refused(spec.algorithm, '"half" must be low or high', { hint: 'low is key mod slots' });
  }
  const { count, label, indexOfSlot } = table;
  return {
    spec,
    by: [spec.by],
    count,
    label,
    indexOf: (key: RouteKey) => indexOfSlot(slotOf(integerKey(key, spec), slots, half)),
    indexOfSlot(slot) {
      if (Number.isInteger(slot) && slot >= 0 && slot < slots) return indexOfSlot(slot + 0);
      throw refusedKey(spec, `the slot is not one of 0 to ${slots - 1}`, {
        hint: `${spec.algorithm} of this table has ${slots} slots: the number comes from another scheme`,
      });
    },
    cycle: { of: 'key', period: half === 'low' ? slots : slots * slots },
    indexInCycle: (n) => indexOfSlot(slotOf(n, slots, half)),
  };
}

/** C19: a rest would give more shards than were asked for: (10, 3) -> 0,0,0,3,3,3,6,6,6,9 has four. */
function runLength(max: number, current: number): number {
  checkWhole('virtual-nodes', 'max', max, 1, MOST_SHARDS);
  checkWhole('virtual-nodes', 'current', current, 1, max);
  if (max % current !== 0) {
    const names = Math.ceil(max / Math.floor(max / current));
    throw refused(
      'virtual-nodes',
      `${max} slots cannot be shared evenly by ${current} shards: runs of ${Math.floor(max / current)} would make ${names} of them`,
      { hint: `set "current" to a divisor of ${max}, or use a slot-map for shards of different sizes` },
    );
  }
  return max / current;
}
