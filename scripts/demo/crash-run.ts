/** The daemon under the demo's load: started, killed and started again, watched all the time. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../lib/daemon.ts';
import { mergeHistograms, quantile } from '../../src/observe/histogram.ts';
import type { DaemonView, HistogramView } from '../lib/daemon-status.ts';
import { waitUntil } from '../lib/wait-until.ts';
import type { Stage } from './stage.ts';

const WATCH_MS = 250;
const APPLYING_MS = 2_000;
const START_TIMEOUT_MS = 30_000;
const SMALL_LAG_MS = 2_000;
const STEADY_MS = 4_000;
const RECOVERY_TIMEOUT_MS = 30_000;

export class CrashRun {
  readonly #stage: Stage;
  readonly #onStatus: (status: DaemonView | undefined, kills: number) => void;
  readonly #watching = new AbortController();
  readonly #watch: Promise<void>;
  /** From commit to applied, as each daemon counted it last. */
  readonly #delays = new Map<number, HistogramView>();
  #daemon: Daemon;
  kills = 0;

  constructor(stage: Stage, onStatus: (status: DaemonView | undefined, kills: number) => void) {
    this.#stage = stage;
    this.#onStatus = onStatus;
    this.#daemon = this.#start();
    this.#watch = this.#watchStatus(this.#watching.signal);
  }

  get daemon(): Daemon {
    return this.#daemon;
  }

  /** Within which time this share of the changes was applied after its commit, by all daemons; null before any was. */
  delayMs(share: number): number | null {
    const all = mergeHistograms([...this.#delays.values()]);
    const seconds = all === null ? null : quantile(all, share);
    return seconds === null ? null : Math.round(seconds * 10_000) / 10;
  }

  /** Kills the daemon in the middle of its work and starts the next one. */
  async killAndRestart(): Promise<void> {
    await this.#daemon.kill();
    this.kills += 1;
    this.#daemon = this.#start();
  }

  /** Waits until every partition says that it has applied everything that was committed up to `timeMs`. */
  async untilApplied(timeMs: number, timeoutMs: number): Promise<void> {
    await waitUntil(
      () => {
        this.#refuseExit();
        const partitions = this.#daemon.status?.partitions ?? [];
        return (
          partitions.length > 0 && partitions.every(({ appliedUntilMs }) => (appliedUntilMs ?? 0) > timeMs)
        );
      },
      {
        what: 'everything to be applied',
        timeoutMs,
        onError: 'fail',
        details: () => `status: ${JSON.stringify(this.#daemon.status)}\n${this.#daemon.logTail()}`,
      },
    );
  }

  /** Waits until all rows that the source held are copied, by whichever daemon. */
  async untilCopied(tables: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    await waitUntil(
      () => {
        signal.throwIfAborted();
        this.#refuseExit();
        const copies = this.#daemon.status?.captures.flatMap((capture) => capture.copies) ?? [];
        return copies.filter(({ state }) => state === 'done').length === tables;
      },
      { what: 'the tables to be copied', timeoutMs, onError: 'fail', details: () => this.#daemon.logTail() },
    );
  }

  /** Ends the watching, and the daemon unless it may stay. */
  async end({ keepDaemon }: { readonly keepDaemon: boolean }): Promise<void> {
    this.#watching.abort();
    await this.#watch;
    if (!keepDaemon) await this.#daemon.stop();
  }

  #start(): Daemon {
    const { configFile, folder, env } = this.#stage;
    return Daemon.start({
      configFile,
      name: 'shop',
      runDir: join(folder, 'run'),
      logFile: join(folder, 'rowferry.log'),
      env,
    });
  }

  async #watchStatus(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { status } = this.#daemon;
      if (status !== undefined && status.delays !== null) this.#delays.set(status.pid, status.delays);
      this.#onStatus(status, this.kills);
      await sleep(WATCH_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A daemon that ends by itself is a failure, whatever it says. */
  #refuseExit(): void {
    if (this.#daemon.exit !== undefined)
      throw new Error(`the daemon ended by itself (${this.#daemon.describeExit()})`);
  }

  /** Waits at least `ms`, and until this daemon has been applying rows for a while: a kill that hits nothing shows nothing. */
  async work(ms: number, signal: AbortSignal): Promise<void> {
    const startedMs = Date.now();
    let applyingMs: number | undefined;
    while (!signal.aborted) {
      this.#refuseExit();
      const nowMs = Date.now();
      if ((this.#daemon.status?.rows ?? 0) > 0) applyingMs ??= nowMs;
      if (nowMs - startedMs >= ms && applyingMs !== undefined && nowMs - applyingMs >= APPLYING_MS) return;
      if (nowMs - startedMs > ms + START_TIMEOUT_MS)
        throw new Error(`the daemon applies nothing\n${this.#daemon.logTail()}`);
      await sleep(100, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits, under load, until the lag has been small for a while; a slow machine is given up on without a word. */
  async recover(signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + RECOVERY_TIMEOUT_MS;
    let smallSinceMs: number | undefined;
    while (!signal.aborted && Date.now() < deadline) {
      this.#refuseExit();
      const nowMs = Date.now();
      const isSmall = (this.#daemon.status?.lagMs ?? Infinity) <= SMALL_LAG_MS;
      smallSinceMs = isSmall ? (smallSinceMs ?? nowMs) : undefined;
      if (smallSinceMs !== undefined && nowMs - smallSinceMs >= STEADY_MS) return;
      await sleep(100, undefined, { signal }).catch(() => undefined);
    }
  }
}
