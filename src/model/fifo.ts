/**
 * A queue that lets go of an entry the moment it leaves. Entries are taken at a moving head, and a taken one's slot is cleared
 * at once: until the array is cut it may be 1024 entries long, and those may be a gigabyte.
 */
export class Fifo<T> {
  #entries: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: T): void {
    this.#entries.push(entry);
  }

  peek(): T | undefined {
    return this.#entries[this.#head];
  }

  /** The first `count` entries, in order; fewer when fewer wait. */
  first(count: number): T[] {
    return this.#entries.slice(this.#head, this.#head + count) as T[];
  }

  shift(): T | undefined {
    const entry = this.#entries[this.#head];
    if (this.length === 0) return undefined;
    this.#entries[this.#head++] = undefined;
    if (this.#head === this.#entries.length) this.clear();
    else if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
  }

  /** All that wait, in order; they stay. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = this.#head; i < this.#entries.length; i++) yield this.#entries[i] as T;
  }
}
