/** Rules of the preflight for captured tables. */
import type { Flavour } from './source-query.ts';
import type { ColumnFacts, PreflightFacts, TableFacts } from './preflight-facts.ts';
import { hasNoKey, judgeDeclarations, judgeDeclaredKey, judgeKey } from './preflight-key-rules.ts';
import { quoteAccount, quoteTable } from './preflight-finding.ts';
import { quoteName } from '../model/mysql-literals.ts';
import type { Finding } from './preflight-finding.ts';
import type { DeclaredKeys } from '../model/declared-key.ts';
import type { TablePattern } from '../model/table-filter.ts';

/** Engines whose changes roll back with their transaction. */
const TRANSACTIONAL = new Set(['innodb', 'rocksdb', 'tokudb']);

/** Types whose values the binlog shows exactly. */
const EXACT_TYPES: ReadonlySet<string> = new Set(
  `tinyint smallint mediumint int bigint decimal float double bit
   char varchar tinytext text mediumtext longtext
   binary varbinary tinyblob blob mediumblob longblob
   date datetime timestamp time year enum set json`.split(/\s+/),
);

/** Character sets that the binlog driver reads exactly; dec8, geostd8, hp8, keybcs2 and swe7 are left. */
export const EXACT_CHARSETS: ReadonlySet<string> = new Set(
  `armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 eucjpms euckr gb18030 gb2312 gbk greek
   hebrew koi8r koi8u latin1 latin2 latin5 latin7 macce macroman sjis tis620 ucs2 ujis utf16 utf16le utf32 utf8 utf8mb3
   utf8mb4`.split(/\s+/),
);

export function judgeTables(
  facts: PreflightFacts,
  includes: readonly TablePattern[],
  keys: DeclaredKeys,
  keyless: 'refuse' | 'append' = 'refuse',
): Finding[] {
  return [
    ...judgePatterns(facts, includes),
    ...judgeReadable(facts),
    ...judgeDeclarations(facts, keys),
    ...facts.tables.flatMap((table) => judgeTable(table, facts.flavour, keys, keyless)),
    ...judgeCascades(facts),
  ];
}

function judgePatterns({ tables, account }: PreflightFacts, includes: readonly TablePattern[]): Finding[] {
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
  return /[*?/]/.test(schema) ? '*.*' : `${quoteName(schema)}.*`;
}

function judgeReadable({ tables, account }: PreflightFacts): Finding[] {
  const hidden = tables.filter((table) => !table.readable);
  return [...new Set(hidden.map((table) => table.schema))].map((schema) => {
    const list = hidden.filter((table) => table.schema === schema).map((table) => `${schema}.${table.name}`);
    return {
      level: 'error',
      code: 'grant-select',
      what: `${account} may not read ${list.join(', ')}`,
      mend: `GRANT SELECT ON ${quoteName(schema)}.* TO ${quoteAccount(account)};`,
    };
  });
}

function judgeTable(
  table: TableFacts,
  flavour: Flavour,
  keys: DeclaredKeys,
  keyless: 'refuse' | 'append',
): Finding[] {
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
  const add = (code: Finding['code'], what: string, mend: string): void => {
    findings.push({ level: 'error', code, what: `${name} ${what}`, mend });
  };
  const alter = `ALTER TABLE ${quoteTable(table.schema, table.name)}`;
  if (!TRANSACTIONAL.has(table.engine.toLowerCase())) {
    const what = `is of engine ${table.engine}, which cannot roll back: the binlog may differ from the table`;
    add('table-engine', what, `${alter} ENGINE = InnoDB;`);
  }
  const declared = keys[name];
  const flaw = declared === undefined ? judgeKey(table) : judgeDeclaredKey(table, declared);
  const isAppended = declared === undefined && keyless === 'append' && hasNoKey(table);
  if (flaw !== null && !isAppended) add('table-key', flaw.what, flaw.mend);

  const odd = table.columns.filter((column) => !hasExactType(column));
  if (odd.length > 0) {
    const list = odd.map((column) => `${column.name} (${column.columnType})`).join(', ');
    add('column-type', `has columns whose values the binlog does not show exactly: ${list}`, exclude);
  }
  const virtual = flavour === 'mariadb' ? table.columns.filter((column) => column.virtual === true) : [];
  if (virtual.length > 0) {
    const list = virtual.map((column) => column.name).join(', ');
    add('column-type', `has virtual columns, which MariaDB leaves out of its binlog: ${list}`, exclude);
  }
  const hashed = table.uniqueKeys.filter((key) => key.hashed === true);
  if (hashed.length > 0) {
    const list = hashed.map((key) => `(${key.columns.join(', ')})`).join(', ');
    const what = `has unique keys that MariaDB keeps as hashes, whose hidden columns its binlog shows: ${list}`;
    add('table-key', what, `${alter} DROP INDEX …, or ${exclude}`);
  }
  const foreign = table.columns.filter(({ charset }) => charset !== null && !EXACT_CHARSETS.has(charset));
  if (foreign.length > 0) {
    const list = foreign.map((column) => `${column.name} (${column.charset})`).join(', ');
    const what = `has columns whose character set cannot be decoded exactly: ${list}`;
    add('column-charset', what, `${alter} CONVERT TO CHARACTER SET utf8mb4;`);
  }
  return findings;
}

/** A comment within the type marks a storage form of MariaDB's own; of those only COMPRESSED is one that can be read. */
function hasExactType({ dataType, columnType }: ColumnFacts): boolean {
  const storage = columnType.replaceAll(/'(?:[^'\\]|''|\\.)*'/gs, '').replace(/\/\*M!\d+ COMPRESSED\*\//, '');
  return EXACT_TYPES.has(dataType) && !storage.includes('/*');
}

/**
 * Where the storage engine cascades, the rows that it changes are not in the binlog. A MySQL server that has
 * `innodb_native_foreign_keys` at OFF cascades above the engine and writes them.
 */
function judgeCascades({ tables, variables }: PreflightFacts): Finding[] {
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
