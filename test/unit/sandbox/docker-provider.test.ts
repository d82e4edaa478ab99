import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { dockerUnavailable } from '../../../scripts/sandbox/docker-engine.ts';
import { DockerProvider, planContainer } from '../../../scripts/sandbox/docker-provider.ts';
import { localAddress, type ServerRequest } from '../../../scripts/sandbox/server.ts';

const REQUEST: ServerRequest = {
  kind: 'mysql',
  name: 'src',
  serverId: 101,
  flags: ['--max-binlog-size=4096'],
};
let engine: Server | undefined;

/** Something that listens where DOCKER_HOST points and answers every request with `status`, or never. */
async function fakeEngine(status: number | 'silence'): Promise<string> {
  engine = createServer((_, response) => {
    if (status !== 'silence') response.writeHead(status).end('OK');
  });
  engine.listen(0, '127.0.0.1');
  await once(engine, 'listening');
  return `tcp://127.0.0.1:${(engine.address() as AddressInfo).port}`;
}

afterEach(() => {
  engine?.closeAllConnections();
  engine?.close();
  engine = undefined;
});

describe('the Docker way', () => {
  it('is closed, with the reason, where no engine listens', async () => {
    const offer = await new DockerProvider({ DOCKER_HOST: 'unix:///nowhere/docker.sock' }).offer(REQUEST);
    expect(offer).toEqual({
      unavailable: expect.stringContaining('no Docker engine at unix:///nowhere/docker.sock'),
    });
  });

  it('is closed where the engine refuses or never answers', async () => {
    expect(await dockerUnavailable({ DOCKER_HOST: await fakeEngine(403) })).toContain('status 403');
    engine?.close();
    expect(await dockerUnavailable({ DOCKER_HOST: await fakeEngine('silence') })).toContain('no answer in');
  });

  it('is open where an engine answers', async () => {
    expect(await dockerUnavailable({ DOCKER_HOST: await fakeEngine(200) })).toBeUndefined();
  });

  it('is closed by ROWFERRY_SANDBOX_DOCKER=off whatever answers', async () => {
    const env = { DOCKER_HOST: await fakeEngine(200), ROWFERRY_SANDBOX_DOCKER: 'off' };
    expect(await dockerUnavailable(env)).toContain('switched off');
  });

  it('starts MySQL with the options of the native way', () => {
    const plan = planContainer(REQUEST, localAddress('mysql', 23_306));
    expect(plan).toMatchObject({
      image: 'mysql:9',
      port: 3306,
      environment: { MYSQL_ROOT_PASSWORD: 'sandbox' },
    });
    expect(plan.command).toEqual(
      expect.arrayContaining([
        '--binlog-row-metadata=FULL',
        '--gtid-mode=ON',
        '--server-id=101',
        '--max-binlog-size=4096',
      ]),
    );
    expect(plan.command.join(' ')).not.toContain('bind-address');
  });

  it('tells Kafka the address that clients see, and properties as variables', () => {
    const request: ServerRequest = {
      kind: 'kafka',
      name: 'kafka',
      serverId: 105,
      flags: ['message.max.bytes=2000000'],
    };
    expect(planContainer(request, localAddress('kafka', 29_092)).environment).toMatchObject({
      KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://127.0.0.1:29092',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_MESSAGE_MAX_BYTES: '2000000',
    });
  });
});
