import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { deliverWholeFrames, FrameCutter } from '../../../src/drivers/kafka-frames.ts';

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}

test('whatever the pieces, the frames come out whole and in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
      (bodies, lengths) => {
        const frames = bodies.map(frame);
        const stream = Buffer.concat(frames);
        const cutter = new FrameCutter();
        const found: Buffer[] = [];
        for (let at = 0; at < stream.length;) {
          const length: number = lengths.next().value;
          found.push(...cutter.push(stream.subarray(at, at + length)));
          at += length;
        }
        expect(found.map(String)).toEqual(frames.map(String));
      },
    ),
  );
});

async function socketPair(): Promise<{ readonly client: Socket; readonly server: Socket }> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [server] = await accepted;
  onTestFinished(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { client, server };
}

test('an incomplete frame never reaches the listener', async () => {
  const { client, server } = await socketPair();
  const seen: string[] = [];
  deliverWholeFrames(client).on('data', (data) => seen.push(data.toString('latin1')));
  server.write(Buffer.concat([frame(Buffer.from('whole')), frame(Buffer.from('broken off')).subarray(0, 9)]));
  server.end();
  await once(client, 'end');
  expect(seen).toEqual([frame(Buffer.from('whole')).toString('latin1')]);
});

test('an error of the listener closes the socket with that error', async () => {
  const { client, server } = await socketPair();
  const errors: Error[] = [];
  client.on('error', (error) => errors.push(error));
  deliverWholeFrames(client).on('data', () => {
    throw new RangeError('out of bounds');
  });
  server.write(frame(Buffer.from('x')));
  await waitUntil(() => client.destroyed, { what: 'the socket to close' });
  await waitUntil(() => errors.length > 0, { what: 'its error' });
  expect(errors).toEqual([new RangeError('out of bounds')]);
});
