/** `Target.write`: one batch, one transaction. */
import { RowferryError, toRowferryError } from '../errors.ts';
import { RowIsolation } from './row-isolation.ts';
import { refuseMixedOrigins } from './row-refusal.ts';
import type { StoredWatermark } from './session.ts';
import type { ParkedEntry, Watermark, WriteBatch, WriteResult } from './target.ts';
import type { Attempt, Transactions } from './transactions.ts';

/**
 * Writes the batch, at first in as few statements as possible. When a row is refused that may be parked, the transaction is
 * rolled back and the batch written anew, this time finding out which rows are refused.
 */
export async function writeBatch(
  transactions: Transactions,
  batch: WriteBatch,
  signal: AbortSignal,
): Promise<WriteResult> {
  refuseSteppingBack(batch);
  refuseMixedOrigins(batch);
  let isolates = false;
  const parkedBy = new Map<string, readonly ParkedEntry[]>();

  const run = async (attempt: Attempt): Promise<WriteResult> => {
    const { session, writeId } = attempt;
    if (!isolates) {
      try {
        const outcome = await session.writeAll(batch, writeId);
        return outcome === 'committed' ? { kind: 'done', parked: [] } : await stale(attempt);
      } catch (thrown) {
        const error = toRowferryError(thrown, 'writing a batch');
        if (session.isCommitPending || !isolatable(error, batch)) throw error;
        isolates = true;
        await session.rollback();
      }
    }
    await session.begin();
    if (!(await session.saveWatermark(batch, writeId))) return stale(attempt);
    const parked = await new RowIsolation(session, batch).write();
    parkedBy.set(writeId, parked);
    await session.commit();
    return { kind: 'done', parked };
  };

  const stale = async ({ session, unanswered }: Attempt): Promise<WriteResult> => {
    const found = await session.findWatermark(batch.id, 'look');
    await session.rollback();
    // An attempt whose COMMIT got no answer may have been carried out after we looked: then it is ours that we met.
    return doneBy(found, unanswered) ?? { kind: 'stale', found: found && publicWatermark(found) };
  };

  const doneBy = (
    found: StoredWatermark | undefined,
    unanswered: ReadonlySet<string>,
  ): WriteResult | undefined => {
    const writer = found?.writeId ?? '';
    return unanswered.has(writer) ? { kind: 'done', parked: parkedBy.get(writer) ?? [] } : undefined;
  };

  return transactions.run(
    {
      run,
      settle: async ({ session, unanswered }) => {
        const found = await session.findWatermark(batch.id, 'look');
        await session.rollback();
        return doneBy(found, unanswered);
      },
    },
    signal,
  );
}

function isolatable(error: RowferryError, batch: WriteBatch): boolean {
  return error.action === 'isolate' || (error.action === 'data' && batch.onBadRow === 'park');
}

function refuseSteppingBack(batch: WriteBatch): void {
  const end = batch.save.kind === 'next' ? batch.save.next : batch.save.plannedEnd;
  if (end >= batch.expectNext) return;
  throw new RowferryError('ROWFERRY_INVARIANT', 'a watermark would step back', {
    where: { topic: batch.id.topic, partition: batch.id.partition, offset: String(end) },
    hint: 'this is a bug of rowferry: keep the log and report it',
  });
}

/** What the port tells of a watermark. */
export function publicWatermark(found: StoredWatermark): Watermark {
  const { writeId: _, ...watermark } = found;
  return watermark;
}
