/** Two levels that depend on a key in the same way leave most cells empty for ever. Found before the first row. */
import { RowferryError } from '../errors.ts';
import type { ShardRule } from './rule.ts';

/** Longest common period that is walked, in some tenths of a second. */
const LONGEST_WALK = 2 ** 20;

export interface ReachedCells {
  /** How many cells some key leads to. */
  readonly reached: number;
  readonly cells: number;
}

/**
 * How many pairs of indexes keys can have under two rules, counted exactly by walking one common period of both. Null when
 * that cannot be told: rules without a cycle, of different columns or hashes, or with a common period above 2^20.
 */
export function reachedCells(a: ShardRule, b: ShardRule): ReachedCells | null {
  const [inA, inB] = [a.indexInCycle, b.indexInCycle];
  if (a.count === null || b.count === null || a.cycle === null || b.cycle === null) return null;
  if (inA === undefined || inB === undefined || a.cycle.of !== b.cycle.of || !sameColumns(a, b)) return null;
  // Without a common divisor every pair of remainders occurs (Chinese remainder theorem).
  if (greatestCommonDivisor(a.cycle.period, b.cycle.period) === 1) {
    return { reached: a.count * b.count, cells: a.count * b.count };
  }
  const period = leastCommonMultiple(a.cycle.period, b.cycle.period);
  if (period > LONGEST_WALK) return null;
  // Sorted cell numbers stay as small as the period; a table of all cells may be 2^32 long.
  const walked = new Uint32Array(period);
  for (let n = 0; n < period; n++) walked[n] = inA(n) * b.count + inB(n);
  walked.sort();
  let reached = 1;
  for (let i = 1; i < period; i++) if (walked[i] !== walked[i - 1]) reached++;
  return { reached, cells: a.count * b.count };
}

/** Throws ROWFERRY_CONFIG_INVALID when cells of a layout's two levels could never get a row. */
export function refuseCorrelated(shards: ShardRule, tables: ShardRule): void {
  const found = reachedCells(shards, tables) ?? reachedTwice(shards, tables);
  if (found === null || found.reached === found.cells) return;
  const by = shards.by.join(' and ');
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    `both levels use ${by} in the same way: only ${found.reached} of ${found.cells} cells would ever get a row`,
    { hint: mend(shards) },
  );
}

/** One and the same rule at both levels, whatever it is, reaches no more than one table in each target. */
function reachedTwice(a: ShardRule, b: ShardRule): ReachedCells | null {
  if (a.count === null || a.count !== b.count || !sameColumns(a, b)) return null;
  return sameText(a, b) ? { reached: a.count, cells: a.count * b.count } : null;
}

function sameText(a: ShardRule, b: ShardRule): boolean {
  return JSON.stringify({ ...a.spec, by: null }) === JSON.stringify({ ...b.spec, by: null });
}

function sameColumns(a: ShardRule, b: ShardRule): boolean {
  return (
    a.by.length === b.by.length && a.by.every((name, i) => name.toLowerCase() === b.by[i]?.toLowerCase())
  );
}

function mend({ spec, cycle }: ShardRule): string {
  if (spec.algorithm === 'hash' || spec.algorithm === 'ring') return 'give one level another "seed"';
  return cycle === null
    ? 'use another rule or another column at one level'
    : 'use segments with half: high at one level and half: low at the other, or hash at one level';
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [divisor, rest] = [a, b];
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest];
  return divisor;
}
