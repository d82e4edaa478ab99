import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

function present(server: SandboxServer | undefined): SandboxServer {
  if (server === undefined) throw new Error('the sandbox lacks a server that it was asked for');
  return server;
}

describe('a daemon whose servers go away under load', () => {
  it('waits for each of them, goes on by itself and has every row right in the end', async (t) => {
    const sandbox = await startSandbox({
      ownServers: true,
      mysql: ['source', 'east'],
      postgres: ['west'],
      kafka: true,
    });
    t.onTestFinished(async () => await sandbox.stop());
    const [source, east] = [present(sandbox.mysql[0]), present(sandbox.mysql[1])];
    const [west, kafka] = [present(sandbox.postgres[0]), present(sandbox.kafka)];
    const pipeline = await Pipeline.create(t, {
      tables: SHOP,
      source,
      targets: [
        { name: 'east', server: east },
        { name: 'west', server: west },
      ],
      brokers: sandbox.brokers,
    });
    await pipeline.seedShop(SMALL_SHOP);
    const daemon = await pipeline.startRunning();
    const load = startLoad(pipeline, { changesPerSecond: 400, survivesOutages: true });
    for (const server of [east, west, source, kafka]) {
      await server.kill();
      await sleep(1_000);
      await server.start();
      await daemon.untilRunning(45_000);
      const { rows = 0 } = daemon.status ?? {};
      await daemon.untilStatus(
        `rows to flow again after ${server.name} came back`,
        (status) => {
          load.check();
          return status.rows > rows;
        },
        45_000,
      );
    }
    await kafka.restart();
    await load.stop();
    await pipeline.untilEqual(90_000);
    expect(daemon.exit).toBeUndefined();
  });
});
