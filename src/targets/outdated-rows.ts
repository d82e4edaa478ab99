/**
 * P3: a row whose key has a parked entry is outdated, since the entry holds its newer image. When such a row holds a unique
 * value that another row needs, it is deleted; its own image comes back when the entry heals. An entry of another origin says
 * nothing: its key may be that of a row which is not outdated at all.
 */
import { coarseKey } from './parked-record.ts';
import type { ParkedKey, Session } from './session.ts';
import type { RowWrite, TableWriter } from './target.ts';

export class OutdatedRows {
  readonly #session: Session;
  /** By table, then by the coarse text of the key. */
  readonly #tables = new Map<string, Map<string, ParkedKey[]>>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Deletes one outdated row that holds a unique value of `row`; false when none of `holders` is outdated. */
  async deleteOne(
    writer: TableWriter,
    row: RowWrite,
    holders: readonly (readonly string[])[],
  ): Promise<boolean> {
    const parked = await this.#keysOf(writer.table.name);
    for (const holder of holders) {
      for (const { ref, key, origin } of parked.get(coarseKey(holder)) ?? []) {
        if (origin !== writer.origin?.value) continue;
        if (!(await this.#session.isInTheWay(writer, row, key))) continue;
        // Whoever heals or replaces the entry holds its lock: with the lock in hand and the entry there, the row is outdated.
        if ((await this.#session.lockParked(ref)) === undefined) continue;
        await this.#session.deleteRows(writer, [key]);
        return true;
      }
    }
    return false;
  }

  /** Tells of an entry that this transaction has written. */
  add(table: string, entry: ParkedKey): void {
    const keys = this.#tables.get(table);
    // Read later, the table's entries will include it.
    if (keys !== undefined) insert(keys, entry);
  }

  async #keysOf(table: string): Promise<ReadonlyMap<string, readonly ParkedKey[]>> {
    const known = this.#tables.get(table);
    if (known !== undefined) return known;
    const keys = new Map<string, ParkedKey[]>();
    for (const entry of await this.#session.parkedKeys(table)) insert(keys, entry);
    this.#tables.set(table, keys);
    return keys;
  }
}

function insert(keys: Map<string, ParkedKey[]>, entry: ParkedKey): void {
  const text = coarseKey(entry.key);
  const same = keys.get(text);
  if (same === undefined) keys.set(text, [entry]);
  else same.push(entry);
}
