/** How real keys would spread over a layout, before it goes live. Pure: keys come in, counts go out. */
import type { Layout, Place } from './layout.ts';
import { RefusedKeys } from './refused-keys.ts';
import type { RefusedKind } from './refused-keys.ts';
import type { RouteKey } from './rule.ts';

/** How evenly rows are shared among places. */
export interface Spread {
  readonly places: number;
  readonly min: number;
  readonly max: number;
  /** `rows / places`. */
  readonly mean: number;
  /** `max / mean`: 1 is even, 2 means that the fullest place holds twice its part. Null without any row. */
  readonly skew: number | null;
  /** Places without a row. */
  readonly empty: number;
}

export interface ForecastLimits {
  /** Largest skew of the physical tables that is accepted; a target's skew is never above that of its tables. */
  readonly maxSkew: number;
  /** Accept physical tables that stay without a row. */
  readonly allowEmpty: boolean;
}

/** A limit that the keys break. */
export type BrokenLimit =
  | { readonly limit: 'skew'; readonly skew: number; readonly maxSkew: number }
  | { readonly limit: 'empty'; readonly cells: number }
  | { readonly limit: 'refused'; readonly rows: number }
  /** Nothing was counted: nothing is known. */
  | { readonly limit: 'no rows' };

export interface ForecastResult {
  /** Rows that have a place. */
  readonly rows: number;
  readonly targets: readonly { readonly target: string; readonly rows: number }[];
  /** By table name, over all targets. */
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
  /** Every physical table in the order of the cells; of an open-ended layout those up to the last one with a row. */
  readonly cells: readonly (Place & { readonly rows: number })[];
  readonly byTarget: Spread;
  readonly byTable: Spread;
  readonly byCell: Spread;
  /** Keys that the rule refuses, by what is wrong with them; no key is ever kept. */
  readonly refused: readonly RefusedKind[];
  readonly verdict: { readonly ok: boolean; readonly broken: readonly BrokenLimit[] };
}

export class Forecast {
  readonly #layout: Layout;
  readonly #cellOf: (row: readonly RouteKey[]) => number;
  readonly #refused = new RefusedKeys();
  #counts: Float64Array;

  /**
   * `columns` names the values of the rows that will be added, by position; by default the layout's own columns. Throws
   * ROWFERRY_ROUTE_KEY when a sharding column is not among them.
   */
  constructor(layout: Layout, columns: readonly string[] = layout.by) {
    this.#layout = layout;
    this.#cellOf = layout.cellFinder(columns);
    this.#counts = new Float64Array(layout.cells ?? layout.spec.targets.length);
  }

  /** Counts one row. Keeps nothing of it. */
  add(row: readonly RouteKey[]): void {
    let cell;
    try {
      cell = this.#cellOf(row);
    } catch (error) {
      return this.#refused.add(error);
    }
    if (cell >= this.#counts.length) this.#grow(cell);
    this.#counts[cell]! += 1;
  }

  result({ maxSkew, allowEmpty }: ForecastLimits): ForecastResult {
    const targetNames = this.#layout.spec.targets;
    const byTarget = new Float64Array(targetNames.length);
    const byTable = new Float64Array(this.#counts.length / targetNames.length);
    const cells = Array.from(this.#counts, (rows, cell) => {
      const target = cell % targetNames.length;
      byTarget[target]! += rows;
      byTable[(cell - target) / targetNames.length]! += rows;
      return { ...this.#layout.place(cell), rows };
    });
    const refused = this.#refused.list();
    const byCell = spreadOf(this.#counts);
    const broken = brokenLimits(byCell, sum(refused), { maxSkew, allowEmpty });
    return {
      rows: sum(cells),
      targets: targetNames.map((target, i) => ({ target, rows: byTarget[i]! })),
      tables: Array.from(byTable, (rows, i) => ({ table: this.#layout.tableAt(i), rows })),
      cells,
      byTarget: spreadOf(byTarget),
      byTable: spreadOf(byTable),
      byCell,
      refused,
      verdict: { ok: broken.length === 0, broken },
    };
  }

  /** For layouts without an end: up to and with the cells of this cell's table. */
  #grow(cell: number): void {
    const targets = this.#layout.spec.targets.length;
    const counts = new Float64Array((Math.floor(cell / targets) + 1) * targets);
    counts.set(this.#counts);
    this.#counts = counts;
  }
}

function spreadOf(counts: Float64Array): Spread {
  let [min, max, total, empty] = [Infinity, 0, 0, 0];
  for (const count of counts) {
    min = Math.min(min, count);
    max = Math.max(max, count);
    total += count;
    if (count === 0) empty += 1;
  }
  const mean = total / counts.length;
  return { places: counts.length, min, max, mean, skew: total === 0 ? null : max / mean, empty };
}

function brokenLimits(
  { skew, empty }: Spread,
  refused: number,
  { maxSkew, allowEmpty }: ForecastLimits,
): BrokenLimit[] {
  const broken: BrokenLimit[] = [];
  if (skew === null) broken.push({ limit: 'no rows' });
  else if (skew > maxSkew) broken.push({ limit: 'skew', skew, maxSkew });
  if (skew !== null && empty > 0 && !allowEmpty) broken.push({ limit: 'empty', cells: empty });
  if (refused > 0) broken.push({ limit: 'refused', rows: refused });
  return broken;
}

function sum(counted: readonly { readonly rows: number }[]): number {
  return counted.reduce((total, { rows }) => total + rows, 0);
}
