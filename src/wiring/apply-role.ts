/** The apply role: targets opened, layout agreed, partitions applied. */
import { Applier } from '../apply/applier.ts';
import { ApplyCounters } from '../apply/apply-counters.ts';
import { ownReader } from '../apply/topic-reader.ts';
import type { Config } from '../config/config.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { GroupConsumer } from '../drivers/kafka-consumer.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { loadRoutes } from '../config/routes.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { Router } from '../routing/router.ts';
import { sleep } from '../runtime/backoff.ts';
import { answerWithin } from '../runtime/deadline.ts';
import { Gate } from '../runtime/gate.ts';
import { Outages } from '../runtime/outages.ts';
import { openTarget } from '../targets/open-target.ts';
import type { Target } from '../targets/target.ts';
import { debeziumReader, debeziumSourceOf, debeziumTopics } from './debezium-topics.ts';
import { connectKafka, prepareTopics } from './kafka-parts.ts';
import { agreeOnLayout } from './layout.ts';
import { removeDeadMembers } from './member-id.ts';
import { applyGroup, sourceTopics } from './names.ts';
import { PauseWatch } from './pauses.ts';
import type { ApplyRoleStatus } from './role-messages.ts';
import { sourceTables } from './source-facts.ts';
import type { MissingTables } from './target-tables.ts';
import { checkSourceTables, checkTables, missingTables } from './target-tables.ts';

const MiB = 1024 * 1024;
/** How often the tables of coming periods are looked for. */
const PERIOD_CHECK_MS = 10 * 60_000;
/** How often the ends of topics of Debezium are asked for, which tell of lag in place of markers. */
const END_CHECK_MS = 1_000;
/** How often topics of Debezium are looked for: each appears with the first row of its table. */
const TOPIC_CHECK_MS = 5_000;
/** How long a comparison of columns with the sources, which only warns, may hold up the start. */
const COMPARE_MS = 30_000;

export class ApplyRole {
  readonly #config: Config;
  readonly #log: Log;
  readonly #seesSources: boolean;
  readonly #onChecked: () => void;
  readonly #counters = new ApplyCounters();
  readonly #gate = new Gate();
  readonly #outages: Outages;
  #pauses: PauseWatch | undefined;
  #applier: Applier | undefined;
  #breaks = 0;
  #missing: readonly MissingTables[] = [];

  /** `seesSources`: the sources can be asked for their tables, since their captures run here too. */
  /** `onChecked`: the routes fit the targets and what is stored. */
  constructor(config: Config, log: Log, seesSources: boolean, onChecked: () => void) {
    this.#onChecked = onChecked;
    this.#config = config;
    this.#log = log;
    this.#seesSources = seesSources;
    this.#outages = new Outages({ maxMs: config.retry.maxMs, log });
  }

  status(): Omit<ApplyRoleStatus, 'thread'> {
    const nowMs = Date.now();
    return {
      role: 'apply',
      partitions: this.#applier?.status(nowMs) ?? [],
      targets: this.#applier?.targetStatus(nowMs) ?? [],
      counts: this.#counters.current,
      missingTables: this.#missing,
      pause: this.#pauses?.pause ?? null,
      groupBreaks: this.#breaks + (this.#applier?.breaks ?? 0),
      outages: this.#outages.current,
    };
  }

  lookForPauses(): void {
    this.#pauses?.look();
  }

  tryNow(): void {
    this.#outages.hurry();
  }

  async run(signal: AbortSignal): Promise<void> {
    const config = this.#config;
    const link = connectKafka(config, 'apply', this.#log, this.#outages);
    const routes = await loadRoutes(config);
    const targets = makeTargets(config, this.#log);
    try {
      await prepareTopics(link, config, this.#outages, signal);
      await this.#openAll(targets, signal);
      if (signal.aborted) return;
      const check = async (): Promise<void> => await checkTables(routes, targets, 'present');
      await this.#outages.retrying('target tables', check, signal, { atOnce: true });
      // What is stored cannot be taken back: only routes that can work get so far.
      const agree = async (): Promise<void> => await agreeOnLayout(link, config, routes, signal);
      await this.#outages.retrying('layout', agree, signal, { atOnce: true });
      this.#onChecked();
      if (this.#seesSources) await this.#checkColumns(routes, targets, signal);
      await removeDeadMembers(link, applyGroup(config), this.#log, signal);
      const pauses = new PauseWatch(link, config, { role: 'apply' }, this.#gate, this.#log);
      this.#pauses = pauses;
      await pauses.begin(this.#outages, signal);
      const ended = new AbortController();
      const until = AbortSignal.any([signal, ended.signal]);
      const watching = Promise.all([this.#watchPeriods(routes, targets, until), pauses.run(until)]);
      const applying = this.#applyTopics(link, targets, routes, until);
      try {
        await Promise.race([applying, watching]);
      } finally {
        ended.abort();
        await Promise.allSettled([applying, watching]);
      }
    } finally {
      await Promise.all(targets.map(async (target) => await target.close()));
    }
  }

  /** Applies all topics; topics of Debezium that appear later are taken up by a new membership of the group. */
  async #applyTopics(
    link: KafkaLink,
    targets: readonly Target[],
    routes: readonly LoadedRoute[],
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const fed = await this.#debeziumTopics(link, [], signal);
      if (fed.length + this.#config.sources.length === 0) {
        this.#log.info({}, 'none of the topics of Debezium is there yet; waiting for them');
        await this.#untilNewTopics(link, fed, signal);
        continue;
      }
      const news = new AbortController();
      const ended = new AbortController();
      const watching = this.#untilNewTopics(link, fed, AbortSignal.any([signal, ended.signal])).finally(() =>
        news.abort(),
      );
      // Told below, when applying has ended.
      watching.catch(() => undefined);
      try {
        await this.#apply(link, targets, routes, fed, AbortSignal.any([signal, news.signal]));
      } finally {
        ended.abort();
        await watching;
      }
    }
  }

  /** The topics of Debezium now; trouble that passes is waited out. */
  async #debeziumTopics(link: KafkaLink, known: readonly string[], signal: AbortSignal): Promise<string[]> {
    try {
      const look = async () => await debeziumTopics(link, this.#config, known);
      const found = await this.#outages.retrying('topics of Debezium', look, signal, { atOnce: true });
      return found.map(({ topic }) => topic);
    } catch (error) {
      if (signal.aborted) return [];
      throw error;
    }
  }

  /** Resolves when there is a topic that is not in `known`, or when the signal aborted. */
  async #untilNewTopics(link: KafkaLink, known: readonly string[], signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#config.debezium.length === 0 ? PERIOD_CHECK_MS : TOPIC_CHECK_MS, signal);
      if (signal.aborted) return;
      const now = await this.#debeziumTopics(link, known, signal);
      const added = now.filter((topic) => !known.includes(topic));
      if (added.length === 0) continue;
      this.#log.info({ topics: added }, 'topics of Debezium appeared');
      return;
    }
  }

  async #apply(
    link: KafkaLink,
    targets: readonly Target[],
    routes: readonly LoadedRoute[],
    fed: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const config = this.#config;
    const { batchRows, batchBytes, queueBytes, badRows } = config.apply;
    const own = new Map(config.sources.map(({ name }) => [sourceTopics(config, name).changes, name]));
    const debeziumOf = debeziumSourceOf(config);
    const router = new Router(
      routes.map(({ rule, route }) => ({ ...rule, keysAreDisjoint: route.keysAreDisjoint })),
      targets.map(({ name }) => name),
    );
    const applier = new Applier(
      {
        targets,
        routerOf: (topic) => router.of(own.get(topic) ?? debeziumOf(topic)?.name ?? ''),
        readerOf: (topic) => {
          const debezium = own.has(topic) ? undefined : debeziumOf(topic);
          return debezium === undefined ? ownReader() : debeziumReader(debezium);
        },
        limits: { rows: batchRows, bytes: batchBytes },
        queueBytes,
        onBadRow: badRows,
        gate: this.#gate,
        counters: this.#counters,
        outages: this.#outages,
        heartbeatMs: Math.max(
          config.debezium.length === 0 ? 0 : END_CHECK_MS,
          ...config.sources.map(({ heartbeatMs }) => heartbeatMs),
        ),
        log: this.#log,
      },
      (handlers) =>
        new GroupConsumer(link, {
          groupId: applyGroup(config),
          topics: [...own.keys(), ...fed],
          sessionTimeoutMs: config.kafka.sessionTimeoutMs,
          // A record that waits keeps its whole fetch in memory: small fetches bound what a few slow partitions hold.
          maxBytes: 4 * MiB,
          maxPartitionBytes: MiB,
          // The worker of each partition knows whether its topic may have them.
          allowOffsetHoles: fed.length > 0,
          log: this.#log,
          ...handlers,
        }),
    );
    this.#breaks += this.#applier?.breaks ?? 0;
    this.#applier = applier;
    await applier.run(signal);
  }

  /**
   * Tells of columns that the targets lack before rows need them. No reason to stay away: other tables go on, and a statement
   * that made the column may still lie ahead. A source that does not answer is none either.
   */
  async #checkColumns(
    routes: readonly LoadedRoute[],
    targets: readonly Target[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const source of this.#config.sources) {
      const { name } = source;
      const compare = async (): Promise<void> =>
        await checkSourceTables(name, await sourceTables(source), routes, targets, 'present');
      const late = (): RowferryError =>
        new RowferryError('ROWFERRY_SOURCE_LINK', `no answer within ${COMPARE_MS} ms`);
      try {
        await answerWithin(signal, COMPARE_MS, compare, late);
      } catch (thrown) {
        signal.throwIfAborted();
        const error = toRowferryError(thrown, 'comparing columns').at({ source: source.name });
        if (error.code === 'ROWFERRY_INVARIANT') throw error;
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
      try {
        const missing = await missingPeriods(dated, targets);
        this.#missing = missing === '' ? [] : await missingTables(dated, targets);
        if (missing !== '' && missing !== told)
          this.#log.warn({}, `a table of a coming period is missing: ${missing}`);
        told = missing;
      } catch (thrown) {
        // No reason to stop. Others tell of a target that does not answer; what was known stays.
        const error = toRowferryError(thrown, 'looking for the tables of coming periods');
        if (error.action !== 'retry') this.#log.warn({ code: error.code }, error.describe());
      }
      await sleep(PERIOD_CHECK_MS, signal);
    }
  }

  /** Where one is refused the others are waited for no longer: what is wrong with it is told now, and of it. */
  async #openAll(targets: readonly Target[], signal: AbortSignal): Promise<void> {
    const refused = new AbortController();
    const until = AbortSignal.any([signal, refused.signal]);
    const open = async (target: Target): Promise<void> => {
      try {
        await this.#open(target, until);
      } catch (error) {
        // Only the first has any effect: the reason of all that follow.
        refused.abort(error);
      }
    };
    await Promise.all(targets.map(open));
    if (refused.signal.aborted) throw refused.signal.reason;
  }

  /** A target that cannot be reached at start is waited for, like one that goes away later. */
  async #open(target: Target, signal: AbortSignal): Promise<void> {
    const open = async (): Promise<void> => {
      try {
        await target.open(signal);
      } catch (thrown) {
        throw toRowferryError(thrown, 'opening a target').at({ target: target.name });
      }
    };
    await this.#outages.retrying(`target ${target.name}`, open, signal, { fields: { target: target.name } });
  }
}

/** What is missing of coming periods, in words; empty when nothing is. */
async function missingPeriods(dated: readonly LoadedRoute[], targets: readonly Target[]): Promise<string> {
  try {
    await checkTables(dated, targets, 'coming');
    return '';
  } catch (thrown) {
    const error = toRowferryError(thrown, 'looking for the tables of coming periods');
    if (error.code !== 'ROWFERRY_CONFIG_INVALID') throw error;
    return error.describe();
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
