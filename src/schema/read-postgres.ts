/** What PostgreSQL's catalog says of target tables, as far as a comparison needs it. */
import { quote, tablePath } from '../targets/postgres-sql.ts';
import type { ActualTable } from './actual.ts';
import type { CatalogRow } from './parse-catalog.ts';
import type { PlannedPart } from './planned.ts';

type Query = (sql: string) => Promise<readonly CatalogRow[]>;

/** Tables that are missing are absent from the answer. */
export async function readPostgresTables(
  query: Query,
  paths: readonly string[],
): Promise<ReadonlyMap<string, ActualTable>> {
  const found = new Map<string, ActualTable>();
  for (const path of paths) {
    const [relation] = await query(`SELECT to_regclass(${quote(tablePath(path))})::oid AS oid`);
    const oid = relation?.['oid'] ?? null;
    if (oid === null) continue;
    const columns = await query(
      `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
          a.attgenerated <> '' AS generated, a.atthasdef OR a.attidentity <> '' AS defaulted,
          CASE WHEN t.typname = 'citext' THEN 'citext' WHEN NOT coalesce(l.collisdeterministic, true) THEN l.collname END
            AS collation,
          (SELECT string_agg(pg_get_constraintdef(c.oid), ' ') FROM pg_constraint c
           WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]) AS checks
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE a.attrelid = ${oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    );
    const keys = await query(
      `SELECT i.indisprimary AS primary, i.indisunique AS unique, i.indpred IS NOT NULL AS partial,
          (SELECT json_agg(pg_get_indexdef(i.indexrelid, n, false) ORDER BY n)
           FROM generate_series(1, i.indnkeyatts) n) AS parts
        FROM pg_index i WHERE i.indrelid = ${oid} AND i.indisvalid ORDER BY i.indexrelid`,
    );
    const partsOf = (row: CatalogRow): PlannedPart[] =>
      (JSON.parse(row['parts'] ?? '[]') as string[]).map((text) => indexPart(text));
    const isFull = (row: CatalogRow): boolean => row['partial'] !== 't';
    const primary = keys.find((row) => row['primary'] === 't');
    const others = keys.filter((row) => row !== primary);
    found.set(path, {
      columns: columns.map((row) => ({
        name: row['name'] ?? '',
        type: row['type'] ?? '',
        nullable: row['required'] !== 't',
        generated: row['generated'] === 't',
        hasDefault: row['defaulted'] === 't',
        collation: row['collation'] ?? null,
        labels: labelsIn(row['checks'] ?? null),
      })),
      primaryKey: primary === undefined ? [] : partsOf(primary).map(({ column }) => column ?? ''),
      uniqueKeys: others.filter((row) => row['unique'] === 't').map(partsOf),
      indexes: others.filter((row) => row['unique'] !== 't' && isFull(row)).map(partsOf),
    });
  }
  return found;
}

/** `email`, `"Email"` or `"left"((email)::text, 10)`, as the server prints a part of an index. */
function indexPart(text: string): PlannedPart {
  const plain = { prefix: null, descending: false, expression: null };
  const name = /^(?:"((?:[^"]|"")*)"|([a-z_][a-z0-9_$]*))$/u.exec(text);
  if (name !== null) return { ...plain, column: nameOf(name[1], name[2]) };
  const left = /^"left"\(\(?(?:"((?:[^"]|"")*)"|([a-z_][a-z0-9_$]*))\)?(?:::text)?, (\d+)\)$/u.exec(text);
  if (left === null) return { ...plain, column: null, expression: text };
  return { ...plain, column: nameOf(left[1], left[2]), prefix: Number(left[3]) };
}

function nameOf(quoted: string | undefined, bare: string | undefined): string {
  return quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"');
}

/** The texts that checks of one column name; null without a check. */
function labelsIn(checks: string | null): string[] | null {
  if (checks === null) return null;
  return [...checks.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));
}
