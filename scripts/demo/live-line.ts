const PLAIN_INTERVAL_MS = 2_000;

/** A line that tells how things stand: rewritten in place on a terminal, elsewhere a new line every two seconds. */
export class LiveLine {
  readonly #out: NodeJS.WriteStream;
  #lastMs = 0;
  #open = false;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
  }

  show(text: string): void {
    if (this.#out.isTTY) {
      this.#out.write(`\r\u001B[K${text.slice(0, this.#out.columns - 1)}`);
      this.#open = true;
      return;
    }
    const nowMs = Date.now();
    if (nowMs - this.#lastMs < PLAIN_INTERVAL_MS) return;
    this.#lastMs = nowMs;
    this.#out.write(`${text}\n`);
  }

  /** A line that stays. */
  print(text: string): void {
    this.end();
    this.#out.write(`${text}\n`);
  }

  /** Leaves the line as it is. */
  end(): void {
    if (this.#open) this.#out.write('\n');
    this.#open = false;
  }
}
