/**
 * Writes a batch of which some rows are refused: finds those by halving, writes all others, and parks them (P1).
 *
 * A parked row is not in its table: its old version, outdated as it is, is deleted when the new one is parked. So it stands
 * in nobody's way, and two rows that swap a unique value do not wait for each other. A row whose key another source still has
 * waits likewise: were the batch to fail, its deletes would not happen, and two sources that hand rows to each other would wait
 * for each other's for ever.
 */
import { OutdatedRows } from './outdated-rows.ts';
import { parkedRecord, parkedRef, unparkedRefs } from './parked-record.ts';
import { placeRow, tryRows } from './place-row.ts';
import type { Refusal } from './place-row.ts';
import type { Session } from './session.ts';
import type { ParkedEntry, RowWrite, TableWriter, WriteBatch } from './target.ts';

export class RowIsolation {
  readonly #session: Session;
  readonly #batch: WriteBatch;
  readonly #outdated: OutdatedRows;
  readonly #parked: ParkedEntry[] = [];
  readonly #nowMs = Date.now();
  /** Since when keys of this batch were parked before: an entry that is replaced keeps its age. */
  #since: ReadonlyMap<string, number> = new Map();

  constructor(session: Session, batch: WriteBatch) {
    this.#session = session;
    this.#batch = batch;
    this.#outdated = new OutdatedRows(session);
  }

  /** Writes everything of the batch but the watermark; answers what was parked. */
  async write(): Promise<readonly ParkedEntry[]> {
    const { tables } = this.#batch;
    const refs = unparkedRefs(this.#batch);
    // Before any row is written: a row of this batch must never be taken for an outdated one (P2, P3).
    this.#since = await this.#session.parkedSince(refs);
    await this.#session.deleteParked(refs);
    for (const { writer, deletes } of tables) await this.#session.deleteRows(writer, deletes);
    for (const { writer, upserts } of tables) {
      // Nothing would name a parked row, and two that are the same would share one entry.
      if (writer.key.length === 0) {
        await this.#session.insertRows(writer, upserts);
        continue;
      }
      if (writer.hasUniqueKeys) {
        await this.#session.deleteRows(
          writer,
          upserts.map(({ key }) => key),
        );
      }
      await this.#place(writer, upserts);
    }
    return this.#parked;
  }

  async #place(writer: TableWriter, rows: readonly RowWrite[]): Promise<void> {
    const [only] = rows;
    if (only === undefined) return;
    if (rows.length === 1) {
      const refusal = await placeRow(this.#session, this.#outdated, writer, only);
      if (refusal !== undefined) await this.#park(writer, only, refusal);
      return;
    }
    if ((await tryRows(this.#session, writer, rows)) === undefined) return;
    const middle = rows.length >> 1;
    await this.#place(writer, rows.slice(0, middle));
    await this.#place(writer, rows.slice(middle));
  }

  async #park(writer: TableWriter, row: RowWrite, refusal: Refusal): Promise<void> {
    const { id, onBadRow } = this.#batch;
    if (refusal.reason === 'data' && onBadRow === 'stop') throw refusal.error;
    if (!writer.hasUniqueKeys) await this.#session.deleteRows(writer, [row.key]);
    const origin = writer.origin?.value;
    const ref = parkedRef(id, writer.table.name, row.key, origin);
    const sinceMs = this.#since.get(ref.keyHash) ?? this.#nowMs;
    const record = parkedRecord(id, writer, row, { ...refusal, sinceMs });
    await this.#session.insertParked(record);
    const { shape: _, image: __, ...entry } = record;
    this.#parked.push(entry);
    this.#outdated.add(entry.table, { ref, key: row.key, ...(origin === undefined ? {} : { origin }) });
  }
}
