/** Tables that rowferry makes at a source, at replicas of that source which carry some schemas only. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { untilTrue } from '../../scripts/lib/until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import type { Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { CREATE_HEARTBEAT_TABLE, writeHeartbeat } from '../../src/capture/heartbeat-row.ts';
import { CREATE_MARK_TABLE, writeMark } from '../../src/capture/mark.ts';

let sandbox: Sandbox;
const SOME_SCHEMAS = { name: 'replica', flags: ['--replicate-do-db=rowferry', '--replicate-do-db=shop'] };
beforeAll(async () => {
  const [mysql, mariadb] = [
    ['primary', SOME_SCHEMAS],
    ['primary', SOME_SCHEMAS],
  ];
  sandbox = await startSandbox({ ownServers: true, mysql, mariadb });
}, 120_000);
afterAll(() => sandbox.stop());

const FOLLOW = {
  mysql: ({ host, port, user, password }: SandboxServer) =>
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_PORT = ${port}, SOURCE_USER = '${user}',
     SOURCE_PASSWORD = '${password}', GET_SOURCE_PUBLIC_KEY = 1, SOURCE_AUTO_POSITION = 1`,
  mariadb: ({ host, port, user, password }: SandboxServer) =>
    `CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_PORT = ${port}, MASTER_USER = '${user}',
     MASTER_PASSWORD = '${password}', MASTER_USE_GTID = slave_pos`,
};

async function runner(server: SandboxServer) {
  const connection = await createConnection({ uri: new URL('/', server.url).href });
  onTestFinished(() => connection.end());
  return async (sql: string) =>
    (await connection.query(sql))[0] as Readonly<Record<string, string | number | null>>[];
}

it.each(['mysql', 'mariadb'] as const)(
  'are made where their rows go, and break no replication (%s)',
  async (kind) => {
    const [primary, replica] = sandbox[kind] as [SandboxServer, SandboxServer];
    const atReplica = await runner(replica);
    await atReplica(FOLLOW[kind](primary));
    await atReplica('START REPLICA');
    const atPrimary = await runner(primary);
    for (const sql of [...CREATE_HEARTBEAT_TABLE, ...CREATE_MARK_TABLE]) await atPrimary(sql);
    await atPrimary(writeHeartbeat({ pipeline: 'p', source: 'main' }));
    const writer = { pipeline: 'p', source: 'main', lineage: '', claim: '', incarnation: 1 };
    await atPrimary(writeMark({ ...writer, chunk: 1, edge: 'low' }, 0));
    await atPrimary('CREATE DATABASE shop');
    const error = await untilTrue(
      'what follows to be replicated, or an error',
      async () => {
        const [status] = await atReplica('SHOW REPLICA STATUS');
        const told = String(status?.['Last_SQL_Error'] ?? '');
        if (told !== '') return told;
        const isThere = (await atReplica("SHOW DATABASES LIKE 'shop'")).length === 1;
        return isThere ? 'none' : undefined;
      },
      { timeoutMs: 20_000 },
    );
    expect(error).toBe('none');
    const rows = await atReplica('SELECT 1 FROM rowferry.heartbeat UNION ALL SELECT 1 FROM rowferry.mark');
    expect(rows).toHaveLength(2);
  },
);
