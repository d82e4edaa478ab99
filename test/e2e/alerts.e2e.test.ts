import { cpSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'vitest';
import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { alertsCommand } from '../../src/cli/alerts.ts';
import { Api } from '../support/api.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { leadThrough, proxyOf } from '../support/proxied.ts';
import { runVerb } from '../support/run-verb.ts';
import { testServers } from '../support/servers.ts';

const IDLE_MS = 20_000;

/** What tells of trouble, with limits that an idle pipeline would soon pass if idleness counted; not what the machine's load decides. */
const RULES = [
  ['lag', 'lag_seconds > 5 s', '{topic}/{partition} of {source}: {value}'],
  ['lag_unknown', 'lag_unknown_seconds > 5 s', '{partition}'],
  ['stalled', 'no_progress_for > 5 s', '{source}'],
  ['waiting', 'waiting_seconds > 1 s', '{part}'],
  ['unreachable', 'target_unreachable_seconds > 1 s', '{target}'],
  ['reconnects', 'reconnect_failures >= 3', '{server}'],
  ['checkpoint', 'checkpoint_age_seconds > 15 s', '{source}'],
  ['partitions', 'partition_stopped > 0', '{code}'],
  ['captures', 'capture_stopped > 0', '{source}'],
  ['queues', 'queue_fill > 50%', '{queue}'],
  ['parked', 'parked_rows > 0', '{table}'],
  ['held', 'held_tables > 0', '{table}'],
  ['copies', 'progress_speed < 1000000 rows/s or progress_speed >= 0', '{source}'],
].map(([name, condition, message]) => ({
  name,
  condition,
  message,
  level: 'critical',
  for: '2 s',
  keepFiring: '0 s',
}));

interface Told {
  readonly status: string;
  readonly rule: string;
  readonly labels: Readonly<Record<string, string>>;
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}

/** A receiver of webhooks, and what it was told. */
async function receiver(t: TestContext): Promise<{ readonly url: string; readonly told: readonly Told[] }> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as { readonly alerts: readonly Told[] };
      told.push(...body.alerts.map(({ status, rule, labels }) => ({ status, rule, labels })));
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, told };
}

describe('alerts of a daemon', () => {
  it('are silent while nothing is wrong, tell of a target that is away and when it is back, and keep quiet when asked to', async (t) => {
    const hook = await receiver(t);
    const { mariadb, shard } = testServers();
    const proxy = await proxyOf(t, shard);
    const pipeline = await Pipeline.create(t, {
      source: mariadb,
      tables: [itemsTable()],
      configure: (config) => {
        leadThrough(proxy, config.targets['east']);
        config['alerts'] = {
          rules: { migration_alerts: { tests: RULES } },
          channels: { ops: { type: 'webhook', url: hook.url } },
        };
      },
    });
    const daemon = await pipeline.startRunning();
    const api = new Api(daemon);
    await pipeline.write('INSERT INTO items (id, owner) VALUES (1, 0), (2, 1)');
    await pipeline.untilEqual();

    // To begin takes longer than these limits allow.
    await waitUntil(
      async () => {
        const { alerts, channels } = (await api.get('/api/alerts')).body;
        return isEmpty(alerts) && (channels as { waiting: number }[]).every(({ waiting }) => waiting === 0);
      },
      { what: 'the beginning to be over' },
    );
    const atStart = hook.told.length;

    await sleep(IDLE_MS);
    expect(hook.told.slice(atStart)).toEqual([]);
    const idle = (await api.get('/api/alerts')).body;
    expect(idle).toMatchObject({ alerts: [], silences: [] });
    const measured = (idle['rules'] as { name: string; hasData: boolean }[]).filter(({ hasData }) => hasData);
    expect(measured.map(({ name }) => name)).toEqual(
      // Of the others there is nothing: no row is parked, no table held, no copy at work.
      RULES.map(({ name }) => name).filter((name) => !['parked', 'held', 'copies'].includes(name ?? '')),
    );

    const silence = { rule: 'reconnects', forMs: 60_000, reason: 'a test' };
    expect(await api.post('/api/alerts/silence', silence, null)).toMatchObject({ status: 401 });
    expect(await api.post('/api/alerts/silence', { ...silence, rule: 'reconects' })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('did you mean reconnects?') },
    });
    expect(await api.post('/api/alerts/silence', silence)).toMatchObject({
      status: 200,
      body: { counts: { id: 1 } },
    });
    expect((await api.get('/api/audit')).body['entries']).toMatchObject([
      { action: 'alerts/silence', outcome: 'done', request: { rule: 'reconnects' } },
      { action: 'alerts/silence', outcome: 'ROWFERRY_CONFIG_INVALID' },
      { action: 'alerts/silence', outcome: 'unauthorized', who: 'nobody' },
    ]);

    proxy.faults.refuse = true;
    proxy.cut();
    await pipeline.write('INSERT INTO items (id, owner) VALUES (3, 0), (4, 1)');
    const firing = (status: string, rule: string): Told[] =>
      hook.told.slice(atStart).filter((one) => one.status === status && one.rule === rule);
    await waitUntil(() => firing('firing', 'lag').length > 0 && firing('firing', 'waiting').length > 0, {
      what: 'alerts of the target that is away',
      timeoutMs: 25_000,
    });
    expect(firing('firing', 'unreachable').map(({ labels }) => labels)).toEqual([{ target: 'east' }]);
    expect(firing('firing', 'waiting').map(({ labels }) => labels)).toEqual([{ part: 'apply' }]);
    for (const { labels } of firing('firing', 'lag'))
      expect(labels).toMatchObject({ source: 'main', topic: pipeline.topic });
    await waitUntil(
      async () =>
        ((await api.get('/api/alerts')).body['history'] as { alert: { rule: string } }[]).some(
          ({ alert }) => alert.rule === 'reconnects',
        ),
      { what: 'the silenced alert in the history' },
    );
    const metrics = await api.text('/metrics');
    expect(metrics).toMatch(/^rowferry_target_unreachable_seconds\{target="east"\} [1-9]/m);
    expect(metrics).toMatch(/^rowferry_target_unreachable_seconds\{target="west"\} 0$/m);

    proxy.heal();
    await pipeline.untilEqual();
    await waitUntil(
      () =>
        ['lag', 'waiting', 'unreachable'].every(
          (rule) => firing('resolved', rule).length === firing('firing', rule).length,
        ),
      { what: 'every alert to be resolved', timeoutMs: 20_000 },
    );
    expect(hook.told.filter(({ rule }) => rule === 'reconnects')).toEqual([]);
    expect(await daemon.stop()).toMatchObject({ code: 0 });
  });

  it('tell that a role has ended for good, before the process ends with it', async (t) => {
    const hook = await receiver(t);
    const pipeline = await Pipeline.create(t, {
      source: testServers().mariadb,
      tables: [itemsTable()],
      configure: (config) => {
        config['alerts'] = { channels: { ops: { type: 'webhook', url: hook.url } } };
      },
    });
    await pipeline.meddle('west', 'DROP TABLE items');
    const daemon = pipeline.start();
    expect(await pipeline.exitOf(daemon)).toEqual({ code: 2, signal: null });
    const stopped = hook.told.filter(({ rule }) => rule === 'role_stopped');
    expect(stopped).toEqual([
      { status: 'firing', rule: 'role_stopped', labels: { role: 'apply', source: '' } },
    ]);
  });

  it('of what another program reported go on over a kill and a stale report, until it reports that all is well', async (t) => {
    const hook = await receiver(t);
    const pipeline = await Pipeline.create(t, {
      source: testServers().mariadb,
      tables: [itemsTable()],
      configure: (config) => {
        const failed = { name: 'failed', condition: 'failed_rollbacks > 0', level: 'emergency' };
        config['alerts'] = {
          metrics: {
            failed_rollbacks: { unit: 'count', labels: ['service'], meaning: 'Failed.', staleMs: '1s' },
          },
          rules: {
            migration_alerts: { own: [{ ...failed, message: '{service}', keepFiring: '0 s' }] },
          },
          channels: { ops: { type: 'webhook', url: hook.url } },
        };
      },
    });
    const first = await pipeline.startRunning();
    const told = (status: string) => hook.told.filter((one) => one.status === status);
    const measures = [{ metric: 'failed_rollbacks', labels: { service: 'shop' }, value: 1 }];
    expect(await new Api(first).post('/api/measures', { measures }, null)).toMatchObject({ status: 401 });
    expect(await new Api(first).post('/api/measures', { measures })).toMatchObject({ status: 200 });
    // Kept as told: what a kill finds on its way is told once more.
    await waitUntil(
      async () => {
        const { channels } = (await new Api(first).get('/api/alerts')).body;
        return (channels as { sent: number; waiting: number }[]).every(
          ({ sent, waiting }) => sent > 0 && waiting === 0,
        );
      },
      { what: 'the alert to be told' },
    );
    await first.kill();
    cpSync(first.runDir, join(pipeline.folder, 'run-2'), { recursive: true });

    const second = await pipeline.startRunning();
    const api = new Api(second);
    await waitUntil(async () => (await api.get('/api/alerts')).body['atMs'] !== null, { what: 'a look' });
    expect((await api.get('/api/alerts')).body['alerts']).toMatchObject([
      { rule: 'failed', labels: { service: 'shop' }, value: null },
    ]);
    expect(await api.text('/metrics')).not.toContain('rowferry_failed_rollbacks{');
    expect([told('firing').length, told('resolved').length]).toEqual([1, 0]);

    const verb = ['report', 'failed_rollbacks', '0', '--label', 'service=shop', '-c', pipeline.configFile];
    const { lines } = await runVerb(alertsCommand, verb, {
      env: { ROWFERRY_TEST_RUN_DIR: second.runDir },
    });
    expect(lines).toEqual(['failed_rollbacks{service="shop"}: 1 -> 0']);
    await waitUntil(() => told('resolved').length === 1, { what: 'its end' });
    expect(await second.stop()).toMatchObject({ code: 0 });
  });
});
