/** Connections for schemas: to sources to read their catalogs, to targets to change them. */
import type { DatabaseUrl, SourceSettings, TargetSettings } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { PostgresConnection } from '../drivers/postgres.ts';
import { RowferryError } from '../errors.ts';
import { TableFilter } from '../model/table-filter.ts';
import { actualTables } from '../schema/actual.ts';
import type { ActualTable } from '../schema/actual.ts';
import type { Catalog } from '../schema/catalog.ts';
import { readTargetTraits } from '../schema/evolve-catalog.ts';
import type { SchemaSession } from '../schema/history.ts';
import type { TargetTraits } from '../schema/planned.ts';
import { withDeclaredKeys } from '../schema/declared-keys.ts';
import { readCatalog } from '../schema/read-catalog.ts';
import { readPostgresTables } from '../schema/read-postgres.ts';

/** An index over many rows takes its time; a dead link is found by keep-alive. */
const STATEMENT_TIMEOUT_MS = 24 * 60 * 60_000;

const MYSQL_SESSION = [
  'SET NAMES utf8mb4',
  // Dates with zeros are good defaults; a change that waits for somebody's transaction makes all others wait behind it.
  `SET SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',
   time_zone = '+00:00', foreign_key_checks = 0, lock_wait_timeout = 10, autocommit = 1`,
];

const POSTGRES_SESSION = [
  'SET standard_conforming_strings = on',
  'SET client_min_messages = warning',
  "SET lock_timeout = '10s'",
  'SET statement_timeout = 0',
];

/** The catalog of the captured tables, declared keys in the place of primary keys. */
export async function readSourceCatalog({ name, url, tables, keys }: SourceSettings): Promise<Catalog> {
  const link = { url, side: 'source', where: { source: name }, session: ['SET NAMES utf8mb4'] } as const;
  const connection = await MysqlConnection.connect(link);
  try {
    const filter = new TableFilter(tables);
    const query = async (sql: string) => (await connection.query(sql)).rows;
    const catalog = await readCatalog(query, (schema, table) => filter.matches(schema, table));
    return withDeclaredKeys(catalog, keys);
  } catch (error) {
    throw error instanceof RowferryError ? error.at({ source: name }) : error;
  } finally {
    connection.destroy();
  }
}

export async function withTarget<T>(
  { name, url }: Pick<TargetSettings, 'name' | 'url'>,
  work: (session: SchemaSession) => Promise<T>,
): Promise<T> {
  const link = {
    url,
    side: 'target',
    where: { target: name },
    queryTimeoutMs: STATEMENT_TIMEOUT_MS,
  } as const;
  if (url.engine === 'mysql') {
    const connection = await MysqlConnection.connect({ ...link, session: MYSQL_SESSION });
    try {
      return await work({ engine: 'mysql', query: async (sql) => (await connection.query(sql)).rows });
    } finally {
      await connection.close();
    }
  }
  const connection = await PostgresConnection.connect({ ...link, session: POSTGRES_SESSION });
  try {
    return await work({ engine: 'postgres', query: async (text) => (await connection.query({ text })).rows });
  } finally {
    await connection.close();
  }
}

/** What the target's server can do. */
export async function readTraits(session: SchemaSession): Promise<TargetTraits> {
  return await readTargetTraits(session.engine, (sql) => session.query(sql));
}

export async function readActual(
  session: SchemaSession,
  { database }: Pick<DatabaseUrl, 'database'>,
  paths: readonly string[],
): Promise<ReadonlyMap<string, ActualTable>> {
  const query = (sql: string) => session.query(sql);
  if (session.engine === 'postgres') return await readPostgresTables(query, paths);
  const wanted = new Set(paths);
  const isWanted = (schema: string, table: string): boolean =>
    wanted.has(schema === database ? table : `${schema}.${table}`);
  return actualTables(await readCatalog(query, isWanted), database);
}
