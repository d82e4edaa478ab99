/**
 * Where rows live: source table + rules -> target and table. Pure; shared by apply, the CLI and applications.
 *
 * A *placement* is one route's answer for one row: exactly one target. A source table with several routes (or one route to
 * several targets without shards) has several placements, each a layout of its own in which a row has one place (I-6).
 */
import { RowferryError } from '../errors.ts';
import type { Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { modulo } from './algorithms.ts';

/** One rule of the configuration. */
export interface RouteRule {
  /** Source table `schema.table`. */
  readonly from: string;
  /** Table name at the targets. */
  readonly to: string;
  readonly targets: readonly string[];
  readonly shards: { readonly by: string; readonly algorithm: 'modulo' } | null;
}

/** One layout of one source table shape: `place` is pure and exact. */
export interface Placement {
  /** Stable name of the layout: two shapes of one table share it, so that changes to one row fold together. */
  readonly id: number;
  readonly to: string;
  /** Index (into the router's targets) of the target that the row belongs to. Throws ROWFERRY_ROUTE_KEY. */
  readonly place: (row: Row) => number;
}

interface Layout {
  readonly id: number;
  readonly rule: RouteRule;
  readonly targets: readonly number[];
}

export class Router {
  /** Names of all targets that any route uses, in configuration order: placements answer with an index into it. */
  readonly targets: readonly string[];
  readonly #layouts = new Map<string, Layout[]>();
  readonly #placements = new WeakMap<Table, readonly Placement[]>();

  constructor(rules: readonly RouteRule[], targets: readonly string[]) {
    this.targets = targets;
    let id = 0;
    for (const rule of rules) {
      const indexes = rule.targets.map((name) => targets.indexOf(name));
      const layouts = this.#layouts.get(rule.from) ?? [];
      if (rule.shards === null)
        for (const index of indexes) layouts.push({ id: id++, rule, targets: [index] });
      else layouts.push({ id: id++, rule, targets: indexes });
      this.#layouts.set(rule.from, layouts);
    }
  }

  /** The placements of a table shape, made once per shape. Throws ROWFERRY_ROUTE_MISSING and ROWFERRY_ROUTE_KEY. */
  placements(table: Table): readonly Placement[] {
    const known = this.#placements.get(table);
    if (known !== undefined) return known;
    const name = tableName(table);
    const layouts = this.#layouts.get(name);
    if (layouts === undefined) {
      throw new RowferryError('ROWFERRY_ROUTE_MISSING', `no route says where rows of ${name} go`, {
        where: { table: name },
        hint: 'add a route for it, or exclude it in the source\'s "tables"',
      });
    }
    const placements = layouts.map((layout) => placementOf(table, name, layout));
    this.#placements.set(table, placements);
    return placements;
  }
}

function placementOf(table: Table, name: string, { id, rule, targets }: Layout): Placement {
  const { to, shards } = rule;
  if (shards === null) {
    const [target] = targets;
    return { id, to, place: () => target! };
  }
  const column = table.columns.findIndex(
    (candidate) => candidate.name.toLowerCase() === shards.by.toLowerCase(),
  );
  if (column < 0) {
    throw new RowferryError('ROWFERRY_ROUTE_KEY', `${name} has no column ${shards.by} to shard by`, {
      where: { table: name, column: shards.by },
      hint: 'correct "shards.by" of its route; rows written before a renaming need the old name',
    });
  }
  const shardOf = modulo(targets.length);
  return {
    id,
    to,
    place(row) {
      try {
        return targets[shardOf(row[column] ?? null)]!;
      } catch (error) {
        throw error instanceof RowferryError ? error.at({ table: name, column: shards.by }) : error;
      }
    },
  };
}
