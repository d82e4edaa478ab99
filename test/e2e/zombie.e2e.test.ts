import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

const PARTITIONS = 4;

/** Whether `daemon` is given all partitions and applies some that were the other's before. */
async function takesOver(daemon: Daemon, timeoutMs: number): Promise<boolean> {
  const { rows: before = 0, partitions: share = [] } = daemon.status ?? {};
  try {
    await daemon.untilStatus(
      'the other applier to take over',
      ({ partitions, rows }) =>
        rows > before &&
        partitions.length === PARTITIONS &&
        partitions.filter(({ state }) => state === 'running').length > share.length,
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
    const load = startLoad(pipeline, { changesPerSecond: 400 });
    const other = pipeline.start({ role: 'apply' });
    await other.untilStatus('the second applier to have its share', ({ rows }) => rows > 0);
    let takeovers = 0;
    // Frozen inside a transaction it holds a lock that nobody can pass: that partition must wait for it to wake up.
    for (let attempt = 0; attempt < 5 && takeovers < 1; attempt++) {
      sleeper.pause();
      if (await takesOver(other, 6_000)) takeovers += 1;
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
