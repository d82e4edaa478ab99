/** Everything that can be known before the first row: sources, Kafka, targets, and whether their tables fit together. */
import { readCheckpointLog } from '../capture/checkpoint-log.ts';
import type { Config } from '../config/config.ts';
import { countBrokers, listTopics, waitForKafka } from '../drivers/kafka-admin.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { loadRoutes } from '../config/routes.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { withDeadline } from '../runtime/deadline.ts';
import type { Target } from '../targets/target.ts';
import { makeTargets } from './apply-role.ts';
import { debeziumTopics } from './debezium-topics.ts';
import { checkHeartbeatRow } from './heartbeat-rows.ts';
import { connectKafka, readTopic } from './kafka-parts.ts';
import { counted } from '../model/counted.ts';
import type { Table } from '../model/table.ts';
import { layoutTopic, sourceTopics } from './names.ts';
import { partitionTroubles } from './partition-troubles.ts';
import { pipelineStatus } from './pipeline-status.ts';
import { lostRoutes, nothingFor, strayTables } from './routed-tables.ts';
import { silentLog } from './silent-log.ts';
import { inspectSource, sourceTables } from './source-facts.ts';
import { lackingGrants } from './target-grants.ts';
import { checkSourceTables, checkTables } from './target-tables.ts';

/** What one check found. */
export interface Finding {
  readonly state: 'ok' | 'warning' | 'failed';
  /** `source main`, `kafka`, `target east`. */
  readonly about: string;
  readonly what: string;
  /** Of a failed one. */
  readonly code?: ErrorCode;
}

interface CheckCounts {
  /** Failed findings. */
  readonly problems: number;
  readonly warnings: number;
}

/** The tables of each source that answered. */
type Captured = ReadonlyMap<string, readonly Table[]>;

/** What the checks have found so far. */
class Findings {
  readonly #tell: (finding: Finding) => void;
  readonly #counts = { ok: 0, warning: 0, failed: 0 };

  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell;
  }

  report(finding: Finding): void {
    this.#counts[finding.state] += 1;
    this.#tell(finding);
  }

  warn(about: string, what: string): void {
    this.report({ state: 'warning', about, what });
  }

  /** Runs one check, whose `work` says what it found; answers whether it went well. */
  async check(name: string, work: () => Promise<string>): Promise<boolean> {
    try {
      this.report({ state: 'ok', about: name, what: await work() });
      return true;
    } catch (thrown) {
      const error = toRowferryError(thrown, name);
      this.report({ state: 'failed', about: name, what: error.describe(), code: error.code });
      return false;
    }
  }

  get counts(): CheckCounts {
    return { problems: this.#counts.failed, warnings: this.#counts.warning };
  }
}

/** Runs every check, also after a failed one. */
export async function checkPipeline(
  config: Config,
  tell: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<CheckCounts> {
  const findings = new Findings(tell);
  const routes = await loadRoutes(config);
  const captured = await checkSources(findings, config);
  await checkHeartbeatRows(findings, config);
  const found = await checkRoutes(findings, config, routes, captured);
  const hasKafka = await checkKafka(findings, config, signal);
  await checkDebezium(findings, config);
  for (const target of makeTargets(config, silentLog))
    await checkTarget(findings, config, target, found, captured, signal);
  // What an operator must act on before rows flow again: nothing of it is wrong in the configuration.
  if (hasKafka)
    for (const finding of [...(await unreadTopics(config, signal)), ...(await whatWaits(config, signal))])
      findings.report(finding);
  return findings.counts;
}

async function checkSources(findings: Findings, config: Config): Promise<Captured> {
  const captured = new Map<string, readonly Table[]>();
  for (const source of config.sources) {
    const about = `source ${source.name}`;
    await findings.check(about, async () => {
      const warnings: string[] = [];
      const log = { ...silentLog, warn: (_: unknown, message: string) => void warnings.push(message) };
      try {
        const { flavour, version, current } = await inspectSource(source, log);
        captured.set(source.name, await sourceTables(source));
        return `${flavour} ${version}, binlog at ${current.file}:${current.offset}`;
      } finally {
        for (const what of warnings) findings.warn(about, what);
      }
    });
  }
  return captured;
}

async function checkHeartbeatRows(findings: Findings, config: Config): Promise<void> {
  for (const { name, heartbeatRow } of config.sources) {
    if (heartbeatRow === null) continue;
    await findings.check(`heartbeat row of ${name}`, async () => {
      await checkHeartbeatRow(config.name, name, heartbeatRow);
      return `can be written at ${heartbeatRow.url.host}:${heartbeatRow.url.port}`;
    });
  }
}

/** Answers the routes that take a table, as far as that is known. */
async function checkRoutes(
  findings: Findings,
  config: Config,
  routes: readonly LoadedRoute[],
  captured: Captured,
): Promise<readonly LoadedRoute[]> {
  // Where a source did not answer, nothing is known of what it has; topics of Debezium bring tables that nobody lists.
  if (config.debezium.length > 0 || captured.size < config.sources.length) return routes;
  // Without either nobody applies: others than rowferry consume the topic.
  const applies = config.targets.length > 0 && routes.length > 0;
  const lost = lostRoutes(routes, captured);
  await findings.check('routes', async () => {
    const wrong = [
      ...lost.map(({ route }) => nothingFor(route, captured)),
      ...(applies ? strayTables(routes, captured) : []).map(
        (table) => `${table} is captured, and no route takes it`,
      ),
    ];
    if (wrong.length === 0)
      return await Promise.resolve(
        applies
          ? 'each takes a table, and each table is taken'
          : 'nothing is applied: others than rowferry consume the topics',
      );
    throw new RowferryError('ROWFERRY_CONFIG_INVALID', wrong.join('\n'), {
      hint: 'correct `from` of the routes, or `tables` of the sources',
    });
  });
  return routes.filter((route) => !lost.includes(route));
}

async function checkKafka(findings: Findings, config: Config, signal: AbortSignal): Promise<boolean> {
  return await findings.check('kafka', async () => {
    const link = connectKafka(config, 'check', silentLog);
    let last: unknown;
    try {
      await withDeadline(signal, 10_000, async (patience) => {
        await waitForKafka(link, patience, (error) => (last = error));
      });
    } catch (error) {
      throw last ?? error;
    }
    await checkCopies(link, config);
    return config.kafka.brokers.join(', ');
  });
}

async function checkDebezium(findings: Findings, config: Config): Promise<void> {
  if (config.debezium.length === 0) return;
  await findings.check('topics of Debezium', async () => {
    const found = await debeziumTopics(connectKafka(config, 'check', silentLog), config);
    for (const { name } of config.debezium) {
      if (!found.some(({ source }) => source.name === name))
        findings.warn(`source ${name}`, 'none of its topics is there yet');
    }
    return `${found.length}`;
  });
}

async function checkTarget(
  findings: Findings,
  config: Config,
  target: Target,
  routes: readonly LoadedRoute[],
  captured: Captured,
  signal: AbortSignal,
): Promise<void> {
  const about = `target ${target.name}`;
  let isOpen = false;
  const isComplete = await findings.check(about, async () => {
    try {
      await target.open(signal);
      isOpen = true;
      await checkTables(routes, [target], 'coming');
      for (const [source, tables] of captured)
        await checkSourceTables(source, tables, routes, [target], 'coming');
      return `${target.kind}, every routed table is there`;
    } finally {
      await target.close();
    }
  });
  const settings = config.targets.find(({ name }) => name === target.name);
  if (settings === undefined) return;
  try {
    const state = { isOpen, areMissing: isOpen && !isComplete };
    const lacks = await lackingGrants(settings, config.sources, captured, routes, state);
    for (const what of lacks) findings.warn(about, what);
  } catch (error) {
    // One that does not answer, or lets nobody in, is told of already.
    if (!isOpen) return;
    findings.warn(about, `its grants cannot be looked at: ${toRowferryError(error, about).describe()}`);
  }
}

/** Topics that are still to be made need a broker for each copy; those that are there may miss one for a while. */
async function checkCopies(link: KafkaLink, config: Config): Promise<void> {
  const { replicationFactor } = config.kafka;
  const brokers = await countBrokers(link);
  if (brokers >= replicationFactor || (await listTopics(link)).includes(layoutTopic(config))) return;
  const what = `kafka.replicationFactor is ${replicationFactor}, and Kafka has ${counted(brokers, 'broker')}: no topic can be made`;
  throw new RowferryError('ROWFERRY_KAFKA_REFUSED', what, {
    hint: `bring up more brokers, or set kafka.replicationFactor: ${brokers}`,
  });
}

/** Topics of checkpoints that are there, and that the account may not read or nobody can: of all sources at once. */
async function unreadTopics(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const link = connectKafka(config, 'check', silentLog);
  const there = await listTopics(link);
  const topics = config.sources.map(({ name }) => sourceTopics(config, name).checkpoints);
  const look = async (topic: string): Promise<Finding[]> => {
    try {
      readCheckpointLog(await readTopic(link, topic, signal));
      return [];
    } catch (thrown) {
      const error = toRowferryError(thrown, `reading ${topic}`).at({ topic });
      return [{ state: 'failed', about: 'kafka', what: error.describe(), code: error.code }];
    }
  };
  return (await Promise.all(topics.filter((topic) => there.includes(topic)).map(look))).flat();
}

/** Tables that are held, and parts that stopped in a daemon of this machine. */
async function whatWaits(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const { sources, partitions } = await pipelineStatus(config, signal);
  const held = sources.flatMap(({ name, held }) =>
    held.map(({ table, why, statement, acknowledged, waits }): Finding => {
      const about = `source ${name}`;
      if (acknowledged !== null) {
        const until = waits === null ? '' : `, waits ${waits}`;
        return {
          state: 'failed',
          about,
          what: `${table} is held: ${why}; acknowledged by ${acknowledged.by}${until} -> nothing: it goes on by itself`,
          code: 'ROWFERRY_SOURCE_DDL',
        };
      }
      const mend = `make the same change at the targets, then: rowferry ddl ack --source ${name} --at ${statement}`;
      return {
        state: 'failed',
        about,
        what: `${table} is held: ${why} -> ${mend}`,
        code: 'ROWFERRY_SOURCE_DDL',
      };
    }),
  );
  const captures = sources
    .filter(({ state }) => state === 'stopped')
    .map(({ name, error }): Finding => ({
      state: 'failed',
      about: `source ${name}`,
      what: `capture is stopped: ${error ?? 'its log says why'}`,
    }));
  const stopped = partitionTroubles(partitions.filter(({ state }) => state === 'stopped'));
  return [
    ...captures,
    ...held,
    ...stopped.map(({ partitions: which, error: { what, where, hint } }): Finding => {
      const places = where.length === 0 ? '' : ` [${where.join(', ')}]`;
      return {
        state: 'failed',
        about: which,
        what: `stopped: ${what}${places}${hint === null ? '' : ` -> ${hint}`}`,
      };
    }),
  ];
}
