import { describe, expect, it } from 'vitest';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable, SHOP } from '../support/pipeline-tables.ts';
import { setTimeout as sleep } from 'node:timers/promises';

describe.each(['chunk', 'row'] as const)('a pipeline with %s records', (format) => {
  it('carries every kind of change to the right shards and goes on where it stopped', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: SHOP, format });
    await pipeline.seedShop(SMALL_SHOP);
    const first = await pipeline.startRunning();
    const load = startLoad(pipeline);
    await sleep(4_000);
    const totals = await load.stop();
    expect(totals.moves).toBeGreaterThan(0);
    const { compared } = await pipeline.untilEqual();
    expect(compared).toBeGreaterThan(SMALL_SHOP.orders);
    expect(await first.stop()).toEqual({ code: 0, signal: null });

    const more = startLoad(pipeline, { seed: 2, size: { ...SMALL_SHOP, orders: 100_000, users: 100_000 } });
    await sleep(1_500);
    await more.stop();
    const second = await pipeline.startRunning();
    await pipeline.untilEqual();
    expect(await second.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('rows that move between MySQL and PostgreSQL', () => {
  it('are at one place only, also after moving there and back again', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    await pipeline.startRunning();
    await pipeline.write(
      "INSERT INTO items (id, owner, code) VALUES (1, 0, 'a'), (2, 1, 'b'), (3, 0, 'c'), (4, 1, 'd')",
    );
    await pipeline.transaction([
      'UPDATE items SET owner = 1 WHERE id = 1',
      'UPDATE items SET owner = 2 WHERE id = 1',
      'UPDATE items SET owner = 3 WHERE id = 2',
      'UPDATE items SET owner = owner + 1 WHERE id IN (3, 4)',
    ]);
    await pipeline.untilEqual();
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items')).toBe(2);
    for (const owner of [1, 2, 3, 4, 5])
      await pipeline.write('UPDATE items SET owner = ? WHERE id < 3', [owner]);
    await pipeline.untilEqual();
    expect(await pipeline.count('west', 'SELECT COUNT(*) FROM items WHERE id < 3')).toBe(2);
  });

  it('keep up with changed keys, deletes and keys that are used again', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'a'), (2, 1, 'b'), (3, 2, 'c')");
    await pipeline.transaction([
      'UPDATE items SET id = 10, owner = 1 WHERE id = 1',
      'UPDATE items SET id = 1 WHERE id = 2',
      'DELETE FROM items WHERE id = 3',
      "INSERT INTO items (id, owner, code) VALUES (3, 1, 'again')",
      'UPDATE items SET id = 2 WHERE id = 10',
    ]);
    await pipeline.untilEqual();
    await pipeline.transaction([
      'UPDATE items SET id = id + 100',
      'UPDATE items SET id = id - 100',
      'DELETE FROM items',
    ]);
    await pipeline.untilEqual();
    expect(await pipeline.count('west', 'SELECT COUNT(*) FROM items')).toBe(0);
  });

  it('never show what was rolled back', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    await pipeline.startRunning();
    const connection = await pipeline.source.pool.getConnection();
    await connection.query('BEGIN');
    await connection.query("INSERT INTO items (id, owner, code) VALUES (1, 0, 'never')");
    await connection.query('SAVEPOINT half');
    await connection.query("INSERT INTO items (id, owner, code) VALUES (2, 1, 'never')");
    await connection.query('ROLLBACK TO SAVEPOINT half');
    await connection.query('ROLLBACK');
    connection.release();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (3, 0, 'kept')");
    await pipeline.untilEqual();
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items')).toBe(1);
  });
});
