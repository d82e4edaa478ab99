/** Tables of end-to-end tests: how they look on either engine, where their rows belong, and the routes that say so. */
import { remainder, type TableComparison, type TablePlace } from '../../scripts/lib/compare.ts';
import { MYSQL_SHOP, POSTGRES_SHOP } from '../../scripts/lib/shop.ts';

/** A table that stands at the targets as it does at the source. */
export interface PipelineTable {
  readonly name: string;
  /** CREATE TABLE statements. */
  readonly mysql: string;
  readonly postgres: string;
  readonly key: readonly string[];
  /** Column of a modulo rule over all targets; null: every row goes to each target of `at`. */
  readonly shardBy: string | null;
  /** Names of targets; all when absent. */
  readonly at?: readonly string[];
}

/** Orders sharded by user over all targets, products at each, users at `west`. */
export const SHOP: readonly PipelineTable[] = [
  shopTable('users', { shardBy: null, at: ['west'] }),
  shopTable('products', { shardBy: null }),
  shopTable('orders', { shardBy: 'user_id' }),
];

function shopTable(
  name: keyof typeof MYSQL_SHOP,
  rest: Pick<PipelineTable, 'shardBy' | 'at'>,
): PipelineTable {
  return { name, mysql: MYSQL_SHOP[name], postgres: POSTGRES_SHOP[name], key: ['id'], ...rest };
}

/** A small table, sharded by `owner` over all targets, with a secondary unique key unless `unique` is false. */
export function itemsTable({ unique = false } = {}): PipelineTable {
  const key = unique ? ', UNIQUE (code)' : '';
  return {
    name: 'items',
    mysql: `CREATE TABLE items (id INT NOT NULL PRIMARY KEY, owner INT NOT NULL, code VARCHAR(40) NULL, n INT NOT NULL DEFAULT 0${key})`,
    postgres: `CREATE TABLE items (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, code TEXT, n INTEGER NOT NULL${key})`,
    key: ['id'],
    shardBy: 'owner',
  };
}

/** A target as layouts see it. */
export interface TargetEngine {
  readonly name: string;
  readonly isPostgres: boolean;
}

/** A table at a target. */
export interface LayoutPlace {
  readonly target: string;
  readonly table: string;
  readonly create: string;
}

/** What must hold between tables, which are named without their databases. */
export interface LayoutComparison extends Omit<TableComparison, 'table' | 'sources' | 'targets'> {
  /** Source tables, each read at every source. */
  readonly from: readonly string[];
  /** Which of the layout's places; all when absent. */
  readonly places?: readonly Pick<LayoutPlace, 'target' | 'table'>[];
}

/** Tables that are spread, split or merged on their way. */
export interface PipelineLayout {
  /** CREATE TABLE statements for every source. */
  readonly atSources: readonly string[];
  readonly atTargets: readonly LayoutPlace[];
  /** `schema` is the name of the database at every source. */
  readonly routes: (schema: string) => readonly Readonly<Record<string, unknown>>[];
  readonly comparisons: readonly LayoutComparison[];
}

/** What rowferry writes into an `origin` column for rows of a source table. */
export function originOf({ name, url, table }: TablePlace): string {
  return `${name}:${new URL(url).pathname.slice(1)}.${table}`;
}

export function plainLayout(table: PipelineTable, targets: readonly TargetEngine[]): PipelineLayout {
  const { name, key, shardBy } = table;
  const on = targets.filter((target) => table.at?.includes(target.name) ?? true);
  const names = on.map((target) => target.name);
  const way =
    shardBy === null ? { targets: names } : { shards: { by: shardBy, algorithm: 'modulo', on: names } };
  return {
    atSources: [table.mysql],
    // At every target, wherever its rows belong: elsewhere it must stay empty.
    atTargets: targets.map(({ name: target, isPostgres }) => ({
      target,
      table: name,
      create: isPostgres ? table.postgres : table.mysql,
    })),
    routes: (schema) => [{ from: `${schema}.${name}`, ...way }],
    comparisons: [
      {
        from: [name],
        key,
        belongs: (row) =>
          (shardBy === null ? names : names.slice(remainder(row[shardBy], names.length)).slice(0, 1)).map(
            (target) => `${target}.${name}`,
          ),
      },
    ],
  };
}

/** Rows that tell how far a pipeline has come: so many keys that every partition has some. */
export const FENCE_ROWS = 256;

export const FENCE_AT_SOURCE = 'CREATE TABLE zz_fence (id INT NOT NULL PRIMARY KEY, round INT NOT NULL)';

export function fenceTable(source: string): string {
  return `zz_fence_${source}`;
}

/** One fence a source, all of them at every target. */
export function fenceLayout(sources: readonly string[], targets: readonly TargetEngine[]): PipelineLayout {
  return {
    atSources: [FENCE_AT_SOURCE],
    atTargets: targets.flatMap(({ name }) =>
      sources.map((source) => {
        const table = fenceTable(source);
        return { target: name, table, create: FENCE_AT_SOURCE.replace('zz_fence', table) };
      }),
    ),
    routes: (schema) => [
      { from: `${schema}.zz_fence`, to: fenceTable('{source}'), targets: targets.map(({ name }) => name) },
    ],
    comparisons: [],
  };
}
