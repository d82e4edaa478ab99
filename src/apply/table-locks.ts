/**
 * One writer at a time for each table with secondary unique keys at a target.
 *
 * Two partitions may hand a unique value to and fro: each transaction waits for the row that the other has not committed,
 * until the server finds the deadlock (PostgreSQL after a second) and a whole batch is done again. In turn, each finds either
 * the value free or the row in its way, which parks at once. Other processes are still kept apart by the database alone.
 */
export class TableLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` while it holds all named tables; they are taken in one order, so that nobody waits in a circle. */
  async hold<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const releases: (() => void)[] = [];
    for (const name of [...new Set(names)].toSorted()) releases.push(await this.#take(name));
    try {
      return await work();
    } finally {
      for (const release of releases) release();
    }
  }

  async #take(name: string): Promise<() => void> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const { promise, resolve } = deferred();
    const tail = before.then(() => promise);
    this.#tails.set(name, tail);
    await before;
    return () => {
      resolve();
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    };
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** The name under which a target's table is held. */
export function lockName(target: string, table: string): string {
  return `${target}/${table}`;
}
