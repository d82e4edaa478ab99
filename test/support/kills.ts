import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Random } from '../../scripts/lib/random.ts';
import { during, type Pipeline } from './pipeline.ts';

/** Starts daemons and kills each of them after a random time, until `ms` have passed; none may end by itself. */
export async function killAtRandom(
  pipeline: Pipeline,
  random: Random,
  ms: number,
  life: { readonly fromMs: number; readonly toMs: number },
): Promise<void> {
  let kills = 0;
  await during(ms, async () => {
    const daemon = pipeline.start();
    await sleep(random.between(life.fromMs, life.toMs));
    expect(daemon.exit, `it ended by itself: ${daemon.describeExit()}\n${daemon.logTail()}`).toBeUndefined();
    await daemon.kill();
    kills += 1;
  });
  expect(kills).toBeGreaterThan(2);
}
