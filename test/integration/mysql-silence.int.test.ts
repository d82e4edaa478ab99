/** A server that falls silent holds up nobody: a connection that is given up lets go of whoever waits for its answer. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { MysqlConnection } from '../../src/drivers/mysql.ts';
import { databaseUrl } from '../contract/target-fixture.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { testServers } from '../support/servers.ts';

const LOST = { code: 'ROWFERRY_SOURCE_LINK' };

async function connectAt(
  address: { readonly host: string; readonly port: number },
  connectTimeoutMs = 5_000,
) {
  const url = { ...databaseUrl(`${testServers().src.url.replace(/\/$/, '')}/mysql`), ...address };
  return await MysqlConnection.connect({
    url,
    side: 'source',
    where: { source: 'main' },
    session: [],
    connectTimeoutMs,
    queryTimeoutMs: 600_000,
  });
}

function address(): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(testServers().src.url);
  return { host: hostname, port: Number(port) };
}

it('a statement under way is told of the connection that was given up, and the socket is gone', async () => {
  const proxy = await FaultProxy.start(address());
  onTestFinished(() => proxy.close());
  const connection = await connectAt(proxy);
  proxy.faults.blackHole = true;
  const asked = connection.query('SELECT 1').catch((error: unknown) => error);
  connection.destroy();
  expect(await asked).toMatchObject(LOST);
  await waitUntil(() => proxy.linkCount === 0, { what: 'the link to be closed' });
});

it('a login that the server greets and never answers ends in time', async () => {
  const { host, port } = address();
  const sockets: Socket[] = [];
  const mute = createServer((client) => {
    const server = connect({ host, port });
    sockets.push(client, server);
    for (const socket of [client, server]) socket.on('error', () => undefined);
    // Its greeting, and nothing else.
    server.once('data', (greeting) => void client.write(greeting));
  });
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
  const muted = { host: '127.0.0.1', port: (mute.address() as AddressInfo).port };
  await expect(connectAt(muted, 500)).rejects.toMatchObject(LOST);
});
