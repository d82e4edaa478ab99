/**
 * Heals parked rows of one partition (P4): after each batch that changed rows, since the row in the way may be gone, and with
 * backoff, since that row may belong to another partition.
 */
import { toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { Backoff } from '../runtime/backoff.ts';
import type { Gate } from '../runtime/gate.ts';
import type { Target } from '../targets/target.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { TableLocks } from './table-locks.ts';
import { lockName } from './table-locks.ts';

interface ParkedRetryOptions {
  readonly owner: number;
  readonly parked: ParkedKeys;
  readonly targets: readonly Target[];
  readonly locks: TableLocks;
  /** Closed while an operator has paused applying: then nothing is written here either. */
  readonly gate: Gate;
  readonly log: Log;
}

const IDLE_MS = 60_000;

export class ParkedRetry {
  readonly #options: ParkedRetryOptions;
  readonly #backoff = new Backoff({ firstMs: 100, maxMs: 15_000 });
  #dueAt = 0;

  constructor(options: ParkedRetryOptions) {
    this.#options = options;
  }

  /** Rows changed: what waits may fit now. */
  tablesChanged(): void {
    if (this.#options.parked.size === 0) return;
    this.#backoff.reset();
    this.#dueAt = Math.min(this.#dueAt, Date.now() + 20);
  }

  /** Milliseconds until `runDue` has something to do. */
  dueInMs(): number {
    if (this.#options.parked.size === 0) return IDLE_MS;
    return Math.max(0, this.#dueAt - Date.now());
  }

  async runDue(signal: AbortSignal): Promise<'done' | 'stale'> {
    const { parked, owner, targets, locks, gate, log } = this.#options;
    if (parked.size === 0 || Date.now() < this.#dueAt) return 'done';
    for (const { target: index, entry } of parked.all()) {
      if (signal.aborted || gate.isClosed) return 'done';
      const target = targets[index]!;
      try {
        const outcome = await locks.hold([lockName(target.name, entry.table)], async () => {
          return await target.retryParked(entry, owner, signal);
        });
        if (outcome === 'stale') return 'stale';
        if (outcome === 'waits') continue;
        parked.delete(index, entry);
        if (outcome === 'healed') {
          log.info(
            { target: target.name, table: entry.table, reason: entry.reason },
            'a parked row has healed',
          );
          this.#backoff.reset();
        }
      } catch (thrown) {
        const error = toRowferryError(thrown, 'retrying a parked row');
        if (error.action !== 'retry') throw error;
      }
    }
    this.#dueAt = Date.now() + this.#backoff.nextMs();
    return 'done';
  }
}
