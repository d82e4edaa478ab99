/** Lag by the heartbeat row (LAG-3), held against the test's own clock: MariaDB behind a backlog, replicas, servers that refuse it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'vitest';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import type { DaemonView } from '../../scripts/lib/daemon-status.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { checkCommand } from '../../src/cli/check.ts';
import { Api } from '../support/api.ts';
import { Pipeline, type PipelineOptions } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { DELAY, FOLLOW } from '../support/replication.ts';
import { runVerb } from '../support/run-verb.ts';
import { testServers } from '../support/servers.ts';
import { runner } from '../support/statements.ts';

/** What a reported lag may be off, beside how often the row is written. */
const ERROR_MS = 150;
const HEARTBEAT_MS = 500;

async function heartbeatPipeline(
  t: TestContext,
  row: unknown,
  options: PipelineOptions = {},
): Promise<Pipeline> {
  return await Pipeline.create(t, {
    tables: [itemsTable()],
    partitions: 1,
    ...options,
    configure: (config) => {
      const main = config.sources['main']!;
      main['heartbeatMs'] = HEARTBEAT_MS;
      main['heartbeatRow'] = row;
      options.configure?.(config);
    },
  });
}

async function untilNoLag(daemon: Daemon): Promise<DaemonView> {
  return await daemon.untilStatus(
    'lag to be gone',
    ({ lagMs, partitions }) => lagMs === 0 && partitions.length > 0,
  );
}

/** The state of the capture, once it is this one. */
async function untilCapture(daemon: Daemon, state: string): Promise<void> {
  await daemon.untilStatus(`the capture to be ${state}`, ({ captures }) => captures[0]?.state === state);
}

describe('lag by a heartbeat row', () => {
  it.for(['src', 'mariadb'] as const)(
    'of %s is 0 while nothing is written, and the row goes nowhere',
    async (kind, t) => {
      const pipeline = await heartbeatPipeline(t, true, { source: testServers()[kind], format: 'row' });
      const daemon = pipeline.start();
      const { timeMs } = await untilNoLag(daemon);
      const lags: (number | null)[] = [];
      await daemon.untilStatus('some rows to pass', (status) => {
        lags.push(status.lagMs);
        return status.timeMs > timeMs + 6 * HEARTBEAT_MS;
      });
      // A busy machine may make one of them late.
      expect(lags.filter((lagMs) => lagMs === null || lagMs > 1_000)).toEqual([]);
      expect(lags.filter((lagMs) => lagMs === 0).length).toBeGreaterThan(lags.length / 2);
      await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
      const first = await daemon.untilStatus('both rows to be applied', ({ rows }) => rows === 2);
      const later = await daemon.untilStatus(
        'the position to go on',
        ({ captures }) => captures[0]?.position !== first.captures[0]?.position,
      );
      expect(later.rows).toBe(2);
      await daemon.kill();
      await pipeline.startRunning();
      await pipeline.untilEqual();
    },
  );

  it.for(['long', 'of tomorrow'] as const)(
    'of MariaDB behind a backlog is the age of the oldest commit, also of a transaction that is %s',
    async (how, t) => {
      const pipeline = await heartbeatPipeline(t, true, { source: testServers().mariadb });
      const daemon = await pipeline.startRunning();
      await untilNoLag(daemon);
      const api = new Api(daemon);
      await api.post('/api/pause', { role: 'capture', source: 'main' });
      await untilCapture(daemon, 'paused');
      const session = await pipeline.source.pool.getConnection();
      t.onTestFinished(() => session.destroy());
      if (how === 'of tomorrow') await session.query('SET timestamp = UNIX_TIMESTAMP() + 86400');
      await session.query('BEGIN');
      await session.query('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
      if (how === 'long') await sleep(4_000);
      const afterMs = Date.now();
      await session.query('COMMIT');
      const beforeMs = Date.now();
      await sleep(4_000);
      await pipeline.write('INSERT INTO items (id, owner) VALUES (3, 0), (4, 1)');
      await api.post('/api/pause', { role: 'apply' });
      await daemon.untilStatus('every partition to hold', ({ partitions }) =>
        partitions.every(({ state }) => state === 'paused'),
      );
      await api.post('/api/resume', { role: 'capture', source: 'main' });
      await untilCapture(daemon, 'reading');
      const late = await daemon.untilStatus('the capture to have caught up', ({ captures, partitions }) => {
        return captures[0]?.lagMs === 0 && Number(partitions[0]?.lagMs) > 0;
      });
      expect(late.lagMs).toBeGreaterThan(late.timeMs - beforeMs - ERROR_MS);
      expect(late.lagMs).toBeLessThan(late.timeMs - afterMs + HEARTBEAT_MS + ERROR_MS);
      await api.post('/api/resume', {});
      await pipeline.untilEqual();
      await untilNoLag(daemon);
    },
  );

  it('stands beside copies, whose marks are written to the same schema', async (t) => {
    const pipeline = await heartbeatPipeline(t, true, {
      source: testServers().mariadb,
      configure: (config) => {
        config.sources['main']!['startFrom'] = 'snapshot';
      },
    });
    const rows = Array.from({ length: 200 }, (_, i) => `(${i}, ${i % 2})`);
    await pipeline.write(`INSERT INTO items (id, owner) VALUES ${rows.join(', ')}`);
    const daemon = await pipeline.startRunning();
    await pipeline.write('UPDATE items SET n = 7 WHERE id < 50');
    await pipeline.untilEqual();
    await untilNoLag(daemon);
    await daemon.kill();
    await untilNoLag(await pipeline.startRunning());
    await pipeline.untilEqual();
  });

  it('goes on when another process takes over the capture and with it the row', async (t) => {
    const pipeline = await heartbeatPipeline(t, true);
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    const other = pipeline.start({ role: 'capture' });
    await untilCapture(other, 'standby');
    await daemon.kill();
    await untilCapture(other, 'reading');
    await other.untilStatus('lag to be gone', ({ captures }) => captures[0]?.lagMs === 0);
    await pipeline.startRunning({ role: 'apply' });
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
    await pipeline.untilEqual();
  });

  it('rises while the source is read-only, which is told, and the capture reads on', async (t) => {
    const sandbox = await startSandbox({ ownServers: true, mysql: ['alone'] });
    t.onTestFinished(async () => await sandbox.stop());
    const server = sandbox.mysql[0]!;
    const run = await runner(server);
    const pipeline = await heartbeatPipeline(t, true, { source: server });
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    const readOnlyMs = Date.now();
    // An account that may write all the same does not.
    await run('SET GLOBAL read_only = ON');
    const late = await daemon.untilStatus('lag to rise', ({ captures, partitions, lagMs }) =>
      [...captures, ...partitions, { lagMs }].every((part) => (part.lagMs ?? 0) > 4_000),
    );
    expect(late.captures[0]?.state).toBe('reading');
    const leastMs = late.timeMs - readOnlyMs - ERROR_MS;
    for (const { lagMs } of [...late.captures, late]) {
      expect(lagMs).toBeGreaterThan(leastMs);
      expect(lagMs).toBeLessThan(leastMs + HEARTBEAT_MS + 1_000);
    }
    expect(late.outages).toMatchObject([
      { part: 'heartbeat row main', errorCode: 'ROWFERRY_SOURCE_PREFLIGHT' },
    ]);
    expect(pipeline.logs.match(/heartbeat row main waits: /g)).toHaveLength(1);
    expect(pipeline.logs.match(/no heartbeat row comes from main/g)).toHaveLength(1);
    const checked = await runVerb(checkCommand, ['--config', pipeline.configFile], {
      env: { ...process.env, ROWFERRY_TEST_RUN_DIR: pipeline.folder },
    });
    expect(checked.exitCode).not.toBe(0);
    expect(checked.lines.join('\n')).toContain('heartbeatRow.url');
    await run('SET GLOBAL read_only = OFF');
    const { outages } = await untilNoLag(daemon);
    expect(outages).toEqual([]);
  });

  it.for(['mysql', 'mariadb'] as const)(
    'of a replica on %s is that of its primary, however alive the replica is',
    { timeout: 180_000 },
    async (kind, t) => {
      const flags = kind === 'mariadb' ? ['--log-slave-updates', '--gtid-strict-mode=OFF'] : [];
      const sandbox = await startSandbox({
        ownServers: true,
        [kind]: ['primary', { name: 'replica', flags }],
      });
      t.onTestFinished(async () => await sandbox.stop());
      const [primary, replica] = sandbox[kind] as [SandboxServer, SandboxServer];
      const atReplica = await runner(replica);
      await atReplica(FOLLOW[kind](primary));
      await atReplica('START REPLICA');
      const pipeline = await heartbeatPipeline(
        t,
        { url: new URL('/', primary.url).href.replace(/\/$/, '') },
        {
          source: primary,
          configure: (config) => {
            Object.assign(config.sources['main']!, {
              url: new URL('/', replica.url).href.replace(/\/$/, ''),
              startFrom: 'earliest',
            });
          },
        },
      );
      await waitUntil(
        async () => {
          const found = await atReplica(
            `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${pipeline.source.name}' AND TABLE_NAME = 'zz_fence'`,
          );
          return found.length > 0;
        },
        { what: 'the tables to be replicated', timeoutMs: 20_000 },
      );
      const daemon = await pipeline.startRunning();
      await untilNoLag(daemon);

      // A replica that is behind sends what it has at once.
      await atReplica('STOP REPLICA');
      await atReplica(DELAY[kind](3));
      const stoppedMs = Date.now();
      const late = await daemon.untilStatus(
        'lag to rise',
        ({ lagMs, timeMs }) => Number(lagMs) > 3_500 && timeMs > stoppedMs,
      );
      expect(late.captures[0]?.state).toBe('reading');
      expect(late.lagMs).toBeGreaterThan(late.timeMs - stoppedMs - ERROR_MS);
      expect(late.lagMs).toBeLessThan(late.timeMs - stoppedMs + HEARTBEAT_MS + 1_000);
      await atReplica('START REPLICA');
      await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0)');
      await daemon.untilStatus('the row to be applied', ({ rows }) => rows === 1);
      // The delay of the replica, neither growing nor 0, also of what is written meanwhile.
      const load = new AbortController();
      const writing = writeUntil(pipeline, load.signal);
      const lags: number[] = [];
      const { rows } = daemon.status!;
      let untilMs = 0;
      await daemon.untilStatus('some rows to pass', (status) => {
        if (status.rows === rows) return false;
        untilMs ||= status.timeMs + 4_000;
        lags.push(status.lagMs ?? Infinity);
        return status.timeMs > untilMs;
      });
      load.abort();
      await writing;
      expect(Math.min(...lags)).toBeGreaterThan(3_000 - (kind === 'mariadb' ? 1_000 : 0) - ERROR_MS);
      expect(Math.max(...lags)).toBeLessThan(3_000 + 2 * HEARTBEAT_MS + 2_000);

      await atReplica('STOP REPLICA');
      await atReplica(DELAY[kind](0));
      await atReplica('START REPLICA');
      await untilNoLag(daemon);
      await pipeline.write('INSERT INTO items (id, owner) VALUES (2, 1)');
      await pipeline.untilEqual();
    },
  );
});

async function writeUntil(pipeline: Pipeline, signal: AbortSignal): Promise<void> {
  for (let id = 100; !signal.aborted; id++) {
    await pipeline.write(`INSERT INTO items (id, owner) VALUES (${id}, ${id % 2})`);
    await sleep(50);
  }
}
