import mysql from 'mysql2/promise';
import { Client, Pool } from 'pg';
import { inject, type TestContext } from 'vitest';
import type { TestServer, TestServers } from './global-setup.ts';

/** The servers that this run's tests share. */
export function testServers(): TestServers {
  return inject('servers');
}

export interface MysqlDatabase {
  readonly name: string;
  readonly server: TestServer;
  /** The server's URL with this database. */
  readonly url: string;
  readonly pool: mysql.Pool;
}

export interface PostgresDatabase {
  readonly name: string;
  readonly server: TestServer;
  readonly url: string;
  readonly pool: Pool;
}

let counter = 0;

/** Unique over all workers of this and of earlier runs, and tells which test it was: for databases, topics and groups. */
export function uniqueName(label: string): string {
  counter += 1;
  const words = label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 30);
  return `t_${Date.now().toString(36)}_${process.pid.toString(36)}_${counter}_${words}`;
}

/**
 * An empty database for one test, dropped when the test passes; when it fails the database is kept and its name printed.
 * On the source MySQL unless another MySQL or MariaDB is given. The pool is closed either way.
 */
export async function mysqlDatabase(
  test: TestContext,
  server: TestServer = testServers().src,
  name = uniqueName(test.task.name),
): Promise<MysqlDatabase> {
  const url = withDatabase(server.url, name);
  await mysqlStatement(server, `CREATE DATABASE ${name}`);
  const pool = mysql.createPool({
    uri: url,
    connectionLimit: 10,
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    timezone: 'Z',
  });
  test.onTestFinished(async () => {
    await pool.end();
    if (keeps(test, server, name)) return;
    await mysqlStatement(server, `DROP DATABASE IF EXISTS ${name}`);
  });
  return { name, server, url, pool };
}

/** Like `mysqlDatabase`, on PostgreSQL. */
export async function postgresDatabase(
  test: TestContext,
  server: TestServer = testServers().postgres,
): Promise<PostgresDatabase> {
  const name = uniqueName(test.task.name);
  const url = withDatabase(server.url, name);
  await postgresStatement(server, `CREATE DATABASE ${name}`);
  const pool = new Pool({ connectionString: url, max: 10 });
  // An idle connection that a test cuts on purpose would end the process otherwise.
  pool.on('error', () => undefined);
  test.onTestFinished(async () => {
    await pool.end();
    if (keeps(test, server, name)) return;
    await postgresStatement(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
  return { name, server, url, pool };
}

function keeps(test: TestContext, server: TestServer, name: string): boolean {
  const failed = test.task.result?.state === 'fail';
  if (failed)
    process.stderr.write(
      `"${test.task.name}" failed: database ${name} is kept on ${server.kind} ${server.name}\n`,
    );
  return failed;
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function mysqlStatement(server: TestServer, sql: string): Promise<void> {
  const connection = await mysql.createConnection(server.url);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

async function postgresStatement(server: TestServer, sql: string): Promise<void> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
