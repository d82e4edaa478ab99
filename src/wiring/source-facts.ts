/** Asks a source whether it can be captured and where it stands. */
import { preflightSource, formatFindings } from '../capture/preflight.ts';
import type { SourceFacts } from '../capture/start-position.ts';
import type { SourceSettings } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';

/** Runs the preflight. Throws ROWFERRY_SOURCE_PREFLIGHT with every error found; warnings are logged. */
export async function inspectSource(source: SourceSettings, log: Log): Promise<SourceFacts> {
  const where = { source: source.name };
  const connection = await MysqlConnection.connect({ url: source.url, side: 'source', where, session: [] });
  try {
    const preflight = await preflightSource(async (sql) => (await connection.query(sql)).rows, {
      name: source.name,
      tables: source.tables,
      serverId: source.serverId,
    });
    const errors = preflight.findings.filter(({ level }) => level === 'error');
    const warnings = preflight.findings.filter(({ level }) => level === 'warning');
    if (errors.length > 0) {
      throw new RowferryError(
        'ROWFERRY_SOURCE_PREFLIGHT',
        `the source cannot be captured:\n${formatFindings(errors)}`,
        {
          where,
          hint: 'make the changes above, then start again',
        },
      );
    }
    for (const finding of warnings) log.warn({ finding: finding.code }, formatFindings([finding]));
    return preflight.facts;
  } finally {
    connection.destroy();
  }
}
