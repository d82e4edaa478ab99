/** Waiting for the marks of a copy to come by in the binlog. */
import { RowferryError } from '../errors.ts';
import { sleep } from '../runtime/backoff.ts';
import type { CopyHost, Passing } from './copy-parts.ts';

/** Marks that do not come by for so long after their COMMIT are not written to the binlog. */
const LONGEST_MARK_MS = 120_000;

/**
 * The answer of `passing`; `queued` when the signal aborted first: nobody waits any more. Marks that do not come by although
 * the capture has read past their time are lost.
 */
export async function settled(
  passing: Promise<Passing>,
  host: Pick<CopyHost, 'isBehind'>,
  signal: AbortSignal,
  longestMs = LONGEST_MARK_MS,
): Promise<Passing> {
  for (;;) {
    const patience = new AbortController();
    const waited = sleep(longestMs, AbortSignal.any([signal, patience.signal]));
    const how = await Promise.race([passing, waited]);
    patience.abort();
    if (how !== undefined) return how;
    if (signal.aborted) return 'queued';
    if (!host.isBehind()) return 'lost';
  }
}

export function lostMarks(source: string, table: string): RowferryError {
  return new RowferryError('ROWFERRY_SOURCE_LINK', 'the marks of a chunk did not come by in the binlog', {
    where: { source, table },
    hint: 'the schema `rowferry` must be written to the binlog: look for binlog-do-db, binlog-ignore-db and sql_log_bin',
  });
}
