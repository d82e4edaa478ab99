import { describe, expect, it } from 'vitest';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

const PARTITIONS = 4;

describe('two daemons of one pipeline', () => {
  it('share the partitions; the one that stands by captures when the active one is killed', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: SHOP,
      partitions: PARTITIONS,
      sessionTimeoutMs: 1_500,
    });
    await pipeline.seedShop(SMALL_SHOP);
    const first = await pipeline.startRunning();
    const load = startLoad(pipeline);
    const second = pipeline.start();
    const standing = await second.untilStatus(
      'the second daemon to stand by and take its share',
      ({ captures, partitions }) =>
        captures.some(({ state }) => state === 'standby') &&
        partitions.length > 0 &&
        partitions.length < PARTITIONS,
    );
    expect(first.status?.captures[0]?.state).toBe('reading');
    const shares = await first.untilStatus(
      'both to have what they share',
      ({ partitions }) => partitions.length + standing.partitions.length === PARTITIONS,
    );
    expect(shares.partitions.map(({ partition }) => partition)).not.toEqual(
      standing.partitions.map(({ partition }) => partition),
    );

    await first.kill();
    await second.untilStatus(
      'the second daemon to do everything',
      ({ captures, partitions }) =>
        captures.every(({ state }) => state === 'reading') &&
        partitions.length === PARTITIONS &&
        partitions.every(({ state }) => state === 'running'),
    );
    await load.stop();
    await pipeline.untilEqual();
  });
});
