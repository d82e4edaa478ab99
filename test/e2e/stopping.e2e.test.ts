import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

describe('a daemon that is told to stop', () => {
  it('ends in order also when a target holds a transaction up for longer than `drainMs`: nothing of rowferry is broken', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable()],
      configure: (config) => (config['drainMs'] = '500ms'),
    });
    const daemon = await pipeline.startRunning();
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 1)');
    await pipeline.untilEqual();
    const url = pipeline.targets.find(({ target }) => target === 'west')!.url;
    const lock = new Client({ connectionString: url });
    await lock.connect();
    try {
      await lock.query('BEGIN');
      await lock.query('SELECT id FROM items WHERE id = 1 FOR UPDATE');
      await pipeline.write("UPDATE items SET code = 'new' WHERE id = 1");
      await daemon.untilStatus('the row to be late', ({ lagMs }) => (lagMs ?? 0) > 1_000);
      await daemon.stop();
      expect(daemon.exit).toEqual({ code: 0, signal: null });
      expect(daemon.log).toContain('not everything ended in time');
      expect(daemon.log).not.toContain('ROWFERRY_INVARIANT');
    } finally {
      await lock.end();
    }
    await pipeline.startRunning();
    await pipeline.untilEqual();
  });
});
