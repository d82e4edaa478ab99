/** Everything that can be known before the first row: sources, Kafka, targets, and whether their tables fit together. */
import type { Config } from '../config/config.ts';
import { waitForKafka } from '../drivers/kafka-admin.ts';
import { toRowferryError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { loadRoutes } from '../config/routes.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { makeTargets } from './apply-role.ts';
import { debeziumTopics } from './debezium-topics.ts';
import { connectKafka } from './kafka-parts.ts';
import type { Table } from '../model/table.ts';
import { silentLog } from './silent-log.ts';
import { inspectSource, sourceTables } from './source-facts.ts';
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

/** Runs every check, also after a failed one; answers how many failed. */
export async function checkPipeline(
  config: Config,
  report: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<number> {
  let problems = 0;
  const check = async (name: string, work: () => Promise<string>): Promise<void> => {
    try {
      report({ state: 'ok', about: name, what: await work() });
    } catch (thrown) {
      problems += 1;
      const error = toRowferryError(thrown, name);
      report({ state: 'failed', about: name, what: error.describe(), code: error.code });
    }
  };
  const routes = await loadRoutes(config);
  const captured = new Map<string, readonly Table[]>();
  for (const source of config.sources) {
    await check(`source ${source.name}`, async () => {
      const warnings: string[] = [];
      const log = { ...silentLog, warn: (_: unknown, message: string) => void warnings.push(message) };
      const { flavour, version, current } = await inspectSource(source, log);
      captured.set(source.name, await sourceTables(source));
      for (const what of warnings) report({ state: 'warning', about: `source ${source.name}`, what });
      return `${flavour} ${version}, binlog at ${current.file}:${current.offset}`;
    });
  }
  await check('kafka', async () => {
    const link = connectKafka(config, 'check', silentLog);
    let last: unknown;
    try {
      await withDeadline(signal, 10_000, async (patience) => {
        await waitForKafka(link, patience, (error) => (last = error));
      });
    } catch (error) {
      throw last ?? error;
    }
    return config.kafka.brokers.join(', ');
  });
  if (config.debezium.length > 0) {
    await check('topics of Debezium', async () => {
      const found = await debeziumTopics(connectKafka(config, 'check', silentLog), config);
      for (const { name } of config.debezium) {
        if (!found.some(({ source }) => source.name === name))
          report({ state: 'warning', about: `source ${name}`, what: 'none of its topics is there yet' });
      }
      return `${found.length}`;
    });
  }
  for (const target of makeTargets(config, silentLog)) {
    await check(`target ${target.name}`, async () => {
      try {
        await target.open(signal);
        await checkTables(routes, [target], 'coming');
        for (const [source, tables] of captured)
          await checkSourceTables(source, tables, routes, [target], 'coming');
        return `${target.kind}, every routed table is there`;
      } finally {
        await target.close();
      }
    });
  }
  return problems;
}
