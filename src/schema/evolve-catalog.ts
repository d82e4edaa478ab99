/** Reads what `evolve.ts` compares with, from the target itself. */
import { quote as mysqlQuote } from '../model/mysql-literals.ts';
import {
  name as postgresName,
  quote as postgresQuote,
  tablePath as postgresPath,
} from '../targets/postgres-sql.ts';
import { actualTables } from './actual.ts';
import type { CatalogColumn } from './catalog.ts';
import { findByName } from './catalog.ts';
import { splitPath } from './ddl.ts';
import type { EvolveTable } from './evolve.ts';
import type { TargetTraits } from './planned.ts';
import { readCatalog } from './read-catalog.ts';
import type { CatalogQuery } from './read-catalog.ts';
import { readPostgresTables } from './read-postgres.ts';

interface EvolveCatalog {
  readonly traits: TargetTraits;
  /** By the path that was asked for; tables that are missing are absent. */
  readonly tables: ReadonlyMap<string, EvolveTable>;
}

export async function readEvolveCatalog(
  engine: 'mysql' | 'postgres',
  query: CatalogQuery,
  paths: readonly string[],
): Promise<EvolveCatalog> {
  const traits = await readTargetTraits(engine, query);
  const tables = engine === 'mysql' ? await mysqlTables(query, paths) : await postgresTables(query, paths);
  return { traits, tables };
}

/** What the target's server can do. */
export async function readTargetTraits(
  engine: 'mysql' | 'postgres',
  query: CatalogQuery,
): Promise<TargetTraits> {
  if (engine === 'postgres') return { engine: 'postgres' };
  const [server] = await query('SELECT VERSION() AS version');
  const flavour = /mariadb/i.test(server?.['version'] ?? '') ? 'mariadb' : 'mysql';
  const rows = await query(
    // MariaDB's newer collations go with several character sets: only here they have their full names.
    flavour === 'mariadb'
      ? 'SELECT FULL_COLLATION_NAME AS name FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY'
      : 'SELECT COLLATION_NAME AS name FROM information_schema.COLLATIONS',
  );
  return { engine: 'mysql', flavour, collations: new Set(rows.map((row) => row['name'] ?? '')) };
}

/** Names of the tables beside `path`, in its schema. */
export async function tableNames(
  engine: 'mysql' | 'postgres',
  query: CatalogQuery,
  path: string,
): Promise<readonly string[]> {
  const { schema } = splitPath(path);
  const sql =
    engine === 'mysql'
      ? `SELECT TABLE_NAME AS name FROM information_schema.TABLES
         WHERE TABLE_SCHEMA = ${schema === null ? 'DATABASE()' : mysqlQuote(schema)}`
      : `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
         AND ${schema === null ? 'pg_table_is_visible(c.oid)' : `n.nspname = ${postgresQuote(schema)}`}`;
  return (await query(sql)).map((row) => row['name'] ?? '');
}

async function mysqlTables(
  query: CatalogQuery,
  paths: readonly string[],
): Promise<ReadonlyMap<string, EvolveTable>> {
  const database = (await query('SELECT DATABASE() AS name'))[0]?.['name'] ?? '';
  // A server may fold the case of names; where it does not, two that differ by case alone are both read.
  const wanted = new Set(paths.map((path) => path.toLowerCase()));
  const pathOf = (schema: string, table: string): string =>
    schema === database ? table : `${schema}.${table}`;
  const catalog = await readCatalog(query, (schema, table) =>
    wanted.has(pathOf(schema, table).toLowerCase()),
  );
  const actual = actualTables(catalog, database);
  const tables = new Map<string, EvolveTable>();
  for (const path of paths) {
    const name = actual.has(path)
      ? path
      : [...actual.keys()].find((key) => key.toLowerCase() === path.toLowerCase());
    const found = name === undefined ? undefined : actual.get(name);
    const full = catalog.tables.find((table) => pathOf(table.schema, table.name) === name);
    if (found === undefined || full === undefined) continue;
    const columnOf = (column: string): CatalogColumn | null => findByName(full.columns, column) ?? null;
    tables.set(path, {
      ...found,
      path,
      columns: found.columns.map((column) => {
        const catalog = columnOf(column.name);
        return { ...column, catalog, ...(catalog === null ? {} : { default: defaultSql(catalog) }) };
      }),
      indexNames: new Set(full.indexes.map((index) => index.name.toLowerCase())),
    });
  }
  return tables;
}

function defaultSql({ default: found, autoIncrement }: CatalogColumn): string | null {
  if (autoIncrement) return 'nextval()';
  if (found === null) return null;
  if (found.kind === 'now') return 'CURRENT_TIMESTAMP';
  return found.kind === 'literal' ? mysqlQuote(found.text) : found.sql;
}

async function postgresTables(
  query: CatalogQuery,
  paths: readonly string[],
): Promise<ReadonlyMap<string, EvolveTable>> {
  const tables = new Map<string, EvolveTable>();
  for (const [path, found] of await readPostgresTables(query, paths)) {
    const { schema } = splitPath(path);
    const rows = await query(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = ${schema === null ? 'current_schema()' : postgresQuote(schema)}`,
    );
    const collations = await collationsOf(query, path);
    const defaults = await defaultsOf(query, path);
    tables.set(path, {
      ...found,
      path,
      columns: found.columns.map((column) => {
        const collate = collations.get(column.name);
        const base = { ...column, catalog: null, default: defaults.get(column.name) ?? null };
        return { ...base, ...(collate === undefined ? {} : { collate }) };
      }),
      indexNames: new Set(rows.map((row) => (row['name'] ?? '').toLowerCase())),
    });
  }
  return tables;
}

/** As SQL, by column; those without one are absent. */
async function defaultsOf(query: CatalogQuery, path: string): Promise<ReadonlyMap<string, string>> {
  const rows = await query(
    `SELECT a.attname AS name, CASE WHEN a.attidentity <> '' THEN 'nextval()' ELSE pg_get_expr(d.adbin, d.adrelid) END AS sql
     FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = to_regclass(${postgresQuote(postgresPath(path))}) AND a.attnum > 0 AND a.attgenerated = ''`,
  );
  return new Map(rows.flatMap(({ name = '', sql = null }) => (sql === null ? [] : [[name ?? '', sql]])));
}

/** As SQL, by column; those that have their type's own are absent. */
async function collationsOf(query: CatalogQuery, path: string): Promise<ReadonlyMap<string, string>> {
  const rows = await query(
    `SELECT a.attname AS name, n.nspname AS schema, l.collname AS collation
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_collation l ON l.oid = a.attcollation
       JOIN pg_namespace n ON n.oid = l.collnamespace
     WHERE a.attrelid = to_regclass(${postgresQuote(postgresPath(path))}) AND a.attnum > 0 AND a.attcollation <> t.typcollation`,
  );
  return new Map(
    rows.map((row) => [
      row['name'] ?? '',
      `${postgresName(row['schema'] ?? '')}.${postgresName(row['collation'] ?? '')}`,
    ]),
  );
}
