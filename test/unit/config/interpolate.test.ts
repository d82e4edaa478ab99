import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { interpolate } from '../../../src/config/interpolate.ts';
import { but, GOOD, parse, problems } from './config-text.ts';

function withEnv(text: string, env: Record<string, string>): { text: string; problems: readonly string[] } {
  return interpolate(text, {
    env,
    readFile: (path) => {
      if (path !== '/run/secrets/x') throw Object.assign(new Error(), { code: 'ENOENT' });
      return 'from file\n';
    },
  });
}

test.each([
  ['${env:A}', { A: '1' }, '1'],
  ['x-${env:A}-${env:B}', { A: '1', B: '2' }, 'x-1-2'],
  ['${env:A:-7}', {}, '7'],
  ['${env:A:-7}', { A: '' }, '7'],
  ['${env:A:-7}', { A: '8' }, '8'],
  ['${env:A:-}', {}, ''],
  ['${env:A}', { A: '' }, ''],
  ['${file:/run/secrets/x}', {}, 'from file'],
  ['${env:A}', { A_FILE: '/run/secrets/x' }, 'from file'],
  ['${env:A:-7}', { A_FILE: '/run/secrets/x' }, 'from file'],
  ['$${env:A}', { A: '1' }, '${env:A}'],
  ['$5 and }', {}, '$5 and }'],
  ['${env:A}', { A: '${env:B}', B: '2' }, '${env:B}'],
])('%s with %j is %j', (text, env, expected) => {
  expect(withEnv(text, env)).toEqual({ text: expected, problems: [] });
});

test.each([
  ['${env:A}', 'environment variable A is not set'],
  ['${env:A', 'has a `${` without its `}`'],
  ['${env:1A}', 'is no variable'],
  ['${vault:x}', 'interpolates from an unknown place'],
  ['${file:/nowhere}', 'cannot read file /nowhere (ENOENT)'],
])('%s is a problem', (text, expected) => {
  expect(withEnv(text, {}).problems).toEqual([expect.stringContaining(expected)]);
});

test('any password that comes into a URL by a variable arrives as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (password) => {
      const config = parse(GOOD, { env: { SRC_PASSWORD: password } });
      expect(config.sources[0]?.url.password.reveal()).toBe(password);
      expect(config.sources[0]?.url.host).toBe('127.0.0.1');
    }),
  );
});

test('host, port and whole URLs may come from variables, and percent-encoding is undone in them', () => {
  const text = but('"mysql://writer:pw@db-a/shop"', '"mysql://${env:U}:${env:P}@${env:HOST}/${env:D}"');
  const env = { SRC_PASSWORD: 'x', U: 'w@1', P: 'a/b', HOST: 'db:4000', D: 'shop' };
  expect(parse(text, { env }).targets[0]?.url).toMatchObject({ user: 'w@1', host: 'db', port: 4000 });
  const whole = but('"mysql://writer:pw@db-a/shop"', '"${env:URL}"');
  const config = parse(whole, { env: { SRC_PASSWORD: 'x', URL: 'mysql://u:p%40ss@h/shop' } });
  expect(config.targets[0]?.url.password.reveal()).toBe('p@ss');
});

test('numbers, yes/no and lists of brokers may come from variables', () => {
  const text = but(
    'brokers: ["127.0.0.1:9092"], partitions: 4',
    'brokers: "${env:BROKERS}", partitions: "${env:N}", tls: "${env:TLS}"',
  );
  const env = { SRC_PASSWORD: 'x', BROKERS: 'a:1, b:2', N: '12', TLS: 'true' };
  expect(parse(text, { env }).kafka).toMatchObject({
    brokers: ['a:1', 'b:2'],
    partitions: 12,
    tls: { rejectUnauthorized: true },
  });
});

test('a value that fails its check is never quoted', () => {
  const text = but('partitions: 4', 'partitions: "${env:SECRET}", format: "${env:SECRET}"');
  const lines = problems(text, { env: { SRC_PASSWORD: 'x', SECRET: 'topsecret' } });
  expect(lines).toHaveLength(2);
  expect(lines.join()).not.toContain('topsecret');
});

test('a value that could not be had is told once, not as a wrong value too', () => {
  expect(problems(but('partitions: 4', 'partitions: "${env:NOPE}"'))).toEqual([
    'shop.yaml:2:51: kafka.partitions: environment variable NOPE is not set; set it, or write `${env:NOPE:-default}`',
  ]);
});

test('a value cannot change the structure of the file', () => {
  const env = { SRC_PASSWORD: 'x"}, evil: {url: "mysql://e@e' };
  expect(parse(GOOD, { env }).sources.map(({ name }) => name)).toEqual(['main']);
});
