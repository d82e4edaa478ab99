import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-tree.ts';
import { SandboxError } from './sandbox-error.ts';
import { isReachable, serverIdentity } from './server-identity.ts';

const filling = new Map<string, Promise<string>>();

/**
 * The folder that keeps downloads and prepared data between runs: `ROWFERRY_CACHE`, else the user's cache folder, else
 * one under /var/tmp when the servers' user cannot reach the former (root's home is closed to `nobody`).
 */
export function cacheDir(): string {
  const chosen = process.env['ROWFERRY_CACHE'];
  const identity = serverIdentity();
  if (chosen !== undefined && chosen !== '') {
    if (isReachable(chosen, identity)) return chosen;
    throw new SandboxError(
      `ROWFERRY_CACHE=${chosen} is closed to the user "nobody" that the servers run as`,
      'choose a folder whose parents all have mode o+x, or run as an ordinary user',
    );
  }
  const usual = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rowferry');
  return isReachable(usual, identity) ? usual : `/var/tmp/rowferry-cache-${process.getuid?.() ?? 'user'}`;
}

/**
 * The folder `name` of the cache, filled on first use. `fill` works in a folder of its own that is renamed into place when
 * it succeeds, so a reader never sees half of it; a lock keeps a second run from doing the same work.
 */
export function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const known = filling.get(name);
  if (known !== undefined) return known;
  const work = fillOnce(name, fill);
  filling.set(name, work);
  // A failed fill may be tried again.
  work.catch(() => filling.delete(name));
  return work;
}

async function fillOnce(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const root = await openCache();
  const target = join(root, name);
  if (await exists(target)) return target;
  const unlock = await lock(join(root, `${name}.lock`));
  try {
    if (await exists(target)) return target;
    const draft = await mkdtemp(join(root, `.${name}-`));
    try {
      await chmod(draft, 0o755);
      await fill(draft);
      await rename(draft, target);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return target;
  } finally {
    await unlock();
  }
}

async function openCache(): Promise<string> {
  const root = cacheDir();
  await mkdir(root, { recursive: true, mode: 0o755 });
  const { uid } = await stat(root);
  if (uid !== process.getuid?.()) {
    throw new SandboxError(
      `the cache folder ${root} belongs to another user (uid ${uid})`,
      'set ROWFERRY_CACHE to a folder of your own',
    );
  }
  return root;
}

export async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

/** Waits for the lock file and takes it. A lock whose owner is dead is broken; two winners would only do the work twice. */
async function lock(path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true });
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (await isAbandoned(path)) await rm(path, { force: true });
      else await sleep(200);
    }
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const owner = await readFile(path, 'utf8').catch(() => undefined);
  if (owner === undefined) return false;
  if (owner !== '') return !isAlive(Number(owner));
  // Created but not yet signed: its owner has a moment to do so.
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  return age > 2_000;
}
