import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml } from 'yaml';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { VERSION } from '../../../src/version.ts';
import { runDebianTool, whyNoDebian } from '../../support/debian-tool.ts';

const DEPLOY = fileURLToPath(new URL('../../../deploy/', import.meta.url));
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const compose = parseYaml(read('compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
};
const services = Object.entries(compose.services);

describe('compose.yaml', () => {
  it('pins every image', () => {
    for (const [name, { image }] of services) {
      expect(image, name).toMatch(/:v?\d[\w.-]*$/);
      if (image.startsWith('rowferry:')) expect(image).toBe(`rowferry:${VERSION}`);
    }
  });

  it('mounts and reads only files that are there', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0] ?? '').filter((path) => path.startsWith('.')),
    );
    const files = [...mounted, ...Object.values(compose.secrets).map(({ file }) => file)];
    expect(files.length).toBeGreaterThan(8);
    for (const file of files) expect(existsSync(join(DEPLOY, file)), file).toBe(true);
  });

  it('publishes ports on the loopback only, since its passwords are samples', () => {
    const ports = services.flatMap(([, { ports = [] }]) => ports);
    expect(ports.length).toBeGreaterThan(4);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('waits for health where there is a check of it', () => {
    for (const [name, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const service = compose.services[other];
        expect(service, `${name} waits for ${other}`).toBeDefined();
        if (condition === 'service_healthy') expect(service?.healthcheck, other).toBeDefined();
      }
    }
  });

  it('gives rowferry a configuration that it takes, from its own variables and secrets', () => {
    const { environment = {}, secrets = [] } = compose.services['rowferry'] ?? { image: '' };
    const config = parseConfig('rowferry.yaml', read('compose/rowferry.yaml'), {
      env: environment,
      readFile: (path) => {
        const name = path.replace('/run/secrets/', '');
        expect(secrets).toContain(name);
        return read(compose.secrets[name]?.file ?? name);
      },
    });
    expect(config.routes).toHaveLength(2);
    expect(read('compose/secrets/http-token').trim().length).toBeGreaterThanOrEqual(16);
  });

  const missing = whyNoDebian();
  it.skipIf(missing !== undefined)(
    `is taken by docker-compose itself${missing === undefined ? '' : ` (${missing})`}`,
    async () => {
      const args = ['-f', join(DEPLOY, 'compose.yaml'), 'config', '--quiet'];
      const program = 'usr/libexec/docker/cli-plugins/docker-compose';
      const { code, output } = await runDebianTool('docker-compose', program, args);
      expect(output).toBe('');
      expect(code).toBe(0);
    },
    300_000,
  );
});
