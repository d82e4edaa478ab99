/** SQL for MySQL and MariaDB targets. Pure. */
import { quote, quoteName } from '../model/mysql-literals.ts';
import { tablePath } from '../targets/mysql-sql.ts';
import { collationTraits } from './collation.ts';
import { schemasOf } from './ddl.ts';
import type { DdlWriter } from './ddl.ts';
import type { PlannedColumn, PlannedIndex, PlannedPart, PlannedTable } from './planned.ts';

/** A change that would lock the table out is an error instead. */
const ONLINE = 'LOCK=NONE';

export const mysqlDdl: DdlWriter = {
  prepare: (tables) => schemasOf(tables).map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`),
  createTable(table, indexes) {
    const inside =
      indexes === 'before' ? table.indexes : table.indexes.filter((index) => !waits(table, index));
    const common = commonCollation(table);
    const lines = [
      ...table.columns.map((column) => columnSql(column, common)),
      ...(table.primaryKey.length === 0
        ? []
        : [`PRIMARY KEY (${table.primaryKey.map(quoteName).join(', ')})`]),
      ...table.uniqueKeys.map((key) => `UNIQUE KEY ${quoteName(key.name)} (${partsSql(key.parts)})`),
      ...inside.map((index) => indexSql(index)),
      ...table.checks.map((check) => `CHECK (${check.sql})`),
    ];
    const options = [
      'ENGINE=InnoDB',
      ...(common === null
        ? ['DEFAULT CHARSET=utf8mb4']
        : [`DEFAULT CHARSET=${collationTraits(common).charset} COLLATE=${common}`]),
      ...(table.rowFormat === '' ? [] : [`ROW_FORMAT=${table.rowFormat}`]),
      ...(table.comment === '' ? [] : [`COMMENT=${quote(table.comment)}`]),
    ];
    return [`CREATE TABLE ${tablePath(table.path)} (\n  ${lines.join(',\n  ')}\n) ${options.join(' ')}`];
  },
  // All of a table at once: its rows are read once.
  laterIndexes(table) {
    const adds = table.indexes
      .filter((index) => waits(table, index))
      .map((index) => `ADD ${indexSql(index)}`);
    if (adds.length <= 1) return adds.map((add) => `ALTER TABLE ${tablePath(table.path)} ${add}, ${ONLINE}`);
    return [`ALTER TABLE ${tablePath(table.path)}\n  ${[...adds, ONLINE].join(',\n  ')}`];
  },
  // The server gives zero or the empty text to rows that are there.
  addColumn: (table, column) => [
    `ALTER TABLE ${tablePath(table.path)} ADD COLUMN ${columnSql(column, null)}, ${ONLINE}`,
  ],
  leavesOpen: () => false,
  addIndex: (table, index) => [addIndexSql(table, index)],
};

/** A counter needs its index from the start, and a full-text index cannot be made without a lock. */
function waits(table: PlannedTable, { kind, parts }: PlannedIndex): boolean {
  const counter = table.columns.find(({ numbering }) => numbering === 'auto')?.name;
  return kind === 'btree' && parts[0]?.column !== counter;
}

function addIndexSql({ path }: PlannedTable, index: PlannedIndex): string {
  const online = index.kind === 'fulltext' ? 'LOCK=SHARED' : ONLINE;
  return `ALTER TABLE ${tablePath(path)} ADD ${indexSql(index)}, ${online}`;
}

export function indexSql(index: PlannedIndex): string {
  return `${index.kind === 'fulltext' ? 'FULLTEXT KEY' : 'KEY'} ${quoteName(index.name)} (${partsSql(index.parts)})`;
}

function partsSql(parts: readonly PlannedPart[]): string {
  return parts
    .map(({ column, prefix, descending, expression }) => {
      const what = column === null ? `(${expression ?? ''})` : quoteName(column);
      return what + (prefix === null ? '' : `(${prefix})`) + (descending ? ' DESC' : '');
    })
    .join(', ');
}

/** What most columns have, so that only the others name theirs. Hashes alone (ASCII) would make a poor default for what comes later. */
function commonCollation({ columns }: PlannedTable): string | null {
  const counts = new Map<string, number>();
  for (const { collation } of columns)
    if (collation !== null && collation !== 'ascii_bin')
      counts.set(collation, (counts.get(collation) ?? 0) + 1);
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  return most?.[0] ?? null;
}

/** `common`: the table's own collation, which a column need not name; null when it is not known. */
export function columnSql(column: PlannedColumn, common: string | null = null): string {
  const { collation, generated, nullable, numbering, invisible, comment } = column;
  return [
    quoteName(column.name),
    column.type,
    ...(collation === null || collation === common
      ? []
      : [`CHARACTER SET ${collationTraits(collation).charset} COLLATE ${collation}`]),
    ...(generated === null
      ? [nullable ? 'NULL' : 'NOT NULL']
      : [generated, ...(nullable ? [] : ['NOT NULL'])]),
    ...(column.default === null ? [] : [`DEFAULT ${column.default}`]),
    ...(numbering === 'auto' ? ['AUTO_INCREMENT'] : []),
    ...(invisible ? ['INVISIBLE'] : []),
    ...(comment === '' ? [] : [`COMMENT ${quote(comment)}`]),
  ].join(' ');
}
