/** Rules of the preflight for captured tables. */
import { quoteName, quoteTable } from './preflight-facts.ts';
import type { ColumnFacts, SourceFacts, TableFacts, UniqueKeyFacts } from './preflight-facts.ts';
import { quoteAccount } from './preflight-rules.ts';
import type { Finding, Wanted } from './preflight-rules.ts';

/** Engines whose changes roll back with their transaction. */
const TRANSACTIONAL = new Set(['innodb', 'rocksdb', 'tokudb']);

/** Types whose values the binlog shows exactly. */
const EXACT_TYPES: ReadonlySet<string> = new Set(
  `tinyint smallint mediumint int bigint decimal float double bit
   char varchar tinytext text mediumtext longtext
   binary varbinary tinyblob blob mediumblob longblob
   date datetime timestamp time year enum set json`.split(/\s+/),
);

/**
 * Character sets that decode exactly: for every character of each (up to U+FFFF) the decoder's answer was compared with the
 * server's. The rest differ in a few characters, hold half surrogates, or cannot be decoded at all.
 */
const EXACT_CHARSETS: ReadonlySet<string> = new Set(
  `ascii binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 euckr gbk koi8r latin2 latin5 latin7 macce
   utf8 utf8mb3 utf8mb4 utf16 utf16le`.split(/\s+/),
);

export function judgeTables(facts: SourceFacts, wanted: Wanted): Finding[] {
  return [
    ...judgePatterns(facts, wanted),
    ...judgeReadable(facts),
    ...facts.tables.flatMap((table) => judgeTable(table)),
    ...judgeCascades(facts),
  ];
}

function judgePatterns({ tables, account }: SourceFacts, { includes }: Wanted): Finding[] {
  return includes
    .filter((pattern) => !tables.some((table) => pattern.matches(table.schema, table.name)))
    .map((pattern) => ({
      level: 'warning',
      code: 'no-table',
      what: `pattern "${pattern.text}" matches no table that ${account} can see`,
      mend: `GRANT SELECT ON ${grantScope(pattern.text)} TO ${quoteAccount(account)}; or mend the pattern under \`tables\``,
    }));
}

/** The schema of a pattern, or everything when that is a pattern too. */
function grantScope(pattern: string): string {
  const schema = pattern.split('.')[0] ?? '*';
  return /[*?]/.test(schema) ? '*.*' : `${quoteName(schema)}.*`;
}

function judgeReadable({ tables, account }: SourceFacts): Finding[] {
  const hidden = Map.groupBy(
    tables.filter((table) => !table.readable),
    (table) => table.schema,
  );
  return [...hidden].map(([schema, list]) => ({
    level: 'error',
    code: 'grant-select',
    what: `${account} may not read ${list.map((table) => `${schema}.${table.name}`).join(', ')}`,
    mend: `GRANT SELECT ON ${quoteName(schema)}.* TO ${quoteAccount(account)};`,
  }));
}

function judgeTable(table: TableFacts): Finding[] {
  const name = `${table.schema}.${table.name}`;
  const exclude = `exclude it: add "!${name}" to \`tables\``;
  if (table.kind !== 'BASE TABLE') {
    const what =
      table.kind === 'SEQUENCE'
        ? `${name} is a sequence, not a table of rows`
        : `${name} is system-versioned: its binlog also holds the history of its rows`;
    return [{ level: 'error', code: 'table-kind', what, mend: exclude }];
  }
  const findings: Finding[] = [];
  const add = (level: Finding['level'], code: Finding['code'], what: string, mend: string): void => {
    findings.push({ level, code, what: `${name} ${what}`, mend });
  };
  const alter = `ALTER TABLE ${quoteTable(table.schema, table.name)}`;
  if (!TRANSACTIONAL.has(table.engine.toLowerCase())) {
    const what = `is of engine ${table.engine}, which cannot roll back: the binlog may differ from the table`;
    add('error', 'table-engine', what, `${alter} ENGINE = InnoDB;`);
  }
  const keyless = judgeKey(table);
  if (keyless !== null) add('error', 'table-key', keyless, `${alter} ${addKey(table)};`);

  const odd = table.columns.filter((column) => !hasExactType(column));
  if (odd.length > 0) {
    const list = odd.map((column) => `${column.name} (${column.columnType})`).join(', ');
    add(
      'error',
      'column-type',
      `has columns whose values the binlog does not show exactly: ${list}`,
      exclude,
    );
  }
  const convert = `${alter} CONVERT TO CHARACTER SET utf8mb4;`;
  const foreign = table.columns.filter(({ charset }) => charset !== null && !EXACT_CHARSETS.has(charset));
  const latin1 = foreign.filter(({ charset }) => charset === 'latin1');
  const others = foreign.filter(({ charset }) => charset !== 'latin1');
  if (others.length > 0) {
    const list = others.map((column) => `${column.name} (${column.charset})`).join(', ');
    add(
      'error',
      'column-charset',
      `has columns whose character set cannot be decoded exactly: ${list}`,
      convert,
    );
  }
  if (latin1.length > 0) {
    const list = latin1.map((column) => column.name).join(', ');
    const what = `has latin1 columns, where the bytes 81, 8D, 8F, 90 and 9D are no characters and stop the capture: ${list}`;
    add('warning', 'column-charset', what, convert);
  }
  return findings;
}

/** What is wrong with the table's key; null when its rows have exact names. */
function judgeKey({ primaryKey, uniqueKeys }: TableFacts): string | null {
  if (primaryKey === null) {
    return uniqueKeys.some(isFullKey)
      ? 'has no primary key, and the binlog does not tell its unique keys: its rows have no names'
      : 'has no primary key: its rows have no names';
  }
  return primaryKey.partial
    ? 'has a primary key over parts of columns, which does not name its rows exactly'
    : null;
}

function addKey({ primaryKey, uniqueKeys, columns }: TableFacts): string {
  const drop = primaryKey === null ? '' : 'DROP PRIMARY KEY, ';
  const unique = uniqueKeys.find(isFullKey);
  if (unique !== undefined) return `${drop}ADD PRIMARY KEY (${unique.columns.map(quoteName).join(', ')})`;
  const taken = new Set(columns.map((column) => column.name.toLowerCase()));
  const name =
    ['id', 'row_id', 'rowferry_id'].find((candidate) => !taken.has(candidate)) ?? 'rowferry_row_id';
  return `${drop}ADD COLUMN ${quoteName(name)} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY`;
}

function isFullKey(key: UniqueKeyFacts): boolean {
  return key.notNull && !key.partial;
}

/** A comment within the type marks a storage form of MariaDB's own: compressed columns, temporals of before 5.6. */
function hasExactType({ dataType, columnType }: ColumnFacts): boolean {
  const withoutLabels = columnType.replaceAll(/'(?:[^'\\]|''|\\.)*'/gs, '');
  return EXACT_TYPES.has(dataType) && !withoutLabels.includes('/*');
}

/**
 * Where the storage engine cascades, the rows that it changes are not in the binlog. A MySQL server that has
 * `innodb_native_foreign_keys` at OFF cascades above the engine and writes them.
 */
function judgeCascades({ tables, variables }: SourceFacts): Finding[] {
  if (variables.get('innodb_native_foreign_keys') === 'OFF') return [];
  return tables.flatMap((table) =>
    table.foreignKeys
      .filter((key) => key.cascades.length > 0)
      .map((key) => ({
        level: 'error',
        code: 'foreign-key-cascade',
        what: `${table.schema}.${table.name} has foreign key ${key.name} ${key.cascades.join(' ')}: the server changes rows without a word in the binlog, the targets would miss it`,
        mend: `ALTER TABLE ${quoteTable(table.schema, table.name)} DROP FOREIGN KEY ${quoteName(key.name)}; and add it again without the cascade, or exclude the table: add "!${table.schema}.${table.name}" to \`tables\``,
      })),
  );
}
