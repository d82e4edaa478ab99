/** Runs transactions on a pool: repeats what was only bad luck, and settles a COMMIT whose answer never came (A4). */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionPool } from '../drivers/connection-pool.ts';
import { serverErrorOf } from '../drivers/server-error.ts';
import { toRowferryError } from '../errors.ts';
import type { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { Session } from './session.ts';

interface TransactionsOptions {
  readonly target: string;
  readonly pool: ConnectionPool<Session>;
  readonly log: Log;
  /**
   * How long a transaction is tried again before its error is given to the caller: longer is the caller's business, who shows
   * that it waits. If a COMMIT without an answer happened all the same, whoever writes the batch again meets its watermark, and
   * claims the partition anew.
   */
  readonly retryBudgetMs: number;
}

export interface Attempt {
  readonly session: Session;
  /** Names this attempt in the watermark that it writes. */
  readonly writeId: string;
  /** Earlier attempts whose COMMIT got no answer: any of them may have happened. */
  readonly unanswered: ReadonlySet<string>;
}

interface Work<T> {
  /** Runs in a session without a transaction, and has committed or rolled back when it returns. */
  readonly run: (attempt: Attempt) => Promise<T>;
  /** What an unanswered attempt did if it happened, undefined if not; the session has no transaction. */
  readonly settle?: (attempt: Attempt) => Promise<T | undefined>;
}

interface Failed {
  readonly error: RowferryError;
  readonly isUnanswered: boolean;
  /** There was no session, or it is of no use any more. */
  readonly isAway: boolean;
}

/** Likewise while no session can be had. */
const AWAY_MS = 1_000;
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 2_000;
const RECONNECT: ReadonlySet<string> = new Set(['ROWFERRY_TARGET_REFUSES', 'ROWFERRY_TARGET_ACCESS']);
/** Deadlocks and the like are everyday life up to here. */
const QUIET_ATTEMPTS = 4;

export class Transactions {
  readonly #options: TransactionsOptions;
  /** No session could be had the last time: the next failure is told at once. */
  #isAway = false;
  /** A session was had once: a login that is refused later is no wrong configuration, and may be let in again. */
  #wasLetIn = false;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /** Resolves with the outcome or rejects with the last error; never leaves it open whether the work happened. */
  async run<T>(work: Work<T>, signal: AbortSignal): Promise<T> {
    const { retryBudgetMs } = this.#options;
    const unanswered = new Set<string>();
    let firstFailureAt: number | undefined;
    let failure: RowferryError | undefined;
    for (let attempt = 1; ; attempt++) {
      const startedAt = Date.now();
      const tried = await this.#try(work, unanswered, failure);
      if ('value' in tried) {
        this.#isAway = false;
        return tried.value;
      }
      failure = tried.error;
      // An unanswered COMMIT has to be settled whatever the error was.
      const isFinal = failure.action !== 'retry' && !tried.isUnanswered;
      firstFailureAt ??= Date.now();
      const awayMs = this.#isAway ? 0 : Math.min(AWAY_MS, retryBudgetMs);
      const budgetMs = tried.isAway ? awayMs : retryBudgetMs;
      // What waited for a lock until a timeout was no bad luck: whoever waits for it shows that. A deadlock is, however long the
      // server took to find it.
      const isDeadlock = serverErrorOf(failure)?.fault === 'deadlock';
      const isBusy = failure.code === 'ROWFERRY_TARGET_BUSY' && !isDeadlock && !tried.isUnanswered;
      const sinceMs = isBusy ? Math.min(startedAt, firstFailureAt) : firstFailureAt;
      if (isFinal || signal.aborted || Date.now() - sinceMs >= budgetMs) {
        this.#isAway = tried.isAway;
        throw failure;
      }
      await this.#pause(attempt, failure, signal);
      if (signal.aborted) throw failure;
    }
  }

  async #try<T>(
    work: Work<T>,
    unanswered: Set<string>,
    earlier: RowferryError | undefined,
  ): Promise<{ readonly value: T } | Failed> {
    const writeId = randomUUID();
    let session: Session | undefined;
    try {
      session = await this.#options.pool.acquire();
      this.#wasLetIn = true;
      const attempt: Attempt = { session, writeId, unanswered };
      if (unanswered.size > 0) {
        const settled = await work.settle?.(attempt);
        if (settled !== undefined) return { value: settled };
        // It did not happen, and what its COMMIT failed of will not go away by itself.
        if (earlier !== undefined && earlier.action !== 'retry')
          return { error: earlier, isUnanswered: false, isAway: false };
      }
      return { value: await work.run(attempt) };
    } catch (thrown) {
      const told = toRowferryError(thrown, `writing to target ${this.#options.target}`).at({
        target: this.#options.target,
      });
      const isLoginLost = session === undefined && this.#wasLetIn && told.code === 'ROWFERRY_TARGET_ACCESS';
      const error = isLoginLost ? told.passing() : told;
      const isUnanswered = session?.isCommitPending === true;
      if (isUnanswered) unanswered.add(writeId);
      if (session !== undefined) await this.#clear(session, error);
      return { error, isUnanswered, isAway: session?.isUsable !== true };
    } finally {
      if (session !== undefined) this.#options.pool.release(session);
    }
  }

  /**
   * Leaves no transaction behind; a session that may still have one, or leads to the wrong server, is cut. So are all that lie
   * idle after a grant was missing: MySQL shows a session the grants on a database as they were at its last USE.
   */
  async #clear(session: Session, error: RowferryError): Promise<void> {
    if (error.code === 'ROWFERRY_TARGET_ACCESS') this.#options.pool.dropIdle();
    if (!session.isUsable || session.isCommitPending || RECONNECT.has(error.code)) {
      session.destroy();
      return;
    }
    try {
      await session.rollback();
    } catch {
      // The server rolls back by itself once the link is gone; the error that led here is the one to tell.
      session.destroy();
    }
  }

  async #pause(attempt: number, error: RowferryError, signal: AbortSignal): Promise<void> {
    const { target, log } = this.#options;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
    const waitMs = Math.round(longest / 2 + Math.random() * (longest / 2));
    const fields = { target, attempt, waitMs, error: error.describe() };
    if (attempt === QUIET_ATTEMPTS) log.warn(fields, 'a transaction is tried again and again');
    else log.debug(fields, 'a transaction is tried again');
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
