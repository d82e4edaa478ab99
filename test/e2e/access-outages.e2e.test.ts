/** Who let a daemon in and refuses it later: a password that was changed, grants that were taken away. */
import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

const WRONG_CONFIG = 2;
const PASSWORD = 'f1rst-Pass';

/** An account of the source that may do what capturing needs; `cut` ends its sessions. */
async function sourceAccount(t: Parameters<typeof Pipeline.create>[0]) {
  const user = `later_${Math.random().toString(36).slice(2, 10)}`;
  const pipeline = await Pipeline.create(t, {
    tables: [itemsTable()],
    configure: ({ sources }) => {
      const url = new URL(testServers().src.url);
      [url.username, url.password, url.pathname] = [user, PASSWORD, ''];
      sources['main']!['url'] = url.href;
    },
  });
  const { pool, name } = pipeline.source;
  await pool.query(`CREATE USER ${user} IDENTIFIED BY '${PASSWORD}'`);
  t.onTestFinished(async () => {
    const connection = await createConnection(testServers().src.url);
    await connection.query(`DROP USER IF EXISTS ${user}`);
    await connection.end();
  });
  const give = `GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO ${user}`;
  await pool.query(give);
  await pool.query(`GRANT SELECT ON ${name}.* TO ${user}`);
  const cut = async (): Promise<void> => {
    const [rows] = await pool.query(
      `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = '${user}'`,
    );
    for (const { id } of rows as { readonly id: number }[]) await pool.query(`KILL ${id}`);
  };
  return { pipeline, pool, user, give, cut };
}

describe('a daemon that was let in', () => {
  it.concurrent(
    'waits for a source that refuses its password, then its grants, and goes on when they are back',
    async (t) => {
      const { pipeline, pool, user, give, cut } = await sourceAccount(t);
      const daemon = await pipeline.startRunning();
      // A capture that stands by has not been let in yet.
      await daemon.untilStatus('the source to be read', ({ captures }) => captures[0]?.state === 'reading');
      await pool.query(`ALTER USER ${user} IDENTIFIED BY 'another-0ne'`);
      await cut();
      await daemon.untilStatus(
        'the source to be probed',
        ({ outages }) =>
          outages.some(
            ({ part, phase, server, errorCode }) =>
              part === 'capture main' &&
              phase === 'probing' &&
              server === 'source main' &&
              errorCode === 'ROWFERRY_SOURCE_ACCESS',
          ),
        60_000,
      );
      await pool.query(`ALTER USER ${user} IDENTIFIED BY '${PASSWORD}'`);
      await daemon.untilRunning(60_000);
      await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'flows')");
      await pipeline.untilEqual();

      await pool.query(`REVOKE REPLICATION SLAVE ON *.* FROM ${user}`);
      await cut();
      await daemon.untilStatus(
        'the grant to be waited for',
        ({ outages }) => outages.some(({ errorCode }) => errorCode === 'ROWFERRY_SOURCE_PREFLIGHT'),
        60_000,
      );
      await pool.query(give);
      await daemon.untilRunning(60_000);
      await pipeline.write("INSERT INTO items (id, owner, code) VALUES (2, 0, 'flows')");
      await pipeline.untilEqual();
      expect(daemon.exit).toBeUndefined();
    },
  );

  it.concurrent(
    'waits for a target that refuses its password, and goes on when it takes it again',
    async (t) => {
      const role = `later_${Math.random().toString(36).slice(2, 10)}`;
      const pipeline = await Pipeline.create(t, {
        tables: [itemsTable()],
        configure: ({ targets }) => {
          const url = new URL(String(targets['west']?.['url']));
          [url.username, url.password] = [role, PASSWORD];
          targets['west'] = { url: url.href };
        },
      });
      const atWest = async (sql: string): Promise<void> => await pipeline.meddle('west', sql);
      await atWest(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${PASSWORD}'`);
      const daemon = await pipeline.startRunning();
      await atWest(`ALTER ROLE ${role} PASSWORD 'another'`);
      await atWest(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
      await pipeline.write("INSERT INTO items (id, owner, code) VALUES (1, 0, 'waits'), (2, 1, 'waits')");
      await daemon.untilStatus(
        'the target to be probed',
        ({ outages, partitions }) =>
          partitions.every(({ state }) => state !== 'stopped') &&
          outages.some(
            ({ phase, server, errorCode }) =>
              phase === 'probing' && server === 'target west' && errorCode === 'ROWFERRY_TARGET_ACCESS',
          ),
        60_000,
      );
      await atWest(`ALTER ROLE ${role} PASSWORD '${PASSWORD}'`);
      await pipeline.untilEqual();
      await daemon.untilStatus('no outages', ({ outages }) => outages.length === 0);
      await daemon.stop();
      await atWest(`REASSIGN OWNED BY ${role} TO CURRENT_USER`);
      await atWest(`DROP ROLE ${role}`);
      expect(daemon.log).toContain('it worked before: rowferry tries again by itself');
    },
  );

  it.concurrent(
    'is another one than the next process, for which a wrong password is a wrong configuration',
    async (t) => {
      const { pipeline, pool, user } = await sourceAccount(t);
      const daemon = await pipeline.startRunning();
      await daemon.stop();
      await pool.query(`ALTER USER ${user} IDENTIFIED BY 'another-0ne'`);
      const late = pipeline.start();
      expect(await pipeline.exitOf(late)).toEqual({ code: WRONG_CONFIG, signal: null });
      expect(late.log).toContain('ROWFERRY_SOURCE_ACCESS');
    },
  );
});
