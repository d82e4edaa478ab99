/** What PostgreSQL's catalog says of target tables. */
import type { PostgresResult, PostgresRow } from '../drivers/postgres.ts';
import { RowferryError } from '../errors.ts';
import { QUERY_TABLES, refuseLongNames, rowsByTable, splitName } from './catalog-rows.ts';
import { quote, tablePath } from './postgres-sql.ts';
import type { TargetColumn, TargetTable } from './target.ts';

type Query = (text: string) => Promise<PostgresResult>;

const MAX_NAME_BYTES = 63;

/** Tables by the name that was asked for. Views and foreign tables are errors. */
export async function describePostgres(
  query: Query,
  tables: readonly string[],
): Promise<ReadonlyMap<string, TargetTable>> {
  const found = new Map<string, TargetTable>();
  const unfit: string[] = [];
  const cascades: string[] = [];
  const tooLong: string[] = [];
  for (let start = 0; start < tables.length; start += QUERY_TABLES) {
    const part = tables.slice(start, start + QUERY_TABLES);
    const relations = new Map((await query(relationsOf(part))).rows.map((row) => [row['asked'], row]));
    const oids = new Map<string, string>();
    for (const table of part) {
      const relation = relations.get(table);
      if (relation === undefined) {
        if (isTooLong(table)) tooLong.push(table);
      } else if (relation['relkind'] === 'r' || relation['relkind'] === 'p') {
        oids.set(table, relation['oid'] ?? '');
      } else {
        unfit.push(table);
      }
    }
    if (oids.size === 0) continue;
    const among = [...new Set(oids.values())].join(', ');
    const cascading = rowsByTable((await query(cascadesOf(among))).rows);
    const columns = rowsByTable((await query(columnsOf(among))).rows);
    const keys = rowsByTable((await query(keysOf(among))).rows);
    for (const [table, oid] of oids) {
      for (const { name, child } of cascading.get(oid) ?? []) {
        cascades.push(`${table} by ${name ?? ''} of ${child ?? ''}`);
      }
      const itsColumns = (columns.get(oid) ?? []).map(columnOf);
      found.set(table, { name: table, columns: itsColumns, ...readKeys(keys.get(oid) ?? []) });
    }
  }
  refuseLongNames(tooLong, `${MAX_NAME_BYTES} bytes`);
  if (unfit.length > 0) {
    throw new RowferryError('ROWFERRY_TARGET_SCHEMA', `not tables: ${unfit.join(', ')}`, {
      hint: 'rows can be ferried into tables only, not into views or foreign tables',
    });
  }
  if (cascades.length > 0) throw cascadeError(cascades);
  return found;
}

/** Compares the names too: to_regclass cuts those that are too long, and would answer another table. */
function relationsOf(tables: readonly string[]): string {
  const asked = tables.map((table) => {
    const { schema, name } = splitName(table);
    const texts = [table, tablePath(table), name].map(quote);
    return `(${texts.join(', ')}, ${schema === null ? 'NULL' : quote(schema)})`;
  });
  return `SELECT t.asked, c.oid, c.relkind FROM (VALUES ${asked.join(', ')}) AS t(asked, path, name, schema)
    JOIN pg_class c ON c.oid = to_regclass(t.path) AND c.relname::text = t.name
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname::text = coalesce(t.schema, n.nspname::text)`;
}

function isTooLong(table: string): boolean {
  const { schema, name } = splitName(table);
  return [schema ?? '', name].some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES);
}

/** Parking a row and placing it later takes it out of its table for a while: that must not change rows of other tables. */
function cascadeError(cascades: readonly string[]): RowferryError {
  return new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    `foreign keys change other rows when a row is deleted: ${cascades.join('; ')}`,
    { hint: 'drop these foreign keys at the target: the source already keeps them' },
  );
}

/** Foreign keys that refer to the table ON DELETE CASCADE, SET NULL or SET DEFAULT. */
function cascadesOf(oids: string): string {
  return `SELECT confrelid AS table, conname AS name, conrelid::regclass::text AS child FROM pg_constraint
    WHERE contype = 'f' AND confrelid IN (${oids}) AND conparentid = 0 AND confdeltype IN ('c', 'n', 'd')
    ORDER BY conrelid, conname`;
}

/** A domain counts as the type that it stands on. */
function columnsOf(oids: string): string {
  return `SELECT a.attrelid AS table, a.attname AS name,
      CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
           ELSE format_type(a.atttypid, a.atttypmod) END AS type,
      a.attnotnull OR t.typnotnull AS required,
      a.attgenerated <> '' AS generated,
      a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS defaulted,
      CASE WHEN a.attcollation = 0 THEN NULL
           WHEN t.typname = 'citext' OR NOT coalesce(l.collisdeterministic, true) THEN 'loose'
           ELSE 'exact' END AS compares
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid IN (${oids}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;
}

/** One row for each unique or exclusion index: its columns, null where it is more than whole columns of all rows. */
function keysOf(oids: string): string {
  return `SELECT i.indrelid AS table, i.indisprimary AS primary,
      CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL AND NOT i.indisexclusion THEN
        (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts)
      END AS columns
    FROM pg_index i WHERE i.indrelid IN (${oids}) AND (i.indisunique OR i.indisexclusion) ORDER BY i.indexrelid`;
}

function columnOf(row: PostgresRow): TargetColumn {
  const compares = row['compares'] ?? null;
  return {
    name: row['name'] ?? '',
    type: row['type'] ?? '',
    nullable: row['required'] === 'f',
    generated: row['generated'] === 't',
    hasDefault: row['defaulted'] === 't',
    ...(compares === null ? {} : { compares: compares === 'loose' ? 'loose' : 'exact' }),
  };
}

function readKeys(rows: readonly PostgresRow[]): Pick<TargetTable, 'primaryKey' | 'uniqueKeys'> {
  const columnsOfKey = (row: PostgresRow): string[] => JSON.parse(row['columns'] ?? '[]') as string[];
  const primary = rows.find((row) => row['primary'] === 't');
  return {
    primaryKey: primary === undefined ? [] : columnsOfKey(primary),
    uniqueKeys: rows.filter((row) => row !== primary).map(columnsOfKey),
  };
}
