/**
 * Client ids that tell which process they belong to, so that after a crash the next start on the same machine need not wait
 * for its predecessor's session to end: `rowferry/<pipeline>/<role>@<host>/<pid>/<start time>`.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { evictDeadMembers } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { answerWithin } from '../runtime/deadline.ts';

export function memberId(pipeline: string, role: string): string {
  return `rowferry/${pipeline}/${role}@${hostname()}/${process.pid}/${startTime(process.pid) ?? 0}`;
}

const MEMBER = /^rowferry\/[^@]*@(.*)\/(\d+)\/(\d+)$/;

/**
 * True only when the id names a process of this machine that has ended. A living one that is taken for dead (two containers
 * with one host name) would have to join again: that costs time and no row.
 */
export function isDeadHere(clientId: string): boolean {
  const match = MEMBER.exec(clientId);
  if (match === null) return false;
  const [, host, pid, started] = match;
  if (host !== hostname() || started === '0') return false;
  return startTime(Number(pid)) !== started;
}

/** When a process began, in the kernel's clock ticks; undefined when there is none or the system does not tell. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold anything: count from behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** How long that may hold up the start. */
const REMOVE_MS = 10_000;

/** Removes members of a group that died on this machine. Only saves waiting: a failure is told and forgotten. */
export async function removeDeadMembers(
  link: KafkaLink,
  groupId: string,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const remove = async (): Promise<string[]> => await evictDeadMembers(link, groupId, isDeadHere);
  const late = (): RowferryError =>
    new RowferryError('ROWFERRY_KAFKA_LINK', `no answer within ${REMOVE_MS} ms`);
  try {
    const removed = await answerWithin(signal, REMOVE_MS, remove, late);
    if (removed.length > 0)
      log.info({ groupId, removed }, 'members that died on this machine were removed from the group');
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toRowferryError(thrown, 'removing dead members');
    log.info({ code: error.code, groupId }, 'dead members stay until their session ends');
  }
}
