import fc from 'fast-check';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Fifo } from '../../../src/model/fifo.ts';

describe('Fifo', () => {
  it('answers as an array does, whatever is pushed, taken and cleared', () => {
    const step = fc.tuple(fc.constantFrom('push', 'push', 'shift', 'shift', 'clear'), fc.nat(2500));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const fifo = new Fifo<number>();
        let plain: number[] = [];
        let next = 0;
        for (const [kind, count] of steps) {
          if (kind === 'clear') {
            fifo.clear();
            plain = [];
          } else if (kind === 'push') {
            const entries = Array.from({ length: count }, () => next++);
            for (const entry of entries) fifo.push(entry);
            plain.push(...entries);
          } else {
            const taken = Array.from({ length: Math.min(count, fifo.length) }, () => fifo.shift());
            expect(taken).toEqual(plain.slice(0, count));
            plain = plain.slice(count);
          }
          expect(fifo.length).toBe(plain.length);
          expect(fifo.peek()).toBe(plain[0]);
          expect(fifo.first(5)).toEqual(plain.slice(0, 5));
          expect([...fifo]).toEqual(plain);
        }
        fifo.clear();
        expect(fifo.shift()).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('lets go of an entry the moment it leaves, while others still wait', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const fifo = new Fifo<object>();
    const seen = Array.from({ length: 10 }, (_, id) => {
      const entry = { id };
      fifo.push(entry);
      return new WeakRef(entry);
    });
    for (let i = 0; i < 9; i++) fifo.shift();
    // A WeakRef keeps its object until the turn in which it was made is over.
    await nextTurn();
    collect();
    expect(seen.map((entry) => entry.deref() !== undefined)).toEqual([...Array(9).fill(false), true]);
    expect(fifo.length).toBe(1);
  });
});
