/** Reads the full description of tables from a MySQL or MariaDB server; needs no more grants than capture does. */
import { quote, quoteName } from '../model/mysql-literals.ts';
import type { Catalog, CatalogObject, CatalogTable, Flavour } from './catalog.ts';
import { parseTable } from './parse-catalog.ts';
import type { CatalogRow } from './parse-catalog.ts';

/** Runs one statement; every value is the server's text, or null. */
export type CatalogQuery = (sql: string) => Promise<readonly CatalogRow[]>;

/** `wanted` chooses tables by schema and name. */
export async function readCatalog(
  query: CatalogQuery,
  wanted: (schema: string, table: string) => boolean,
): Promise<Catalog> {
  const version = (await query('SELECT VERSION() AS version'))[0]?.['version'] ?? '';
  const flavour: Flavour = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
  const all = await query(
    `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, TABLE_TYPE AS kind, CREATE_OPTIONS AS options,
            TABLE_COMMENT AS comment
     FROM information_schema.TABLES ORDER BY TABLE_SCHEMA, TABLE_NAME`,
  );
  const isWanted = (row: CatalogRow): boolean => wanted(row['table_schema'] ?? '', row['table_name'] ?? '');
  const chosen = all.filter((row) => row['kind'] === 'BASE TABLE' && isWanted(row));
  const schemas = [...new Set(chosen.map((row) => row['table_schema'] ?? ''))];
  if (schemas.length === 0) return { flavour, version, tables: [], objects: [] };
  const within = (column: string): string => `${column} IN (${schemas.map(quote).join(', ')})`;
  const columns = grouped(await query(columnsSql(within('TABLE_SCHEMA'))));
  const indexes = grouped(await query(indexesSql(flavour, within('TABLE_SCHEMA'))));
  const checks = grouped(await query(checksSql(flavour, within('c.CONSTRAINT_SCHEMA'))));
  const tables: CatalogTable[] = [];
  for (const table of chosen) {
    const key = keyOf(table);
    const path = `${quoteName(table['table_schema'] ?? '')}.${quoteName(table['table_name'] ?? '')}`;
    const [shown] = await query(`SHOW CREATE TABLE ${path}`);
    tables.push(
      parseTable(flavour, {
        table,
        columns: columns.get(key) ?? [],
        indexes: indexes.get(key) ?? [],
        checks: checks.get(key) ?? [],
        createTable: shown?.['Create Table'] ?? '',
      }),
    );
  }
  const others = (await query(objectsSql(within))).map((row): CatalogObject => objectOf(row));
  const inSchemas = all.filter((row) => schemas.includes(row['table_schema'] ?? ''));
  const versioned = inSchemas.filter((row) => row['kind'] === 'SYSTEM VERSIONED' && isWanted(row));
  const sequences = inSchemas.filter((row) => row['kind'] === 'SEQUENCE');
  return {
    flavour,
    version,
    tables,
    objects: [
      ...others,
      ...versioned.map((row) => objectOf({ ...row, kind: 'versioned table' })),
      ...sequences.map((row) => objectOf({ ...row, kind: 'sequence' })),
    ],
  };
}

function columnsSql(within: string): string {
  return `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, COLUMN_NAME AS name, COLUMN_TYPE AS column_type,
      CHARACTER_SET_NAME AS charset, COLLATION_NAME AS \`collation\`, IS_NULLABLE AS nullable,
      COLUMN_DEFAULT AS column_default, EXTRA AS extra, GENERATION_EXPRESSION AS expression, COLUMN_COMMENT AS comment
    FROM information_schema.COLUMNS WHERE ${within} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`;
}

function indexesSql(flavour: Flavour, within: string): string {
  // MariaDB knows no indexes over expressions.
  const expression = flavour === 'mysql' ? 'EXPRESSION' : 'NULL';
  return `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, INDEX_NAME AS name, COLUMN_NAME AS column_name,
      SUB_PART AS sub_part, COLLATION AS direction, NON_UNIQUE AS non_unique, INDEX_TYPE AS index_type,
      ${expression} AS expression
    FROM information_schema.STATISTICS WHERE ${within} ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`;
}

function checksSql(flavour: Flavour, within: string): string {
  if (flavour === 'mariadb') {
    return `SELECT c.CONSTRAINT_SCHEMA AS table_schema, c.TABLE_NAME AS table_name, c.CONSTRAINT_NAME AS name,
        c.CHECK_CLAUSE AS clause
      FROM information_schema.CHECK_CONSTRAINTS c WHERE ${within} ORDER BY c.TABLE_NAME, c.CONSTRAINT_NAME`;
  }
  return `SELECT c.CONSTRAINT_SCHEMA AS table_schema, t.TABLE_NAME AS table_name, c.CONSTRAINT_NAME AS name,
      c.CHECK_CLAUSE AS clause
    FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t
      ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK'
    WHERE ${within} AND t.ENFORCED = 'YES' ORDER BY t.TABLE_NAME, c.CONSTRAINT_NAME`;
}

function objectsSql(within: (column: string) => string): string {
  return `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, 'view' AS kind
      FROM information_schema.VIEWS WHERE ${within('TABLE_SCHEMA')}
    UNION ALL SELECT TRIGGER_SCHEMA, TRIGGER_NAME, 'trigger'
      FROM information_schema.TRIGGERS WHERE ${within('TRIGGER_SCHEMA')}
    UNION ALL SELECT ROUTINE_SCHEMA, ROUTINE_NAME, LOWER(ROUTINE_TYPE)
      FROM information_schema.ROUTINES WHERE ${within('ROUTINE_SCHEMA')}
    UNION ALL SELECT EVENT_SCHEMA, EVENT_NAME, 'event'
      FROM information_schema.EVENTS WHERE ${within('EVENT_SCHEMA')}`;
}

function objectOf(row: CatalogRow): CatalogObject {
  return {
    schema: row['table_schema'] ?? '',
    name: row['table_name'] ?? '',
    kind: (row['kind'] ?? 'view') as CatalogObject['kind'],
  };
}

function grouped(rows: readonly CatalogRow[]): Map<string, CatalogRow[]> {
  const groups = new Map<string, CatalogRow[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return groups;
}

function keyOf(row: CatalogRow): string {
  return `${row['table_schema'] ?? ''}\0${row['table_name'] ?? ''}`;
}
