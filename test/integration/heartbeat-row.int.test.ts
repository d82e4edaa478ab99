/** The heartbeat row at real servers of the test's own: with the documented grants, without them, read-only. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import type { Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { utcMs, writeHeartbeat } from '../../src/capture/heartbeat-row.ts';
import { SourceClock } from '../../src/capture/source-clock.ts';
import type { DatabaseUrl, HeartbeatRowSettings, SourceSettings } from '../../src/config/config.ts';
import { Secret } from '../../src/config/secret.ts';
import { checkHeartbeatRow, HeartbeatRows } from '../../src/wiring/heartbeat-rows.ts';
import { silentLog } from '../../src/wiring/silent-log.ts';
import { runner, type Run } from '../support/statements.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ ownServers: true, mysql: ['beat'], mariadb: ['beat'] });
}, 120_000);
afterAll(() => sandbox.stop());

const EVERY_MS = 100;
const GRANT = 'GRANT CREATE, SELECT, INSERT, UPDATE ON rowferry.* TO beat';

function rowAt({ host, port }: SandboxServer, user: string, password: string): HeartbeatRowSettings {
  const at = { engine: 'mysql', host, port, database: '', tls: null } as const;
  const url: DatabaseUrl = { ...at, user, password: new Secret(password) };
  return { url, isElsewhere: false };
}

/** An account of its own, which may nothing yet, and no table of ours. */
async function fresh(
  server: SandboxServer,
): Promise<{ readonly run: Run; readonly row: HeartbeatRowSettings }> {
  const run = await runner(server);
  await run('DROP DATABASE IF EXISTS rowferry');
  await run("CREATE USER beat IDENTIFIED BY 'pw'");
  onTestFinished(async () => void (await run('DROP USER beat')));
  return { run, row: rowAt(server, 'beat', 'pw') };
}

interface Beating {
  readonly rows: HeartbeatRows;
  readonly clock: SourceClock;
  leads: boolean;
}

function beat(heartbeatRow: HeartbeatRowSettings): Beating {
  const clock = new SourceClock(silentLog);
  const source: SourceSettings = {
    name: 'main',
    url: heartbeatRow.url,
    serverId: 1,
    tables: ['*.*'],
    startFrom: { kind: 'now' },
    heartbeatMs: EVERY_MS,
    heartbeatRow,
    keys: {},
    keyless: 'refuse',
    ddl: 'apply',
    truncate: 'stop',
    replicas: [],
  };
  const stopped = new AbortController();
  const beating = { rows: new HeartbeatRows('p', source, clock, silentLog), clock, leads: true };
  const ended = beating.rows.write(() => beating.leads, stopped.signal);
  onTestFinished(async () => {
    stopped.abort();
    await ended;
  });
  return beating;
}

/** The row's time, once it is there and another than `before`. */
async function untilWritten(run: Run, before?: string): Promise<string> {
  return await waitUntil(
    async () => {
      const found = await run("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'rowferry'");
      if (found.length === 0) return undefined;
      const rows = await run('SELECT * FROM rowferry.heartbeat');
      const writtenAt = rows[0]?.['written_at'];
      return typeof writtenAt === 'string' && writtenAt !== before ? writtenAt : undefined;
    },
    { what: 'the row to be written', timeoutMs: 20_000 },
  );
}

/** The first outage that is told, or that there is none any more. */
async function untilOutage({ rows }: Beating, code: string | undefined): Promise<string> {
  const told = await waitUntil(
    () => (rows.outages.length === (code === undefined ? 0 : 1) ? [...rows.outages] : undefined),
    {
      what: code === undefined ? 'the outage to end' : 'an outage',
      timeoutMs: 20_000,
      details: () => JSON.stringify(rows.outages),
    },
  );
  expect(told[0]?.errorCode).toBe(code);
  return told[0]?.error ?? 'none';
}

describe.each(['mysql', 'mariadb'] as const)('the heartbeat row at %s', (kind) => {
  it('is made and written with the documented grants, one row for ever, by the server’s clock whatever its time zone', async () => {
    const server = sandbox[kind][0]!;
    const { run, row } = await fresh(server);
    await run(GRANT);
    await run("SET GLOBAL time_zone = '+05:00'");
    onTestFinished(async () => void (await run("SET GLOBAL time_zone = '+00:00'")));
    await checkHeartbeatRow('p', 'main', row);
    expect(await run("SHOW DATABASES LIKE 'rowferry'")).toEqual([]);
    const beating = beat(row);
    const first = await untilWritten(run);
    const second = await untilWritten(run, first);
    expect(Math.abs(Date.now() - utcMs(second))).toBeLessThan(2_000);
    expect(utcMs(second)).toBeGreaterThan(utcMs(first));
    expect(second).toMatch(/\.\d{6}$/);
    expect(await run('SELECT pipeline, source FROM rowferry.heartbeat')).toEqual([
      { pipeline: 'p', source: 'main' },
    ]);
    expect(beating.clock.offsetMs).toBeLessThan(1_000);
    expect(beating.rows.outages).toEqual([]);
    await checkHeartbeatRow('p', 'main', row);
  });

  it('is not written by a process that does not lead', async () => {
    const { run } = await fresh(sandbox[kind][0]!);
    const server = sandbox[kind][0]!;
    const beating = beat(rowAt(server, server.user, server.password));
    await untilWritten(run);
    beating.leads = false;
    const threads =
      "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER = 'root'";
    await waitUntil(async () => (await run(threads)).length === 0, {
      what: 'its connection to be closed',
      timeoutMs: 10_000,
    });
    const last = await untilWritten(run);
    beating.leads = true;
    await untilWritten(run, last);
  });

  it('that may not be written says which grant is lacking, and comes by itself once it is given', async () => {
    const { run, row } = await fresh(sandbox[kind][0]!);
    const beating = beat(row);
    expect(await untilOutage(beating, 'ROWFERRY_SOURCE_ACCESS')).toContain(
      'GRANT CREATE, SELECT, INSERT, UPDATE',
    );
    await run(GRANT);
    await untilOutage(beating, undefined);
    const written = await untilWritten(run);
    await run('REVOKE UPDATE ON rowferry.* FROM beat');
    await untilOutage(beating, 'ROWFERRY_SOURCE_ACCESS');
    await expect(checkHeartbeatRow('p', 'main', row)).rejects.toMatchObject({
      code: 'ROWFERRY_SOURCE_ACCESS',
      hint: expect.stringContaining('INSERT, UPDATE') as string,
    });
    await run(GRANT);
    await untilOutage(beating, undefined);
    await untilWritten(run, written);
  });

  it.for(['beat', 'root'])('is not written by %s at a server that is read-only', async (user) => {
    const server = sandbox[kind][0]!;
    const { run, row: own } = await fresh(server);
    await run(GRANT);
    const row = user === 'root' ? rowAt(server, server.user, server.password) : own;
    const beating = beat(row);
    await untilWritten(run);
    await run('SET GLOBAL read_only = ON');
    onTestFinished(async () => void (await run('SET GLOBAL read_only = OFF')));
    expect(await untilOutage(beating, 'ROWFERRY_SOURCE_PREFLIGHT')).toContain('heartbeatRow.url');
    const last = await untilWritten(run);
    await expect(checkHeartbeatRow('p', 'main', row)).rejects.toMatchObject({
      code: 'ROWFERRY_SOURCE_PREFLIGHT',
    });
    await waitUntil(() => (beating.rows.outages[0]?.tries ?? 0) >= 2, {
      what: 'it to be tried again',
      timeoutMs: 20_000,
    });
    expect(await untilWritten(run)).toBe(last);
    await run('SET GLOBAL read_only = OFF');
    await untilOutage(beating, undefined);
    await untilWritten(run, last);
  });

  it('goes by whatever a server says that read_only is: a number, or a word, as newer ones of MariaDB do', async () => {
    const { run, row } = await fresh(sandbox[kind][0]!);
    await run(GRANT);
    const beating = beat(row);
    await untilWritten(run);
    beating.leads = false;
    const written = async (readOnly: string): Promise<boolean> => {
      await run('DELETE FROM rowferry.heartbeat');
      const sql = writeHeartbeat({ pipeline: 'x', source: 'x' });
      expect(sql).toContain('@@global.read_only');
      await run(sql.replace('@@global.read_only', readOnly));
      return (await run("SELECT 1 FROM rowferry.heartbeat WHERE pipeline = 'x'")).length === 1;
    };
    for (const off of ['0', "'OFF'"]) expect(await written(off), off).toBe(true);
    for (const on of ['1', "'ON'", "'NO_LOCK'"]) expect(await written(on), on).toBe(false);
  });

  it('that somebody has locked is waited for by one statement at a time, which ends at the server, too', async () => {
    const server = sandbox[kind][0]!;
    const { run, row } = await fresh(server);
    await run(GRANT);
    const beating = beat(row);
    const last = await untilWritten(run);
    const holder = await runner(server);
    await holder('BEGIN');
    await holder('SELECT * FROM rowferry.heartbeat FOR UPDATE');
    let most = 0;
    await waitUntil(
      async () => {
        const running = await run(
          "SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'beat' AND COMMAND = 'Query'",
        );
        most = Math.max(most, running.length);
        return (beating.rows.outages[0]?.tries ?? 0) >= 2;
      },
      { what: 'it to be tried again and again', timeoutMs: 25_000 },
    );
    expect(most).toBe(1);
    expect(beating.rows.outages[0]?.error).toContain('1205');
    await holder('ROLLBACK');
    await untilOutage(beating, undefined);
    await untilWritten(run, last);
  }, 60_000);

  it('is refused where it would not come as a row', async () => {
    const server = sandbox[kind][0]!;
    const { run, row } = await fresh(server);
    await run('SET GLOBAL binlog_format = STATEMENT');
    onTestFinished(async () => void (await run('SET GLOBAL binlog_format = ROW')));
    await expect(checkHeartbeatRow('p', 'main', row)).rejects.toThrow('binlog_format');
  });
});
