import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, type TestContext } from 'vitest';
import { remainder } from '../../scripts/lib/compare.ts';
import { OrderLoad, ORDERS, ordersTable, type OrderHabits } from '../support/order-load.ts';
import { Pipeline } from '../support/pipeline.ts';
import type { PipelineLayout } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

/**
 * Two shards become four where they stand: `even` and `odd` hold the users of their kind, and keep those whose number modulo
 * four is 0 and 1. The others go to `two` and `three`.
 */
const FOUR_SHARDS: PipelineLayout = {
  atSources: [ORDERS],
  atTargets: [
    { target: 'two', table: 'orders', create: ordersTable('orders', false) },
    { target: 'three', table: 'orders', create: ordersTable('orders', true) },
  ],
  routes: (schema) => [
    {
      from: `${schema}.orders`,
      shards: { by: 'user_id', algorithm: 'modulo', on: ['source:even', 'source:odd', 'two', 'three'] },
      keys: 'disjoint',
    },
  ],
  comparisons: [
    {
      from: ['orders'],
      key: ['id'],
      belongs: ({ user_id: user }) => {
        const shard = remainder(user, 4);
        return shard === 2 ? ['two.orders'] : shard === 3 ? ['three.orders'] : [];
      },
    },
  ],
};

/** Each source has the users of its kind; two users on is another shard, four users on is the same one. */
const BY_REMAINDER: OrderHabits = { toTarget: [2, 4], toTable: [4, 64], toBoth: [6, 4_096], userStep: 2 };

async function fourShards(test: TestContext): Promise<Pipeline> {
  const { src, mariadb, shard, postgres } = testServers();
  return await Pipeline.create(test, {
    layouts: [FOUR_SHARDS],
    sources: [
      { name: 'even', server: src },
      { name: 'odd', server: mariadb },
    ],
    targets: [
      { name: 'two', server: shard },
      { name: 'three', server: postgres },
    ],
    sessionTimeoutMs: 1_000,
  });
}

async function insert(pipeline: Pipeline, source: string, id: number, user: number): Promise<void> {
  await pipeline.writeAt(source, "INSERT INTO orders VALUES (?, ?, 1, 1.5, NULL, '2026-01-01')", [id, user]);
}

const ids = async (pipeline: Pipeline, target: string): Promise<number[]> =>
  (await pipeline.rows(target, 'SELECT id FROM orders ORDER BY id')).map(([id]) => Number(id));

describe('two shards that become four in place', () => {
  it('keep half of their rows to themselves, and hand over and take back those that move', async (t) => {
    const pipeline = await fourShards(t);
    await pipeline.startRunning();
    for (let user = 0; user < 8; user++) await insert(pipeline, user % 2 === 0 ? 'even' : 'odd', user, user);
    await pipeline.untilEqual();
    expect(await ids(pipeline, 'two')).toEqual([2, 6]);
    expect(await ids(pipeline, 'three')).toEqual([3, 7]);

    await pipeline.writeAt('even', 'UPDATE orders SET user_id = user_id + 2');
    await pipeline.writeAt('odd', 'UPDATE orders SET user_id = user_id + 2, id = id + 100');
    await pipeline.untilEqual();
    expect(await ids(pipeline, 'two')).toEqual([0, 4]);
    expect(await ids(pipeline, 'three')).toEqual([101, 105]);

    await pipeline.writeAt('even', 'UPDATE orders SET user_id = user_id + 4, amount = 7');
    await pipeline.writeAt('odd', 'DELETE FROM orders WHERE id = 101');
    await pipeline.untilEqual();
    expect(await ids(pipeline, 'two')).toEqual([0, 4]);
    expect(await ids(pipeline, 'three')).toEqual([105]);
  });

  it('do so under load, with a kill -9 in between', async (t) => {
    const pipeline = await fourShards(t);
    const loads = pipeline.sources.map((source, i) => new OrderLoad(source, i, 40 + i, BY_REMAINDER));
    await Promise.all(loads.map(async (load) => await load.fill(300)));
    const stop = new AbortController();
    const working = Promise.all(loads.map(async (load) => await load.run(stop.signal)));
    working.catch(() => undefined);
    const daemon = await pipeline.startRunning();
    await sleep(3_000);
    await daemon.kill();
    await pipeline.startRunning();
    await sleep(3_000);
    stop.abort();
    await working;
    const { tables } = await pipeline.untilEqual();
    for (const { targetRows } of tables) for (const { rows } of targetRows) expect(rows).toBeGreaterThan(50);
  });

  it('stop at a row that stands in the wrong one of them', async (t) => {
    const pipeline = await fourShards(t);
    const daemon = await pipeline.startRunning();
    await insert(pipeline, 'even', 1, 5);
    const { partitions } = await daemon.untilStatus('a partition to stop', ({ partitions: all }) =>
      all.some(({ state }) => state === 'stopped'),
    );
    expect(partitions.filter(({ state }) => state === 'stopped')).toMatchObject([
      { errorCode: 'ROWFERRY_ROUTE_KEY' },
    ]);
    expect(await ids(pipeline, 'two')).toEqual([]);
    expect(await ids(pipeline, 'three')).toEqual([]);
  });
});
