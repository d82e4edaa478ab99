import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const SCRIPTS = fileURLToPath(new URL('../../../scripts', import.meta.url));

/** Installs by copying the lock file, as npm does, with a tool that says that it ran; tells of its beginning and end. */
const NPM = `#!/usr/bin/env node
const { appendFileSync, copyFileSync, mkdirSync, rmSync, writeFileSync } = require('node:fs');
appendFileSync('npm.log', 'begin\\n');
rmSync('node_modules', { recursive: true, force: true });
setTimeout(() => {
  mkdirSync('node_modules/vitest', { recursive: true });
  writeFileSync('node_modules/vitest/package.json', '{"bin":"run.js"}');
  writeFileSync('node_modules/vitest/run.js', 'console.log("tool ran")');
  copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
  appendFileSync('npm.log', 'end\\n');
}, 500);
`;

function checkout() {
  const root = mkdtempSync(join(tmpdir(), 'rowferry-launch-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'scripts'));
  mkdirSync(join(root, 'bin'));
  cpSync(join(SCRIPTS, 'launch.mjs'), join(root, 'scripts/launch.mjs'));
  cpSync(join(SCRIPTS, 'demo/usage.txt'), join(root, 'scripts/demo/usage.txt'));
  writeFileSync(join(root, 'bin/npm'), NPM, { mode: 0o755 });
  writeFileSync(join(root, 'npm.log'), '');
  const lock = (version: string, time?: Date): void => {
    const packages = { '': {}, 'node_modules/vitest': { version, integrity: `sha512-${version}` } };
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }));
    if (time !== undefined) utimesSync(join(root, 'package-lock.json'), time, time);
  };
  lock('1.0.0');
  const launch = async (...args: string[]): Promise<string> =>
    await new Promise((resolve, reject) => {
      const env = { ...process.env, PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH'] ?? ''}` };
      execFile(process.execPath, [join(root, 'scripts/launch.mjs'), ...args], { env }, (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      );
    });
  const installs = (): string => readFileSync(join(root, 'npm.log'), 'utf8').replaceAll('\n', ' ').trim();
  return { root, lock, launch, installs };
}

it('installs once where two are started at once, and neither begins before that is done', async () => {
  const { launch, installs } = checkout();
  const told = await Promise.all([launch('test', 'a'), launch('test', 'b')]);
  for (const text of told) expect(text).toContain('tool ran');
  expect(installs()).toBe('begin end');
});

it('installs again when other packages are wanted, whatever the times of the files say', async () => {
  const { lock, launch, installs } = checkout();
  await launch('test', 'a');
  lock('1.0.0', new Date(Date.now() + 60_000));
  await launch('test', 'a');
  expect(installs(), 'the same packages in a newer file').toBe('begin end');
  lock('2.0.0', new Date(0));
  await launch('test', 'a');
  expect(installs(), 'other packages in an older file').toBe('begin end begin end');
});

it('goes on past the lock of a process that was killed', async () => {
  const { root, launch, installs } = checkout();
  // No process has a number past the largest that Linux gives.
  writeFileSync(join(root, '.launch.lock'), `${2 ** 22 + 1}\n`);
  await Promise.all([launch('test', 'a'), launch('test', 'b')]);
  expect(installs()).toBe('begin end');
});

it('goes on past the lock of a process that was killed, whose number another process has by now', async () => {
  const { root, lock, launch, installs } = checkout();
  // That of a container which died while it installed: in the next one its number is that of whoever looks.
  const own = `
    import { readFileSync, writeFileSync } from 'node:fs';
    writeFileSync('.launch.lock', \`\${process.pid}\\n\`);
    await import('./scripts/launch.mjs');
  `;
  writeFileSync(join(root, 'own.mjs'), own);
  const env = { ...process.env, PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH'] ?? ''}` };
  execFileSync(process.execPath, [join(root, 'own.mjs'), 'test', 'a'], { cwd: root, env, timeout: 10_000 });
  expect(installs()).toBe('begin end');
  lock('2.0.0');
  // A process that lives, and began at another time than the owner of the lock.
  writeFileSync(join(root, '.launch.lock'), `${process.pid} 1\n`);
  await launch('test', 'a');
  expect(installs()).toBe('begin end begin end');
}, 30_000);

it('shows its help without installing anything', async () => {
  const { launch, installs } = checkout();
  expect(await launch('demo', '--help')).toContain('--keep');
  expect(await launch('test', '--help')).toContain('vitest');
  expect(installs()).toBe('');
});
