/**
 * Which keys the binlog touched between the marks of chunks that are being read. Pure.
 *
 * Order of events for one chunk: low mark committed -> rows read -> high mark committed; the binlog shows low, changes, high.
 * A change before low is in the rows that were read. A change between the marks may or may not be: its row is dropped from the
 * chunk, since the change itself carries the newer image. A change after high comes after the chunk's rows.
 */
/** Keys of one window: a transaction of many million rows must not fill the memory (I-10). */
const MOST_KEYS = 1_000_000;

export class SnapshotWindows {
  /** By chunk: the table that it reads and the exact keys touched since its low mark. */
  readonly #open = new Map<
    number,
    { readonly table: string; readonly keys: Set<string>; changed: boolean }
  >();

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  low(chunk: number, table: string): void {
    this.#open.set(chunk, { table, keys: new Set(), changed: false });
  }

  /** A statement changed these tables: what is read of them now may be of before or after it. */
  changed(concerns: (table: string) => boolean): void {
    for (const window of this.#open.values()) window.changed ||= concerns(window.table);
  }

  /** Notes a change; true when a chunk of its table is between its marks. */
  touch(table: string, key: string): boolean {
    let isWithin = false;
    for (const window of this.#open.values()) {
      if (window.table !== table) continue;
      if (window.keys.size < MOST_KEYS) window.keys.add(key);
      isWithin = true;
    }
    return isWithin;
  }

  /**
   * Ends a window: the keys whose rows must be dropped. `lost` when its low mark never came by, `overrun` when more keys were
   * touched than are kept, `changed` when a statement changed its table: then the chunk has to be read again.
   */
  high(chunk: number): ReadonlySet<string> | 'lost' | 'overrun' | 'changed' {
    const window = this.#open.get(chunk);
    this.#open.delete(chunk);
    if (window === undefined) return 'lost';
    if (window.changed) return 'changed';
    return window.keys.size < MOST_KEYS ? window.keys : 'overrun';
  }
}
