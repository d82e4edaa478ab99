/** Keeps an answer that costs a look at servers for a moment: any number of callers cause one look at a time. */
export class Fresh<T> {
  readonly #look: (signal: AbortSignal) => Promise<T>;
  readonly #forMs: number;
  #looking: Promise<T> | undefined;
  #found: { readonly value: T; readonly atMs: number } | undefined;

  constructor(forMs: number, look: (signal: AbortSignal) => Promise<T>) {
    this.#forMs = forMs;
    this.#look = look;
  }

  /** The signal is the first caller's; those who join share its fate. */
  async read(signal: AbortSignal): Promise<T> {
    if (this.#found !== undefined && performance.now() - this.#found.atMs < this.#forMs)
      return this.#found.value;
    this.#looking ??= this.#look(signal)
      .then((value) => {
        this.#found = { value, atMs: performance.now() };
        return value;
      })
      .finally(() => (this.#looking = undefined));
    return await this.#looking;
  }
}
