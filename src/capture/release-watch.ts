/** Tells when tables that waited for an operator may go on (table-flow.ts). */
import type { Log } from '../model/log.ts';
import type { TableFlow } from './table-flow.ts';

export interface ReleaseWatchOptions {
  readonly flow: TableFlow;
  /** Statements that an operator had dealt with at the beginning. */
  readonly accepted: ReadonlySet<string>;
  /** Offset after the last record of each partition of the change topic. */
  readonly published: (signal: AbortSignal) => Promise<readonly number[]>;
  /** Offsets up to which the appliers have applied, by partition. */
  readonly applied: () => Promise<readonly number[]>;
  readonly log: Log;
}

const ASK_MS = 500;

export class ReleaseWatch {
  readonly #options: ReleaseWatchOptions;
  #accepted: ReadonlySet<string>;
  #askedAtMs = 0;
  /** What was published before the last of these statements was let go. */
  #awaited: { readonly statements: string; readonly ends: readonly number[] } | undefined;

  constructor(options: ReleaseWatchOptions) {
    this.#options = options;
    this.#accepted = options.accepted;
  }

  accept(statements: ReadonlySet<string>): void {
    this.#accepted = statements;
  }

  /**
   * The statements that let go of a held table, when everything that was published before is at the targets; undefined until then.
   * One that is let go later begins the wait anew: its table flowed in the meantime. After a statement that changed
   * the key, rows of the new key may go to other partitions, and must not overtake those of the old one. Where no applier
   * ever committed an offset, others consume the topic: nobody is waited for.
   */
  async ready(signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    const { flow, published, applied, log } = this.#options;
    const freed = flow.freedBy(this.#accepted);
    if (freed.size === 0 || Date.now() - this.#askedAtMs < ASK_MS) return undefined;
    this.#askedAtMs = Date.now();
    const statements = JSON.stringify([...freed]);
    if (this.#awaited?.statements !== statements) {
      this.#awaited = { statements, ends: await published(signal) };
      log.info({}, 'acknowledged: the table goes on once the targets have all that precedes the statement');
    }
    const offsets = await applied();
    const { ends } = this.#awaited;
    const isThere = ends.every((end, partition) => (offsets[partition] ?? 0) >= end);
    return isThere || !offsets.some((offset) => offset > 0) ? freed : undefined;
  }
}
