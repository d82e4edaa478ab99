/**
 * The chunks of one table that are on their way. Several are read at a time and end in any order; the place to go on from
 * after a crash is the end of the unbroken run of finished ones. Pure.
 */
import type { CopyKey } from './snapshot-state.ts';

interface OpenChunk {
  readonly id: number;
  to: CopyKey;
  /** Rows that it published; undefined while it is on its way. */
  rows: number | undefined;
}

export class ChunkLedger {
  readonly #chunks: OpenChunk[] = [];

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Chunks are opened in key order. */
  open(id: number, to: CopyKey): void {
    this.#chunks.push({ id, to, rows: undefined });
  }

  /** A chunk ends earlier, at `at`; the rest of it is the chunk `rest`. */
  split(id: number, at: CopyKey, rest: number): void {
    const index = this.#chunks.findIndex((open) => open.id === id);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return;
    this.#chunks.splice(index + 1, 0, { id: rest, to: chunk.to, rows: undefined });
    chunk.to = at;
  }

  /** Finishes a chunk: the new place and the rows that lie behind it now, or undefined while an earlier chunk is open. */
  finish(id: number, rows: number): { readonly after: CopyKey; readonly rows: number } | undefined {
    const chunk = this.#chunks.find((open) => open.id === id);
    if (chunk !== undefined) chunk.rows = rows;
    let after: CopyKey | undefined;
    let sum = 0;
    for (let first = this.#chunks[0]; first?.rows !== undefined; first = this.#chunks[0]) {
      after = first.to;
      sum += first.rows;
      this.#chunks.shift();
    }
    return after === undefined ? undefined : { after, rows: sum };
  }
}
