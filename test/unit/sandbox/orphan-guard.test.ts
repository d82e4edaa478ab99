import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { isAlive, signalOne } from '../../../scripts/sandbox/process-tree.ts';

const GUARD = fileURLToPath(new URL('../../../scripts/sandbox/orphan-guard.ts', import.meta.url));
const strays: number[] = [];

afterEach(() => {
  for (const pid of strays.splice(0)) signalOne(pid, 'SIGKILL');
});

/** Starts a program that guards two processes, forgets the second, tells us their numbers, and stays. */
async function startOwner(folder: string): Promise<{ owner: number; watched: number; forgotten: number }> {
  const program = `
    import { spawn } from 'node:child_process';
    import { OrphanGuard } from ${JSON.stringify(GUARD)};
    const guard = new OrphanGuard(process.argv[1]);
    // A shell with a child of its own in another session: a server that has one may not leave it behind.
    const watched = spawn('sh', ['-c', 'setsid sleep 300 & wait'], { detached: true, stdio: 'ignore' });
    const forgotten = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
    guard.watch(forgotten.pid);
    guard.watch(watched.pid);
    guard.forget(forgotten.pid);
    console.log(JSON.stringify([watched.pid, forgotten.pid]));
    setInterval(() => undefined, 1000);
  `;
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const [watched = 0, forgotten = 0] = JSON.parse(line.toString()) as number[];
  strays.push(owner.pid ?? 0, watched, forgotten);
  return { owner: owner.pid ?? 0, watched, forgotten };
}

describe('the orphan guard', () => {
  it('kills what it watches, even when stopped, and removes the folder when its owner is killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rowferry-guard-test-'));
    const { owner, watched, forgotten } = await startOwner(folder);
    signalOne(watched, 'SIGSTOP');
    signalOne(owner, 'SIGKILL');
    await waitUntil(() => !isAlive(watched), { what: 'the watched process to end' });
    await waitUntil(() => !existsSync(folder), { what: 'the folder to go' });
    expect(isAlive(forgotten)).toBe(true);
  });
});
