/** A gate that work passes through while it is open; an operator's pause closes it. Open at first. */
export class Gate {
  #closed = false;
  #period = new AbortController();
  #waiting: (() => void)[] = [];
  readonly #listeners = new Set<() => void>();

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Aborts when the gate closes; aborted already while it is closed. */
  get period(): AbortSignal {
    return this.#period.signal;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#period.abort();
    for (const listener of this.#listeners) listener();
  }

  open(): void {
    if (!this.#closed) return;
    this.#closed = false;
    this.#period = new AbortController();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when the gate is open or the signal aborted. */
  async opened(signal: AbortSignal): Promise<void> {
    while (this.#closed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          resolve();
        };
        signal.addEventListener('abort', done, { once: true });
        this.#waiting.push(done);
      });
    }
  }

  /** Calls back each time that the gate closes, until the answer is called. */
  onClose(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
