import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import type { Image } from '../../support/image-build.ts';
import {
  buildImage,
  parseDockerfile,
  signalContainer,
  startContainer,
  whyNoContainer,
} from '../../support/image-build.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DOCKERFILE = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');

describe('the Dockerfile', () => {
  it('takes one pinned Node for building and running', () => {
    const bases = parseDockerfile(DOCKERFILE)
      .filter(({ word }) => word === 'FROM')
      .map(({ text }) => text.split(' ')[0]);
    expect(new Set(bases).size).toBe(1);
    expect(bases[0]).toMatch(/^node:\d+(\.\d+)*-\w+-slim$/);
  });

  it('names the version of the package', () => {
    expect(DOCKERFILE).toContain(`ARG VERSION=${VERSION}\n`);
  });

  it('is well by its own word only: the health check answers 0 for 200 and 1 for everything else', async () => {
    const { text } = parseDockerfile(DOCKERFILE).find(({ word }) => word === 'HEALTHCHECK') ?? { text: '' };
    const [, ...script] = JSON.parse(/ CMD (\[.*\])$/.exec(text)?.[1] ?? '[]') as string[];
    let status = 200;
    const server = createServer((_, response) => void response.writeHead(status).end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const check = async (): Promise<number> => {
      const { spawn } = await import('node:child_process');
      const child = spawn(process.execPath, script, {
        env: { ...process.env, ROWFERRY_HEALTH_URL: `http://127.0.0.1:${port}/livez` },
      });
      const [code] = (await once(child, 'exit')) as [number];
      return code;
    };
    expect(await check()).toBe(0);
    status = 503;
    expect(await check()).toBe(1);
    server.close();
    await once(server, 'close');
    expect(await check()).toBe(1);
  });
});

const missing = whyNoContainer();

describe.skipIf(missing !== undefined)(
  `the image, its steps carried out here${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let folder = '';
    let image: Image;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'rowferry-image-'));
      spawnSync('chmod', ['a+rx', folder]);
      image = await buildImage(DOCKERFILE, ROOT, folder);
      const config = join(image.root, 'etc/rowferry');
      mkdirSync(config, { recursive: true });
      // Nobody answers on these ports: what the program does without its servers is what is looked at.
      writeFileSync(
        join(config, 'rowferry.yaml'),
        `name: shop
kafka: { brokers: ['127.0.0.1:1'] }
sources: { main: { url: 'mysql://u:p@127.0.0.1:1', serverId: 7, tables: [shop.*] } }
targets: { a: { url: 'postgres://u:p@127.0.0.1:1/shop' } }
routes: [{ from: shop.orders, target: a }]
`,
      );
    }, 300_000);

    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const ended = async (args: readonly string[]): Promise<{ code: number | null; output: string }> => {
      const container = startContainer(image, args, {});
      let output = '';
      container.stdout?.on('data', (data: Buffer) => (output += String(data)));
      container.stderr?.on('data', (data: Buffer) => (output += String(data)));
      const [code] = (await once(container, 'close')) as [number | null];
      return { code, output };
    };

    it('holds what runs and nothing that only builds or tests', () => {
      const has = (path: string): boolean =>
        spawnSync('test', ['-e', join(image.root, 'app', path)]).status === 0;
      expect(['dist/main.js', 'node_modules/mysql2', 'LICENSE'].filter((path) => !has(path))).toEqual([]);
      expect(
        ['src', 'test', 'scripts', 'node_modules/typescript', 'node_modules/vitest'].filter(has),
      ).toEqual([]);
    });

    it('starts as an unprivileged user on a read-only root', async () => {
      expect(await ended(['--version'])).toEqual({ code: 0, output: `${VERSION}\n` });
      expect(image.user).toBe('1000:1000');
    });

    it('finds its configuration by itself', async () => {
      const { code, output } = await ended(['config', 'check']);
      expect(code, output).toBe(0);
    });

    it('stops in order on its stop signal as process 1, also while no server answers', async () => {
      const container = startContainer(image, image.command, {});
      let output = '';
      container.stdout?.on('data', (data: Buffer) => {
        output += String(data);
        if (output.includes('"rowferry runs"')) container.emit('runs');
      });
      container.stderr?.on('data', (data: Buffer) => (output += String(data)));
      const closed = once(container, 'close');
      await Promise.race([once(container, 'runs'), closed]);
      signalContainer(container, image.stopSignal as NodeJS.Signals);
      expect(await closed, output).toEqual([0, null]);
      expect(output).toContain('"stopped"');
      expect(output).not.toContain('status file cannot be written');
    }, 60_000);
  },
);
