import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BATCH_OVERHEAD_BYTES,
  encodeRecord,
  MAX_BATCH_RECORDS,
  recordBytes,
  recordsThatFit,
} from '../../../src/drivers/kafka-batch.ts';
import { PartitionLane, type SendResult } from '../../../src/drivers/kafka-lane.ts';

interface Outcome {
  result?: SendResult;
  error?: unknown;
}

function addTo(lane: PartitionLane, values: readonly string[]): Outcome {
  const outcome: Outcome = {};
  lane.add(
    values.map((value) => ({ value })),
    { resolve: (result) => (outcome.result = result), reject: (error) => (outcome.error = error) },
  );
  return outcome;
}

describe('PartitionLane', () => {
  test('however batches are cut, refused and repeated, all records are acknowledged once and in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 6 }), { minLength: 1 }),
        fc.integer({ min: 200, max: 2_000 }),
        fc.infiniteStream(fc.constantFrom('ack', 'fail', 'shrink')),
        (sends, limitBytes, answers) => {
          const lane = new PartitionLane('t', 0, limitBytes);
          const outcomes = sends.map((values) => addTo(lane, values));
          const log: string[] = [];
          while (lane.length > 0) {
            const batch = lane.take(Infinity);
            expect(batch.records.length).toBeGreaterThan(0);
            if (batch.records.length > 1) expect(batch.bytes).toBeLessThanOrEqual(limitBytes);
            const answer: string = answers.next().value;
            if (answer === 'fail' || (answer === 'shrink' && lane.shrink(batch))) continue;
            lane.acknowledge(batch, log.length);
            log.push(...batch.records.map(({ value }) => String(value)));
          }
          expect(log).toEqual(sends.flat());
          const firsts = sends.map((_, index) => sends.slice(0, index).flat().length);
          expect(outcomes.map(({ result }) => result?.baseOffset)).toEqual(firsts);
        },
      ),
    );
  });

  test('a send is acknowledged only with its last record', () => {
    const lane = new PartitionLane('t', 0, BATCH_OVERHEAD_BYTES + 150);
    const outcome = addTo(lane, ['x'.repeat(100), 'y'.repeat(100)]);
    lane.acknowledge(lane.take(Infinity), 7);
    expect(outcome).toEqual({});
    lane.acknowledge(lane.take(Infinity), 20);
    expect(outcome).toEqual({ result: { baseOffset: 7 } });
  });

  test('failing rejects every send that is not whole, once', () => {
    const lane = new PartitionLane('t', 0, 1_000);
    const outcomes = [addTo(lane, ['a', 'b']), addTo(lane, ['c'])];
    const error = new Error('end');
    lane.fail(error);
    expect(outcomes).toEqual([{ error }, { error }]);
    expect(lane.length).toBe(0);
  });
});

describe('batches', () => {
  test('a record that alone exceeds the limit travels alone', () => {
    expect(recordsThatFit([5_000, 10], 1_000, 10)).toBe(1);
    expect(recordsThatFit([10, 5_000], 1_000, 10)).toBe(1);
    expect(recordsThatFit([], 1_000, 10)).toBe(0);
  });

  test('a batch holds no more records than kafkajs handles well', () => {
    const sizes = Array.from({ length: MAX_BATCH_RECORDS + 5 }, () => 1);
    expect(recordsThatFit(sizes, Infinity, MAX_BATCH_RECORDS)).toBe(MAX_BATCH_RECORDS);
  });

  test('sizes count keys, values and headers in bytes', () => {
    const plain = recordBytes(encodeRecord(0, { value: 'é' }));
    expect(recordBytes(encodeRecord(0, { value: 'éé' })) - plain).toBe(2);
    expect(recordBytes(encodeRecord(0, { key: 'key', value: 'é' })) - plain).toBe(3);
    expect(recordBytes(encodeRecord(0, { value: 'é', headers: { h: Buffer.alloc(9) } })) - plain).toBe(20);
    expect(recordBytes(encodeRecord(0, { value: null }))).toBe(plain - 2);
  });
});
