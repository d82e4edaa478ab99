import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Daemon } from '../../scripts/lib/daemon.ts';
import type { DaemonView, PartitionView } from '../../scripts/lib/daemon-status.ts';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { SMALL_SHOP, startLoad } from '../support/load.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SHOP } from '../support/pipeline-tables.ts';

const PARTITIONS = 6;
/** Of Kafka's groups: a process that was killed is given up so soon. */
const SESSION_MS = 3_000;
/** How long nobody may capture after the one that did was killed. */
const TAKE_OVER_MS = 15_000;
/** Of a pipeline that keeps up with its load on a busy machine. */
const SMALL_LAG_MS = 2_000;

type Role = 'capture' | 'apply';

/** The processes of a pipeline, each with one role. */
class Fleet {
  readonly #pipeline: Pipeline;
  readonly #daemons = new Map<Daemon, Role>();
  readonly #counters = new Map<string, number>();

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  start(role: Role): Daemon {
    const daemon = this.#pipeline.start({ role });
    this.#daemons.set(daemon, role);
    return daemon;
  }

  of(role: Role): Daemon[] {
    return [...this.#daemons].filter(([, has]) => has === role).map(([daemon]) => daemon);
  }

  async kill(daemon: Daemon): Promise<void> {
    this.#daemons.delete(daemon);
    await daemon.kill();
  }

  /** Ends it in order and puts another one in its place. */
  async restart(daemon: Daemon): Promise<void> {
    const role = this.#daemons.get(daemon);
    if (role === undefined) throw new Error('the daemon is none of the fleet');
    this.#daemons.delete(daemon);
    expect(await daemon.stop(), daemon.logTail()).toEqual({ code: 0, signal: null });
    this.start(role);
  }

  /** One capture reads and one stands by; each partition is applied by exactly one process, and the lag is known and small. */
  async untilWhole(timeoutMs = 45_000): Promise<void> {
    await this.#until(
      'all parts to be in one hand each',
      () => {
        const captures = this.#states('capture').flatMap((status) => status.captures);
        const [partitions, owned] = [
          this.partitions(),
          new Set(this.partitions().map(({ partition }) => partition)),
        ];
        const lags = [...captures.filter(({ state }) => state === 'reading'), ...partitions].map(
          ({ lagMs }) => lagMs,
        );
        return (
          captures
            .map(({ state }) => state)
            .toSorted()
            .join() === 'reading,standby' &&
          this.#states('apply').length === this.of('apply').length &&
          this.#states('apply').every(({ partitions: share }) => share.length > 0) &&
          partitions.length === PARTITIONS &&
          owned.size === PARTITIONS &&
          partitions.every(({ state }) => state === 'running') &&
          lags.every((lagMs) => lagMs !== null && lagMs < SMALL_LAG_MS)
        );
      },
      timeoutMs,
    );
  }

  async #until(what: string, isSo: () => boolean, timeoutMs: number): Promise<void> {
    const details = (): string =>
      [...this.#daemons.keys()].map(({ status }) => JSON.stringify(status)).join('\n');
    await waitUntil(() => isSo(), { what, timeoutMs, details });
  }

  /** Of all appliers together. */
  partitions(): PartitionView[] {
    return this.#states('apply').flatMap(({ partitions }) => partitions);
  }

  #states(role: Role): DaemonView[] {
    return this.of(role).flatMap(({ status }) => status ?? []);
  }

  /** Scrapes every process again and again, and fails when a counter of one has gone back. */
  async watchCounters(signal: AbortSignal): Promise<number> {
    let scrapes = 0;
    while (!signal.aborted) {
      for (const daemon of this.#daemons.keys()) {
        const text = await scrape(daemon);
        if (text === undefined) continue;
        scrapes += 1;
        for (const [, name, value] of text.matchAll(/^(rowferry_\w+_total(?:\{[^}]*\})?) (\S+)$/gm)) {
          const counter = `${daemon.pid} ${name}`;
          expect(Number(value), counter).toBeGreaterThanOrEqual(this.#counters.get(counter) ?? 0);
          this.#counters.set(counter, Number(value));
        }
      }
      await sleep(250);
    }
    return scrapes;
  }
}

/** Undefined while it does not serve yet, or no more. */
async function scrape(daemon: Daemon): Promise<string | undefined> {
  const address = daemon.status?.http;
  if (typeof address !== 'string') return undefined;
  try {
    return await (await fetch(`${address}/metrics`)).text();
  } catch (error) {
    // It was killed or stopped in between; else it must answer.
    if (daemon.exit !== undefined) return undefined;
    await Promise.race([daemon.exited, sleep(5_000)]);
    if (daemon.exit === undefined) throw error;
    return undefined;
  }
}

describe('two captures and three appliers of one pipeline, under load', () => {
  it(
    'take over from one that is killed, and are restarted one after the other; every row is right',
    { timeout: 300_000 },
    async (t) => {
      const pipeline = await Pipeline.create(t, {
        tables: SHOP,
        partitions: PARTITIONS,
        sessionTimeoutMs: SESSION_MS,
      });
      await pipeline.seedShop(SMALL_SHOP);
      const fleet = new Fleet(pipeline);
      for (const role of ['capture', 'capture', 'apply', 'apply', 'apply'] as const) fleet.start(role);
      await fleet.untilWhole();
      const load = startLoad(pipeline, { changesPerSecond: 300 });
      const watching = new AbortController();
      const watched = fleet.watchCounters(watching.signal);
      // Awaited below; a failure before that must not end the test run.
      watched.catch(() => undefined);

      const reads = (daemon: Daemon): boolean =>
        daemon.status?.captures.some(({ state }) => state === 'reading') === true;
      const active = fleet.of('capture').find(reads)!;
      const standby = fleet.of('capture').find((daemon) => daemon !== active)!;
      const beganMs = Date.now();
      await fleet.kill(active);
      await standby.untilStatus('the stand-by to capture', () => reads(standby), TAKE_OVER_MS);
      const victim = fleet.of('apply')[1]!;
      const lost = new Set(victim.status?.partitions.map(({ partition }) => partition));
      await fleet.kill(victim);
      // Whoever takes them over knows how far they are behind: no more than since the capture was killed.
      const taken = await waitUntil(
        () => {
          const found = fleet.partitions().filter(({ partition }) => lost.has(partition));
          return found.length === lost.size && found.every(({ state }) => state === 'running')
            ? found
            : undefined;
        },
        { what: 'its partitions to be taken over', timeoutMs: 30_000 },
      );
      for (const { lagMs } of taken) expect(lagMs).toBeLessThan(Date.now() - beganMs + SMALL_LAG_MS);
      fleet.start('capture');
      fleet.start('apply');
      await fleet.untilWhole();

      for (const role of ['apply', 'capture'] as const) {
        for (const daemon of fleet.of(role)) {
          await fleet.restart(daemon);
          await fleet.untilWhole();
          load.check();
        }
      }
      watching.abort();
      expect(await watched).toBeGreaterThan(20);
      const { changes } = await load.stop();
      expect(changes).toBeGreaterThan(1_000);
      await pipeline.untilEqual();
    },
  );
});
