/** From rows of information_schema to tables. Pure: MySQL and MariaDB tell defaults and expressions in ways of their own. */
import type {
  CatalogColumn,
  CatalogIndex,
  CatalogTable,
  ColumnDefault,
  Flavour,
  IndexPart,
} from './catalog.ts';

/** A row by column name, each value as the text that the server prints. */
export type CatalogRow = Readonly<Record<string, string | null>>;

/** What was read of one table. */
interface TableRows {
  readonly table: CatalogRow;
  readonly columns: readonly CatalogRow[];
  readonly indexes: readonly CatalogRow[];
  readonly checks: readonly CatalogRow[];
  readonly createTable: string;
}

export function parseTable(flavour: Flavour, rows: TableRows): CatalogTable {
  const indexes = parseIndexes(rows.indexes);
  const options = rows.table['options'] ?? '';
  return {
    schema: rows.table['table_schema'] ?? '',
    name: rows.table['table_name'] ?? '',
    columns: rows.columns.map((row) => parseColumn(flavour, row)),
    primaryKey: indexes.find(({ name }) => name === 'PRIMARY')?.parts ?? [],
    indexes: indexes.filter(({ name }) => name !== 'PRIMARY'),
    checks: rows.checks.map((row) => ({
      name: row['name'] ?? '',
      sql: expressionText(flavour, row['clause'] ?? ''),
    })),
    foreignKeys: [...rows.createTable.matchAll(/^ +CONSTRAINT `((?:[^`]|``)+)` (FOREIGN KEY .*?),?$/gm)].map(
      ([, name = '', text = '']) => ({ name: name.replaceAll('``', '`'), text }),
    ),
    partitioned: /PARTITION BY ([A-Z ]+?)\s*[(\n]/.exec(rows.createTable)?.[1]?.trim() ?? null,
    rowFormat: /row_format=(\w+)/i.exec(options)?.[1]?.toUpperCase() ?? '',
    comment: rows.table['comment'] ?? '',
  };
}

function parseColumn(flavour: Flavour, row: CatalogRow): CatalogColumn {
  const extra = (row['extra'] ?? '').toUpperCase();
  const type = withoutWidth(row['column_type'] ?? '');
  const expression = row['expression'] ?? '';
  return {
    name: row['name'] ?? '',
    type,
    charset: row['charset'] ?? null,
    collation: row['collation'] ?? null,
    nullable: row['nullable'] === 'YES',
    default: parseDefault(flavour, type, row['column_default'] ?? null, extra),
    autoIncrement: extra.includes('AUTO_INCREMENT'),
    onUpdateNow: extra.includes('ON UPDATE'),
    generated:
      expression === ''
        ? null
        : {
            sql: expressionText(flavour, expression),
            stored: extra.includes('STORED GENERATED') || extra.includes('PERSISTENT'),
          },
    invisible: /\bINVISIBLE\b/.test(extra),
    comment: row['comment'] ?? '',
  };
}

/**
 * Display widths mean nothing, but that clients take `tinyint(1)` for a truth value; MariaDB shows all of them. Storage forms
 * in comments go too.
 */
export function withoutWidth(columnType: string): string {
  return columnType
    .replace(/^(?!tinyint\(1\))((?:tiny|small|medium|big)?int)\(\d+\)/i, '$1')
    .replace(/^year\(\d+\)/i, 'year')
    .replace(/ zerofill\b/i, '')
    .replace(/ ?\/\*M?!.*?\*\//g, '');
}

const NOW = /^(?:current_timestamp|now|localtime|localtimestamp)(?:\((\d*)\))?$/i;
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const BITS = /^b'([01]*)'$/i;

/** MySQL tells a literal bare and marks an expression in `extra`; MariaDB quotes a literal, so that all else is one. */
function parseDefault(
  flavour: Flavour,
  type: string,
  text: string | null,
  extra: string,
): ColumnDefault | null {
  if (text === null) return null;
  const digits = NOW.exec(text)?.[1];
  if (NOW.test(text) && /^(?:timestamp|datetime)/.test(type)) {
    return { kind: 'now', digits: Number(digits ?? 0) };
  }
  const bits = BITS.exec(text)?.[1];
  if (bits !== undefined) return { kind: 'literal', text: bits };
  if (flavour === 'mysql') {
    return extra.includes('DEFAULT_GENERATED')
      ? { kind: 'expression', sql: expressionText(flavour, text) }
      : { kind: 'literal', text };
  }
  if (text === 'NULL') return null;
  if (NUMBER.test(text)) return { kind: 'literal', text };
  const quoted = /^'((?:[^'\\]|''|\\.)*)'$/s.exec(text)?.[1];
  if (quoted !== undefined) return { kind: 'literal', text: unquoted(quoted) };
  return { kind: 'expression', sql: text };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0', Z: '\x1a' };

function unquoted(text: string): string {
  return text.replace(/''|\\(.)/gs, (_, letter: string | undefined) =>
    letter === undefined ? "'" : (ESCAPES[letter] ?? letter),
  );
}

/** MySQL's information_schema escapes quotes and backslashes of an expression once more than `SHOW CREATE TABLE` does. */
function expressionText(flavour: Flavour, text: string): string {
  return flavour === 'mysql' ? text.replace(/\\(['\\])/g, '$1') : text;
}

function parseIndexes(rows: readonly CatalogRow[]): CatalogIndex[] {
  const byName = new Map<string, { readonly first: CatalogRow; readonly parts: IndexPart[] }>();
  for (const row of rows) {
    const name = row['name'] ?? '';
    const index = byName.get(name) ?? { first: row, parts: [] };
    byName.set(name, index);
    const prefix = row['sub_part'] ?? null;
    index.parts.push({
      column: row['column_name'] ?? null,
      prefix: prefix === null || row['index_type'] === 'SPATIAL' ? null : Number(prefix),
      descending: row['direction'] === 'D',
      expression: row['expression'] === null ? null : expressionText('mysql', row['expression'] ?? ''),
    });
  }
  return [...byName].map(([name, { first, parts }]) => ({
    name,
    kind: kindOf(first['index_type'] ?? ''),
    unique: first['non_unique'] === '0',
    parts: parts.map((part) => ({ ...part, expression: part.column === null ? part.expression : null })),
  }));
}

function kindOf(type: string): CatalogIndex['kind'] {
  if (type === 'FULLTEXT') return 'fulltext';
  return type === 'SPATIAL' || type === 'RTREE' ? 'spatial' : 'btree';
}
