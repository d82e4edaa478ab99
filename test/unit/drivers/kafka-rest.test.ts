/** The queue of requests inside kafkajs, as every connection has one. */
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { restIdleConnections } from '../../../src/drivers/kafka-rest.ts';

interface Queue {
  readonly throttleCheckTimeoutId: unknown;
  push(request: object): void;
  fulfillRequest(response: { correlationId: number; payload: Buffer; size: number }): void;
  maybeThrottle(ms: number): void;
}

const Queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as new (
  options: object,
) => Queue;

function queueOf(sent: number[], maxInFlightRequests: number) {
  const quiet = { namespace: (): object => quiet, debug: () => {}, warn: () => {} };
  const queue = new Queue({
    maxInFlightRequests,
    requestTimeout: 30_000,
    clientId: 'c',
    broker: 'b',
    logger: quiet,
  });
  return {
    queue,
    send: (correlationId: number) =>
      queue.push({
        entry: { correlationId, reject: () => {}, resolve: () => {} },
        expectResponse: true,
        sendRequest: () => sent.push(correlationId),
      }),
    answer: (correlationId: number) =>
      queue.fulfillRequest({ correlationId, payload: Buffer.alloc(0), size: 0 }),
  };
}

restIdleConnections();

test('a connection whose requests were answered sets no timer', () => {
  const sent: number[] = [];
  const { queue, send, answer } = queueOf(sent, 5);
  send(1);
  answer(1);
  expect([sent, queue.throttleCheckTimeoutId]).toEqual([[1], null]);
});

test('a request that waits for others in flight is sent when one is answered', () => {
  const sent: number[] = [];
  const { send, answer } = queueOf(sent, 1);
  send(1);
  send(2);
  expect(sent).toEqual([1]);
  answer(1);
  expect(sent).toEqual([1, 2]);
});

test('requests that a quota holds up are sent when it is over, and then the connection rests', async () => {
  const sent: number[] = [];
  const { queue, send, answer } = queueOf(sent, 5);
  send(1);
  queue.maybeThrottle(30);
  answer(1);
  send(2);
  send(3);
  expect(sent).toEqual([1]);
  await waitUntil(() => sent.length === 3, { what: 'the requests to be sent' });
  expect(queue.throttleCheckTimeoutId).toBeNull();
});
