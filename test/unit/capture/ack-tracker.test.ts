import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AckTracker } from '../../../src/capture/ack-tracker.ts';

describe('AckTracker', () => {
  it('never calls a position durable before every record that it covers is acknowledged (I-1)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('issue', 'ack', 'mark'), { maxLength: 200 }),
        fc.infiniteStream(fc.nat()),
        (steps, picks) => {
          const tracker = new AckTracker<number>();
          const open: number[] = [];
          const covers = new Map<number, number>();
          let issued = 0;
          let marks = 0;
          for (const step of steps) {
            if (step === 'issue') open.push(tracker.issue());
            if (step === 'issue') issued++;
            if (step === 'ack' && open.length > 0) {
              const [record] = open.splice(picks.next().value! % open.length, 1);
              tracker.acknowledge(record!);
            }
            if (step === 'mark') {
              covers.set(++marks, issued);
              tracker.mark(marks);
            }
            const durable = tracker.durable;
            const acked = open.length === 0 ? issued : Math.min(...open) - 1;
            if (durable !== undefined) expect(covers.get(durable)!).toBeLessThanOrEqual(acked);
            const best = [...covers].filter(([, last]) => last <= acked).at(-1)?.[0];
            expect(durable).toBe(best);
          }
        },
      ),
    );
  });
});
