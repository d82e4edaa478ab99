/**
 * What a change of layout moves: which share of the rows, from which physical table to which. Exact: either
 * over one common period of the rules, which tells the share of evenly spread keys as a fraction, or over real keys.
 */
import { RowferryError } from '../errors.ts';
import type { Layout, Place } from './layout.ts';
import { RefusedKeys } from './refused-keys.ts';
import type { RefusedKind } from './refused-keys.ts';
import type { RouteKey, ShardRule } from './rule.ts';

/** In lowest terms. */
export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
}

export interface Share extends Fraction {
  readonly percent: number;
}

export interface PairMove {
  readonly from: Place;
  readonly to: Place;
  /** How many of `of`. */
  readonly count: number;
  readonly share: Share;
}

/** What a physical table gives and gets. */
export interface PlaceChange {
  readonly place: Place;
  /** Null for a place that only one of the two layouts has. */
  readonly before: number | null;
  readonly after: number | null;
  readonly leaving: number;
  readonly arriving: number;
}

export interface MovePlan {
  /** `period`: keys of one common period of the rules, exact for keys that are spread evenly. `keys`: the keys given. */
  readonly basis: 'period' | 'keys';
  /** How many keys were looked at: all counts are of these. */
  readonly of: number;
  readonly moving: number;
  readonly share: Share;
  /** Pairs between which rows move, in the order of the old layout, then of the new one. */
  readonly pairs: readonly PairMove[];
  readonly places: readonly PlaceChange[];
  /** Keys that a rule refuses, by what is wrong with them; they are in no other count. */
  readonly refused: readonly RefusedKind[];
}

/** Periods past this are not walked: real keys answer then. Some seconds at most. */
const LONGEST_PERIOD = 2 ** 25;

/**
 * The plan for evenly spread keys, by walking one common period of all rules of both layouts. Null when there is none: rules
 * over several columns, by date, text or function, a key against its hash, or a period past 2^25. Ask `KeyPlan` then.
 */
export function planByPeriod(from: Layout, to: Layout): MovePlan | null {
  const rules = [from.shards, from.tables, to.shards, to.tables].filter((rule) => rule !== null);
  const period = commonPeriod(rules);
  if (period === null) return null;
  const [cellFrom, cellTo] = [cellInCycle(from), cellInCycle(to)];
  const pairs = new PairCounts(from, to);
  for (let n = 0; n < period; n++) pairs.add(cellFrom(n), cellTo(n));
  return pairs.plan('period', []);
}

/** The plan for real keys, added row by row; keeps counts and no key. */
export class KeyPlan {
  readonly #pairs: PairCounts;
  readonly #cellFrom: (row: readonly RouteKey[]) => number;
  readonly #cellTo: (row: readonly RouteKey[]) => number;
  readonly #refused = new RefusedKeys();

  /**
   * `columns` names the values of the rows by position; by default the columns of the old layout, then those that only the
   * new one reads. Throws ROWFERRY_ROUTE_KEY when a sharding column of either layout is not among them.
   */
  constructor(from: Layout, to: Layout, columns: readonly string[] = columnsOfBoth(from, to)) {
    this.#pairs = new PairCounts(from, to);
    this.#cellFrom = from.cellFinder(columns);
    this.#cellTo = to.cellFinder(columns);
  }

  add(row: readonly RouteKey[]): void {
    let cells;
    try {
      cells = [this.#cellFrom(row), this.#cellTo(row)] as const;
    } catch (error) {
      return this.#refused.add(error);
    }
    this.#pairs.add(...cells);
  }

  result(): MovePlan {
    return this.#pairs.plan('keys', this.#refused.list());
  }
}

/** `KeyPlan` over rows that are at hand. */
export function planByKeys(
  from: Layout,
  to: Layout,
  rows: Iterable<readonly RouteKey[]>,
  columns?: readonly string[],
): MovePlan {
  const plan = new KeyPlan(from, to, columns);
  for (const row of rows) plan.add(row);
  return plan.result();
}

/** Columns that either layout reads, each once. */
export function columnsOfBoth(from: Layout, to: Layout): readonly string[] {
  const known = new Set(from.by.map((name) => name.toLowerCase()));
  return [...from.by, ...to.by.filter((name) => !known.has(name.toLowerCase()))];
}

/** A plan's share in rows of a table of so many rows, to the nearest row. */
export function rowsOfShare({ numerator, denominator }: Fraction, rows: number): number {
  const [top, bottom] = [BigInt(numerator) * BigInt(rows), BigInt(denominator)];
  return Number((2n * top + bottom) / (2n * bottom));
}

function isSamePlace(a: Place, b: Place): boolean {
  return a.target === b.target && a.table === b.table;
}

class PairCounts {
  readonly #from: Layout;
  readonly #to: Layout;
  /** Old cell -> new cell -> rows. */
  readonly #counts = new Map<number, Map<number, number>>();

  constructor(from: Layout, to: Layout) {
    this.#from = from;
    this.#to = to;
  }

  add(from: number, to: number): void {
    let counts = this.#counts.get(from);
    if (counts === undefined) this.#counts.set(from, (counts = new Map()));
    counts.set(to, (counts.get(to) ?? 0) + 1);
  }

  plan(basis: MovePlan['basis'], refused: MovePlan['refused']): MovePlan {
    const flows = this.#flows();
    const of = total(flows);
    const pairs = flows
      .filter(({ from, to }) => !isSamePlace(from, to))
      .map((flow) => ({ ...flow, share: shareOf(flow.count, of) }));
    const moving = total(pairs);
    return {
      basis,
      of,
      moving,
      share: shareOf(moving, of),
      pairs,
      places: this.#places(flows),
      refused,
    };
  }

  #flows(): { readonly from: Place; readonly to: Place; readonly count: number }[] {
    return byCell(this.#counts).flatMap(([fromCell, counts]) =>
      byCell(counts).map(([toCell, count]) => ({
        from: this.#from.place(fromCell),
        to: this.#to.place(toCell),
        count,
      })),
    );
  }

  /** Every place of both layouts, those of the new one first; of a layout without an end those that keys went to. */
  #places(
    flows: readonly { readonly from: Place; readonly to: Place; readonly count: number }[],
  ): PlaceChange[] {
    const changes = new Map<string, { -readonly [Name in keyof PlaceChange]: PlaceChange[Name] }>();
    const at = (place: Place, side: 'before' | 'after') => {
      const name = JSON.stringify([place.target, place.table]);
      let change = changes.get(name);
      if (change === undefined) {
        change = { place, before: null, after: null, leaving: 0, arriving: 0 };
        changes.set(name, change);
      }
      change[side] ??= 0;
      return change as typeof change & Record<typeof side, number>;
    };
    for (const place of this.#to.places()) at(place, 'after');
    for (const place of this.#from.places()) at(place, 'before');
    for (const { from, to, count } of flows) {
      const [before, after] = [at(from, 'before'), at(to, 'after')];
      before.before += count;
      after.after += count;
      if (before === after) continue;
      before.leaving += count;
      after.arriving += count;
    }
    return [...changes.values()];
  }
}

/** Null when the rules do not all depend on one n by a period, or when it is too long to walk. */
function commonPeriod(rules: readonly ShardRule[]): number | null {
  let [period, by]: [number, string | null] = [1, null];
  for (const { cycle, by: columns } of rules) {
    if (cycle === null || columns.length !== 1) return null;
    const what = `${cycle.of} of ${columns[0]!.toLowerCase()}`;
    if (by !== null && by !== what) return null;
    by = what;
    period = (period / greatestCommonDivisor(period, cycle.period)) * cycle.period;
    if (period > LONGEST_PERIOD) return null;
  }
  return period;
}

function cellInCycle(layout: Layout): (n: number) => number {
  const [target, table] = [indexInCycle(layout.shards), indexInCycle(layout.tables)];
  return (n) => layout.cell(target(n), table(n));
}

function indexInCycle(rule: ShardRule | null): (n: number) => number {
  if (rule === null) return () => 0;
  const { cycle, indexInCycle: indexOf } = rule;
  if (cycle === null || indexOf === undefined) {
    throw new RowferryError('ROWFERRY_INVARIANT', `${rule.spec.algorithm} has no period to walk`);
  }
  return (n) => indexOf(n % cycle.period);
}

/** A count as a share, in lowest terms; of nothing it is nothing. */
export function shareOf(count: number, of: number): Share {
  if (of === 0) return { numerator: 0, denominator: 1, percent: 0 };
  const divisor = greatestCommonDivisor(count, of);
  return { numerator: count / divisor, denominator: of / divisor, percent: (100 * count) / of };
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

function byCell<T>(cells: ReadonlyMap<number, T>): [number, T][] {
  return [...cells].toSorted(([a], [b]) => a - b);
}

function total(flows: readonly { readonly count: number }[]): number {
  return flows.reduce((sum, { count }) => sum + count, 0);
}
