import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

describe('MariaDB as the source', () => {
  it('is ferried to MySQL and PostgreSQL, with a kill in between', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: SHOP,
      source: testServers().mariadb,
      sessionTimeoutMs: 1_000,
    });
    await pipeline.seedShop(SMALL_SHOP);
    const daemon = await pipeline.startRunning();
    const load = startLoad(pipeline);
    await sleep(3_000);
    await daemon.kill();
    await pipeline.startRunning();
    await sleep(2_000);
    await load.stop();
    await pipeline.untilEqual();
  });
});
