import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { debianPackage } from '../../scripts/sandbox/debian-packages.ts';
import { findOnPath } from '../../scripts/sandbox/run-command.ts';

/** Why Debian's packages cannot be had here; undefined when they can. */
export function whyNoDebian(): string | undefined {
  const missing = ['apt-get', 'dpkg'].filter((command) => findOnPath(command) === undefined);
  return missing.length === 0 ? undefined : `needs ${missing.join(' and ')}`;
}

/** Runs a program of a Debian package, which is fetched once; answers its exit code and all that it printed. */
export async function runDebianTool(
  name: string,
  program: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { status, stdout, stderr, error } = spawnSync(join(await debianPackage(name), program), args, {
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return { code: status, output: `${stdout}${stderr}` };
}
