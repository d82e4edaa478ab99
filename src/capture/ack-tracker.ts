/**
 * Which position is durable (I-1): the newest transaction end before which Kafka has acknowledged every record.
 *
 * Records get numbers in the order in which they were made; acknowledgements arrive in any order. A position is marked after
 * the last record that it covers and becomes durable when the acknowledged prefix reaches that record. Progress comes only
 * from acknowledgements, never from time.
 */
export class AckTracker<P> {
  #issued = 0;
  /** Every record with a number up to this one is acknowledged. */
  #acked = 0;
  readonly #early = new Set<number>();
  readonly #marks: { readonly after: number; readonly position: P }[] = [];
  #durable: P | undefined;

  /** Numbers a record that is about to be sent. */
  issue(): number {
    return ++this.#issued;
  }

  acknowledge(record: number): void {
    this.#early.add(record);
    while (this.#early.delete(this.#acked + 1)) this.#acked++;
    this.#settle();
  }

  /** Everything up to `position` is covered by the records issued so far. */
  mark(position: P): void {
    const last = this.#marks.at(-1);
    if (last !== undefined && last.after === this.#issued) this.#marks.pop();
    this.#marks.push({ after: this.#issued, position });
    this.#settle();
  }

  /** Number of the newest record. */
  get issued(): number {
    return this.#issued;
  }

  /** Every record with a number up to this one is acknowledged. */
  get acknowledged(): number {
    return this.#acked;
  }

  get durable(): P | undefined {
    return this.#durable;
  }

  get unacknowledged(): number {
    return this.#issued - this.#acked;
  }

  #settle(): void {
    let reached = 0;
    for (const mark of this.#marks) {
      if (mark.after > this.#acked) break;
      this.#durable = mark.position;
      reached++;
    }
    if (reached > 0) this.#marks.splice(0, reached);
  }
}
