import { describe, expect, it } from 'vitest';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

describe('a source that keeps names in lower case, whatever statements say', () => {
  it('is followed by the names of its rows', async (t) => {
    const sandbox = await startSandbox({
      ownServers: true,
      mariadb: [{ name: 'folds', flags: ['--lower-case-table-names=1'] }],
    });
    t.onTestFinished(async () => await sandbox.stop());
    const [source] = sandbox.mariadb;
    const pipeline = await Pipeline.create(t, {
      tables: [itemsTable()],
      source: source!,
      configure: ({ sources }) => {
        for (const settings of Object.values(sources)) settings['truncate'] = 'apply';
      },
    });
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'a'), (2, 1, 'b')");
    await pipeline.startRunning();
    await pipeline.untilEqual();
    await pipeline.write('TRUNCATE TABLE Items');
    await pipeline.write("ALTER TABLE ITEMS ADD COLUMN state VARCHAR(10) NOT NULL DEFAULT 'open'");
    await pipeline.write("INSERT INTO items (id, owner, code, state) VALUES (3, 0, 'c', 'new')");
    await pipeline.untilEqual();
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items')).toBe(1);
  });
});
