import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { FaultProxy } from '../../support/fault-proxy.ts';

const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
let proxy: FaultProxy;
let clients: Socket[];

beforeEach(async () => {
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await FaultProxy.start({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.close();
  echo.close();
});

/** A client of the echo server, through the proxy, that gathers what comes back. */
async function open(): Promise<{
  socket: Socket;
  received: () => string;
  failure: () => string | undefined;
}> {
  const socket = connect({ host: proxy.host, port: proxy.port });
  clients.push(socket);
  let text = '';
  let code: string | undefined;
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code));
  await once(socket, 'connect');
  return { socket, received: () => text, failure: () => code };
}

describe('a fault proxy', () => {
  it('carries bytes both ways while healthy, and passes the end on', async () => {
    const client = await open();
    client.socket.end('hello');
    await once(client.socket, 'close');
    expect(client.received()).toBe('hello');
    await waitUntil(() => proxy.linkCount === 0, { what: 'the link to be forgotten' });
  });

  it('delays every piece on its way there and back', async () => {
    proxy.faults.delayMs = 50;
    const client = await open();
    const start = Date.now();
    client.socket.write('x');
    await waitUntil(client.received, { what: 'the echo', intervalMs: 5 });
    expect(Date.now() - start).toBeGreaterThanOrEqual(95);
  });

  it('throttles to so many bytes a second', async () => {
    proxy.faults.bytesPerSecond = 10_000;
    const client = await open();
    const start = Date.now();
    client.socket.write('x'.repeat(1_000));
    await waitUntil(() => client.received().length === 1_000, { what: 'all bytes', intervalMs: 5 });
    expect(Date.now() - start).toBeGreaterThanOrEqual(190);
  });

  it('cuts open links with a reset', async () => {
    const client = await open();
    client.socket.write('x');
    await waitUntil(client.received, { what: 'the echo' });
    proxy.cut();
    expect(await waitUntil(client.failure, { what: 'the reset' })).toBe('ECONNRESET');
  });

  it('swallows everything as a black hole while links stay open, and cuts those when healed', async () => {
    const client = await open();
    client.socket.write('before ');
    await waitUntil(client.received, { what: 'the echo' });
    proxy.faults.blackHole = true;
    client.socket.write('lost');
    const late = await open();
    late.socket.write('lost too');
    await expect(
      waitUntil(() => late.received() || client.failure(), { what: 'any sign', timeoutMs: 100 }),
    ).rejects.toThrow('timed out');
    expect(client.received()).toBe('before ');
    proxy.heal();
    expect(await waitUntil(client.failure, { what: 'the reset' })).toBe('ECONNRESET');
  });

  it('cuts a link after so many bytes from the server, of which all arrive', async () => {
    proxy.faults.cutAfterBytes = 5;
    const client = await open();
    client.socket.write('hello world');
    await waitUntil(client.failure, { what: 'the reset' });
    expect(client.received()).toBe('hello');
  });

  it('refuses new links', async () => {
    proxy.faults.refuse = true;
    const socket = connect({ host: proxy.host, port: proxy.port });
    clients.push(socket);
    const [error] = (await once(socket, 'error', { signal: AbortSignal.timeout(5_000) })) as [unknown];
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('puts itself in the place of the server in a URL', () => {
    expect(proxy.through('mysql://root:secret@db:3306/shop')).toBe(
      `mysql://root:secret@127.0.0.1:${proxy.port}/shop`,
    );
  });
});
