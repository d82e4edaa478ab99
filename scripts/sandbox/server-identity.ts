import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SandboxError } from './sandbox-error.ts';

export interface ServerIdentity {
  readonly uid: number;
  readonly gid: number;
}

/** The user that servers run as: `nobody` when we are root, because they refuse root; undefined means ourselves. */
export function serverIdentity(): ServerIdentity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = entry?.split(':') ?? [];
  if (uid === undefined || gid === undefined) {
    throw new SandboxError(
      'the servers refuse to run as root and there is no user "nobody" in /etc/passwd',
      'run as an ordinary user, or add the user "nobody"',
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Whether `identity` may pass through every folder from the root to `path`; folders that are yet to be made count as open. */
export function isReachable(path: string, identity: ServerIdentity | undefined): boolean {
  if (identity === undefined) return true;
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat !== undefined) {
      const searchBit = stat.uid === identity.uid ? 0o100 : 0o001;
      if ((stat.mode & searchBit) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}
