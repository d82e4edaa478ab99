import { mkdtempSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { DiskWatch, openDisks } from '../../../src/wiring/disk-watch.ts';
import { MachineWatch } from '../../../src/wiring/machine-watch.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';
import { GOOD, parse } from '../config/config-text.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'rowferry-disk-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('a disk', () => {
  it('is told of by its folder, as much of it as others may use', async () => {
    const path = folder();
    const { disk } = await DiskWatch.open(path);
    const { free } = disk.facts;
    const { bavail, blocks } = await statfs(path);
    expect(free).toBeCloseTo(bavail / blocks, 2);
    expect(disk.facts.name.startsWith(path)).toBe(true);
  });

  it('that is memory says so', async (t) => {
    const { type } = await statfs('/dev/shm').catch(() => ({ type: 0 }));
    t.skip(type !== 0x01021994, '/dev/shm is no tmpfs here');
    expect((await DiskWatch.open('/dev/shm')).disk.facts.name).toBe('/dev/shm (tmpfs)');
  });

  it('that does not answer is asked once, and is not known after a while', async () => {
    let [asked, nowMs] = [0, 0];
    let answer: (space: { bavail: number; blocks: number }) => void = () => undefined;
    const ask = async () => {
      asked += 1;
      return await new Promise<{ bavail: number; blocks: number }>((resolve) => (answer = resolve));
    };
    const opening = DiskWatch.open(folder(), { ask, now: () => nowMs });
    answer({ bavail: 1, blocks: 4 });
    const { disk } = await opening;
    expect(disk.facts.free).toBe(0.25);
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
    const { disk } = await DiskWatch.open(path);
    expect(disk.facts.free).not.toBeNull();
    rmSync(path, { recursive: true });
    disk.look();
    await waitUntil(() => disk.facts.free === null, { what: 'no answer' });
  });
});

const wanting = (runDir: string, ...disks: readonly string[]) => {
  const { alerts } = parse(GOOD);
  return { runDir, alerts: { ...alerts, disks } };
};

it('a folder that is not there stops the start, with all that are missing', async () => {
  const path = folder();
  expect(await openDisks(wanting(path, path), silentLog)).toHaveLength(1);
  await expect(openDisks(wanting(path, path, `${path}/kafka`, `${path}/mysql`), silentLog)).rejects.toThrow(
    `alerts.disks: ${path}/kafka is not there (ENOENT)\nalerts.disks: ${path}/mysql is not there (ENOENT)`,
  );
});

it('a share of the network that hangs holds up no start and is asked once; the log names it', async () => {
  const [path, share] = [folder(), '/mnt/share'];
  const [asked, told]: [string[], string[]] = [[], []];
  const ask = async (wanted: string) => {
    asked.push(wanted);
    return wanted === share ? await new Promise<never>(() => {}) : await statfs(wanted);
  };
  const log = { ...silentLog, warn: (_: object, text: string) => void told.push(text) };
  const disks = await openDisks(wanting(path, share), log, { ask, startMs: 10 });
  for (const disk of disks) disk.look();
  expect(asked).toEqual([path, share, path]);
  expect(disks.map(({ facts }) => facts.free === null)).toEqual([false, true]);
  expect(told).toEqual([`alerts.disks: ${share} does not answer: how much of it is free is not known`]);
});

it('a machine is told of with each of its disks once', async () => {
  const [first, second] = [folder(), folder()];
  const machine = new MachineWatch(await openDisks(wanting(first, second, first), silentLog));
  onTestFinished(() => machine.stop());
  const { disks } = machine.facts;
  expect(disks.map(({ name }) => name.replace(/ \(.*/, ''))).toEqual([first, second]);
  expect(disks.every(({ free }) => free !== null)).toBe(true);
});
