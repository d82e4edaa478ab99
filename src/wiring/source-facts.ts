/** Asks a source whether it can be captured and where it stands. */
import type { BinlogKept } from '../capture/binlog-headroom.ts';
import { readBinlogEnd } from '../capture/source-query.ts';
import { readBinlogKept } from '../capture/preflight-facts.ts';
import { preflightSource, formatFindings } from '../capture/preflight.ts';
import type { Preflight } from '../capture/preflight.ts';
import { askTime } from '../capture/source-clock.ts';
import type { SourceClock } from '../capture/source-clock.ts';
import type { SourceFacts } from '../capture/start-position.ts';
import type { SourceSettings } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import { keyPositions } from '../model/declared-key.ts';
import type { Log } from '../model/log.ts';
import type { Table } from '../model/table.ts';

/** Runs the preflight. Throws ROWFERRY_SOURCE_PREFLIGHT with every error found; warnings are logged before. */
export async function inspectSource(source: SourceSettings, log: Log): Promise<SourceFacts> {
  return (await passedPreflight(source, log)).facts;
}

/**
 * The same, with what the catalog says of the captured tables. `hasPassed`: an earlier one of this process did, and grants that
 * are missing now were taken away.
 */
export async function passedPreflight(
  source: SourceSettings,
  log: Log,
  clock?: SourceClock,
  hasPassed = false,
): Promise<Preflight> {
  const found = await preflight(source, clock);
  const { findings } = found;
  const errors = findings.filter(({ level }) => level === 'error');
  const warnings = findings.filter(({ level }) => level === 'warning');
  // Told beside the errors, so that one look mends all; not again at each try of one that had passed.
  if (errors.length === 0 || !hasPassed)
    for (const finding of warnings) log.warn({ finding: finding.code }, formatFindings([finding]));
  if (errors.length > 0) {
    const passes = hasPassed && errors.every(({ code }) => code.startsWith('grant-'));
    throw new RowferryError(
      'ROWFERRY_SOURCE_PREFLIGHT',
      `the source cannot be captured:\n${formatFindings(errors)}`,
      {
        where: { source: source.name },
        hint: passes
          ? 'give the grants back: rowferry tries again by itself'
          : 'make the changes above, then start again',
        passes,
      },
    );
  }
  return found;
}

/**
 * The captured tables by today's catalog, generated columns left out. Good for checks only: names, types and key are the
 * catalog's, and rows are always read by the shape that the binlog gives them.
 */
export async function sourceTables(source: SourceSettings): Promise<Table[]> {
  const { tables } = await preflight(source);
  return tables.map(({ schema, name, columns, primaryKey }) => {
    const stored = columns.filter(({ generated }) => !generated);
    const key = keyPositions(
      source.keys[`${schema}.${name}`] ?? primaryKey?.columns ?? [],
      stored.map((column) => column.name),
    );
    return {
      schema,
      name,
      columns: stored.map(({ name, columnType }) => ({ name, type: columnType })),
      key: key.filter((index) => index >= 0),
    };
  });
}

const LOOK_MS = 10_000;

/** What the source keeps of its binlog now, and what time it has; a few statements over a connection of their own. */
export async function binlogKept(source: SourceSettings, clock?: SourceClock): Promise<BinlogKept> {
  return await looked(source, async (connection) => {
    const query = async (sql: string) => (await connection.query(sql)).rows;
    if (clock !== undefined) await askTime(query, clock);
    return await readBinlogKept(query);
  });
}

/** Where the source's binlog ends now. */
export async function binlogEnd(source: SourceSettings): Promise<SourceFacts['current']> {
  const end = await looked(
    source,
    async (connection) => await readBinlogEnd(async (sql) => (await connection.query(sql)).rows),
  );
  if (end !== null) return end;
  throw new RowferryError('ROWFERRY_SOURCE_LINK', 'the source does not tell where its binlog ends', {
    where: { source: source.name },
  });
}

async function looked<T>(
  { name, url }: SourceSettings,
  look: (connection: MysqlConnection) => Promise<T>,
): Promise<T> {
  const connection = await MysqlConnection.connect({
    url,
    side: 'source',
    where: { source: name },
    session: [],
    connectTimeoutMs: LOOK_MS,
    queryTimeoutMs: LOOK_MS,
  });
  try {
    return await look(connection);
  } finally {
    connection.destroy();
  }
}

async function preflight(source: SourceSettings, clock?: SourceClock): Promise<Preflight> {
  const where = { source: source.name };
  const connection = await MysqlConnection.connect({ url: source.url, side: 'source', where, session: [] });
  try {
    const query = async (sql: string) => (await connection.query(sql)).rows;
    if (clock !== undefined) await askTime(query, clock);
    return await preflightSource(query, {
      name: source.name,
      tables: source.tables,
      keys: source.keys,
      keyless: source.keyless,
      serverId: source.serverId,
      copies: source.startFrom.kind === 'snapshot',
      heartbeatRow: source.heartbeatRow !== null,
    });
  } finally {
    connection.destroy();
  }
}
