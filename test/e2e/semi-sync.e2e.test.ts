/** A source whose commits wait for a replica: its readers have a transaction before it is one of those executed. */
import { expect, it } from 'vitest';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

/**
 * The order of events: a transaction is written and sent; rowferry applies it and saves that it has; its commit waits for a
 * replica; rowferry is killed and started again.
 */
it('a daemon starts while a commit goes on whose rows it has ferried already', async (t) => {
  const sandbox = await startSandbox({ ownServers: true, mysql: ['source'] });
  t.onTestFinished(async () => await sandbox.stop());
  const pipeline = await Pipeline.create(t, { source: sandbox.mysql[0]!, tables: [itemsTable()] });
  const source = pipeline.source.pool;
  const daemon = await pipeline.startRunning();
  await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0)');
  await pipeline.untilEqual();
  for (const sql of [
    "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
    'SET GLOBAL rpl_semi_sync_source_timeout = 600000',
    'SET GLOBAL rpl_semi_sync_source_enabled = ON',
  ])
    await source.query(sql);
  let isCommitted = false;
  const committed = pipeline
    .write('INSERT INTO items (id, owner) VALUES (2, 1)')
    .then(() => (isCommitted = true));
  const before = daemon.status!.captures[0]!.position;
  await daemon.untilStatus(
    'the row to be applied and its position to be saved',
    ({ rows, captures }) => rows >= 2 && captures[0]?.position !== before,
  );
  await daemon.kill();
  await pipeline.startRunning();
  expect(isCommitted).toBe(false);
  await source.query('SET GLOBAL rpl_semi_sync_source_enabled = OFF');
  await committed;
  await pipeline.untilEqual();
});
