/** Reported lag, held against the test's own clock (LAG-3): a status tells lags for its own `timeMs`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { TestContext } from 'vitest';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import type { DaemonView } from '../../scripts/lib/daemon-status.ts';
import { percentile } from '../../scripts/lib/percentile.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { quantile } from '../../src/observe/histogram.ts';
import { Api } from '../support/api.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { Pipeline, type PipelineOptions } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { leadThrough, proxyOf } from '../support/proxied.ts';
import { testServers } from '../support/servers.ts';

/** What a reported lag may be off. */
const ERROR_MS = 100;
const HEARTBEAT_MS = 500;

/** A commit, by the test's clock: it came between the two. */
interface Committed {
  readonly afterMs: number;
  readonly beforeMs: number;
}

async function commit(pipeline: Pipeline, sql: string): Promise<Committed> {
  const afterMs = Date.now();
  await pipeline.write(sql);
  return { afterMs, beforeMs: Date.now() };
}

/** The lag is the age of a commit, or of one that lies between two. */
function expectAge(
  lagMs: number | null | undefined,
  { timeMs }: DaemonView,
  first: Committed,
  last: Committed = first,
): void {
  expect(lagMs, 'the lag').toBeGreaterThan(timeMs - last.beforeMs - ERROR_MS);
  expect(lagMs, 'the lag').toBeLessThan(timeMs - first.afterMs + ERROR_MS);
}

async function itemsPipeline(t: TestContext, options: PipelineOptions = {}): Promise<Pipeline> {
  return await Pipeline.create(t, {
    tables: [itemsTable()],
    ...options,
    configure: (config) => {
      for (const source of Object.values(config.sources)) source['heartbeatMs'] = HEARTBEAT_MS;
      options.configure?.(config);
    },
  });
}

const stop = (proxy: FaultProxy): void => {
  proxy.faults.refuse = true;
  proxy.cut();
};

async function untilNoLag(daemon: Daemon): Promise<DaemonView> {
  return await daemon.untilStatus(
    'lag to be gone',
    ({ lagMs, partitions }) => lagMs === 0 && partitions.length > 0,
  );
}

async function untilLag(
  daemon: Daemon,
  ms: number,
  of: (status: DaemonView) => unknown,
): Promise<DaemonView> {
  return await daemon.untilStatus(`lag to rise above ${ms} ms`, (status) => Number(of(status)) > ms);
}

const overall = ({ lagMs }: DaemonView): number | null => lagMs;
const most = (lags: readonly { readonly lagMs: number | null }[]): number =>
  Math.max(...lags.map(({ lagMs }) => lagMs ?? Infinity));

describe('lag', () => {
  it('is 0 on an empty pipeline from its first seconds on, and stays there while nothing is written', async (t) => {
    const pipeline = await itemsPipeline(t);
    const daemon = pipeline.start();
    const { timeMs } = await untilNoLag(daemon);
    const lags = new Map<number, number | null>();
    await daemon.untilStatus('some heartbeats to pass', (status) => {
      lags.set(status.timeMs, status.lagMs);
      return status.timeMs > timeMs + 6 * HEARTBEAT_MS;
    });
    expect(lags.size).toBeGreaterThan(3);
    expect([...lags.values()].filter((lagMs) => lagMs !== 0)).toEqual([]);
    const { captures, targets } = daemon.status!;
    expect([most(captures), most(targets)]).toEqual([0, 0]);
  });

  it('is the true delay under load, not 0, when the way is slow', async (t) => {
    const proxy = await proxyOf(t, testServers().src);
    const pipeline = await itemsPipeline(t, {
      configure: ({ sources }) => leadThrough(proxy, sources['main']),
    });
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    proxy.faults.delayMs = 300;
    const load = new AbortController();
    const written = writeUntil(pipeline, load.signal);
    const slow = await untilLag(daemon, 300 - ERROR_MS, overall);
    expect(slow.captures[0]?.state).toBe('reading');
    await daemon.untilStatus('every partition to show it', ({ partitions }) =>
      partitions.every(({ lagMs }) => (lagMs ?? 0) >= 300 - ERROR_MS),
    );
    load.abort();
    await written;
    proxy.heal();
    await pipeline.untilEqual();
    await untilNoLag(daemon);
  });

  it('under load is as small as changes are fast, wherever it is read, and not the age of a report', async (t) => {
    const pipeline = await itemsPipeline(t);
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    const api = new Api(daemon);
    const load = new AbortController();
    const writing = writeUntil(pipeline, load.signal);
    const told = { file: [] as number[], api: [] as number[] };
    const read = new Set<number>();
    while (told.file.length < 12) {
      const { timeMs, lagMs } = daemon.status!;
      if (!read.has(timeMs) && lagMs !== null) told.file.push(lagMs);
      read.add(timeMs);
      told.api.push(Number((await api.get('/api/lag')).body['lagMs']));
      await sleep(150);
    }
    load.abort();
    await writing;
    const { delays } = await daemon.untilStatus(
      'a status behind the load',
      ({ timeMs }) => timeMs > Date.now() - 50,
    );
    // What most changes took, by the clocks of source and target; a lag is looked at in the middle of one.
    const mostMs = 1_000 * (quantile(delays!, 0.95) ?? NaN);
    for (const [where, lags] of Object.entries(told))
      expect(percentile(lags, 0.5), where).toBeLessThan(mostMs + ERROR_MS);
  });

  it('rises while applying is paused, by the oldest commit that waits', async (t) => {
    const pipeline = await itemsPipeline(t);
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    const api = new Api(daemon);
    await api.post('/api/pause', { role: 'apply' });
    await daemon.untilStatus('every partition to hold', ({ partitions }) =>
      partitions.every(({ state }) => state === 'paused'),
    );
    await sleep(2 * HEARTBEAT_MS);
    const first = await commit(pipeline, 'INSERT INTO items (id, owner) VALUES (1, 0)');
    await sleep(HEARTBEAT_MS);
    await pipeline.write('INSERT INTO items (id, owner) VALUES (2, 1), (3, 1), (4, 0), (5, 1)');
    const late = await untilLag(daemon, 3_000, ({ timeMs }) => timeMs - first.beforeMs);
    expect(late.lagMs).toBe(most(late.partitions));
    expect(late.lagMs).toBeGreaterThanOrEqual(late.timeMs - first.beforeMs - ERROR_MS);
    const ages = late.partitions.map(({ lagMs }) => Math.abs((lagMs ?? 0) - (late.timeMs - first.beforeMs)));
    expect(Math.min(...ages)).toBeLessThan(ERROR_MS + first.beforeMs - first.afterMs);
    // Asked now, it tells for now.
    const askedMs = Date.now();
    const { body } = await api.get('/api/lag');
    expect(body['lagMs']).toBeGreaterThanOrEqual(askedMs - first.beforeMs - ERROR_MS);
    await api.post('/api/resume', {});
    await pipeline.untilEqual();
    await untilNoLag(daemon);
  });

  it.for(['cut', 'blackholed'] as const)('rises when the link to the source is %s', async (how, t) => {
    const proxy = await proxyOf(t, testServers().src);
    const pipeline = await itemsPipeline(t, {
      partitions: 1,
      configure: ({ sources }) => leadThrough(proxy, sources['main']),
    });
    const daemon = await pipeline.startRunning();
    const load = new AbortController();
    const writing = writeUntil(pipeline, load.signal);
    await daemon.untilStatus('rows to flow', ({ rows }) => rows > 10);
    if (how === 'cut') stop(proxy);
    else proxy.faults.blackHole = true;
    // It may be told as it was reported until a second report says the same.
    let risesSinceMs = Infinity;
    const late = await daemon.untilStatus(
      'lag to rise at both ends of Kafka',
      ({ captures, partitions, lagMs, timeMs }) => {
        const isLate = [{ lagMs }, ...captures, ...partitions].every((part) => (part.lagMs ?? 0) > 4_000);
        risesSinceMs = isLate ? Math.min(risesSinceMs, timeMs) : Infinity;
        return timeMs - risesSinceMs > 1_000;
      },
    );
    load.abort();
    const written = await writing;
    const applied = await pipeline.count('west', 'SELECT MAX(id) FROM items WHERE owner = 1');
    const east = await pipeline.count('east', 'SELECT MAX(id) FROM items WHERE owner = 0');
    const last = Math.max(applied, east);
    const [newest, oldest] = [written.get(last), written.get(last + 1)];
    if (newest === undefined || oldest === undefined)
      throw new Error(`rows ${last} and ${last + 1} were not written`);
    for (const { lagMs } of [late, ...late.partitions, ...late.captures])
      expectAge(lagMs, late, newest, oldest);
    proxy.heal();
    await pipeline.untilEqual();
    await untilNoLag(daemon);
  });

  it('rises when Kafka stops, as the capture sees it and as the appliers see it', async (t) => {
    const sandbox = await startSandbox({ ownServers: true, kafka: true });
    t.onTestFinished(async () => await sandbox.stop());
    const pipeline = await itemsPipeline(t, { brokers: sandbox.brokers });
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    await sandbox.kafka?.pause();
    const first = await commit(pipeline, 'INSERT INTO items (id, owner) VALUES (1, 0)');
    const late = await daemon.untilStatus(
      'lag to rise at both ends of Kafka',
      ({ captures, partitions }) =>
        partitions.length > 0 && [...captures, ...partitions].every(({ lagMs }) => (lagMs ?? 0) > 4_000),
    );
    expectAge(late.captures[0]?.lagMs, late, first);
    expect(late.lagMs).toBe(most([...late.captures, ...late.partitions]));
    await sandbox.kafka?.resume();
    await pipeline.untilEqual();
    await untilNoLag(daemon);
  });

  it('of a target that is away rises with the partitions that wait for it; another one has what it has', async (t) => {
    const proxy = await proxyOf(t, testServers().shard);
    const pipeline = await itemsPipeline(t, {
      partitions: 1,
      configure: (config) => {
        const east = config.targets['east']!;
        east['url'] = proxy.through(String(east['url']));
      },
    });
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    stop(proxy);
    // Both go into one batch: west gets its row.
    const first = await commit(pipeline, 'INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
    const late = await untilLag(daemon, 4_000, ({ timeMs }) => timeMs - first.beforeMs);
    const of = (target: string) => late.targets.find((found) => found.target === target)?.lagMs ?? 0;
    expect(of('east')).toBeGreaterThan(late.timeMs - first.beforeMs - ERROR_MS);
    expect(of('east')).toBe(most(late.partitions));
    expect(of('west')).toBeLessThanOrEqual(of('east'));
    expect(late.lagMs).toBe(of('east'));
    proxy.heal();
    await pipeline.untilEqual();
    const { targets } = await untilNoLag(daemon);
    expect(most(targets)).toBe(0);
  });

  it('of one partition that is stuck rises alone, and is the lag of all', async (t) => {
    const pipeline = await itemsPipeline(t, { partitions: 8 });
    const daemon = await pipeline.startRunning();
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 1)');
    await pipeline.untilEqual();
    const lock = new Client({
      connectionString: pipeline.targets.find(({ target }) => target === 'west')!.url,
    });
    await lock.connect();
    try {
      await lock.query('BEGIN');
      await lock.query('SELECT id FROM items WHERE id = 1 FOR UPDATE');
      const first = await commit(pipeline, 'UPDATE items SET n = 1 WHERE id = 1');
      const late = await untilLag(daemon, 4_000, overall);
      const stuck = late.partitions.filter(({ lagMs }) => lagMs !== 0);
      expect(stuck).toHaveLength(1);
      for (const lagMs of [stuck[0]?.lagMs, late.lagMs]) expectAge(lagMs, late, first);
    } finally {
      await lock.end();
    }
    await pipeline.untilEqual();
    await untilNoLag(daemon);
  });

  it('of MariaDB goes neither by a time that a session has set nor by how long a transaction took', async (t) => {
    const pipeline = await itemsPipeline(t, { source: testServers().mariadb });
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    const session = await pipeline.source.pool.getConnection();
    t.onTestFinished(() => session.destroy());
    await session.query('BEGIN');
    await session.query('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
    await sleep(4_000);
    await session.query('COMMIT');
    const { delays } = await daemon.untilStatus('both rows to be applied', ({ rows }) => rows === 2);
    expect(quantile(delays!, 1)).toBeLessThan(2);

    await session.query('SET timestamp = UNIX_TIMESTAMP() + 86400');
    await session.query('INSERT INTO items (id, owner) VALUES (3, 0), (4, 1)');
    await daemon.untilStatus('both rows to be applied', ({ rows }) => rows === 4);
    await new Api(daemon).post('/api/pause', { role: 'apply' });
    await daemon.untilStatus('every partition to hold', ({ partitions }) =>
      partitions.every(({ state }) => state === 'paused'),
    );
    const first = await commit(pipeline, 'INSERT INTO items (id, owner) VALUES (5, 0)');
    const late = await untilLag(daemon, 3_000, ({ timeMs }) => timeMs - first.beforeMs);
    expect(late.lagMs).toBeGreaterThan(late.timeMs - first.beforeMs - ERROR_MS);
  });

  it('is the age of the statement while a table waits for an operator, also when the link breaks or capture is paused', async (t) => {
    const proxy = await proxyOf(t, testServers().src);
    const pipeline = await itemsPipeline(t, {
      configure: ({ sources }) => leadThrough(proxy, sources['main']),
    });
    const daemon = await pipeline.startRunning();
    await untilNoLag(daemon);
    const statement = await commit(pipeline, 'ALTER TABLE items DROP COLUMN n');
    const late = await untilLag(daemon, 3_000, overall);
    expect(late.captures[0]?.held).toHaveLength(1);
    expect([...late.partitions, ...late.captures].map(({ lagMs }) => lagMs)).toEqual([0, 0, 0, 0, 0]);
    expectAge(late.lagMs, late, statement);

    stop(proxy);
    const states = new Set<string>();
    await daemon.untilStatus('the capture to try and to wait', ({ captures, timeMs, lagMs }) => {
      const [capture] = captures;
      states.add(capture?.state ?? '');
      expect(capture?.held, capture?.state).toHaveLength(1);
      expect(lagMs, capture?.state).toBeGreaterThan(timeMs - statement.beforeMs - ERROR_MS);
      return states.has('waiting') && timeMs - late.timeMs > 4_000;
    });
    proxy.heal();
    await daemon.untilStatus('the capture to read again', ({ captures }) => captures[0]?.state === 'reading');

    await new Api(daemon).post('/api/pause', { role: 'capture', source: 'main' });
    await daemon.untilStatus('the capture to be paused', ({ captures }) => captures[0]?.state === 'paused');
    await daemon.kill();
    const paused = await pipeline.start().untilStatus('what is held to be known', ({ captures }) => {
      const [capture] = captures;
      return capture?.state === 'paused' && capture.held.length > 0 && capture.binlogOlderBytes !== null;
    });
    expect(paused.captures[0]?.position).not.toBeNull();
  });
});

/** Writes row after row, at both targets in turn, and tells when each was committed. */
async function writeUntil(pipeline: Pipeline, signal: AbortSignal): Promise<ReadonlyMap<number, Committed>> {
  const written = new Map<number, Committed>();
  for (let id = 1; !signal.aborted; id++) {
    written.set(id, await commit(pipeline, `INSERT INTO items (id, owner) VALUES (${id}, ${id % 2})`));
    await sleep(10);
  }
  return written;
}
