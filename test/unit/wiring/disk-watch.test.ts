import { mkdtempSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DiskWatch, needDisks } from '../../../src/wiring/disk-watch.ts';
import { MachineWatch } from '../../../src/wiring/machine-watch.ts';
import { waitUntil } from '../../support/wait-until.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'rowferry-disk-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('a disk', () => {
  it('is told of by its folder, as much of it as others may use', async () => {
    const path = folder();
    const disk = new DiskWatch(path);
    expect(disk.facts.free).toBeNull();
    disk.look();
    const free = await waitUntil(() => disk.facts.free ?? undefined, { what: 'the answer' });
    const { bavail, blocks } = await statfs(path);
    expect(free).toBeCloseTo(bavail / blocks, 2);
    expect(disk.facts.name.startsWith(path)).toBe(true);
  });

  it('that is memory says so', async (t) => {
    const { type } = await statfs('/dev/shm').catch(() => ({ type: 0 }));
    t.skip(type !== 0x01021994, '/dev/shm is no tmpfs here');
    expect(new DiskWatch('/dev/shm').facts.name).toBe('/dev/shm (tmpfs)');
  });

  it('that does not answer is asked once, and is not known after a while', async () => {
    let [asked, nowMs] = [0, 0];
    let answer: (space: { bavail: number; blocks: number }) => void = () => undefined;
    const ask = async () => {
      asked += 1;
      return await new Promise<{ bavail: number; blocks: number }>((resolve) => (answer = resolve));
    };
    const disk = new DiskWatch(folder(), ask, () => nowMs);
    disk.look();
    answer({ bavail: 1, blocks: 4 });
    await waitUntil(() => disk.facts.free === 0.25, { what: 'the first answer' });
    disk.look();
    nowMs = 30_000;
    disk.look();
    expect([disk.facts.free, asked]).toEqual([0.25, 2]);
    nowMs = 30_001;
    disk.look();
    expect([disk.facts.free, asked]).toEqual([null, 2]);
    answer({ bavail: 2, blocks: 4 });
    await waitUntil(() => disk.facts.free === 0.5, { what: 'the late answer' });
  });

  it('whose folder is gone is not known', async () => {
    const path = folder();
    const disk = new DiskWatch(path);
    disk.look();
    await waitUntil(() => disk.facts.free !== null, { what: 'the answer' });
    rmSync(path, { recursive: true });
    disk.look();
    await waitUntil(() => disk.facts.free === null, { what: 'no answer' });
  });
});

it('a folder that is not there stops the start, with all that are missing', () => {
  const path = folder();
  expect(() => needDisks([path])).not.toThrow();
  expect(() => needDisks([path, `${path}/kafka`, `${path}/mysql`])).toThrow(
    `alerts.disks: ${path}/kafka is not there (ENOENT)\nalerts.disks: ${path}/mysql is not there (ENOENT)`,
  );
});

it('a machine is told of with each of its disks once', async () => {
  const [first, second] = [folder(), folder()];
  const machine = new MachineWatch([first, second, first]);
  onTestFinished(() => machine.stop());
  const names = machine.facts.disks.map(({ name }) => name.replace(/ \(.*/, ''));
  expect(names).toEqual([first, second]);
  await waitUntil(() => machine.facts.disks.every(({ free }) => free !== null), { what: 'answers' });
});
