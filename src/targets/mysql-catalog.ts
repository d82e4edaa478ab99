/** What MySQL's and MariaDB's catalog says of target tables. */
import type { MysqlResult, MysqlRow } from '../drivers/mysql.ts';
import { quote } from '../model/mysql-literals.ts';
import { RowferryError } from '../errors.ts';
import { QUERY_TABLES, refuseLongNames, rowsByTable, splitName } from './catalog-rows.ts';
import type { TargetColumn, TargetTable } from './target.ts';

type Query = (sql: string) => Promise<MysqlResult>;

const MAX_NAME = 64;

/** Tables by the name that was asked for. A table that cannot take part in a transaction is an error. */
export async function describeMysql(
  query: Query,
  tables: readonly string[],
): Promise<ReadonlyMap<string, TargetTable>> {
  const found = new Map<string, TargetTable>();
  const unfit: string[] = [];
  const tooLong: string[] = [];
  for (const { schema, names } of partsOf(tables)) {
    const kinds = await query(
      `SELECT t.TABLE_NAME AS \`table\`, @@lower_case_table_names AS folds,
              t.TABLE_TYPE AS kind, e.TRANSACTIONS AS transactions
       FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
       WHERE ${isOneOf('t.', schema, [...names.keys()])}`,
    );
    // The catalog may compare names without case where the server does not, and answer more tables than were asked for.
    const isFolding = kinds.rows.some(({ folds }) => folds !== '0');
    const fold = (name: string): string => (isFolding ? name.toLowerCase() : name);
    const byName = rowsByTable(kinds.rows, fold);
    const fit = new Map<string, string>();
    for (const [name, asked] of names) {
      const [kind] = byName.get(fold(name)) ?? [];
      if (kind === undefined) {
        if (Math.max(name.length, schema?.length ?? 0) > MAX_NAME) tooLong.push(asked);
      } else if (kind['kind'] === 'BASE TABLE' && kind['transactions'] === 'YES') {
        fit.set(name, asked);
      } else {
        unfit.push(asked);
      }
    }
    if (fit.size === 0) continue;
    const where = isOneOf('', schema, [...fit.keys()]);
    const columns = rowsByTable((await query(columnsWhere(where))).rows, fold);
    const indexes = rowsByTable((await query(indexesWhere(where))).rows, fold);
    for (const [name, asked] of fit) {
      const itsColumns = columns.get(fold(name)) ?? [];
      const itsIndexes = indexes.get(fold(name)) ?? [];
      found.set(asked, { name: asked, columns: itsColumns.map(columnOf), ...keysOf(itsIndexes) });
    }
  }
  refuseLongNames(tooLong, `${MAX_NAME} characters`);
  if (unfit.length > 0) {
    throw new RowferryError('ROWFERRY_TARGET_SCHEMA', `not tables with transactions: ${unfit.join(', ')}`, {
      hint: 'rows can be ferried into InnoDB tables only: ALTER TABLE … ENGINE = InnoDB; views are no targets',
    });
  }
  return found;
}

interface Part {
  /** Null for the connection's own database. */
  readonly schema: string | null;
  /** Names within the schema, each with the name that was asked for. */
  readonly names: ReadonlyMap<string, string>;
}

/** The names by schema, so that no catalog is read beyond it. */
function partsOf(tables: readonly string[]): Part[] {
  const open = new Map<string | null, Map<string, string>>();
  const parts: Part[] = [];
  for (const table of tables) {
    const { schema, name } = splitName(table);
    let names = open.get(schema);
    if (names === undefined || names.size === QUERY_TABLES) {
      open.set(schema, (names = new Map()));
      parts.push({ schema, names });
    }
    names.set(name, table);
  }
  return parts;
}

function isOneOf(alias: string, schema: string | null, names: readonly string[]): string {
  const its = `${alias}TABLE_SCHEMA`;
  const own = schema === null ? 'DATABASE()' : quote(schema);
  const place = `${its} = ${own} AND (@@lower_case_table_names <> 0 OR CAST(${its} AS BINARY) = CAST(${own} AS BINARY))`;
  const [first = ''] = names;
  // Some servers look one table up by its name, but read the whole schema for a list.
  if (names.length === 1) return `${place} AND ${alias}TABLE_NAME = ${quote(first)}`;
  return `${place} AND ${alias}TABLE_NAME IN (${names.map(quote).join(', ')})`;
}

function columnsWhere(where: string): string {
  return `SELECT TABLE_NAME AS \`table\`, COLUMN_NAME AS name, COLUMN_TYPE AS type, DATA_TYPE AS base,
                 IS_NULLABLE AS nullable, COLUMN_DEFAULT AS \`default\`, EXTRA AS extra,
                 GENERATION_EXPRESSION AS expression, COLLATION_NAME AS \`collation\`
          FROM information_schema.COLUMNS WHERE ${where} ORDER BY ORDINAL_POSITION`;
}

function indexesWhere(where: string): string {
  return `SELECT TABLE_NAME AS \`table\`, INDEX_NAME AS name, COLUMN_NAME AS \`column\`, SUB_PART AS part
          FROM information_schema.STATISTICS WHERE ${where} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`;
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
