/**
 * One capture is active for each source: the member of a group over a one-partition topic that holds the partition. The group
 * only decides who *should* work; claims in the checkpoint topic make a late zombie harmless (C1).
 */
import type { AssignedPartition, GroupConsumer } from '../drivers/kafka-consumer.ts';

export class Leadership {
  readonly #consumer: GroupConsumer;
  #term: AbortController | undefined;
  #joined = false;
  #waiting: (() => void)[] = [];

  constructor(connect: (onAssign: (partitions: readonly AssignedPartition[]) => void) => GroupConsumer) {
    this.#consumer = connect((partitions) => {
      this.#joined = true;
      this.#assigned(partitions.length > 0);
    });
  }

  /** Takes part in the group until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#consumer.run(signal);
    } finally {
      this.#assigned(false);
      this.#wake();
    }
  }

  get leads(): boolean {
    return this.#term !== undefined;
  }

  /** Another member is known to lead. */
  get standsBy(): boolean {
    return this.#joined && !this.leads;
  }

  /** Waits for a term of office: its signal aborts when another member takes over. Undefined when `signal` aborted first. */
  async term(signal: AbortSignal): Promise<AbortSignal | undefined> {
    while (!signal.aborted) {
      if (this.#term !== undefined) return this.#term.signal;
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        this.#waiting.push(resolve);
      });
    }
    return undefined;
  }

  #assigned(leads: boolean): void {
    if (leads === this.leads) return;
    if (leads) this.#term = new AbortController();
    else {
      this.#term?.abort();
      this.#term = undefined;
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
