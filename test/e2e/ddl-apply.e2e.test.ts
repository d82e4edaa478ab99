import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../scripts/lib/random.ts';
import { killAtRandom } from '../support/kills.ts';
import { during, Pipeline } from '../support/pipeline.ts';
import type { PipelineConfig } from '../support/pipeline-config.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

/** Inserts, changes, moves and deletes rows of `items` until it is stopped. */
function startWriting(pipeline: Pipeline): { stop: () => Promise<void> } {
  let id = 1_000;
  const ended = new AbortController();
  const running = (async (): Promise<void> => {
    while (!ended.signal.aborted) {
      id += 10;
      const rows = Array.from({ length: 10 }, (_, i) => `(${id + i}, ${i % 2}, 'code ${id + i}')`);
      await pipeline.write(`INSERT INTO items (id, owner, code) VALUES ${rows.join(', ')}`);
      await pipeline.write(
        `UPDATE items SET owner = 1 - owner, n = n + 1 WHERE id BETWEEN ${id - 30} AND ${id + 3}`,
      );
      await pipeline.write(`DELETE FROM items WHERE id = ${id - 15}`);
      await pipeline.write(`UPDATE items SET id = id + 1000000 WHERE id = ${id - 5}`);
    }
  })();
  running.catch(() => undefined);
  return {
    stop: async () => {
      ended.abort();
      await running;
    },
  };
}

async function seeded(pipeline: Pipeline): Promise<void> {
  const rows = Array.from({ length: 200 }, (_, i) => `(${i}, ${i % 2}, 'code ${i}')`);
  await pipeline.write(`INSERT INTO items (id, owner, code) VALUES ${rows.join(', ')}`);
}

const truncates = ({ sources }: PipelineConfig): void => {
  for (const source of Object.values(sources)) source['truncate'] = 'apply';
};

describe('a statement that only adds', () => {
  it.for(['src', 'mariadb'] as const)(
    'from %s, reaches the targets under load, with the values of rows that were there, whatever is killed',
    async (server, t) => {
      const pipeline = await Pipeline.create(t, { tables: [itemsTable()], source: testServers()[server] });
      await seeded(pipeline);
      const doomed = pipeline.start({ env: { ROWFERRY_KILL_AT: 'apply.after-alter:1' } });
      const load = startWriting(pipeline);
      await pipeline.write(
        "ALTER TABLE items ADD COLUMN state VARCHAR(10) NOT NULL DEFAULT 'open', ADD INDEX (owner)",
      );
      expect(await pipeline.exitOf(doomed)).toEqual({ code: null, signal: 'SIGKILL' });
      await pipeline.write("UPDATE items SET state = 'late' WHERE id % 7 = 0");
      const again = pipeline.start();
      await pipeline.write('ALTER TABLE items ADD COLUMN note TEXT NULL, MODIFY n BIGINT NOT NULL DEFAULT 0');
      await pipeline.write("UPDATE items SET note = 'noted', n = 5000000000 WHERE id % 5 = 0");
      await killAtRandom(pipeline, new Random(4), 3_000, { fromMs: 300, toMs: 1_000 });
      await load.stop();
      expect(again.exit).toBeUndefined();
      await pipeline.untilEqual();
      expect(await pipeline.count('west', "SELECT COUNT(*) FROM items WHERE state = 'open'")).toBeGreaterThan(
        20,
      );
      expect(await pipeline.count('west', 'SELECT COUNT(*) FROM items WHERE n > 4000000000')).toBeGreaterThan(
        5,
      );
      expect(pipeline.logs).not.toContain('ROWFERRY_SOURCE_DDL');
    },
  );
});

describe('TRUNCATE that the targets follow', () => {
  it('leaves what came after it and nothing that came before, whatever is killed', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()], configure: truncates });
    await seeded(pipeline);
    const doomed = pipeline.start({ env: { ROWFERRY_KILL_AT: 'apply.after-truncate:1' } });
    const load = startWriting(pipeline);
    await during(1_000, async () => await pipeline.write('TRUNCATE TABLE items'));
    expect(await pipeline.exitOf(doomed)).toEqual({ code: null, signal: 'SIGKILL' });
    const killing = killAtRandom(pipeline, new Random(5), 6_000, { fromMs: 300, toMs: 1_500 });
    await during(5_000, async () => {
      await pipeline.write('TRUNCATE TABLE items');
      await sleep(400);
    });
    await killing;
    await pipeline.startRunning();
    await load.stop();
    await pipeline.untilEqual();
    expect(await pipeline.count('west', 'SELECT COUNT(*) FROM items')).toBeGreaterThan(10);
  });
});
