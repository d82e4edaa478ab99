import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cached } from '../../../scripts/sandbox/cache.ts';

// What the cache holds in memory outlives a test: every test uses a name of its own.
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowferry-cache-test-'));
  // Root's servers run as nobody, who must be able to pass.
  await chmod(folder, 0o755);
  vi.stubEnv('ROWFERRY_CACHE', folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

describe('the cache', () => {
  it('fills a folder once, however many ask for it at the same time', async () => {
    const fill = vi.fn((draft: string) => writeFile(join(draft, 'file'), 'content'));
    const paths = await Promise.all([cached('once', fill), cached('once', fill), cached('once', fill)]);
    expect(fill).toHaveBeenCalledTimes(1);
    expect(new Set(paths)).toEqual(new Set([join(folder, 'once')]));
    expect(await readFile(join(folder, 'once', 'file'), 'utf8')).toBe('content');
  });

  it('leaves nothing of a failed fill, and tries again when asked again', async () => {
    const broken = cached('retried', async (draft) => {
      await writeFile(join(draft, 'half'), '');
      throw new Error('no network');
    });
    await expect(broken).rejects.toThrow('no network');
    expect(await readdir(folder)).toEqual([]);
    await cached('retried', () => Promise.resolve());
    expect(await readdir(folder)).toEqual(['retried']);
  });

  it('waits for another process that is filling, and uses its work', async () => {
    // The parent is a process that lives.
    await writeFile(join(folder, 'shared.lock'), String(process.ppid));
    const fill = vi.fn(() => Promise.resolve());
    const waiting = cached('shared', fill);
    await mkdir(join(folder, 'shared'));
    await rm(join(folder, 'shared.lock'));
    await expect(waiting).resolves.toBe(join(folder, 'shared'));
    expect(fill).not.toHaveBeenCalled();
  });

  it('breaks the lock of a process that died', async () => {
    await writeFile(join(folder, 'orphaned.lock'), '999999999');
    await expect(cached('orphaned', () => Promise.resolve())).resolves.toBe(join(folder, 'orphaned'));
    expect(await readdir(folder)).toEqual(['orphaned']);
  });
});
