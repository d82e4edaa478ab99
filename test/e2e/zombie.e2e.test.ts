import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

const PARTITIONS = 4;

/** Whether `daemon` applies every partition and has done so since `rows` rows ago. */
async function tookOver(daemon: Daemon, timeoutMs: number): Promise<boolean> {
  const before = daemon.status?.rows ?? 0;
  try {
    await daemon.untilStatus(
      'the other applier to have all partitions',
      ({ partitions, rows }) =>
        rows > before &&
        partitions.length === PARTITIONS &&
        partitions.every(({ state }) => state === 'running'),
      timeoutMs,
    );
    return true;
  } catch {
    return false;
  }
}

describe('an applier that is frozen past its Kafka session', () => {
  it('writes nothing stale when it wakes up, for another one has taken over', async (t) => {
    const pipeline = await Pipeline.create(t, {
      tables: SHOP,
      partitions: PARTITIONS,
      sessionTimeoutMs: 1_500,
    });
    await pipeline.seedShop(SMALL_SHOP);
    pipeline.start({ role: 'capture' });
    const sleeper = await pipeline.startRunning({ role: 'apply' });
    const load = startLoad(pipeline, { changesPerSecond: 800 });
    const other = pipeline.start({ role: 'apply' });
    await other.untilStatus('the second applier to have its share', ({ rows }) => rows > 0);
    let takeovers = 0;
    // Frozen inside a transaction it holds locks that nobody can pass: then there is no takeover, and we try again.
    for (let attempt = 0; attempt < 5 && takeovers < 2; attempt++) {
      sleeper.pause();
      if (await tookOver(other, 6_000)) takeovers += 1;
      sleeper.resume();
      await sleep(1_500);
    }
    expect(takeovers).toBeGreaterThan(0);
    await load.stop();
    await pipeline.untilEqual();
    expect(sleeper.exit).toBeUndefined();
    expect(other.exit).toBeUndefined();
  });
});
