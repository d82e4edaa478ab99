import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../scripts/lib/random.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { during, Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

/** How long to kill; an hour is fine, too. */
const SECONDS = Number(process.env['ROWFERRY_E2E_KILL_SECONDS'] ?? 40);
const SEED = Number(process.env['ROWFERRY_E2E_SEED'] ?? Date.now() % 1_000_000);

describe('a daemon under load', () => {
  it(
    `that is killed at random moments for ${SECONDS} s leaves every row right (seed ${SEED})`,
    { timeout: (SECONDS + 120) * 1_000 },
    async (t) => {
      const random = new Random(SEED);
      const pipeline = await Pipeline.create(t, { tables: SHOP, sessionTimeoutMs: 1_000 });
      await pipeline.seedShop(SMALL_SHOP);
      const load = startLoad(pipeline, { changesPerSecond: 800, seed: SEED });
      let kills = 0;
      await during(SECONDS * 1_000, async () => {
        const daemon = pipeline.start();
        await sleep(random.between(500, 6_000));
        expect(
          daemon.exit,
          `it ended by itself: ${daemon.describeExit()}\n${daemon.logTail()}`,
        ).toBeUndefined();
        await daemon.kill();
        kills += 1;
      });
      const { changes } = await load.stop();
      expect(kills).toBeGreaterThan(2);
      expect(changes).toBeGreaterThan(SECONDS * 50);
      await pipeline.startRunning();
      await pipeline.untilEqual();
    },
  );
});
