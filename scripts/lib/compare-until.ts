import { setTimeout as sleep } from 'node:timers/promises';
import type { Comparison, TableComparison } from './compare.ts';
import { compareTables, mismatches } from './compare.ts';

/**
 * Compares until everything is equal or the time is up; answers the last comparison. The first one decides nearly always:
 * the rest is for rows that wait at the target for another row to make way.
 */
export async function compareUntilEqual(
  comparisons: readonly TableComparison[],
  timeoutMs: number,
): Promise<Comparison> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const comparison = await compareTables(comparisons);
    if (mismatches(comparison) === 0 || Date.now() > deadline) return comparison;
    await sleep(250);
  }
}
