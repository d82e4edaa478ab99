/** Writes rows such that a refusal can be survived, and says why a row was refused. */
import { RowferryError } from '../errors.ts';
import type { OutdatedRows } from './outdated-rows.ts';
import { parkDetail } from './parked-record.ts';
import { isRowRefusal, OTHER_ORIGIN } from './row-refusal.ts';
import type { Session } from './session.ts';
import type { ParkReason, RowWrite, TableWriter } from './target.ts';

export interface Refusal {
  readonly reason: ParkReason;
  /** Without values. */
  readonly detail: string;
  readonly error: RowferryError;
}

/** A row in the way, also one of another source, may be gone when we look for it. */
const LOOKS = 4;

/** Writes the rows, all or none; answers the refusal of a row, and throws what is not about rows. */
export async function tryRows(
  session: Session,
  writer: TableWriter,
  rows: readonly RowWrite[],
): Promise<RowferryError | undefined> {
  try {
    await session.atomically(() =>
      writer.hasUniqueKeys ? session.insertRows(writer, rows) : session.upsertRows(writer, rows),
    );
    return undefined;
  } catch (thrown) {
    if (isRowRefusal(thrown)) return thrown;
    throw thrown;
  }
}

/** Writes one row whose old version is gone, over outdated rows in its way (P3); undefined when it stands. */
export async function placeRow(
  session: Session,
  outdated: OutdatedRows,
  writer: TableWriter,
  row: RowWrite,
): Promise<Refusal | undefined> {
  let error: RowferryError | undefined;
  for (let look = 0; look < LOOKS; look++) {
    error = await tryRows(session, writer, [row]);
    if (error === undefined) return undefined;
    if (error.action === 'data') return { reason: 'data', detail: parkDetail(error), error };
    if (writer.origin !== undefined && (await session.holdsOtherOrigin(writer, [row.key]))) {
      return { reason: 'conflict', detail: OTHER_ORIGIN, error };
    }
    const holders = await session.rowsInTheWay(writer, row);
    const blocked = holders[0];
    if (blocked === undefined) continue;
    const keys = holders.map(({ key }) => key);
    if (await outdated.deleteOne(writer, row, keys)) continue;
    const detail = `another row holds the unique key (${blocked.columns.join(', ')})`;
    return { reason: 'conflict', detail, error };
  }
  error ??= new RowferryError('ROWFERRY_INVARIANT', 'a row was neither written nor refused');
  return { reason: 'conflict', detail: `another row holds a unique key: ${error.message}`, error };
}
