import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { METRICS } from '../../src/server/metric-table.ts';
import { pauseCommand, resumeCommand } from '../../src/cli/operate.ts';
import { statusCommand } from '../../src/cli/status.ts';
import { Api } from '../support/api.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { runVerb } from '../support/run-verb.ts';

const LAG_MS = 4_000;

describe('a daemon over HTTP', () => {
  it('tells what it does in every documented form, and asks for a token before it changes anything', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    const api = new Api(daemon);
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1), (3, 2)');
    await pipeline.untilEqual();

    for (const url of ['/livez', '/readyz']) expect(await api.get(url)).toMatchObject({ status: 200 });
    for (const url of ['status', 'lag', 'positions?last=3', 'parked', 'snapshot', 'alerts', 'audit']) {
      expect(await api.get(`/api/${url}`), url).toMatchObject({ status: 200 });
    }
    const metrics = await api.text('/metrics');
    const told = [...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(told)).toEqual(new Set(METRICS.map(({ name }) => name)));
    expect(metrics).toMatch(
      /^rowferry_rows_applied_total\{target="east",table="items",operation="upsert"\} [1-9]/m,
    );
    expect(metrics).toMatch(/^rowferry_lag_seconds\{source="main",topic="[^"]+",partition="0"\} \d/m);
    expect(metrics).toMatch(/^rowferry_target_lag_seconds\{target="west"\} \d/m);
    expect(metrics).toMatch(/^rowferry_batch_rows_bucket\{le="\+Inf"\} [1-9]/m);

    for (const token of [null, 'a-token-that-is-wrong']) {
      expect(await api.post('/api/pause', { role: 'apply' }, token)).toMatchObject({
        status: 401,
        body: { code: 'unauthorized' },
      });
    }
    expect((await api.get('/api/status')).body).toMatchObject({ pause: null });
    expect(await api.post('/api/pause', { role: 'nobody' })).toMatchObject({ status: 400 });
    expect(await api.post('/api/log-level', { level: 'warn' })).toMatchObject({
      status: 200,
      body: { changes: [{ part: 'log', from: 'debug', to: 'warn' }] },
    });
    expect(await api.post('/api/parked/retry', {})).toMatchObject({
      status: 200,
      body: { counts: { healed: 0 } },
    });
    expect(await api.post('/api/parked/drop', { expect: 2 })).toMatchObject({ status: 400 });
    const { body } = await api.get('/api/audit');
    expect(body['entries']).toMatchObject([
      { action: 'parked/drop', outcome: 'ROWFERRY_CONFIG_INVALID' },
      { action: 'parked/retry', outcome: 'done' },
      { action: 'log-level', outcome: 'done', remote: '127.0.0.1' },
      // The tries before it, which were refused.
      {},
      {},
      {},
    ]);
    expect(await daemon.stop()).toMatchObject({ code: 0 });
  });

  it('holds applying while it is paused, across a restart, with lag that rises, and catches up', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const first = await pipeline.startRunning();
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (11, 1)');
    await pipeline.untilEqual();

    const paused = await new Api(first).post('/api/pause', { role: 'apply' });
    expect(paused.body['changes']).toEqual([{ part: 'apply', from: 'running', to: 'paused' }]);
    await first.untilStatus('every partition to hold', ({ partitions }) =>
      partitions.every(({ state }) => state === 'paused'),
    );
    await pipeline.write('INSERT INTO items (id, owner) VALUES (2, 0), (12, 1)');
    const behind = await first.untilStatus('lag to rise', ({ lagMs }) => (lagMs ?? 0) > LAG_MS);
    expect(behind.partitions.every(({ state }) => state === 'paused')).toBe(true);
    expect(await new Api(first).get('/readyz')).toMatchObject({ status: 200 });
    await first.stop();

    const second = pipeline.start();
    await second.untilStatus(
      'the next process to hold as well, and to know how late it is',
      ({ partitions, lagMs }) =>
        partitions.length > 0 && partitions.every(({ state }) => state === 'paused') && (lagMs ?? 0) > LAG_MS,
    );
    expect(await pipeline.count('east', 'SELECT COUNT(*) FROM items')).toBe(1);

    const resumed = await new Api(second).post('/api/resume', {});
    expect(resumed.body['changes']).toEqual([
      { part: 'apply', from: 'paused', to: 'running' },
      { part: 'capture main', from: 'running', to: 'running' },
    ]);
    await pipeline.untilEqual();
    await second.untilStatus('lag to be gone', ({ lagMs }) => lagMs === 0);
  });

  it('holds capturing at its place and keeps the source, and goes on from there', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    const api = new Api(daemon);
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (11, 1)');
    await pipeline.untilEqual();
    await api.post('/api/pause', { role: 'capture', source: 'main' });
    await daemon.untilStatus('capture to hold', ({ captures }) =>
      captures.every(({ state }) => state === 'paused'),
    );
    await pipeline.write('INSERT INTO items (id, owner) VALUES (2, 0), (12, 1)');
    await daemon.untilStatus('lag to rise', ({ lagMs }) => (lagMs ?? 0) > LAG_MS);
    expect(await pipeline.count('west', 'SELECT COUNT(*) FROM items')).toBe(1);
    expect(await api.get('/readyz')).toMatchObject({ status: 200 });
    await api.post('/api/resume', { role: 'capture' });
    await pipeline.untilEqual();
    await daemon.untilStatus('lag to be gone', ({ lagMs }) => lagMs === 0);
  });

  it('is not ready while a partition is stopped, says which part and why, and tries at once when it is resumed', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    const api = new Api(daemon);
    await pipeline.meddle('east', 'RENAME TABLE items TO items_away');
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (11, 1)');
    const notReady = await waitUntil(
      async () => {
        const answer = await api.get('/readyz');
        // A capture that begins is not ready for a moment either.
        const isStopped = JSON.stringify(answer.body).includes('stopped with');
        return answer.status === 503 && isStopped ? answer : undefined;
      },
      { what: 'a part to have stopped', timeoutMs: 30_000 },
    );
    const parts = notReady.body['parts'] as { part: string; ready: boolean; reason: string | null }[];
    const failing = parts.filter(({ reason }) => reason?.startsWith('stopped') === true);
    expect(failing).toMatchObject([{ reason: 'stopped with ROWFERRY_TARGET_SCHEMA' }]);
    expect(failing[0]?.part).toContain(pipeline.topic);
    // It waits longer from try to try; whoever has mended what it waits for need not.
    const SOON_MS = 6_000;
    const stopped = await daemon.untilStatus('the next try to be far away', ({ partitions }) =>
      partitions.some(({ nextTryMs }) => nextTryMs !== null && nextTryMs > Date.now() + SOON_MS),
    );
    const late = stopped.partitions.find(({ nextTryMs }) => nextTryMs !== null);
    await pipeline.meddle('east', 'RENAME TABLE items_away TO items');
    const here = { env: { ROWFERRY_TEST_RUN_DIR: daemon.runDir } };
    const resumed = await runVerb(resumeCommand, ['--config', pipeline.configFile], here);
    expect(resumed.lines.at(-1)).toBe('1 part that waited for the next try: it is made now');
    await pipeline.untilEqual();
    const again = await daemon.untilStatus('every partition to run', ({ partitions }) =>
      partitions.every(({ state }) => state === 'running'),
    );
    const mended = again.partitions.find(({ partition }) => partition === late?.partition);
    expect(mended?.sinceMs).toBeLessThan(late?.nextTryMs ?? 0);
    await waitUntil(async () => (await api.get('/readyz')).status === 200, {
      what: 'the daemon to be ready again',
    });
  });

  it('is what the command line asks when it runs here; elsewhere a pause goes straight to Kafka', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    const args = ['--config', pipeline.configFile];
    const here = { env: { ROWFERRY_TEST_RUN_DIR: daemon.runDir } };
    const elsewhere = { env: { ROWFERRY_TEST_RUN_DIR: pipeline.folder } };

    const paused = await runVerb(pauseCommand, [...args, '--role', 'apply'], here);
    expect(paused.lines).toEqual(['apply is paused; processes follow within seconds']);
    expect((await new Api(daemon).get('/api/audit')).body['entries']).toMatchObject([{ action: 'pause' }]);
    await daemon.untilStatus('every partition to hold', ({ partitions }) =>
      partitions.every(({ state }) => state === 'paused'),
    );
    const status = await runVerb(statusCommand, args, here);
    expect(status.lines.join('\n')).toContain(`pid ${daemon.pid}`);
    expect(status.lines.join('\n')).toContain('paused');

    const resumed = await runVerb(resumeCommand, [...args, '--role', 'apply'], elsewhere);
    expect(resumed.lines).toEqual(['apply is running; processes follow within seconds']);
    expect((await new Api(daemon).get('/api/audit')).body['entries']).toHaveLength(1);
    await pipeline.untilEqual();

    const stop = new AbortController();
    setTimeout(() => stop.abort(), 2_500);
    const watched = await runVerb(statusCommand, [...args, '--watch'], { ...here, signal: stop.signal });
    expect(watched.lines.length).toBeGreaterThan(1);
    expect(watched.lines.join('\n')).toMatch(/partitions 4 running/);
  });
});
