import { createConnection } from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';

/** Runs one statement and answers its rows. */
export type Run = (sql: string) => Promise<readonly Readonly<Record<string, string | number | null>>[]>;

/** Statements as root of a MySQL or MariaDB, over a connection of the test's own that uses no database. */
export async function runner(server: SandboxServer): Promise<Run> {
  const connection = await createConnection({ uri: new URL('/', server.url).href, dateStrings: true });
  onTestFinished(() => connection.destroy());
  return async (sql) => (await connection.query(sql))[0] as never;
}
