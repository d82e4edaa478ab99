/** A slow Kafka pauses the reading; a pause that the source would not survive ends the session (I-10). */
import type { BinlogLink } from '../drivers/binlog.ts';
import { RowferryError } from '../errors.ts';
import type { Publisher } from './publisher.ts';

/** How long Kafka may hold the binlog link paused before it is closed and opened again later. */
const LONGEST_PAUSE_MS = 20_000;

/**
 * Waits while more than `queueBytes` are unacknowledged. Throws what stopped the publisher, and ROWFERRY_SOURCE_LINK when the
 * link had to be closed; `holding` is called then, before the wait goes on without it.
 */
export async function heldBack(
  publisher: Pick<Publisher<unknown>, 'check' | 'pendingBytes' | 'waitBelow'>,
  link: Pick<BinlogLink, 'close'>,
  { queueBytes, source }: { readonly queueBytes: number; readonly source: string },
  holding: () => void,
  signal: AbortSignal,
): Promise<void> {
  publisher.check();
  if (publisher.pendingBytes < queueBytes) return;
  if (await publisher.waitBelow(queueBytes / 2, LONGEST_PAUSE_MS, signal)) return;
  if (signal.aborted) return;
  await link.close();
  holding();
  while (!signal.aborted && !(await publisher.waitBelow(queueBytes / 2, 60_000, signal)));
  throw new RowferryError('ROWFERRY_SOURCE_LINK', 'the binlog link was closed while Kafka was slow', {
    where: { source },
  });
}
