/**
 * Where source tables were last emptied. Nothing names the rows of a table without a key: one that comes behind the TRUNCATE that
 * removed it (from a capture that was suspended, and has been replaced meanwhile) must not be added again. Others never come
 * that way: the capture that sends a TRUNCATE has published all before it, and closes every partition (`src/wire/marker.ts`).
 */
import type { Change } from '../model/change.ts';
import { tableName } from '../model/table.ts';
import type { TruncateId } from '../targets/target.ts';
import { reaches } from '../targets/truncation.ts';

export class EmptiedTables {
  readonly #last = new Map<string, TruncateId>();

  add(id: TruncateId): void {
    const known = this.#last.get(id.sourceTable);
    if (known === undefined || !reaches(known, id)) this.#last.set(id.sourceTable, id);
  }

  /** Whether the row was there when its table was emptied. */
  removed(epoch: number, { table, sequence: { file, end } }: Change): boolean {
    if (this.#last.size === 0 || table.key.length > 0) return false;
    const last = this.#last.get(tableName(table));
    return last !== undefined && reaches(last, { epoch, file, end });
  }
}
