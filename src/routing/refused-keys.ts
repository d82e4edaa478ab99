import { RowferryError } from '../errors.ts';

export interface RefusedKind {
  /** What is wrong with the keys, in the rule's words: `user_id: the sharding key is NULL, modulo needs an integer`. */
  readonly kind: string;
  readonly rows: number;
}

/** Counts the keys that rules refuse, apart by what is wrong with them. Keeps no key. */
export class RefusedKeys {
  readonly #kinds = new Map<string, number>();

  /** Throws the error on unless it is ROWFERRY_ROUTE_KEY. */
  add(error: unknown): void {
    if (!(error instanceof RowferryError) || error.code !== 'ROWFERRY_ROUTE_KEY') throw error;
    const { column } = error.where;
    // These messages name a key's kind and never its value, so there are as many as there are kinds.
    const kind = column === undefined ? error.message : `${column}: ${error.message}`;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
  }

  /** The most frequent kind first. */
  list(): readonly RefusedKind[] {
    return Array.from(this.#kinds, ([kind, rows]) => ({ kind, rows })).toSorted((a, b) => b.rows - a.rows);
  }
}
