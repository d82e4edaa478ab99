import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

const PARTITIONS = 2;

interface Line {
  readonly level: number;
  readonly msg: string;
}

/** How often each message was written at `info` and above, whatever it is about in particular. */
function counts(log: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const text of log.split('\n')) {
    if (!text.startsWith('{')) continue;
    const { level, msg } = JSON.parse(text) as Line;
    if (level < 30) continue;
    const message = msg.replaceAll(/\d+/g, 'N');
    found.set(message, (found.get(message) ?? 0) + 1);
  }
  return found;
}

describe('a daemon whose target is away for 20 s and whose Kafka for 10 s', () => {
  it('shows which parts wait, resumes by itself, and says each change of state once', async (t) => {
    const sandbox = await startSandbox({
      ownServers: true,
      mysql: ['source'],
      postgres: ['west'],
      kafka: true,
    });
    t.onTestFinished(async () => await sandbox.stop());
    const [source, west, kafka] = [sandbox.mysql[0]!, sandbox.postgres[0]!, sandbox.kafka as SandboxServer];
    const pipeline = await Pipeline.create(t, {
      tables: SHOP,
      source,
      targets: [{ name: 'west', server: west }],
      brokers: sandbox.brokers,
      partitions: PARTITIONS,
    });
    await pipeline.seedShop(SMALL_SHOP);
    const daemon = await pipeline.startRunning();
    const load = startLoad(pipeline, { changesPerSecond: 50, survivesOutages: true });
    await west.kill();
    await daemon.untilStatus(
      'partitions to probe once three tries failed',
      ({ outages }) => {
        load.check();
        return outages.some(({ phase, tries, errorCode }) => {
          return phase === 'probing' && tries === 3 && errorCode === 'ROWFERRY_TARGET_LINK';
        });
      },
      60_000,
    );
    await sleep(10_000);
    await west.start();
    await daemon.untilStatus('nobody to wait any more', ({ outages }) => outages.length === 0, 60_000);
    await kafka.kill();
    const kafkaMs = Date.now();
    await daemon.untilStatus('applying to be shown waiting for Kafka', ({ outages }) =>
      outages.some(
        ({ part, errorCode }) => part.startsWith('consumer ') && errorCode === 'ROWFERRY_KAFKA_LINK',
      ),
    );
    await sleep(Math.max(0, kafkaMs + 10_000 - Date.now()));
    await kafka.start();
    const { rows = 0 } = daemon.status ?? {};
    await daemon.untilStatus('rows to flow again', (status) => status.rows > rows, 60_000);
    await load.stop();
    await pipeline.untilEqual(90_000);
    await waitUntil(() => daemon.status?.outages.length === 0, {
      what: 'no outages',
      timeoutMs: 20_000,
      details: () => JSON.stringify(daemon.status?.outages),
    });
    const written = counts(daemon.log);
    // One line a row that healed: the load makes them.
    written.delete('a parked row has healed');
    for (const [message, count] of written) {
      // Both partitions, both outages, and a consumer or two that joins again: each has changes of its own to tell.
      expect(count, message).toBeLessThanOrEqual(4 * PARTITIONS);
    }
    const probing = [...written].filter(([message]) => message.includes('is probing: N tries failed'));
    expect(probing.length).toBeGreaterThan(0);
    expect(daemon.exit).toBeUndefined();
  });
});
