import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { MysqlCopySource } from '../../src/capture/copy-source.ts';
import { mysqlDatabase, testServers } from '../support/servers.ts';
import { never, openSnapshot } from './snapshot-fixture.ts';

describe.each(['src', 'mariadb'] as const)('the cut of a table of %s without a key', (kind) => {
  it('waits for transactions that have written to the table, and lets none begin before its mark', async (context) => {
    const server = testServers()[kind];
    const { pool, url } = await mysqlDatabase(context, server);
    const schema = new URL(url).pathname.slice(1);
    await pool.query('CREATE TABLE visits (who INT NULL, note TEXT NULL)');
    await pool.query("INSERT INTO visits VALUES (1, 'first'), (1, 'first'), (NULL, NULL)");
    const source = await MysqlCopySource.open({
      connect: async () => await openSnapshot(server),
      chunkBytes: 1e6,
      keys: {},
      keyless: 'append',
      where: {},
      signal: never(),
    });
    onTestFinished(() => source.destroy());
    const table = await source.describe(`${schema}.visits`);
    expect(table.table.key).toEqual([]);

    const open = await pool.getConnection();
    await open.query('START TRANSACTION');
    await open.query("INSERT INTO visits VALUES (2, 'open')");
    let isMarked = false;
    let late: Promise<unknown> = Promise.resolve();
    let isWritten = false;
    const reading = source.readAtCut(table, async () => {
      isMarked = true;
      late = pool.query("INSERT INTO visits VALUES (3, 'late')").then(() => (isWritten = true));
      await waitUntil(async () => (await lockWaits(pool)) > 0, {
        what: 'the late row to wait',
        intervalMs: 20,
      });
      expect(isWritten).toBe(false);
    });
    await waitUntil(async () => (await lockWaits(pool)) > 0, {
      what: 'the lock to be waited for',
      intervalMs: 20,
    });
    await sleep(300);
    expect(isMarked).toBe(false);
    await open.query('COMMIT');
    open.release();
    const rows = await reading;
    await late;
    const found = [];
    for await (const row of rows) found.push(row);
    expect(found.map((row) => row.join(' ')).toSorted((a, b) => a.localeCompare(b))).toEqual([
      ' ',
      '1 first',
      '1 first',
      '2 open',
    ]);
  });
});

async function lockWaits(pool: { query(sql: string): Promise<unknown> }): Promise<number> {
  const [rows] = (await pool.query(
    "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%' AND DB = DATABASE() OR STATE LIKE 'Waiting for table%' AND INFO LIKE 'LOCK TABLES%'",
  )) as [{ n: number }[]];
  return Number(rows[0]?.n);
}
