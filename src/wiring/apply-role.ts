/** The apply role: targets opened, layout agreed, partitions applied. */
import { Applier } from '../apply/applier.ts';
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { Config } from '../config/config.ts';
import { GroupConsumer } from '../drivers/kafka-consumer.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { loadRoutes } from '../config/routes.ts';
import { toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { Router } from '../routing/router.ts';
import { Backoff, sleep } from '../runtime/backoff.ts';
import { openTarget } from '../targets/open-target.ts';
import type { Target } from '../targets/target.ts';
import { connectKafka, prepareTopics } from './kafka-parts.ts';
import { agreeOnLayout } from './layout.ts';
import { removeDeadMembers } from './member-id.ts';
import { applyGroup, sourceTopics } from './names.ts';
import { sourceTables } from './source-facts.ts';
import { checkSourceTables, checkTables } from './target-tables.ts';

const MiB = 1024 * 1024;
/** How often the tables of coming periods are looked for. */
const PERIOD_CHECK_MS = 10 * 60_000;

export class ApplyRole {
  readonly #config: Config;
  readonly #log: Log;
  readonly #seesSources: boolean;
  #applier: Applier | undefined;

  /** `seesSources`: the sources can be asked for their tables, since their captures run here too. */
  constructor(config: Config, log: Log, seesSources: boolean) {
    this.#config = config;
    this.#log = log;
    this.#seesSources = seesSources;
  }

  status(): PartitionStatus[] {
    return this.#applier?.status(Date.now()) ?? [];
  }

  async run(signal: AbortSignal): Promise<void> {
    const config = this.#config;
    const link = connectKafka(config, 'apply', this.#log);
    const routes = await loadRoutes(config);
    const targets = makeTargets(config, this.#log);
    try {
      await prepareTopics(link, config, signal, this.#log);
      await Promise.all(targets.map(async (target) => await this.#open(target, signal)));
      if (signal.aborted) return;
      await checkTables(routes, targets, 'present');
      if (this.#seesSources) await this.#checkColumns(routes, targets);
      // What is stored cannot be taken back: only routes that can work get so far.
      await agreeOnLayout(link, config, routes, signal);
      await removeDeadMembers(link, applyGroup(config), this.#log);
      await this.#apply(link, targets, routes, signal);
    } finally {
      await Promise.all(targets.map(async (target) => await target.close()));
    }
  }

  async #apply(
    link: ReturnType<typeof connectKafka>,
    targets: readonly Target[],
    routes: readonly LoadedRoute[],
    signal: AbortSignal,
  ): Promise<void> {
    const config = this.#config;
    const { batchRows, batchBytes, queueBytes, badRows } = config.apply;
    const sourceOf = new Map(config.sources.map(({ name }) => [sourceTopics(config, name).changes, name]));
    const router = new Router(
      routes.map(({ rule }) => rule),
      targets.map(({ name }) => name),
    );
    this.#applier = new Applier(
      {
        targets,
        routerOf: (topic) => router.of(sourceOf.get(topic) ?? ''),
        limits: { rows: batchRows, bytes: batchBytes },
        queueBytes,
        onBadRow: badRows,
        heartbeatMs: Math.max(...config.sources.map(({ heartbeatMs }) => heartbeatMs)),
        log: this.#log,
      },
      (handlers) =>
        new GroupConsumer(link, {
          groupId: applyGroup(config),
          topics: [...sourceOf.keys()],
          sessionTimeoutMs: config.kafka.sessionTimeoutMs,
          // A record that waits keeps its whole fetch in memory: small fetches bound what a few slow partitions hold.
          maxBytes: 4 * MiB,
          maxPartitionBytes: MiB,
          log: this.#log,
          ...handlers,
        }),
    );
    const ended = new AbortController();
    const watching = this.#watchPeriods(routes, targets, AbortSignal.any([signal, ended.signal]));
    try {
      await this.#applier.run(signal);
    } finally {
      ended.abort();
      await watching;
    }
  }

  /**
   * Tells of columns that the targets lack before rows need them. No reason to stay away: other tables go on, and a statement
   * that made the column may still lie ahead. A source that does not answer is none either.
   */
  async #checkColumns(routes: readonly LoadedRoute[], targets: readonly Target[]): Promise<void> {
    for (const source of this.#config.sources) {
      try {
        const tables = await sourceTables(source);
        await checkSourceTables(source.name, tables, routes, targets, 'present');
      } catch (thrown) {
        const error = toRowferryError(thrown, 'comparing columns').at({ source: source.name });
        this.#log.warn({ source: source.name, code: error.code }, `rows may stop: ${error.describe()}`);
      }
    }
  }

  /** Tables of coming periods must be there before their rows are; tells when one is missing, each time that changes. */
  async #watchPeriods(
    routes: readonly LoadedRoute[],
    targets: readonly Target[],
    signal: AbortSignal,
  ): Promise<void> {
    const dated = routes.filter(({ rule }) => rule.layout.tables?.rule.algorithm === 'date');
    let told = '';
    while (dated.length > 0 && !signal.aborted) {
      const missing = await missingPeriods(dated, targets);
      if (missing !== '' && missing !== told)
        this.#log.warn({}, `a table of a coming period is missing: ${missing}`);
      told = missing;
      await sleep(PERIOD_CHECK_MS, signal);
    }
  }

  /** A target that cannot be reached at start is waited for, like one that goes away later. */
  async #open(target: Target, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: 250, maxMs: 15_000 });
    for (;;) {
      try {
        await target.open(signal);
        return;
      } catch (thrown) {
        const error = toRowferryError(thrown, 'opening a target').at({ target: target.name });
        if (signal.aborted) return;
        if (error.action !== 'retry') throw error;
        this.#log.warn({ target: target.name, code: error.code }, `${error.describe()}; waiting for it`);
        await backoff.wait(signal);
        if (signal.aborted) return;
      }
    }
  }
}

/** What is missing of coming periods, in words; empty when nothing is, or when a target does not answer: others tell of that. */
async function missingPeriods(dated: readonly LoadedRoute[], targets: readonly Target[]): Promise<string> {
  try {
    await checkTables(dated, targets, 'coming');
    return '';
  } catch (thrown) {
    const error = toRowferryError(thrown, 'looking for the tables of coming periods');
    return error.action === 'retry' ? '' : error.describe();
  }
}

/** The targets that routes use, in configuration order; not open yet. */
export function makeTargets(config: Config, log: Log): Target[] {
  const used = new Set(config.routes.flatMap(({ layout }) => layout.targets));
  return config.targets
    .filter(({ name }) => used.has(name))
    .map(({ name, url, connections }) =>
      openTarget({ name, pipeline: config.name, url, connections, zeroDates: config.apply.zeroDates, log }),
    );
}
