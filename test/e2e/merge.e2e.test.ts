import { describe, expect, it, type TestContext } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { Pipeline } from '../support/pipeline.ts';
import { originOf, type LayoutPlace, type PipelineLayout } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

const SUFFIXES = ['00', '01', '02', '03'] as const;
const SOURCE_TABLES = SUFFIXES.map((suffix) => `trade_order_${suffix}`);
const COLUMNS = 'id BIGINT NOT NULL, buyer BIGINT NOT NULL, amount DECIMAL(12,2) NOT NULL';
const AT_SOURCES = SOURCE_TABLES.map((table) => `CREATE TABLE ${table} (${COLUMNS}, PRIMARY KEY (id))`);

/** Eight tables become one at each target; two rows that have one key must not replace each other. */
const BY_ORIGIN: PipelineLayout = {
  atSources: AT_SOURCES,
  atTargets: places(`${COLUMNS}, part CHAR(2) NOT NULL, origin VARCHAR(200) NOT NULL, PRIMARY KEY (id)`),
  routes: (schema) => [
    {
      from: `/${schema}\\.trade_order_(\\d\\d)/`,
      to: 'trade_order',
      targets: ['east', 'west'],
      columns: { origin: 'origin', add: { part: '{1}' } },
    },
  ],
  comparisons: [
    {
      from: SOURCE_TABLES,
      key: ['id'],
      columns: {
        id: 'id',
        buyer: 'buyer',
        amount: 'amount',
        part: (_, { table }) => table.slice(-2),
        origin: (_, source) => originOf(source),
      },
    },
  ],
};

/** The same, each row under a key that says where it came from. */
const BY_KEY: PipelineLayout = {
  atSources: AT_SOURCES,
  atTargets: places(
    `${COLUMNS}, source VARCHAR(40) NOT NULL, part VARCHAR(40) NOT NULL, PRIMARY KEY (source, part, id)`,
  ),
  routes: (schema) => [
    {
      from: `${schema}.trade_order_*`,
      to: 'trade_order',
      targets: ['east', 'west'],
      columns: { add: { source: '{source}', part: '{table}' }, key: ['source', 'part', 'id'] },
    },
  ],
  comparisons: [
    {
      from: SOURCE_TABLES,
      key: ['source', 'part', 'id'],
      columns: {
        id: 'id',
        buyer: 'buyer',
        amount: 'amount',
        source: (_, { name }) => name,
        part: (_, { table }) => table,
      },
    },
  ],
};

/** The same, the source and table put before the key itself. */
const BY_PREFIX: PipelineLayout = {
  atSources: AT_SOURCES,
  atTargets: places(
    'id VARCHAR(80) NOT NULL, buyer BIGINT NOT NULL, amount DECIMAL(12,2) NOT NULL, PRIMARY KEY (id)',
  ),
  routes: (schema) => [
    {
      from: `${schema}.trade_order_*`,
      to: 'trade_order',
      targets: ['east', 'west'],
      columns: { prefix: { id: '{source}-{table}-' }, key: ['id'] },
    },
  ],
  comparisons: [
    {
      from: SOURCE_TABLES,
      key: ['id'],
      columns: {
        id: ({ id }, { name, table }) => `${name}-${table}-${id}`,
        buyer: 'buyer',
        amount: 'amount',
      },
    },
  ],
};

function places(columns: string): LayoutPlace[] {
  return ['east', 'west'].map((target) => ({
    target,
    table: 'trade_order',
    create: `CREATE TABLE trade_order (${columns})`,
  }));
}

async function merge(test: TestContext, layout: PipelineLayout): Promise<Pipeline> {
  const { src, mariadb } = testServers();
  return await Pipeline.create(test, {
    layouts: [layout],
    sources: [
      { name: 'north', server: src },
      { name: 'south', server: mariadb },
    ],
  });
}

/** Rows with the ids of `ids`, spread over the four tables; their buyers tell the sources apart. */
async function insert(pipeline: Pipeline, source: string, ids: readonly number[]): Promise<void> {
  const buyer = source === 'north' ? 1 : 2;
  for (const [i, table] of SOURCE_TABLES.entries()) {
    const rows = ids.filter((id) => id % 4 === i).map((id) => [id, buyer, `${id}.5`]);
    if (rows.length > 0) await pipeline.writeAt(source, `INSERT INTO ${table} VALUES ?`, [rows]);
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('eight tables of two servers that become one', () => {
  it('let a row wait whose key another source has, overwrite neither, and heal when that one is deleted', async (t) => {
    const pipeline = await merge(t, BY_ORIGIN);
    const daemon = await pipeline.startRunning();
    await insert(pipeline, 'north', range(0, 100));
    await insert(pipeline, 'south', range(100, 200));
    await pipeline.untilEqual();
    const origins = 'SELECT origin, COUNT(*) FROM trade_order GROUP BY origin';
    expect(await pipeline.rows('west', origins)).toHaveLength(8);

    // Row 7 of the north, and another row 7 in another table of the south.
    await pipeline.writeAt('south', "INSERT INTO trade_order_01 VALUES (7, 2, '99.99')");
    await daemon.untilStatus('the row to wait at both targets', ({ partitions }) =>
      partitions.some(({ parked }) => parked === 2),
    );
    // Both go on changing their rows.
    await pipeline.writeAt('north', 'UPDATE trade_order_03 SET amount = 1234 WHERE id = 7');
    await pipeline.writeAt('south', 'UPDATE trade_order_01 SET amount = 5678 WHERE id = 7');
    await pipeline.untilCaughtUp();
    for (const target of ['east', 'west']) {
      await untilRow(pipeline, target, 'id = 7 AND buyer = 1 AND amount = 1234');
      const parked = await pipeline.rows(target, 'SELECT reason, detail FROM rowferry_parked');
      expect(parked).toEqual([['conflict', 'a row with this key came from another source']]);
    }

    await pipeline.writeAt('north', 'DELETE FROM trade_order_03 WHERE id = 7');
    await pipeline.untilEqual();
    for (const target of ['east', 'west']) {
      await untilRow(pipeline, target, 'id = 7 AND buyer = 2 AND amount = 5678');
      expect(await pipeline.count(target, 'SELECT COUNT(*) FROM rowferry_parked')).toBe(0);
    }
  });

  it('may hand their rows to each other', async (t) => {
    const pipeline = await merge(t, BY_ORIGIN);
    await pipeline.startRunning();
    await insert(pipeline, 'north', range(0, 40));
    await insert(pipeline, 'south', range(40, 80));
    await pipeline.untilEqual();
    for (const [source, from] of [
      ['north', 0],
      ['south', 40],
    ] as const) {
      for (const table of SOURCE_TABLES) await pipeline.writeAt(source, `DELETE FROM ${table}`);
      await insert(pipeline, source, range(40 - from, 80 - from));
    }
    await pipeline.untilEqual();
    for (const target of ['east', 'west'])
      expect(await pipeline.count(target, 'SELECT COUNT(*) FROM rowferry_parked')).toBe(0);
  });

  it('leave the row of the other alone when theirs with its key is deleted before it came', async (t) => {
    const pipeline = await merge(t, BY_ORIGIN);
    const daemon = await pipeline.startRunning();
    await insert(pipeline, 'north', [7]);
    await pipeline.untilEqual();
    await daemon.stop();
    await pipeline.writeAt('south', "INSERT INTO trade_order_01 VALUES (7, 2, '99.99')");
    await pipeline.writeAt('south', 'DELETE FROM trade_order_01 WHERE id = 7');
    await pipeline.startRunning();
    await pipeline.untilEqual();
    for (const target of ['east', 'west']) await untilRow(pipeline, target, 'id = 7 AND buyer = 1');
  });

  it.for([
    ['with source and table in their key', BY_KEY],
    ['with source and table before their key', BY_PREFIX],
  ] as const)('live side by side %s', async ([, layout], t) => {
    const pipeline = await merge(t, layout);
    await pipeline.startRunning();
    for (const source of ['north', 'south'])
      for (const table of SOURCE_TABLES)
        await pipeline.writeAt(source, `INSERT INTO ${table} VALUES ?`, [
          range(0, 20).map((id) => [id, id * 3, '1.50']),
        ]);
    const { compared } = await pipeline.untilEqual();
    expect(compared).toBe(2 * 8 * 20);
    await pipeline.writeAt('north', 'UPDATE trade_order_00 SET id = id + 100, amount = 2 WHERE id < 5');
    await pipeline.writeAt('south', 'DELETE FROM trade_order_00 WHERE id < 10');
    await pipeline.writeAt('south', 'UPDATE trade_order_01 SET amount = 3 WHERE id < 10');
    await pipeline.untilEqual();
  });
});

async function untilRow(pipeline: Pipeline, target: string, condition: string): Promise<void> {
  const count = `SELECT COUNT(*) FROM trade_order WHERE ${condition}`;
  await waitUntil(async () => (await pipeline.count(target, count)) === 1, {
    what: `one row with ${condition} at ${target}`,
    timeoutMs: 15_000,
  });
}
