import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { VERSION } from '../../../src/version.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

test('a package that is packed from a fresh clone has the program in it, and it runs', () => {
  const clone = mkdtempSync(join(tmpdir(), 'rowferry-pack-'));
  onTestFinished(() => rmSync(clone, { recursive: true, force: true }));
  const files = ['src', 'docs', 'package.json', 'tsconfig.json', 'README.md', 'CHANGELOG.md', 'LICENSE'];
  for (const file of files) cpSync(join(ROOT, file), join(clone, file), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  const run = (command: string, ...args: readonly string[]): string =>
    execFileSync(command, args, { cwd: clone, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  run('npm', 'pack', '--offline');
  run('tar', '-xzf', `rowferry-${VERSION}.tgz`);
  expect(run(process.execPath, 'package/dist/main.js', '--version').trim()).toBe(VERSION);
}, 180_000);
