/** Matches a source table's shape with a target table. */
import { RowferryError } from '../errors.ts';
import { parseMysqlType } from '../model/mysql-literals.ts';
import { parsePostgresType } from '../model/postgres-texts.ts';
import { parseSourceType } from '../model/values.ts';
import type { Column, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import type { Engine } from './session.ts';
import type { TableWriter, TargetColumn, TargetTable } from './target.ts';

/** Throws ROWFERRY_TARGET_SCHEMA with everything that stands in the way, not only the first. */
export function tableWriter(
  engine: Engine,
  targetName: string,
  source: Table,
  target: TargetTable,
): TableWriter {
  const problems: string[] = [];
  const columns: TableWriter['columns'][number][] = [];
  for (const [index, column] of source.columns.entries()) {
    const found = target.columns.find(({ name }) => engine.sameColumn(column.name, name));
    if (found === undefined) problems.push(`column ${column.name} (${column.type}) is missing`);
    else if (found.generated) continue;
    else if (!engine.canWrite(column.type, found)) problems.push(noWay(column, found));
    else columns.push({ index, type: column.type, target: found });
  }
  for (const column of target.columns) {
    const isWritten = columns.some(({ target }) => target === column);
    if (isWritten || column.generated || column.nullable || column.hasDefault) continue;
    if (source.columns.some(({ name }) => engine.sameColumn(name, column.name))) continue;
    problems.push(`column ${column.name} is NOT NULL without a default and the source has no such column`);
  }
  const key = source.key.map((index) => columns.findIndex((column) => column.index === index));
  const keyNames = key.flatMap((position) => columns[position]?.target.name ?? []);
  if (source.key.length === 0) {
    problems.push(...keylessProblems(columns, target));
  } else if (key.includes(-1)) {
    problems.push('not all columns of the primary key can be written');
  } else if (![target.primaryKey, ...target.uniqueKeys].some((unique) => sameSet(unique, keyNames))) {
    problems.push(
      `(${keyNames.join(', ')}) is neither the primary key nor a unique key there, so that rows cannot be replaced by it`,
    );
  }
  for (const position of key) {
    const column = columns[position];
    if (column !== undefined) problems.push(...keyProblems(source.columns[column.index]!, column.target));
  }
  const { origin } = source;
  const originAt = columns.findIndex(({ index }) => index === origin?.column);
  if (origin !== undefined) problems.push(...originProblems(engine, origin, columns[originAt]?.target));
  if (problems.length > 0) throw schemaError(targetName, source, target, problems);
  const hasUniqueKeys =
    (key.length > 0 && hasOtherUniqueKeys(target, keyNames)) ||
    key.some((position) => isLooseKey(engine, columns[position]!.type, columns[position]!.target));
  return {
    source,
    table: target,
    columns,
    key,
    hasUniqueKeys,
    ...(origin === undefined ? {} : { origin: { position: originAt, value: origin.value } }),
  };
}

/** Rows that nothing tells apart may be the same: a key over what is written would refuse the second one. */
function keylessProblems(columns: TableWriter['columns'], target: TargetTable): string[] {
  const written = new Set(columns.map((column) => column.target.name));
  const keys = [...target.uniqueKeys, ...(target.primaryKey.length > 0 ? [target.primaryKey] : [])];
  return keys
    .filter((key) => key.length === 0 || key.some((name) => written.has(name)))
    .map(
      (key) =>
        `the source table has no key, so that rows may come that the unique key (${key.join(', ') || 'an expression'}) there refuses: drop it`,
    );
}

/**
 * Different keys that this column takes for equal may come by different partitions, in any order: the target may still hold
 * the one when the other arrives. Numbers and times as text have one spelling each; labels of ENUM columns do too.
 */
function isLooseKey(engine: Engine, source: string, target: TargetColumn): boolean {
  if (engine.kind !== 'mysql' || target.compares !== 'loose') return false;
  const family = parseSourceType(source)?.family ?? '';
  return ['text', 'enum', 'set'].includes(family) && parseMysqlType(target.type).kind === 'text';
}

/** Rows that the source tells apart must not fall together at the target: one would overwrite the other. */
function keyProblems(source: Column, target: TargetColumn): string[] {
  const isText = parseSourceType(source.type)?.family === 'text';
  if (!isText || source.compares !== 'exact' || target.compares !== 'loose') return [];
  return [
    `key column ${target.name} compares more loosely than at the source (case, accents or trailing spaces): give it a binary collation without padding`,
  ];
}

/** The column must give back what was written to it; it may compare loosely, since rowferry compares it by bytes. */
function originProblems(
  engine: Engine,
  { value }: NonNullable<Table['origin']>,
  target: TargetColumn | undefined,
): string[] {
  if (target === undefined) return ['the column that tells where rows come from cannot be written'];
  const { kind } = engine.kind === 'mysql' ? parseMysqlType(target.type) : parsePostgresType(target.type);
  if (kind !== 'text') {
    return [
      `column ${target.name} (${target.type}) tells where rows come from and must be a varchar or text`,
    ];
  }
  // A CHAR column would lose it.
  return value.endsWith(' ') ? [`what column ${target.name} would hold ends with a space`] : [];
}

function hasOtherUniqueKeys(target: TargetTable, keyNames: readonly string[]): boolean {
  const keys = [...target.uniqueKeys, ...(target.primaryKey.length > 0 ? [target.primaryKey] : [])];
  return keys.some((columns) => !sameSet(columns, keyNames));
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.length > 0 && a.every((name) => b.includes(name));
}

function noWay(source: Column, target: TargetColumn): string {
  return parseSourceType(source.type) === undefined
    ? `column ${source.name} has the type ${source.type}, which rowferry does not ferry`
    : `column ${target.name} (${target.type}) cannot take a ${source.type} exactly`;
}

function schemaError(
  targetName: string,
  source: Table,
  target: TargetTable,
  problems: readonly string[],
): RowferryError {
  const text = problems.join('; ');
  return new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    `${tableName(source)} cannot be written to table ${target.name}: ${text}`,
    {
      where: { target: targetName, table: target.name },
      hint: 'mend the target table; the partition then goes on',
    },
  );
}
