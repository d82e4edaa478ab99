/** The apply role: targets opened, layout agreed, partitions applied. */
import { Applier } from '../apply/applier.ts';
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { Config } from '../config/config.ts';
import { GroupConsumer } from '../drivers/kafka-consumer.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { Router } from '../routing/router.ts';
import { Backoff } from '../runtime/backoff.ts';
import { openTarget } from '../targets/open-target.ts';
import type { Target } from '../targets/target.ts';
import { connectKafka, prepareTopics } from './kafka-parts.ts';
import { agreeOnLayout } from './layout.ts';
import { removeDeadMembers } from './member-id.ts';
import { applyGroup, sourceTopics } from './names.ts';

const MiB = 1024 * 1024;

export class ApplyRole {
  readonly #config: Config;
  readonly #log: Log;
  #applier: Applier | undefined;

  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  status(): PartitionStatus[] {
    return this.#applier?.status(Date.now()) ?? [];
  }

  async run(signal: AbortSignal): Promise<void> {
    const config = this.#config;
    const link = connectKafka(config, 'apply', this.#log);
    const targets = makeTargets(config, this.#log);
    try {
      await prepareTopics(link, config, signal, this.#log);
      await Promise.all(targets.map(async (target) => await this.#open(target, signal)));
      if (signal.aborted) return;
      await agreeOnLayout(link, config, signal);
      await checkTables(config, targets);
      await removeDeadMembers(link, applyGroup(config), this.#log);
      await this.#apply(link, targets, signal);
    } finally {
      await Promise.all(targets.map(async (target) => await target.close()));
    }
  }

  async #apply(
    link: ReturnType<typeof connectKafka>,
    targets: readonly Target[],
    signal: AbortSignal,
  ): Promise<void> {
    const config = this.#config;
    const { batchRows, batchBytes, queueBytes, badRows } = config.apply;
    const topics = config.sources.map(({ name }) => sourceTopics(config, name).changes);
    this.#applier = new Applier(
      {
        targets,
        router: new Router(
          config.routes,
          targets.map(({ name }) => name),
        ),
        limits: { rows: batchRows, bytes: batchBytes },
        queueBytes,
        onBadRow: badRows,
        heartbeatMs: Math.max(...config.sources.map(({ heartbeatMs }) => heartbeatMs)),
        log: this.#log,
      },
      (handlers) =>
        new GroupConsumer(link, {
          groupId: applyGroup(config),
          topics,
          sessionTimeoutMs: config.kafka.sessionTimeoutMs,
          // A record that waits keeps its whole fetch in memory: small fetches bound what a few slow partitions hold.
          maxBytes: 4 * MiB,
          maxPartitionBytes: MiB,
          log: this.#log,
          ...handlers,
        }),
    );
    await this.#applier.run(signal);
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

/** The targets that routes use, in configuration order; not open yet. */
export function makeTargets(config: Config, log: Log): Target[] {
  const used = new Set(config.routes.flatMap((route) => route.targets));
  return config.targets
    .filter(({ name }) => used.has(name))
    .map(({ name, url, connections }) =>
      openTarget({ name, pipeline: config.name, url, connections, zeroDates: config.apply.zeroDates, log }),
    );
}

/** Every table that a route names must be there; all that are missing are told together, each with its route's place. */
export async function checkTables(config: Config, targets: readonly Target[]): Promise<void> {
  const problems: string[] = [];
  for (const target of targets) {
    const routes = config.routes.filter((route) => route.targets.includes(target.name));
    const found = await target.describe([...new Set(routes.map(({ to }) => to))]);
    for (const { place, from, to } of routes) {
      const table = found.get(to);
      if (table === undefined)
        problems.push(`${place}: target ${target.name} has no table ${to} for ${from}`);
      else if (table.primaryKey.length === 0)
        problems.push(`${place}: table ${to} at ${target.name} has no primary key`);
    }
  }
  if (problems.length === 0) return;
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', problems.join('\n'), {
    hint: 'create the tables, or correct the routes',
  });
}
