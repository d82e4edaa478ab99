import { describe, expect, it } from 'vitest';
import { remainder, type SourceValues } from '../../scripts/lib/compare.ts';
import { Random } from '../../scripts/lib/random.ts';
import { killAtRandom } from '../support/kills.ts';
import { OrderLoad, ORDERS, ordersTable } from '../support/order-load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { originOf, type LayoutPlace, type PipelineLayout } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

const SECONDS = Number(process.env['ROWFERRY_E2E_SHARD_SECONDS'] ?? 25);
const SEED = Number(process.env['ROWFERRY_E2E_SEED'] ?? Date.now() % 1_000_000);

/** In the order of the shards. */
const TARGETS = ['db_00', 'db_16', 'db_32', 'db_48'] as const;
const isPostgres = (target: string): boolean => target === 'db_16' || target === 'db_48';
const TABLES = ['00', '16', '32', '48'] as const;
const SUPPLIER_TARGETS = ['db_00', 'db_16'] as const;
const SUPPLIER_TABLES = ['00', '01', '02'] as const;

/** The target by the high six bits of the user's low twelve, the table by the low six: of each, runs of sixteen. */
function placeByUser({ user_id: user }: SourceValues): string {
  const slots = { high: (BigInt(user ?? 0) / 64n) % 64n, low: BigInt(user ?? 0) % 64n };
  return `${TARGETS[Number(slots.high / 16n)]}.orders_${TABLES[Number(slots.low / 16n)]}`;
}

function placeBySupplier({ supplier_id: supplier }: SourceValues): string {
  const target = SUPPLIER_TARGETS[remainder(supplier, 2)];
  return `${target}.by_supplier_${SUPPLIER_TABLES[remainder(supplier, 3)]}`;
}

function places(
  targets: readonly string[],
  suffixes: readonly string[],
  name: string,
  more?: string,
): LayoutPlace[] {
  return targets.flatMap((target) =>
    suffixes.map((suffix) => {
      const table = `${name}_${suffix}`;
      return { target, table, create: ordersTable(table, isPostgres(target), more) };
    }),
  );
}

const BY_USER = places(TARGETS, TABLES, 'orders');
const BY_SUPPLIER = places(SUPPLIER_TARGETS, SUPPLIER_TABLES, 'by_supplier', ', origin VARCHAR(200)');

const ORDERS_TWICE: PipelineLayout = {
  atSources: [ORDERS],
  atTargets: [...BY_USER, ...BY_SUPPLIER],
  routes: (schema) => [
    {
      from: `${schema}.orders`,
      shards: { by: 'user_id', algorithm: 'segments', half: 'high', on: ['db_{00..48..16}'] },
      tables: { by: 'user_id', algorithm: 'segments', half: 'low', count: TABLES.length },
      keys: 'disjoint',
    },
    {
      from: `${schema}.orders`,
      to: 'by_supplier',
      shards: { by: 'supplier_id', algorithm: 'modulo', on: SUPPLIER_TARGETS },
      tables: { by: 'supplier_id', algorithm: 'modulo', count: SUPPLIER_TABLES.length },
      columns: { origin: 'origin' },
    },
  ],
  comparisons: [
    { from: ['orders'], places: BY_USER, key: ['id'], belongs: (row) => [placeByUser(row)] },
    {
      from: ['orders'],
      places: BY_SUPPLIER,
      key: ['id'],
      belongs: (row) => [placeBySupplier(row)],
      columns: {
        id: 'id',
        user_id: 'user_id',
        supplier_id: 'supplier_id',
        amount: 'amount',
        note: 'note',
        placed_at: 'placed_at',
        origin: (_, source) => originOf(source),
      },
    },
  ],
};

describe('orders of two sources over four targets of two engines with four tables each, and again by supplier', () => {
  it(
    `are right everywhere after moves of every kind and kill -9 at random for ${SECONDS} s (seed ${SEED})`,
    { timeout: (SECONDS + 120) * 1_000 },
    async (t) => {
      const { src, shard, mariadb, postgres } = testServers();
      const pipeline = await Pipeline.create(t, {
        layouts: [ORDERS_TWICE],
        sources: [
          { name: 'home', server: src },
          { name: 'abroad', server: shard },
        ],
        targets: [
          { name: 'db_00', server: shard },
          { name: 'db_16', server: postgres },
          { name: 'db_32', server: mariadb },
          { name: 'db_48', server: postgres },
        ],
        sessionTimeoutMs: 1_000,
      });
      const loads = pipeline.sources.map((source, i) => new OrderLoad(source, i, SEED + 10 * i));
      await Promise.all(loads.map(async (load) => await load.fill(600)));
      const stop = new AbortController();
      const working = Promise.all(loads.map(async (load) => await load.run(stop.signal)));
      // Awaited below; a failure before that must not end the test run.
      working.catch(() => undefined);
      await killAtRandom(pipeline, new Random(SEED), SECONDS * 1_000, { fromMs: 1_000, toMs: 6_000 });
      stop.abort();
      await working;
      for (const { counts } of loads)
        for (const [operation, rows] of Object.entries(counts)) expect(rows, operation).toBeGreaterThan(0);
      await pipeline.startRunning();
      const { tables } = await pipeline.untilEqual();
      // Every physical table has rows: the two levels are independent.
      for (const { targetRows } of tables)
        for (const { target, table, rows } of targetRows)
          expect(rows, `${target}.${table}`).toBeGreaterThan(0);
    },
  );
});
