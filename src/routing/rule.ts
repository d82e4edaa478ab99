/**
 * What a sharding rule is. A rule answers the *index* of a key's shard among its shards; where that shard lives (which target,
 * which table suffix) is said by the layout (`layout.ts`). Rules are pure and exact for 64-bit keys.
 */
import type { WireValue } from '../model/table.ts';

/**
 * A key as the worker has it (wire form, `model/table.ts`) or as an application has it at hand. A `bigint` and a number are
 * the same key as their decimal text, bytes as their base64, which is how the worker has the column that holds them.
 */
export type RouteKey = WireValue | bigint | Uint8Array;

/**
 * Which of two independent slot numbers of a key is meant, for `slots` slots: `low` is `key mod slots`, `high` is
 * `floor(key / slots) mod slots`.
 */
export type SlotHalf = 'low' | 'high';

export type Period = 'year' | 'quarter' | 'month';

/** A rule in words, as plain data: the form of the configuration file, of `--rule` and of applications. */
export type RuleSpec =
  /** `key mod count`. */
  | { readonly algorithm: 'modulo'; readonly by: string; readonly count: number }
  /** Runs of `slots / count` fixed slots; a shard is named by the first slot of its run. */
  | {
      readonly algorithm: 'segments';
      readonly by: string;
      readonly count: number;
      /** A power of two; default 64. */
      readonly slots?: number;
      /** Default `low`. */
      readonly half?: SlotHalf;
    }
  /** A table of `max` virtual nodes, of which `current` are in use. */
  | {
      readonly algorithm: 'virtual-nodes';
      readonly by: string;
      readonly max: number;
      readonly current: number;
    }
  /** Each slot has an owner: shard name -> slots as `0-15, 40`. The order of the names is the order of the shards (names of digits only come first). */
  | {
      readonly algorithm: 'slot-map';
      readonly by: string;
      readonly map: Readonly<Record<string, string>>;
      readonly slots?: number;
      readonly half?: SlotHalf;
    }
  /** One shard a period. `since` is the first one, `2024`, `2024-01` or `2024q1`; open-ended without `count`. */
  | {
      readonly algorithm: 'date';
      readonly by: string;
      readonly period: Period;
      readonly since: string;
      readonly count?: number;
    }
  /** `length` digits of the value's text from position `at` (0 is the first, -1 the last character). */
  | { readonly algorithm: 'substring'; readonly by: string; readonly at: number; readonly length: number }
  /** xxHash64 of the UTF-8 of the key's text (of bytes their base64) with `seed` (default 0), modulo `count`. */
  | { readonly algorithm: 'hash'; readonly by: string; readonly count: number; readonly seed?: number }
  /** A consistent-hash ring of named nodes with `points` points each (default 160). */
  | {
      readonly algorithm: 'ring';
      readonly by: string;
      readonly nodes: readonly string[];
      readonly points?: number;
      readonly seed?: number;
    }
  /** An integer expression over columns, whose value is the shard's index. */
  | { readonly algorithm: 'expression'; readonly expression: string; readonly count: number }
  /** A function of the user's; it must be pure and answer an integer of 0 to count-1. */
  | {
      readonly algorithm: 'custom';
      readonly by: readonly string[];
      readonly count: number;
      readonly shardOf: (keys: readonly RouteKey[], count: number) => number;
      /** Tells two versions of the function apart, for example a digest of its module. */
      readonly version: string;
    };

/** A rule at work. */
export interface ShardRule {
  readonly spec: RuleSpec;
  /** Columns that it reads; `indexOf` takes their values in this order. */
  readonly by: readonly string[];
  /** How many shards there are; null for a date rule without an end. */
  readonly count: number | null;
  /** What a shard is called: a number is padded to a suffix (4 -> `04`), a text stands as it is (`2026_11`, a node's name). */
  label(index: number): number | string;
  /** Index of the key's shard, 0 to count-1. Throws ROWFERRY_ROUTE_KEY, by the key's kind and never by its value. */
  indexOf(...keys: readonly RouteKey[]): number;
  /** Index of the shard that holds a slot; absent for rules without slots. Throws ROWFERRY_ROUTE_KEY past the last slot. */
  readonly indexOfSlot?: (slot: number) => number;
  /**
   * The rule depends on nothing but `n mod period`, where n is the key itself (`of` is `key`) or its hash (`hash:<seed>`). Such
   * rules can be compared exactly by walking one common period. Null for all others.
   */
  readonly cycle: { readonly of: string; readonly period: number } | null;
  /** `indexOf` of the n of `cycle`, for walking periods; absent when `cycle` is null. */
  readonly indexInCycle?: (n: number) => number;
}
