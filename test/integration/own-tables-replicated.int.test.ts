/** Tables that rowferry makes at a source, at replicas of that source which carry some schemas only. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import type { Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { CREATE_HEARTBEAT_TABLE, writeHeartbeat } from '../../src/capture/heartbeat-row.ts';
import { CREATE_MARK_TABLE, writeMark } from '../../src/capture/mark.ts';
import { FOLLOW } from '../support/replication.ts';
import { runner } from '../support/statements.ts';

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
    const error = await waitUntil(
      async () => {
        const [status] = await atReplica('SHOW REPLICA STATUS');
        const told = String(status?.['Last_SQL_Error'] ?? '');
        if (told !== '') return told;
        const isThere = (await atReplica("SHOW DATABASES LIKE 'shop'")).length === 1;
        return isThere ? 'none' : undefined;
      },
      { what: 'what follows to be replicated, or an error', timeoutMs: 20_000 },
    );
    expect(error).toBe('none');
    const rows = await atReplica('SELECT 1 FROM rowferry.heartbeat UNION ALL SELECT 1 FROM rowferry.mark');
    expect(rows).toHaveLength(2);
  },
);
