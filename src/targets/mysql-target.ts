/** MySQL and MariaDB behind the Target port. */
import { ConnectionPool } from '../drivers/connection-pool.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import type { MysqlOptions } from '../drivers/mysql.ts';
import { mysqlColumn } from '../model/values.ts';
import { ControlSql } from './control-sql.ts';
import { MYSQL_SESSION, MysqlSession } from './mysql-session.ts';
import type { MysqlTraits } from './mysql-session.ts';
import { mysqlControl } from './mysql-sql.ts';
import type { Engine, Session } from './session.ts';

export const mysqlEngine: Engine = {
  kind: 'mysql',
  sameColumn: (source, target) => source.toLowerCase() === target.toLowerCase(),
  canWrite: (type, column) => mysqlColumn(type, column) !== undefined,
};

/** About 1 MB of ASCII; the server's own limit may ask for less. */
const STATEMENT_UNITS = 1_000_000;
const STATEMENT_ROWS = 1_000;
const MAX_IDLE_MS = 60_000;

/**
 * Whoever waits for a table's lock makes all others wait behind it; and a suspended applier must lose its session, and the lock
 * of a truncation with it, before others have waited for long.
 */
export const PATIENT_MYSQL = ['SET SESSION lock_wait_timeout = 10, wait_timeout = 120'];

export function openMysqlSessions(
  options: Omit<MysqlOptions, 'session' | 'side'>,
  pipeline: string,
  size: number,
  more: readonly string[] = [],
): ConnectionPool<Session> {
  const control = new ControlSql(mysqlControl, pipeline);
  return new ConnectionPool<Session>({
    size,
    maxIdleMs: MAX_IDLE_MS,
    connect: async () => {
      const connection = await MysqlConnection.connect({
        ...options,
        side: 'target',
        session: [...MYSQL_SESSION, ...more],
        scripts: true,
      });
      try {
        return new MysqlSession(connection, control, await readTraits(connection));
      } catch (error) {
        connection.destroy();
        throw error;
      }
    },
  });
}

/** Read for each connection: behind one address there may be another server tomorrow. */
async function readTraits(connection: MysqlConnection): Promise<MysqlTraits> {
  const { rows } = await connection.query('SELECT VERSION() AS version, @@max_allowed_packet AS packet');
  const packetBytes = Number(rows[0]?.['packet']);
  return {
    form: upsertForm(rows[0]?.['version'] ?? ''),
    limits: {
      rows: STATEMENT_ROWS,
      units: Math.min(STATEMENT_UNITS, Math.floor(packetBytes / 4)),
      packetBytes,
    },
  };
}

/** The row alias came with MySQL 8.0.19; MariaDB, whatever its number, has none. */
export function upsertForm(version: string): MysqlTraits['form'] {
  if (/mariadb/i.test(version)) return 'values';
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  return major > 8 || (major === 8 && (minor > 0 || patch >= 19)) ? 'alias' : 'values';
}
