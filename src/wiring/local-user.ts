/** Who runs this process, for records and logs that others read later: `user@host`. */
import { hostname, userInfo } from 'node:os';

export function localUser(): string {
  return `${userName()}@${hostname()}`.replaceAll(/[^\w.@+-]/g, '_').slice(0, 100);
}

/** Containers may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? ''}`;
  }
}
