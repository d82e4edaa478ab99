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
  #mustApply: readonly number[] | undefined;

  constructor(options: ReleaseWatchOptions) {
    this.#options = options;
    this.#accepted = options.accepted;
  }

  accept(statements: ReadonlySet<string>): void {
    this.#accepted = statements;
  }

  /**
   * True when a held table is let go and everything that was published before is at the targets. After a statement that changed
   * the key, rows of the new key may go to other partitions, and must not overtake those of the old one. Where no applier
   * ever committed an offset, others consume the topic: nobody is waited for.
   */
  async isReady(signal: AbortSignal): Promise<boolean> {
    const { flow, published, applied, log } = this.#options;
    if (!flow.frees(this.#accepted) || Date.now() - this.#askedAtMs < ASK_MS) return false;
    this.#askedAtMs = Date.now();
    if (this.#mustApply === undefined) {
      this.#mustApply = await published(signal);
      log.info({}, 'acknowledged: the table goes on once the targets have all that precedes the statement');
    }
    const offsets = await applied();
    if (!offsets.some((offset) => offset > 0)) return true;
    return this.#mustApply.every((end, partition) => (offsets[partition] ?? 0) >= end);
  }
}
