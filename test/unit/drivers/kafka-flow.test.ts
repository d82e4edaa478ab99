import { expect, test } from 'vitest';
import { PartitionFlow, type Delivery } from '../../../src/drivers/kafka-flow.ts';

function fetched(first: number, last: number): Delivery {
  return { first, last, offsets: Array.from({ length: last - first + 1 }, (_, index) => first + index) };
}

test('nothing is delivered before seek', () => {
  const flow = new PartitionFlow(false);
  expect(flow.judge(fetched(0, 3))).toBe('leave');
  flow.resume();
  expect(flow.judge(fetched(0, 3))).toBe('leave');
});

test('deliveries continue exactly where the last one ended', () => {
  const flow = new PartitionFlow(false);
  flow.seek(5);
  expect(flow.judge(fetched(5, 7))).toBe('deliver');
  flow.advance(7);
  expect(flow.judge(fetched(8, 8))).toBe('deliver');
  expect(flow.judge(fetched(9, 9))).toBe('mismatch');
  expect(flow.judge(fetched(5, 7))).toBe('mismatch');
});

test('a hole within a fetch is a mismatch unless the topic may have holes', () => {
  const delivery = { first: 0, last: 3, offsets: [0, 1, 3] };
  const strict = new PartitionFlow(false);
  strict.seek(0);
  expect(strict.judge(delivery)).toBe('mismatch');
  const lenient = new PartitionFlow(true);
  lenient.seek(0);
  expect(lenient.judge(delivery)).toBe('deliver');
  expect(lenient.judge(fetched(2, 3))).toBe('mismatch');
});

test('what arrives while paused or checked is left, and seek ends both', () => {
  const flow = new PartitionFlow(false);
  flow.seek(0);
  flow.pause();
  expect(flow.judge(fetched(0, 0))).toBe('leave');
  flow.resume();
  expect(flow.judge(fetched(0, 0))).toBe('deliver');
  flow.check();
  expect(flow.judge(fetched(0, 0))).toBe('leave');
  flow.pause();
  flow.seek(4);
  expect(flow.judge(fetched(4, 4))).toBe('deliver');
});

test('a check leaves a pause as it is', () => {
  const flow = new PartitionFlow(false);
  flow.seek(0);
  flow.check();
  flow.pause();
  flow.checked();
  expect(flow.isOpen).toBe(false);
  flow.resume();
  expect(flow.isOpen).toBe(true);
});
