/**
 * How every part gets back to a server that went away, and what it shows meanwhile.
 *
 *     works ──breaks──> trying: after 1, 2 and 4 s ──three tries failed──> probing, for ever ──answered──> works
 *
 * A part that waits here holds its place and resumes by itself. What passes within milliseconds (deadlocks, a cut link) is
 * tried again below, by whoever holds the transaction, and does not come this far.
 */
import type { RowferryError } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import type { Log, LogFields } from '../model/log.ts';
import { sleep } from './backoff.ts';

/** Waits before the tries that come first. */
const FIRST_WAITS_MS: readonly number[] = [1_000, 2_000, 4_000];
/** Before the one try that comes at once, where nobody below has tried. */
const AT_ONCE_MS = 100;

/** An outage as it is shown: plain data, also for another thread. */
export interface OutageStatus {
  /** What waits: `capture main`, `target east`, a topic and partition, `kafka`. */
  readonly part: string;
  readonly phase: 'trying' | 'probing';
  /** What the error is about: `source <name>`, `target <name>`, `kafka`; null when it is about none of them. */
  readonly server: string | null;
  /** Tries in a row that failed; the one that comes at once does not count. */
  readonly tries: number;
  /** Since when, and when it is tried next: milliseconds since 1970. */
  readonly sinceMs: number;
  readonly nextTryMs: number;
  readonly error: string;
  readonly errorCode: string;
}

/**
 * The wait before the next try when `tries` have failed. From the fourth on it grows to `maxMs`, half of it by chance:
 * processes that lost the same server must not come back at the same instant. Pure.
 */
export function waitBeforeTry(tries: number, maxMs: number, random: number): number {
  const first = FIRST_WAITS_MS[tries];
  if (first !== undefined) return first;
  const last = FIRST_WAITS_MS.at(-1)!;
  const full = Math.min(maxMs, last * 2 ** Math.min(20, tries - FIRST_WAITS_MS.length + 1));
  return full / 2 + (random * full) / 2;
}

interface OutagesOptions {
  /** Longest wait of a part that is probing. */
  readonly maxMs: number;
  readonly log: Log;
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface OutageOptions {
  /** The first try comes at once: for links that nobody below has tried to make anew. */
  readonly atOnce?: boolean;
  /** What works for less than this and breaks again has the same outage as before. */
  readonly steadyMs?: number;
  readonly fields?: LogFields;
}

/** The outages of one role: how long they last, what is told of them. */
export class Outages {
  readonly options: Required<OutagesOptions>;
  readonly #open = new Map<object, OutageStatus>();
  #hurry = new AbortController();

  constructor(options: OutagesOptions) {
    this.options = { now: Date.now, random: Math.random, ...options };
  }

  /** Those that last, the longest first. */
  get current(): OutageStatus[] {
    return [...this.#open.values()];
  }

  /** Waits before a try. Returns early when the signal aborts, or when somebody hurries. */
  async wait(waitMs: number, signal: AbortSignal): Promise<void> {
    await sleep(waitMs, AbortSignal.any([signal, this.#hurry.signal]));
  }

  /** Ends the waits that go on now: whoever asks has mended what they wait for. How long the next ones are stays as it was. */
  hurry(): void {
    const waits = this.#hurry;
    this.#hurry = new AbortController();
    waits.abort();
  }

  of(part: string, options: OutageOptions = {}): Outage {
    return new Outage(part, options, this.options, (outage, status) => {
      if (status === null) this.#open.delete(outage);
      else this.#open.set(outage, status);
    });
  }

  /**
   * Does `work`, again and again while it fails for a reason that passes. Rejects with any other error, and with the signal's
   * reason once it aborted.
   */
  async retrying<T>(
    part: string,
    work: () => Promise<T>,
    signal: AbortSignal,
    options: OutageOptions & {
      /** Told of each failed try and when the next one is. */
      readonly onWait?: (error: RowferryError, nextTryMs: number) => void;
      /** Whether an error passes; `tries` have failed before. */
      readonly passes?: (error: RowferryError, tries: number) => boolean;
    } = {},
  ): Promise<T> {
    const outage = this.of(part, options);
    const passes = options.passes ?? (({ action }: RowferryError) => action === 'retry');
    try {
      for (let tries = 0; ; tries++) {
        signal.throwIfAborted();
        try {
          const done = await work();
          outage.over();
          return done;
        } catch (thrown) {
          signal.throwIfAborted();
          const error = toRowferryError(thrown, part);
          if (!passes(error, tries)) throw error;
          const waitMs = outage.failed(error);
          options.onWait?.(error, this.options.now() + waitMs);
          await this.wait(waitMs, signal);
        }
      }
    } finally {
      outage.close();
    }
  }
}

/** The way back of one part, over all of its outages. Each change of its state is told once. */
export class Outage {
  readonly #part: string;
  readonly #own: OutageOptions;
  readonly #options: Required<OutagesOptions>;
  readonly #show: (outage: Outage, status: OutageStatus | null) => void;
  #status: OutageStatus | null = null;
  #failures = 0;
  #sinceMs = 0;
  #overMs: number | null = null;
  /** Errors that were told: two that take turns are not told for ever. */
  #told = new Set<string>();

  constructor(
    part: string,
    own: OutageOptions,
    options: Required<OutagesOptions>,
    show: (outage: Outage, status: OutageStatus | null) => void,
  ) {
    this.#part = part;
    this.#own = own;
    this.#options = options;
    this.#show = show;
  }

  /** What is shown of it; null while it works. */
  get status(): OutageStatus | null {
    return this.#status;
  }

  /** It broke, or a try failed; answers how long to wait before the next one. */
  failed(error: RowferryError): number {
    const { now, random, maxMs, log } = this.#options;
    const { atOnce = false, steadyMs = 0, fields = {} } = this.#own;
    const nowMs = now();
    const isNew = this.#overMs !== null && nowMs - this.#overMs >= steadyMs;
    if (isNew || this.#failures === 0) {
      this.#failures = 0;
      this.#sinceMs = nowMs;
      this.#told.clear();
    }
    if (this.#overMs !== null) this.#told.clear();
    this.#overMs = null;
    const tries = this.#failures++ - (atOnce ? 1 : 0);
    const waitMs = tries < 0 ? AT_ONCE_MS : waitBeforeTry(tries, maxMs, random());
    const before = this.#status?.phase;
    const phase = tries < FIRST_WAITS_MS.length ? 'trying' : 'probing';
    const text = error.describe();
    this.#set({
      part: this.#part,
      phase,
      server: serverOf(error),
      tries: Math.max(0, tries),
      sinceMs: this.#sinceMs,
      nextTryMs: nowMs + waitMs,
      error: text,
      errorCode: error.code,
    });
    const about = { ...fields, part: this.#part, code: error.code };
    if (phase === 'probing' && before !== 'probing') {
      log.error(
        { ...about, tries },
        `${this.#part} is probing: ${tries} tries failed; it goes on by itself once it is answered: ${text}`,
      );
    } else if (!this.#told.has(error.code)) {
      log.warn(about, `${this.#part} waits: ${text}`);
    }
    this.#told.add(error.code);
    return waitMs;
  }

  /** It works. */
  over(): void {
    const { now, log } = this.#options;
    const status = this.#status;
    if (status === null) return;
    this.#overMs = now();
    this.#set(null);
    const { tries, sinceMs } = status;
    const fields = { ...this.#own.fields, part: this.#part, tries, waitedMs: this.#overMs - sinceMs };
    log.info(fields, `${this.#part} works again`);
  }

  /** Nobody tries any more; it is shown no longer, and what comes next is another outage. */
  close(): void {
    this.#failures = 0;
    this.#overMs = null;
    this.#set(null);
  }

  #set(status: OutageStatus | null): void {
    this.#status = status;
    this.#show(this, status);
  }
}

function serverOf({ code, where }: RowferryError): string | null {
  if (code.startsWith('ROWFERRY_KAFKA_')) return 'kafka';
  if (code.startsWith('ROWFERRY_TARGET_'))
    return where.target === undefined ? null : `target ${where.target}`;
  if (code.startsWith('ROWFERRY_SOURCE_'))
    return where.source === undefined ? null : `source ${where.source}`;
  return null;
}
