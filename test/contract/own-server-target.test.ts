/** What takes a server of the test's own: stopping it, or making it read-only. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { MysqlConnection } from '../../src/drivers/mysql.ts';
import { PostgresConnection } from '../../src/drivers/postgres.ts';
import { openTarget } from '../../src/targets/open-target.ts';
import type { Target } from '../../src/targets/target.ts';
import {
  batch,
  CREATE_ITEM,
  databaseUrl,
  ITEM,
  NEVER,
  P0,
  silentLog,
  tableBatch,
  writerOf,
} from './target-fixture.ts';
import type { EngineName } from './target-fixture.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ mysql: ['own'], mariadb: ['own'], postgres: ['own'], ownServers: true });
}, 120_000);
afterAll(() => sandbox.stop());

const READ_ONLY: Readonly<Record<EngineName, (on: boolean) => readonly string[]>> = {
  mysql: (on) => [`SET GLOBAL super_read_only = ${on ? 1 : 0}`, `SET GLOBAL read_only = ${on ? 1 : 0}`],
  mariadb: (on) => [`SET GLOBAL read_only = ${on ? 1 : 0}`],
  // Counts when a session begins, as when an address leads to another server: the old session stays read-only.
  postgres: (on) => [`ALTER DATABASE postgres SET default_transaction_read_only = ${on ? 'on' : 'off'}`],
};

describe.each(['mysql', 'mariadb', 'postgres'] as const)('%s', (engine) => {
  test('read-only, it is an error of the class retry, and the batch goes on when it is writable again', async () => {
    const server = sandbox[engine][0]!;
    const { target, exec } = await ownTarget(engine, server);
    const writer = await writerOf(target, ITEM);
    await target.claim(P0, 1);
    const work = tableBatch(writer, { upserts: [['1', 'a', 1]] });
    for (const statement of READ_ONLY[engine](true)) await exec(statement);
    if (engine === 'postgres') await exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rowferry' AND pid <> pg_backend_pid()"); // prettier-ignore
    await expect(target.write(batch(0, 1, [work]), NEVER)).rejects.toMatchObject({
      code: 'ROWFERRY_TARGET_REFUSES',
      action: 'retry',
      where: { target: 'shard-1' },
    });
    const reopened = newTarget(engine, server);
    await expect(reopened.open(NEVER)).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_REFUSES' });
    for (const statement of READ_ONLY[engine](false)) await exec(statement);
    expect(await target.write(batch(0, 1, [work]), NEVER)).toMatchObject({ kind: 'done' });
  });

  test('killed, it is an error of the class retry, and the batch goes on once it is started again', async () => {
    const server = sandbox[engine][0]!;
    const { target } = await ownTarget(engine, server);
    const writer = await writerOf(target, ITEM);
    await target.claim({ ...P0, partition: 5 }, 1);
    const id = { ...P0, partition: 5 };
    await server.kill();
    const work = batch(0, 1, [tableBatch(writer, { upserts: [['7', 'a', 1]] })], { id });
    await expect(target.write(work, NEVER)).rejects.toMatchObject({
      code: 'ROWFERRY_TARGET_LINK',
      action: 'retry',
    });
    await server.start();
    expect(await target.write(work, NEVER)).toMatchObject({ kind: 'done' });
    expect(await target.watermarks()).toContainEqual(expect.objectContaining({ partition: 5, next: 1 }));
  });
});

function newTarget(engine: EngineName, server: SandboxServer): Target {
  const url = new URL(server.url);
  url.pathname = engine === 'postgres' ? '/postgres' : '/own';
  // MariaDB lets administrators write in spite of read_only.
  if (engine === 'mariadb') Object.assign(url, { username: 'applier', password: 'pw' });
  const target = openTarget({
    name: 'shard-1',
    pipeline: 'shop',
    url: databaseUrl(url.href),
    connections: 2,
    zeroDates: 'stop',
    log: silentLog,
    retryBudgetMs: 300,
  });
  onTestFinished(() => target.close());
  return target;
}

async function ownTarget(
  engine: EngineName,
  server: SandboxServer,
): Promise<{ readonly target: Target; readonly exec: (sql: string) => Promise<unknown> }> {
  const url = new URL(server.url);
  if (engine !== 'postgres') url.pathname = '/mysql';
  const options = { url: databaseUrl(url.href), side: 'target', where: {}, session: [] } as const;
  const admin =
    engine === 'postgres'
      ? await PostgresConnection.connect(options)
      : await MysqlConnection.connect(options);
  onTestFinished(() => admin.close());
  const exec = (sql: string): Promise<unknown> =>
    admin instanceof PostgresConnection ? admin.query({ text: sql }) : admin.query(sql);
  if (engine === 'postgres') {
    await exec('SET default_transaction_read_only = off');
    await exec('DROP TABLE IF EXISTS item');
    await exec(CREATE_ITEM);
  } else {
    await exec('DROP DATABASE IF EXISTS own');
    await exec('CREATE DATABASE own');
    await exec(CREATE_ITEM.replace('item', 'own.item'));
    await exec("CREATE USER IF NOT EXISTS applier IDENTIFIED BY 'pw'");
    await exec('GRANT ALL ON own.* TO applier');
  }
  const target = newTarget(engine, server);
  await target.open(NEVER);
  return { target, exec };
}
