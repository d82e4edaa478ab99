/** Tables of end-to-end tests: how they look on either engine and where their rows belong. */
import type { TableComparison } from '../../scripts/lib/compare.ts';
import type { Place } from '../../scripts/lib/shop.ts';
import { MYSQL_SHOP, POSTGRES_SHOP } from '../../scripts/lib/shop.ts';

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

/** Rows that tell how far a pipeline has come: so many keys that every partition has some. */
export const FENCE_ROWS = 256;

export const FENCE: PipelineTable = {
  name: 'zz_fence',
  mysql: 'CREATE TABLE zz_fence (id INT NOT NULL PRIMARY KEY, round INT NOT NULL)',
  postgres: 'CREATE TABLE zz_fence (id INTEGER PRIMARY KEY, round INTEGER NOT NULL)',
  key: ['id'],
  shardBy: null,
};

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

export function routeOf(
  table: PipelineTable,
  schema: string,
  targets: readonly string[],
): Record<string, unknown> {
  const on = table.at ?? targets;
  const from = `${schema}.${table.name}`;
  if (table.shardBy === null) return { from, targets: on };
  return { from, shards: { by: table.shardBy, algorithm: 'modulo', on } };
}

export function comparisonOf(
  table: PipelineTable,
  source: Place,
  targets: readonly Place[],
): TableComparison {
  const places = targets.filter(({ name }) => table.at?.includes(name) ?? true);
  return {
    source: { ...source, table: table.name },
    targets: places.map((place) => ({ ...place, table: table.name })),
    key: table.key,
    shardBy: table.shardBy,
  };
}
