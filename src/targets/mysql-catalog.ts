/** What MySQL's and MariaDB's catalog says of target tables. */
import type { MysqlResult, MysqlRow } from '../drivers/mysql.ts';
import { quote } from '../model/mysql-literals.ts';
import { RowferryError } from '../errors.ts';
import type { TargetColumn, TargetTable } from './target.ts';

type Query = (sql: string) => Promise<MysqlResult>;

/** Tables by the name that was asked for. A table that cannot take part in a transaction is an error. */
export async function describeMysql(
  query: Query,
  tables: readonly string[],
): Promise<ReadonlyMap<string, TargetTable>> {
  const found = new Map<string, TargetTable>();
  const unfit: string[] = [];
  for (const table of tables) {
    const where = placeOf(table);
    const [kind] = (
      await query(
        `SELECT t.TABLE_TYPE AS kind, e.TRANSACTIONS AS transactions FROM information_schema.TABLES t
         LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE ${where('t.')}`,
      )
    ).rows;
    if (kind === undefined) continue;
    if (kind['kind'] !== 'BASE TABLE' || kind['transactions'] !== 'YES') {
      unfit.push(table);
      continue;
    }
    const columns = await query(
      `SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, DATA_TYPE AS base, IS_NULLABLE AS nullable,
              COLUMN_DEFAULT AS \`default\`, EXTRA AS extra, GENERATION_EXPRESSION AS expression,
              COLLATION_NAME AS \`collation\`
       FROM information_schema.COLUMNS WHERE ${where('')} ORDER BY ORDINAL_POSITION`,
    );
    const indexes = await query(
      `SELECT INDEX_NAME AS name, COLUMN_NAME AS \`column\`, SUB_PART AS part
       FROM information_schema.STATISTICS WHERE ${where('')} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    );
    found.set(table, { name: table, columns: columns.rows.map(columnOf), ...keysOf(indexes.rows) });
  }
  if (unfit.length > 0) {
    throw new RowferryError('ROWFERRY_TARGET_SCHEMA', `not tables with transactions: ${unfit.join(', ')}`, {
      hint: 'rows can be ferried into InnoDB tables only: ALTER TABLE … ENGINE = InnoDB; views are no targets',
    });
  }
  return found;
}

function placeOf(table: string): (alias: string) => string {
  const dot = table.indexOf('.');
  const schema = dot < 0 ? 'DATABASE()' : quote(table.slice(0, dot));
  const name = quote(table.slice(dot + 1));
  // The catalog may compare names without case where the server does not.
  return (alias) =>
    `${alias}TABLE_SCHEMA = ${schema} AND ${alias}TABLE_NAME = ${name} AND
     (@@lower_case_table_names <> 0 OR CAST(${alias}TABLE_NAME AS BINARY) = CAST(${name} AS BINARY))`;
}

function columnOf(row: MysqlRow): TargetColumn {
  const extra = (row['extra'] ?? '').toLowerCase();
  const base = { name: row['name'] ?? '', type: row['type'] ?? '', nullable: row['nullable'] === 'YES' };
  const generated = (row['expression'] ?? '') !== '';
  const hasDefault =
    row['default'] !== null || extra.includes('auto_increment') || extra.includes('default_generated');
  const collation = row['collation'] ?? null;
  if (collation === null) return { ...base, generated, hasDefault };
  return { ...base, generated, hasDefault, compares: comparesAs(collation, row['base'] === 'char') };
}

/** Most binary collations ignore spaces at the end, which makes no difference in CHAR columns: they never hold any. */
function comparesAs(collation: string, isChar: boolean): 'exact' | 'loose' {
  const isBinary = collation.endsWith('_bin') || collation === 'binary';
  const pads = !collation.includes('_nopad_') && collation !== 'utf8mb4_0900_bin' && collation !== 'binary';
  return isBinary && (isChar || !pads) ? 'exact' : 'loose';
}

function keysOf(rows: readonly MysqlRow[]): Pick<TargetTable, 'primaryKey' | 'uniqueKeys'> {
  const keys = new Map<string, string[] | null>();
  for (const row of rows) {
    const index = row['name'] ?? '';
    const column = row['column'] ?? null;
    // An expression or the beginning of a column: nothing that can be compared by columns.
    const isWhole = column !== null && (row['part'] ?? null) === null;
    const known = keys.get(index);
    if (!isWhole || known === null) keys.set(index, null);
    else if (known === undefined) keys.set(index, [column]);
    else known.push(column);
  }
  const primaryKey = keys.get('PRIMARY') ?? [];
  keys.delete('PRIMARY');
  return { primaryKey, uniqueKeys: [...keys.values()].map((columns) => columns ?? []) };
}
