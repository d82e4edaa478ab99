/** Whether the account of a source may write the marks of copies. */
import { readMysqlGrants } from '../model/mysql-grants.ts';
import { MARK_SCHEMA, MARK_TABLE } from './mark.ts';

/** Privileges that marks need and the account lacks; that to create their table only while it is not there. */
export async function readMarkLacks(
  query: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>,
): Promise<readonly string[]> {
  const grants = await readMysqlGrants(query);
  // Shown only to an account that may do something with it.
  const there = await query(
    `SELECT 1 AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${MARK_SCHEMA}' AND TABLE_NAME = '${MARK_TABLE}'`,
  );
  const creating = there.length > 0 ? [] : grants.lacking(['CREATE'], MARK_SCHEMA);
  return [...creating, ...grants.lacking(['SELECT', 'INSERT', 'UPDATE'], MARK_SCHEMA, MARK_TABLE)];
}
