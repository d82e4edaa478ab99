import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findOnPath } from '../../../scripts/sandbox/run-command.ts';
import { EXIT } from '../../../src/cli/exit-codes.ts';

const UNIT = fileURLToPath(new URL('../../../deploy/systemd/rowferry.service', import.meta.url));
const text = readFileSync(UNIT, 'utf8');

/** Values of a setting, in the order of their lines. */
const setting = (name: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1));

describe('rowferry.service', () => {
  it('starts again after what a restart can mend, and after nothing else', () => {
    const { ok: _, transient: __, internal: ___, ...lasting } = EXIT;
    expect(new Set(setting('RestartPreventExitStatus')[0]?.split(' ').map(Number))).toEqual(
      new Set(Object.values(lasting)),
    );
    expect(setting('Restart')).toEqual(['on-failure']);
  });

  it('gives more time to stop than draining takes', () => {
    expect(Number.parseInt(setting('TimeoutStopSec')[0] ?? '', 10)).toBeGreaterThan(15);
  });

  it('leaves V8 its machine code', () => {
    expect(setting('MemoryDenyWriteExecute')).toEqual(['no']);
  });
});

const analyze = findOnPath('systemd-analyze');

describe.skipIf(analyze === undefined)(
  `rowferry.service, read by systemd${analyze === undefined ? ' (needs systemd-analyze)' : ''}`,
  () => {
    it('is a unit without a finding', () => {
      // Programs are looked for below the root: a stand-in, since rowferry is not installed here.
      const root = mkdtempSync(join(tmpdir(), 'rowferry-systemd-'));
      onTestFinished(() => rmSync(root, { recursive: true, force: true }));
      const units = join(root, 'etc/systemd/system');
      const program = join(root, 'rowferry');
      mkdirSync(units, { recursive: true });
      writeFileSync(program, '#!/bin/sh\n');
      chmodSync(program, 0o755);
      const file = join(units, 'rowferry.service');
      writeFileSync(file, text.replaceAll('/usr/bin/rowferry', program));
      const { status, stdout, stderr } = spawnSync(analyze ?? '', ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      // Other units of this machine may have findings of their own.
      const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('rowferry'));
      expect(ours).toEqual([]);
      expect(status).toBe(0);
    });

    it('is exposed little', () => {
      const args = ['security', '--offline=true', '--threshold=20', '--no-pager', UNIT];
      const { status, stdout, stderr } = spawnSync(analyze ?? '', args, { encoding: 'utf8' });
      expect(status, `${stdout}${stderr}`).toBe(0);
    });
  },
);
