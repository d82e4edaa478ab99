/** Asks a source whether it can be captured and where it stands. */
import { preflightSource, formatFindings } from '../capture/preflight.ts';
import type { SourceFacts } from '../capture/start-position.ts';
import type { SourceSettings } from '../config/config.ts';
import { connectMysql } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';

/** Runs the preflight. Throws ROWFERRY_SOURCE_PREFLIGHT with every error found; warnings are logged. */
export async function inspectSource(source: SourceSettings, log: Log): Promise<SourceFacts> {
  const connection = await connectMysql(source.url);
  try {
    const preflight = await preflightSource(async (sql) => await connection.query(sql), {
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
          where: { source: source.name },
          hint: 'make the changes above, then start again',
        },
      );
    }
    for (const finding of warnings) log.warn({ finding: finding.code }, formatFindings([finding]));
    return preflight.facts;
  } finally {
    await connection.close();
  }
}
