/**
 * What heartbeat rows tell of the commit times of the transactions between them; pure. Whatever comes after a row in the
 * binlog was committed after the row's time, and before the next one's. So no time that is made here is earlier than that of
 * the last row, and none later than the next row's should be: what is told beyond that is not believed, and the time of the
 * last row, the earliest that it can be, takes its place. Lag is never told too small for it, and too large by no more than a
 * row is from the next.
 */

/** How late a row may be: the server commits it, and the binlog brings it. */
export const ROW_LATE_MS = 1_000;

export class CommitBounds {
  readonly #everyMs: number;
  #last: { readonly writtenMs: number; readonly toldMs: number } | undefined;

  /** `everyMs`: how often the row is written. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Whether a row came by. */
  get hasRow(): boolean {
    return this.#last !== undefined;
  }

  /** A row came by. `toldMs` is the time that its transaction was told by, as `of` takes it. */
  row(writtenMs: number, toldMs: number): void {
    this.#last = { writtenMs, toldMs };
  }

  /**
   * The commit time of a transaction that came at `toldMs`: at the reader, or at the replica that is read. It was committed as
   * long after the last row as it came after it: what both lost on their way takes itself out.
   */
  came(toldMs: number): number {
    if (this.#last === undefined) return toldMs;
    return this.#within(this.#last.writtenMs + toldMs - this.#last.toldMs);
  }

  /** The same for one of which only the beginning of its last statement is known, or what a session says of it. */
  began(toldMs: number): number {
    return this.#last === undefined ? toldMs : this.#within(toldMs);
  }

  #within(timeMs: number): number {
    const { writtenMs } = this.#last!;
    return timeMs > writtenMs && timeMs <= writtenMs + this.#everyMs + ROW_LATE_MS ? timeMs : writtenMs;
  }
}
