import { describe, expect, it } from 'vitest';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

const POINTS = [
  'capture.after-produce',
  'capture.after-ack',
  'apply.between-phases',
  'apply.after-commit',
] as const;

describe('a daemon that is killed at a named point', () => {
  it.for(POINTS)('%s, under load, loses nothing and repeats nothing', async (point, t) => {
    const pipeline = await Pipeline.create(t, { tables: SHOP, sessionTimeoutMs: 1_000 });
    await pipeline.seedShop(SMALL_SHOP);
    const load = startLoad(pipeline, { seed: POINTS.indexOf(point) + 1 });
    const doomed = pipeline.start({ env: { ROWFERRY_KILL_AT: `${point}:3` } });
    expect(await pipeline.exitOf(doomed)).toEqual({ code: null, signal: 'SIGKILL' });
    await pipeline.startRunning();
    await load.stop();
    await pipeline.untilEqual();
  });
});
