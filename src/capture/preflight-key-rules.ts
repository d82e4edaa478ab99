/** Rules of the preflight about what names a table's rows: its primary key, or a unique key that the configuration declares. */
import { type DeclaredKeys, keyPositions, sameKeyColumns } from '../model/declared-key.ts';
import { isLike } from '../model/mysql-grants.ts';
import { quoteName } from '../model/mysql-literals.ts';
import type { PreflightFacts, TableFacts, UniqueKeyFacts } from './preflight-facts.ts';
import { quoteAccount, quoteTable } from './preflight-finding.ts';
import type { Finding } from './preflight-finding.ts';

interface Flaw {
  readonly what: string;
  readonly mend: string;
}

/** A key for a table that is not there does nothing: its name may be misspelt. */
export function judgeDeclarations({ tables, account }: PreflightFacts, keys: DeclaredKeys): Finding[] {
  return Object.keys(keys)
    .filter((name) => !tables.some((table) => `${table.schema}.${table.name}` === name))
    .map((name) => ({
      level: 'warning',
      code: 'no-table',
      what: `a key is declared for ${name}, which is no captured table that ${account} can see`,
      mend: `write its name under \`keys\` as the source spells it, or take it away`,
    }));
}

/** Nothing could name its rows: no primary key, and no unique key of whole columns that are never NULL. */
export function hasNoKey(table: TableFacts): boolean {
  return table.primaryKey === null && !table.uniqueKeys.some((key) => isFullKey(table, key));
}

/** A table without a key is locked for a moment when it is copied. */
export function judgeLocks({ tables, account, locks }: PreflightFacts, keys: DeclaredKeys): Finding[] {
  if (locks === undefined) return [];
  const keyless = tables.filter(
    (table) => keys[`${table.schema}.${table.name}`] === undefined && hasNoKey(table),
  );
  return [...new Set(keyless.map(({ schema }) => schema))]
    .filter((schema) => !locks.some((pattern) => isLike(schema, pattern)))
    .map((schema) => ({
      level: 'warning',
      code: 'grant-lock',
      what: `${account} may not lock tables of ${schema}, without which those that have no key cannot be copied`,
      mend: `GRANT LOCK TABLES ON ${quoteName(schema)}.* TO ${quoteAccount(account)};`,
    }));
}

/** What is wrong with the table's own key; null when its rows have exact names. */
export function judgeKey(table: TableFacts): Flaw | null {
  const { primaryKey } = table;
  if (primaryKey?.partial === false) return null;
  const unique = table.uniqueKeys.filter((key) => isFullKey(table, key));
  const what =
    primaryKey !== null
      ? 'has a primary key over parts of columns, which does not name its rows exactly'
      : unique.length > 0
        ? 'has no primary key, and the binlog does not tell its unique keys: its rows have no names'
        : 'has no primary key: its rows have no names';
  // Never chosen by rowferry itself: with an index added or dropped rows would change their partition in silence.
  const declarations = unique.map(({ columns }) => declaration(table, columns)).join(' or ');
  const declare = declarations === '' ? '' : ` -- or leave it, and add to the source: ${declarations}`;
  const append = hasNoKey(table)
    ? ' -- or, when its rows are only ever added: `keyless: append` of the source'
    : '';
  return { what, mend: `${alterSql(table)} ${addKey(table, unique[0])};${declare}${append}` };
}

/** What keeps the declared key from naming rows exactly; null for nothing. */
export function judgeDeclaredKey(table: TableFacts, declared: readonly string[]): Flaw | null {
  const positions = keyPositions(
    declared,
    table.columns.map(({ name }) => name),
  );
  const found = positions.map((position) => table.columns[position]);
  const missing = declared.filter((_, at) => found[at] === undefined);
  if (missing.length > 0) {
    const names = table.columns.map(({ name }) => name).join(', ');
    return {
      what: `lacks columns of its declared key: ${missing.join(', ')}`,
      mend: `name columns of the table under \`keys\`: ${names}`,
    };
  }
  const generated = found.flatMap((column) => (column?.generated === true ? [column.name] : []));
  if (generated.length > 0) {
    return {
      what: `has generated columns in its declared key, which targets do not take: ${generated.join(', ')}`,
      mend: 'name other columns under `keys`, or exclude the table',
    };
  }
  const nullable = found.filter((column) => column?.nullable === true);
  if (nullable.length > 0) {
    const list = nullable.map((column) => column?.name ?? '').join(', ');
    const changes = nullable.map(
      (column) => `MODIFY ${quoteName(column?.name ?? '')} ${column?.columnType ?? ''} NOT NULL`,
    );
    return {
      what: `may hold NULL in columns of its declared key: ${list}`,
      mend: `${alterSql(table)} ${changes.join(', ')}; -- with what else SHOW CREATE TABLE says of the columns`,
    };
  }
  const keys = [...(table.primaryKey === null ? [] : [table.primaryKey]), ...table.uniqueKeys];
  if (keys.some((key) => isFullKey(table, key) && sameKeyColumns(declared, key.columns))) return null;
  const columns = found.map((column) => quoteName(column?.name ?? ''));
  return {
    what: `has no unique key of exactly the columns of its declared key, in whole: ${declared.join(', ')}`,
    mend: `${alterSql(table)} ADD UNIQUE KEY (${columns.join(', ')});`,
  };
}

function declaration({ schema, name }: TableFacts, columns: readonly string[]): string {
  const key = JSON.stringify(columns).replaceAll('","', '", "');
  return `keys: { ${JSON.stringify(`${schema}.${name}`)}: ${key} }`;
}

function alterSql({ schema, name }: TableFacts): string {
  return `ALTER TABLE ${quoteTable(schema, name)}`;
}

function addKey({ primaryKey, columns }: TableFacts, unique: UniqueKeyFacts | undefined): string {
  const drop = primaryKey === null ? '' : 'DROP PRIMARY KEY, ';
  if (unique !== undefined) return `${drop}ADD PRIMARY KEY (${unique.columns.map(quoteName).join(', ')})`;
  const taken = new Set(columns.map((column) => column.name.toLowerCase()));
  const name =
    ['id', 'row_id', 'rowferry_id'].find((candidate) => !taken.has(candidate)) ?? 'rowferry_row_id';
  return `${drop}ADD COLUMN ${quoteName(name)} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY`;
}

/** A generated column cannot be written at a target. */
function isFullKey({ columns }: TableFacts, key: UniqueKeyFacts): boolean {
  const isGenerated = (name: string): boolean =>
    columns.some((column) => column.name === name && column.generated);
  return key.notNull && !key.partial && key.hashed !== true && !key.columns.some(isGenerated);
}
