/** Servers that are away while a daemon starts, also between two of its steps: it waits where everybody sees it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import type { Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

let sandbox: Sandbox;
let west: SandboxServer;
let north: SandboxServer;
let kafka: SandboxServer;

beforeAll(async () => {
  sandbox = await startSandbox({ ownServers: true, postgres: ['west', 'north'], kafka: true });
  [west, north] = [sandbox.postgres[0]!, sandbox.postgres[1]!];
  kafka = sandbox.kafka!;
}, 120_000);
afterAll(async () => await sandbox.stop());

async function pipelineOf(t: TestContext): Promise<Pipeline> {
  const pipeline = await Pipeline.create(t, {
    tables: [itemsTable()],
    targets: [
      { name: 'west', server: west },
      { name: 'north', server: north },
    ],
    brokers: sandbox.brokers,
  });
  // The next test begins with all of them, also when this one failed half-way.
  t.onTestFinished(async () => {
    for (const server of [west, north, kafka]) if (server.pid === undefined) await server.start();
  });
  return pipeline;
}

async function untilWaiting(daemon: Daemon, what: string, code: string, server: string): Promise<string> {
  const { outages } = await daemon.untilStatus(
    what,
    (status) => status.outages.some((outage) => outage.errorCode === code && outage.server === server),
    60_000,
  );
  return outages.map(({ part }) => part).join(', ');
}

async function untilFlowing(pipeline: Pipeline, daemon: Daemon, id: number): Promise<void> {
  await daemon.untilRunning(60_000);
  await pipeline.write(`INSERT INTO items (id, owner, code) VALUES (${id}, 0, 'flows')`);
  await pipeline.untilEqual(60_000);
  await daemon.untilStatus('no outages', ({ outages }) => outages.length === 0);
  expect(daemon.exit).toBeUndefined();
}

describe('a daemon that starts', () => {
  it('while Kafka is away waits for it', async (t) => {
    const pipeline = await pipelineOf(t);
    await kafka.kill();
    const daemon = pipeline.start();
    await untilWaiting(daemon, 'Kafka to be waited for', 'ROWFERRY_KAFKA_LINK', 'kafka');
    await kafka.start();
    await untilFlowing(pipeline, daemon, 1);
  });

  it('waits for Kafka that goes away while it waits for a target', async (t) => {
    const pipeline = await pipelineOf(t);
    await west.stop();
    const daemon = pipeline.start({ role: 'apply' });
    await untilWaiting(daemon, 'west to be waited for', 'ROWFERRY_TARGET_LINK', 'target west');
    await kafka.kill();
    await west.start();
    // The topics are made, the layout is not agreed on: its reading shows that it waits.
    const part = await untilWaiting(daemon, 'Kafka to be waited for', 'ROWFERRY_KAFKA_LINK', 'kafka');
    expect(part).toContain('layout');
    await kafka.start();
    const capture = pipeline.start({ role: 'capture' });
    await capture.untilRunning(60_000);
    await untilFlowing(pipeline, daemon, 2);
  });

  it('waits for a target that goes away while it waits for another one', async (t) => {
    const pipeline = await pipelineOf(t);
    await west.stop();
    const daemon = pipeline.start();
    await untilWaiting(daemon, 'west to be waited for', 'ROWFERRY_TARGET_LINK', 'target west');
    await north.stop();
    await west.start();
    // Both were opened once: their tables are looked at next.
    const part = await untilWaiting(daemon, 'north to be waited for', 'ROWFERRY_TARGET_LINK', 'target north');
    expect(part).toContain('target tables');
    await north.start();
    await untilFlowing(pipeline, daemon, 3);
  });
});
