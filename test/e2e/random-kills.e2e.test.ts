import { describe, expect, it } from 'vitest';
import { Random } from '../../scripts/lib/random.ts';
import { killAtRandom } from '../support/kills.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

/** How long to kill; an hour is fine, too. */
const SECONDS = Number(process.env['ROWFERRY_E2E_KILL_SECONDS'] ?? 20);
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
      await killAtRandom(pipeline, random, SECONDS * 1_000, { fromMs: 500, toMs: 6_000 });
      const { changes } = await load.stop();
      expect(changes).toBeGreaterThan(SECONDS * 50);
      await pipeline.startRunning();
      await pipeline.untilEqual();
    },
  );
});
