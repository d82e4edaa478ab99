/**
 * Which statements a connection keeps prepared. A name is prepared when it comes again while it is among the last `size` names,
 * and kept as long as it stays among them: what comes once, or in a round of many tables, is not worth the server's memory.
 * Pure.
 */
export class StatementCache {
  readonly #size: number;
  /** Names, the one used last at the end; true for those that came more than once. */
  readonly #recent = new Map<string, boolean>();
  #hasDropped = false;

  constructor(size: number) {
    this.#size = size;
  }

  /** Notes a use; true when the statement is to be prepared, or is. */
  use(name: string): boolean {
    const isKept = this.#recent.delete(name);
    this.#recent.set(name, isKept);
    if (this.#recent.size > this.#size) {
      const [oldest = ''] = this.#recent.keys();
      this.#hasDropped ||= this.#recent.get(oldest) === true;
      this.#recent.delete(oldest);
    }
    return isKept;
  }

  /** Of the prepared names, those that are to be freed. */
  takeDropped(prepared: Iterable<string>): string[] {
    if (!this.#hasDropped) return [];
    this.#hasDropped = false;
    return [...prepared].filter((name) => this.#recent.get(name) !== true);
  }
}
