/** What a copy asks of servers and writes to them, on servers of the test's own: replicas, threads, marks, spellings. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import type { Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { MysqlCopySource } from '../../src/capture/copy-source.ts';
import { ADD_MARK_WRITER, CREATE_MARK_TABLE } from '../../src/capture/mark.ts';
import { readBinlogKept } from '../../src/capture/preflight-facts.ts';
import type { MarkWriter } from '../../src/capture/mark.ts';
import { SNAPSHOT_SESSION } from '../../src/capture/snapshot-reader.ts';
import { describeSnapshotTable } from '../../src/capture/snapshot-table.ts';
import type { DatabaseUrl, SnapshotSettings, SourceSettings } from '../../src/config/config.ts';
import { Secret } from '../../src/config/secret.ts';
import { MysqlConnection } from '../../src/drivers/mysql.ts';
import { SourceCare } from '../../src/wiring/source-care.ts';
import { DELAY, FOLLOW } from '../support/replication.ts';
import { runner } from '../support/statements.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    ownServers: true,
    mysql: ['care', 'follower'],
    mariadb: ['care', { name: 'follower', flags: ['--lower-case-table-names=1'] }],
  });
}, 120_000);
afterAll(() => sandbox.stop());

const never = new AbortController().signal;

function urlOf(server: SandboxServer, user = server.user, password = server.password): DatabaseUrl {
  const { host, port } = server;
  return { engine: 'mysql', host, port, user, password: new Secret(password), database: '', tls: null };
}

async function connect(server: SandboxServer, user?: string, password?: string): Promise<MysqlConnection> {
  return await MysqlConnection.connect({
    url: urlOf(server, user, password),
    side: 'source',
    where: { source: 'main' },
    session: SNAPSHOT_SESSION,
  });
}

function careOf(
  server: SandboxServer,
  settings: Partial<SnapshotSettings>,
  replicas: SourceSettings['replicas'] = [],
): SourceCare {
  const care = new SourceCare(
    {
      name: 'main',
      url: urlOf(server),
      serverId: 1,
      tables: ['*.*'],
      startFrom: { kind: 'snapshot' },
      heartbeatMs: 1_000,
      heartbeatRow: null,
      keys: {},
      keyless: 'refuse',
      ddl: 'apply',
      truncate: 'stop',
      replicas,
    },
    {
      readers: 1,
      chunkMs: 500,
      leastRows: 100,
      mostRows: 100,
      lagMs: 1_000,
      leastPercent: 5,
      rowsPerSecond: null,
      threadsRunning: null,
      replicaLagMs: 5_000,
      hours: null,
      where: {},
      ...settings,
    },
  );
  onTestFinished(() => care.close());
  return care;
}

/** What is said once it matches; null when everybody is calm. */
async function untilReason(care: SourceCare, wanted: RegExp | null): Promise<void> {
  let said: string | null = '';
  await waitUntil(
    async () => {
      const over = (await care.signals()).filter(({ value, slowAbove }) => value > slowAbove);
      said = over[0]?.what ?? null;
      return wanted === null ? said === null : wanted.test(said ?? '');
    },
    { what: `the reason ${String(wanted)}`, timeoutMs: 20_000, details: () => String(said) },
  );
}

describe.each(['mysql', 'mariadb'] as const)('%s', (kind) => {
  it(
    'is spared while its replica is none, behind, at a stand or silent, and no longer',
    { timeout: 90_000 },
    async () => {
      const [source, replica] = sandbox[kind] as [SandboxServer, SandboxServer];
      const [atSource, atReplica] = [await runner(source), await runner(replica)];
      const care = careOf(source, {}, [{ name: 'r1', url: urlOf(replica) }]);
      await untilReason(care, /^replica r1 is no replica$/);

      await atReplica(FOLLOW[kind](source));
      await atReplica(DELAY[kind](3_600));
      await atReplica('START REPLICA');
      // Written an hour ago, by its time stamp: the replica is that far behind at once.
      await atSource('SET timestamp = UNIX_TIMESTAMP() - 3000');
      await atSource('CREATE DATABASE followed');
      await untilReason(care, /^replica r1 is \d{4} s behind$/);

      await atReplica('STOP REPLICA');
      await untilReason(care, /^replica r1 does not replicate$/);
      await atReplica(DELAY[kind](0));
      await atReplica('START REPLICA');
      await untilReason(care, null);

      await replica.pause();
      const frozenMs = Date.now();
      try {
        await untilReason(care, /^replica r1 does not answer: /);
        expect(Date.now() - frozenMs).toBeLessThan(15_000);
      } finally {
        await replica.resume();
      }
      await untilReason(care, null);
      await atReplica('STOP REPLICA');
      await atReplica('RESET REPLICA ALL');
    },
  );

  it('tells what it keeps of its binlog', async () => {
    const source = sandbox[kind][0]!;
    const run = await runner(source);
    await run('SET GLOBAL binlog_expire_logs_seconds = 7200');
    await run('FLUSH BINARY LOGS');
    const connection = await connect(source);
    onTestFinished(() => connection.destroy());
    const look = async () => await readBinlogKept(async (sql) => (await connection.query(sql)).rows);
    const { files, expireSeconds, maxBytes, purgedGtid } = await look();
    expect(files.length).toBeGreaterThan(1);
    expect(files.every(({ size }) => size > 0)).toBe(true);
    expect({ expireSeconds, maxBytes, purgedGtid }).toEqual({
      expireSeconds: 7_200,
      maxBytes: null,
      purgedGtid: '',
    });
    await run('CREATE DATABASE purged');
    await run('FLUSH BINARY LOGS');
    await run(`PURGE BINARY LOGS TO '${(await look()).files.at(-1)?.name}'`);
    expect((await look()).purgedGtid).toMatch(/\d$/);
  });

  it('is spared while it runs too many threads', async () => {
    const source = sandbox[kind][0]!;
    const care = careOf(source, { threadsRunning: 6 });
    await untilReason(care, null);
    const busy = await Promise.all(Array.from({ length: 8 }, async () => await createConnection(source.url)));
    onTestFinished(() => busy.forEach((connection) => connection.destroy()));
    for (const connection of busy) connection.query('SELECT SLEEP(60)').catch(() => undefined);
    await untilReason(care, /^source main runs \d+ threads, more than 6$/);
    for (const connection of busy) connection.destroy();
  });

  it('gets the columns of this version in the mark table of an earlier one, or the statement for it', async () => {
    const source = sandbox[kind][0]!;
    const run = await runner(source);
    await run('DROP DATABASE IF EXISTS rowferry');
    for (const sql of CREATE_MARK_TABLE) await run(sql.replaceAll(/ {2}(?:lineage|claim) .*\n/g, ''));
    await run("CREATE USER 'poor' IDENTIFIED BY 'pw'");
    await run("GRANT CREATE, SELECT, INSERT, UPDATE ON rowferry.* TO 'poor'");
    onTestFinished(async () => void (await run("DROP USER 'poor'")));
    const open = async (user?: string): Promise<MysqlCopySource> => {
      const copying = await MysqlCopySource.open({
        connect: async () => await connect(source, user, user === undefined ? undefined : 'pw'),
        chunkBytes: 1,
        keys: {},
        keyless: 'refuse',
        where: {},
        signal: never,
      });
      onTestFinished(() => copying.destroy());
      return copying;
    };
    const poor = await open('poor');
    await expect(poor.prepare()).rejects.toMatchObject({
      code: 'ROWFERRY_SOURCE_ACCESS',
      hint: expect.stringContaining(ADD_MARK_WRITER) as string,
    });
    const [one, other] = [await open(), await open()];
    await Promise.all([one.prepare(), other.prepare()]);
    await poor.prepare();

    // Marks of two Kafkas share a row: each leaves its own name in it, and each is an event of the binlog.
    const writer: MarkWriter = { pipeline: 'p', source: 's', lineage: 'a', claim: 'b', incarnation: 1 };
    await poor.mark({ ...writer, chunk: 1, edge: 'low' }, 1);
    await one.mark({ ...writer, lineage: 'c', claim: 'd', chunk: 1, edge: 'low' }, 1);
    expect(await run('SELECT lineage, claim FROM rowferry.mark')).toEqual([{ lineage: 'c', claim: 'd' }]);
  });
});

it('a table is refused under another spelling than the catalog’s, where names differ only in case', async () => {
  const folded = sandbox.mariadb[1]!;
  const run = await runner(folded);
  await run('CREATE DATABASE Shop');
  await run('CREATE TABLE Shop.Goods (id INT PRIMARY KEY)');
  const connection = await connect(folded);
  onTestFinished(() => connection.destroy());
  const query = async (sql: string) => (await connection.query(sql)).rows;
  expect((await describeSnapshotTable(query, 'shop', 'goods')).table).toMatchObject({
    schema: 'shop',
    name: 'goods',
  });
  await expect(describeSnapshotTable(query, 'Shop', 'Goods')).rejects.toMatchObject({
    code: 'ROWFERRY_SOURCE_UNSUPPORTED',
    message: expect.stringContaining('the source calls it shop.goods') as string,
    hint: 'ask for it by that name',
  });
});
