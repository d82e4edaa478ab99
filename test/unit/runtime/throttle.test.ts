import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ThrottleSignal } from '../../../src/runtime/throttle.ts';
import { Throttle, THROTTLE_CAUSES } from '../../../src/runtime/throttle.ts';

function signal(value: number, part: Partial<ThrottleSignal> = {}): ThrottleSignal {
  const limits = { slowAbove: 100, calmAt: 80 };
  return { cause: 'source-threads', value, ...limits, what: `is at ${value}`, ...part };
}

const anySignal = fc.record({ value: fc.oneof(fc.double({ min: 0, max: 200, noNaN: true }), fc.constant(Infinity)), cause: fc.constantFrom(...THROTTLE_CAUSES) })
  .map(({ value, cause }) => signal(value, { cause })); // prettier-ignore
const looks = fc.array(fc.array(anySignal, { maxLength: 4 }), { maxLength: 60 });
const floor = fc.double({ min: 0.01, max: 1, noNaN: true });

function after(least: number, all: readonly (readonly ThrottleSignal[])[]): Throttle {
  const throttle = new Throttle(least);
  for (const signals of all) throttle.look(signals);
  return throttle;
}

describe('a throttle', () => {
  it('halves the speed while a signal is above its limit, and recovers step by step when all are calm', () => {
    const throttle = new Throttle(0.1);
    const shares = [101, 101, 101, 101, 100, 81, 80, 80].map((value) => {
      throttle.look([signal(value)]);
      return Number(throttle.share.toFixed(3));
    });
    expect(shares).toEqual([0.5, 0.25, 0.125, 0.1, 0.1, 0.1, 0.2, 0.3]);
  });

  it('stays between its floor and the full speed whatever it sees', () => {
    fc.assert(
      fc.property(floor, looks, (least, all) => {
        const { share } = after(least, all);
        expect(share).toBeGreaterThanOrEqual(least);
        expect(share).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('has a speed that is a number, whatever is measured, and spares who tells nothing that is one', () => {
    const odd = fc.constantFrom(NaN, Infinity, -Infinity, 0, -1, 50, 100, 1e308);
    const oddSignal = fc.record({ value: odd, slowAbove: odd, calmAt: odd, cause: fc.constantFrom(...THROTTLE_CAUSES) }).map((part) => signal(part.value, part)); // prettier-ignore
    fc.assert(
      fc.property(floor, fc.array(fc.array(oddSignal, { maxLength: 4 }), { maxLength: 40 }), (least, all) => {
        const throttle = new Throttle(least);
        for (const signals of all) {
          const before = throttle.share;
          throttle.look(signals);
          expect(throttle.share).toBeGreaterThanOrEqual(least);
          expect(throttle.share).toBeLessThanOrEqual(1);
          if (signals.some(({ value }) => Number.isNaN(value)))
            expect(throttle.share).toBeCloseTo(Math.max(least, before / 2), 9);
        }
      }),
    );
  });

  it('cannot have a floor at which work stands still', () => {
    for (const least of [0, -1, NaN, 1.1]) expect(() => new Throttle(least)).toThrow(TypeError);
  });

  it('names a cause exactly when it slows', () => {
    fc.assert(
      fc.property(floor, looks, (least, all) => {
        const throttle = after(least, all);
        expect(throttle.cause !== null).toBe(throttle.share < 1);
      }),
    );
  });

  it('is back at full speed after ten calm looks, wherever it was', () => {
    const calm = fc.double({ min: 0, max: 80, noNaN: true });
    fc.assert(
      fc.property(floor, looks, fc.array(calm, { minLength: 10, maxLength: 20 }), (least, all, values) => {
        const throttle = after(least, [...all, ...values.map((value) => [signal(value)])]);
        expect(throttle.share).toBe(1);
      }),
    );
  });

  it('does not swing while a signal stands between calm and its limit', () => {
    const between = fc.double({ min: 80.001, max: 100, noNaN: true });
    fc.assert(
      fc.property(floor, looks, fc.array(between, { maxLength: 20 }), (least, all, values) => {
        const throttle = after(least, all);
        const { share } = throttle;
        for (const value of values) throttle.look([signal(value), signal(0, { cause: 'replica-lag' })]);
        expect(throttle.share).toBe(share);
      }),
    );
  });

  it('names the worst of several causes, and keeps the name until it has recovered', () => {
    const throttle = new Throttle(0.1);
    throttle.look([signal(150), signal(300, { cause: 'replica-lag' }), signal(0, { cause: 'event-loop' })]);
    expect(throttle.cause?.cause).toBe('replica-lag');
    throttle.look([signal(0)]);
    expect(throttle.cause?.cause).toBe('replica-lag');
  });
});
