/** Everything that can be known before the first row: sources, Kafka, targets, and whether their tables fit together. */
import type { Config } from '../config/config.ts';
import { waitForKafka } from '../drivers/kafka-admin.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { loadRoutes } from '../config/routes.ts';
import type { LoadedRoute } from '../config/routes.ts';
import { didYouMean } from '../model/suggest.ts';
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
  // Where a source did not answer, nothing is known of what it has; topics of Debezium bring tables that nobody lists.
  const isAllKnown = config.debezium.length === 0 && captured.size === config.sources.length;
  const lost = isAllKnown ? lostRoutes(routes, captured) : [];
  if (isAllKnown) {
    await check('routes', async () => {
      const wrong = [
        ...lost.map(({ route }) => nothingFor(route, captured)),
        ...strayTables(routes, captured).map((table) => `${table} is captured, and no route takes it`),
      ];
      if (wrong.length === 0) return await Promise.resolve('each takes a table, and each table is taken');
      throw new RowferryError('ROWFERRY_CONFIG_INVALID', wrong.join('\n'), {
        hint: 'correct `from` of the routes, or `tables` of the sources',
      });
    });
  }
  const found = routes.filter((route) => !lost.includes(route));
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
        await checkTables(found, [target], 'coming');
        for (const [source, tables] of captured)
          await checkSourceTables(source, tables, found, [target], 'coming');
        return `${target.kind}, every routed table is there`;
      } finally {
        await target.close();
      }
    });
  }
  return problems;
}

type Captured = ReadonlyMap<string, readonly Table[]>;

function takes({ rule }: LoadedRoute, source: string, { schema, name }: Table): boolean {
  return rule.takes(schema, name) !== undefined && rule.sources?.includes(source) !== false;
}

/** Routes of one table that no source has; a pattern may wait for its first. */
function lostRoutes(routes: readonly LoadedRoute[], captured: Captured): LoadedRoute[] {
  const named = routes.filter(({ route }) => !/[*?{]/.test(route.from));
  return named.filter(
    (route) => ![...captured].some(([source, tables]) => tables.some((table) => takes(route, source, table))),
  );
}

function nothingFor({ place, from }: LoadedRoute['route'], captured: Captured): string {
  const names = [...captured.values()].flat().map(({ schema, name }) => `${schema}.${name}`);
  return `${place}: no source has ${from}${didYouMean(from, names)}`;
}

/** Captured tables whose first row would stop its partition. */
function strayTables(routes: readonly LoadedRoute[], captured: Captured): string[] {
  return [...captured].flatMap(([source, tables]) =>
    tables
      .filter((table) => !routes.some((route) => takes(route, source, table)))
      .map(({ schema, name }) => `${schema}.${name}`),
  );
}
