/** The offsets of one assigned partition: what may be delivered next. Pure. */

/** First and last offset that a fetch covered, with the records of it. */
export interface Delivery {
  readonly first: number;
  readonly last: number;
  readonly offsets: readonly number[];
}

type Verdict =
  /** Hand all of it over. */
  | 'deliver'
  /** Leave it: it will be fetched again when it is wanted. */
  | 'leave'
  /** Not what was asked for: find out why before anything is delivered. */
  | 'mismatch';

/**
 * Delivers nothing before `seek`, and afterwards only the records that begin exactly where the last delivery ended. kafkajs
 * moves a consumer whose offset is out of range to another offset without an error; here that is a mismatch.
 */
export class PartitionFlow {
  #expected: number | undefined;
  #paused = false;
  #checking = false;
  #allowsHoles: boolean;

  /** `allowsHoles`: offsets may be missing between two records of one fetch (transaction markers of another writer). */
  constructor(allowsHoles: boolean) {
    this.#allowsHoles = allowsHoles;
  }

  /** Offset of the next record, undefined before the first `seek`. */
  get expected(): number | undefined {
    return this.#expected;
  }

  /** Whether records may be fetched for it now. */
  get isOpen(): boolean {
    return this.#expected !== undefined && !this.#paused && !this.#checking;
  }

  /** Starts at `offset`; also ends a check and a pause. */
  seek(offset: number): void {
    this.#expected = offset;
    this.#paused = false;
    this.#checking = false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  /** A mismatch is being looked into; resolved by `checked` unless a `seek` came first. */
  check(): void {
    this.#checking = true;
  }

  checked(): void {
    this.#checking = false;
  }

  get isChecking(): boolean {
    return this.#checking;
  }

  judge({ first, last, offsets }: Delivery): Verdict {
    if (!this.isOpen) return 'leave';
    if (first !== this.#expected) return 'mismatch';
    const whole =
      this.#allowsHoles ||
      (offsets.length === last - first + 1 && offsets.every((offset, index) => offset === first + index));
    return whole ? 'deliver' : 'mismatch';
  }

  /** The fetch that began at the expected offset is dealt with. */
  advance(last: number): void {
    this.#expected = last + 1;
  }
}
