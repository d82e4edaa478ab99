import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../scripts/lib/random.ts';
import { during, Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

async function parkedEverywhere(pipeline: Pipeline): Promise<number> {
  const counts = await Promise.all(
    pipeline.targets.map(
      async ({ target }) => await pipeline.count(target, 'SELECT COUNT(*) FROM rowferry_parked'),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

describe('unique values at the targets', () => {
  it('are swapped, passed on and taken over between keys of different partitions', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable({ unique: true })], partitions: 8 });
    await pipeline.startRunning();
    const rows = Array.from({ length: 40 }, (_, i) => [i, i % 4, `code ${i}`]);
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES ?', [rows]);
    for (let id = 0; id < 20; id++) {
      await pipeline.transaction([
        `UPDATE items SET code = NULL WHERE id = ${id}`,
        `UPDATE items SET code = 'code ${id}' WHERE id = ${39 - id}`,
        `UPDATE items SET code = 'code ${39 - id}' WHERE id = ${id}`,
      ]);
    }
    // A ring: everybody hands its code to the next.
    const ring = Array.from({ length: 39 }, (_, i) => `UPDATE items SET code = 'ring ${i}' WHERE id = ${i}`);
    await pipeline.transaction(ring);
    await pipeline.transaction([
      "UPDATE items SET code = 'spare' WHERE id = 0",
      ...Array.from({ length: 38 }, (_, i) => `UPDATE items SET code = 'ring ${i}' WHERE id = ${i + 1}`),
      "UPDATE items SET code = 'ring 38' WHERE id = 0",
    ]);
    await pipeline.untilEqual();
    expect(await parkedEverywhere(pipeline)).toBe(0);
  });

  it('and chained key changes over all partitions end as at the source', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable({ unique: true })], partitions: 8 });
    await pipeline.startRunning();
    const rows = Array.from({ length: 30 }, (_, i) => [i, i % 3, `code ${i}`]);
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES ?', [rows]);
    for (let round = 0; round < 10; round++) {
      await pipeline.write('UPDATE items SET id = id + 1 ORDER BY id DESC');
      await pipeline.write('UPDATE items SET id = 0, owner = owner + 1 WHERE id = 30');
    }
    await pipeline.untilEqual();
    expect(await parkedEverywhere(pipeline)).toBe(0);
  });

  it('change hands at random from four connections while the daemon is killed', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable({ unique: true })],
      partitions: 8,
      sessionTimeoutMs: 1_000,
    });
    const rows = Array.from({ length: 50 }, (_, i) => [i, i % 4, `code ${i}`]);
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES ?', [rows]);
    const writing = Promise.all(
      [1, 2, 3, 4].map(async (seed) => await passCodesAround(pipeline, new Random(seed), 8_000)),
    );
    // Awaited below; a failure before that must not end the test run.
    writing.catch(() => undefined);
    const daemon = pipeline.start();
    await sleep(3_000);
    await daemon.kill();
    await pipeline.startRunning();
    await writing;
    await pipeline.untilEqual();
    expect(await parkedEverywhere(pipeline)).toBe(0);
  });
});

/** Takes codes from some rows and gives them to others, with moves and key changes in between. */
async function passCodesAround(pipeline: Pipeline, random: Random, ms: number): Promise<void> {
  await during(ms, async () => {
    const [from, to] = [random.between(0, 49), random.between(0, 49)];
    const code = `code ${random.between(0, 60)}`;
    try {
      await pipeline.transaction(
        random.pick([
          [
            `UPDATE items SET code = NULL WHERE code = '${code}'`,
            `UPDATE items SET code = '${code}' WHERE id = ${to}`,
          ],
          [`UPDATE items SET owner = owner + 1 WHERE id = ${to}`],
          [`DELETE FROM items WHERE id = ${to}`, `UPDATE items SET id = ${to} WHERE id = ${from}`],
          [`INSERT IGNORE INTO items (id, owner, code) VALUES (${from}, ${to}, '${code}')`],
        ]),
      );
    } catch (error) {
      // Deadlocks and lock waits between the writers, and codes that somebody else was quicker to take.
      if (![1062, 1205, 1213].includes((error as { errno?: number }).errno ?? 0)) throw error;
    }
  });
}
