import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatementCache } from '../../../src/drivers/statement-cache.ts';

const SIZE = 4;

describe('The statements that a connection keeps prepared', () => {
  it('are those that came again among the last few names, whatever the order', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { maxLength: 60 });
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 10 }), (uses, every) => {
        const cache = new StatementCache(SIZE);
        const prepared = new Set<string>();
        for (const [i, name] of uses.entries()) {
          const isAgain = lastNames(uses.slice(0, i)).includes(name);
          expect(cache.use(name)).toBe(isAgain);
          if (isAgain) prepared.add(name);
          if (i % every > 0) continue;
          for (const dropped of cache.takeDropped(prepared)) prepared.delete(dropped);
          expect(prepared.size).toBeLessThanOrEqual(SIZE);
          for (const kept of prepared) expect(lastNames(uses.slice(0, i + 1))).toContain(kept);
        }
      }),
    );
  });

  it('are not freed before others came', () => {
    const cache = new StatementCache(SIZE);
    for (const name of 'abcdabcd') cache.use(name);
    expect(cache.takeDropped('abcd')).toEqual([]);
    cache.use('e');
    expect(cache.takeDropped('abcd')).toEqual(['a']);
    expect(cache.takeDropped('bcd')).toEqual([]);
  });
});

/** The last names, each once. */
function lastNames(uses: readonly string[]): string[] {
  return [...new Set(uses.toReversed())].slice(0, SIZE);
}
