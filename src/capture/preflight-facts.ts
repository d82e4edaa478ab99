/** Collects what the preflight judges. Every statement needs only the grants that capture needs anyway. */
import type { TableFilter } from './table-filter.ts';

/**
 * Runs one statement on the source. Rejects with an error that has, itself or down its chain of causes, the server's number
 * as `errno`.
 */
export type SourceQuery = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export type Flavour = 'mysql' | 'mariadb';

export interface ColumnFacts {
  readonly name: string;
  /** `information_schema`'s DATA_TYPE, lower case: `varchar`. */
  readonly dataType: string;
  /** COLUMN_TYPE: `varchar(100)`. */
  readonly columnType: string;
  /** Null for columns without text. */
  readonly charset: string | null;
  readonly generated: boolean;
}

export interface UniqueKeyFacts {
  readonly columns: readonly string[];
  /** All columns are NOT NULL. */
  readonly notNull: boolean;
  /** A column counts only with its first characters, or the key holds an expression. */
  readonly partial: boolean;
}

export interface ForeignKeyFacts {
  readonly name: string;
  /** `ON DELETE CASCADE`, `ON UPDATE SET NULL` … that change rows of this table; empty when it only refuses. */
  readonly cascades: readonly string[];
}

export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'BASE TABLE' | 'SYSTEM VERSIONED' | 'SEQUENCE';
  readonly engine: string;
  readonly columns: readonly ColumnFacts[];
  readonly primaryKey: UniqueKeyFacts | null;
  readonly uniqueKeys: readonly UniqueKeyFacts[];
  readonly foreignKeys: readonly ForeignKeyFacts[];
  /** Every column can be read. */
  readonly readable: boolean;
}

export interface BinlogFile {
  readonly name: string;
  readonly size: number;
}

export interface SourceFacts {
  readonly flavour: Flavour;
  /** As the server says it: `9.7.4`, `11.8.9-MariaDB-log`. */
  readonly version: string;
  readonly release: readonly [major: number, minor: number, patch: number];
  /** The `server` of a position: `@@server_uuid`, or `server-<server_id>` on MariaDB. */
  readonly serverUuid: string;
  readonly serverId: number;
  /** User and host as granted: `rowferry@%`. */
  readonly account: string;
  /** Global variables by lower-case name; one that this server does not have is absent. */
  readonly variables: ReadonlyMap<string, string>;
  readonly mayDump: boolean;
  readonly mayMonitor: boolean;
  /** Ids of the registered replicas; null when the account may not see them, which is no fault of its grants on MariaDB. */
  readonly replicaIds: readonly number[] | null;
  /** The server's own filters on what reaches the binlog. */
  readonly doDb: readonly string[];
  readonly ignoreDb: readonly string[];
  /** Executed GTID set (MySQL) or GTID position of the binlog (MariaDB). */
  readonly gtid: string;
  readonly logs: readonly BinlogFile[];
  /** Captured tables. */
  readonly tables: readonly TableFacts[];
}

const VARIABLES = [
  'binlog_expire_logs_auto_purge',
  'binlog_expire_logs_seconds',
  'binlog_format',
  'binlog_order_commits',
  'binlog_row_image',
  'binlog_row_metadata',
  'binlog_row_value_options',
  'binlog_transaction_compression',
  'expire_logs_days',
  'gtid_mode',
  'innodb_native_foreign_keys',
  'log_bin',
  'server_id',
];

/** Server error numbers that answer a question rather than fail it. */
const SYNTAX = 1064;
const NO_BINLOG = 1381;
/** Database, user, table, column, one privilege, one of several privileges, routine. */
const DENIED = new Set([1044, 1045, 1142, 1143, 1227, 1370]);

type Answer =
  | { readonly kind: 'rows'; readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly kind: 'denied' | 'unknown statement' | 'no binlog' };

export async function collectFacts(query: SourceQuery, filter: TableFilter): Promise<SourceFacts> {
  const [server] = await query(
    'SELECT VERSION() AS version, CURRENT_USER() AS account, @@global.server_id AS server_id',
  );
  const version = textOf(server?.['version']);
  const flavour: Flavour = version.includes('MariaDB') ? 'mariadb' : 'mysql';
  const serverId = Number(server?.['server_id']);
  const [identity] = await query(
    flavour === 'mysql'
      ? 'SELECT @@global.server_uuid AS server, @@global.gtid_executed AS gtid'
      : `SELECT 'server-${serverId}' AS server, @@global.gtid_binlog_pos AS gtid`,
  );
  const variables = await query(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${VARIABLES.map(literal).join(', ')})`,
  );
  const status = await askFirst(query, ['SHOW BINARY LOG STATUS', 'SHOW MASTER STATUS']);
  const logs = await ask(query, 'SHOW BINARY LOGS');
  const replicas = await askFirst(query, ['SHOW REPLICAS', 'SHOW SLAVE HOSTS']);
  const [place] = status.kind === 'rows' ? status.rows : [];
  return {
    flavour,
    version,
    release: releaseOf(version),
    serverUuid: textOf(identity?.['server']),
    serverId,
    account: textOf(server?.['account']),
    variables: new Map(
      variables.map((row) => [textOf(row['Variable_name']).toLowerCase(), textOf(row['Value'])]),
    ),
    mayDump: flavour === 'mysql' ? replicas.kind !== 'denied' : await mayDumpMariadb(query),
    mayMonitor: status.kind !== 'denied' && logs.kind !== 'denied',
    replicaIds:
      replicas.kind === 'rows'
        ? replicas.rows.map((row) => Number(row['Server_Id'] ?? row['Server_id']))
        : null,
    doDb: listOf(place?.['Binlog_Do_DB']),
    ignoreDb: listOf(place?.['Binlog_Ignore_DB']),
    gtid: textOf(identity?.['gtid']).replace(/\s+/g, ''),
    logs:
      logs.kind === 'rows'
        ? logs.rows.map((row) => ({ name: textOf(row['Log_name']), size: Number(row['File_size']) }))
        : [],
    tables: await collectTables(query, filter),
  };
}

/** MariaDB shows replicas only to an administrator, but `SHOW GRANTS` includes the grants of the role in force. */
async function mayDumpMariadb(query: SourceQuery): Promise<boolean> {
  const rows = await query('SHOW GRANTS');
  return rows
    .flatMap((row) => Object.values(row))
    .map((grant) => /^GRANT (.+?) ON \*\.\* TO /.exec(textOf(grant))?.[1]?.split(', ') ?? [])
    .some((privileges) =>
      privileges.some((name) =>
        ['ALL PRIVILEGES', 'REPLICATION SLAVE', 'REPLICATION REPLICA'].includes(name),
      ),
    );
}

async function collectTables(query: SourceQuery, filter: TableFilter): Promise<TableFacts[]> {
  const all = await query(
    `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, TABLE_TYPE AS table_type, ENGINE AS engine
     FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')
     ORDER BY TABLE_SCHEMA, TABLE_NAME`,
  );
  const captured = all.filter((row) =>
    filter.matches(textOf(row['table_schema']), textOf(row['table_name'])),
  );
  if (captured.length === 0) return [];
  const schemas = [...new Set(captured.map((row) => literal(textOf(row['table_schema']))))].join(', ');
  const columns = grouped(
    await query(
      `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, COLUMN_NAME AS name, DATA_TYPE AS data_type,
              COLUMN_TYPE AS column_type, CHARACTER_SET_NAME AS charset, EXTRA AS extra
       FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN (${schemas}) ORDER BY ORDINAL_POSITION`,
    ),
  );
  const keys = grouped(
    await query(
      `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, INDEX_NAME AS name, COLUMN_NAME AS column_name,
              NULLABLE AS nullable, SUB_PART AS sub_part
       FROM information_schema.STATISTICS WHERE TABLE_SCHEMA IN (${schemas}) AND NON_UNIQUE = 0 ORDER BY SEQ_IN_INDEX`,
    ),
  );
  // REFERENTIAL_CONSTRAINTS is empty on MariaDB for an account that may only SELECT; this view is not, but lacks the rules.
  const referring = grouped(
    await query(
      `SELECT DISTINCT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name
       FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA IN (${schemas}) AND REFERENCED_TABLE_NAME IS NOT NULL`,
    ),
  );
  const tables: TableFacts[] = [];
  for (const row of captured) {
    const [schema, name] = [textOf(row['table_schema']), textOf(row['table_name'])];
    const place = `${schema}\0${name}`;
    const quoted = quoteTable(schema, name);
    const uniqueKeys = uniqueKeysOf(keys.get(place) ?? []);
    tables.push({
      schema,
      name,
      kind: kindOf(row['table_type']),
      engine: textOf(row['engine']),
      columns: (columns.get(place) ?? []).map(columnOf),
      primaryKey: uniqueKeys.get('PRIMARY') ?? null,
      uniqueKeys: [...uniqueKeys].flatMap(([key, facts]) => (key === 'PRIMARY' ? [] : [facts])),
      foreignKeys: referring.has(place) ? await foreignKeysOf(query, quoted) : [],
      readable: (await ask(query, `SELECT * FROM ${quoted} LIMIT 0`)).kind === 'rows',
    });
  }
  return tables;
}

async function foreignKeysOf(query: SourceQuery, quoted: string): Promise<ForeignKeyFacts[]> {
  const answer = await ask(query, `SHOW CREATE TABLE ${quoted}`);
  const [row] = answer.kind === 'rows' ? answer.rows : [];
  return parseForeignKeys(textOf(row?.['Create Table']));
}

/** Foreign keys of a `SHOW CREATE TABLE` text, which has each on a line of its own. */
export function parseForeignKeys(createTable: string): ForeignKeyFacts[] {
  return [...createTable.matchAll(/^ +CONSTRAINT `((?:[^`]|``)+)` FOREIGN KEY .*$/gm)].map((match) => ({
    name: (match[1] ?? '').replaceAll('``', '`'),
    cascades: [...match[0].matchAll(/ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)/g)].map(
      (rule) => rule[0],
    ),
  }));
}

function uniqueKeysOf(rows: readonly Readonly<Record<string, unknown>>[]): Map<string, UniqueKeyFacts> {
  const keys = new Map<string, UniqueKeyFacts>();
  for (const row of rows) {
    const name = textOf(row['name']);
    const before = keys.get(name) ?? { columns: [], notNull: true, partial: false };
    keys.set(name, {
      columns: [...before.columns, textOf(row['column_name'])],
      notNull: before.notNull && textOf(row['nullable']) !== 'YES',
      partial: before.partial || row['column_name'] === null || row['sub_part'] !== null,
    });
  }
  return keys;
}

function columnOf(row: Readonly<Record<string, unknown>>): ColumnFacts {
  const charset = row['charset'];
  return {
    name: textOf(row['name']),
    dataType: textOf(row['data_type']).toLowerCase(),
    columnType: textOf(row['column_type']),
    charset: typeof charset === 'string' ? charset : null,
    generated: /\bGENERATED\b/.test(textOf(row['extra']).replace('DEFAULT_GENERATED', '')),
  };
}

function kindOf(type: unknown): TableFacts['kind'] {
  const kinds = ['SYSTEM VERSIONED', 'SEQUENCE'] as const;
  return kinds.find((kind) => kind === type) ?? 'BASE TABLE';
}

function grouped(rows: readonly Readonly<Record<string, unknown>>[]) {
  return Map.groupBy(rows, (row) => `${textOf(row['table_schema'])}\0${textOf(row['table_name'])}`);
}

/** Asks in the newest words first; older servers know older words. */
async function askFirst(query: SourceQuery, statements: readonly string[]): Promise<Answer> {
  for (const sql of statements) {
    const answer = await ask(query, sql);
    if (answer.kind !== 'unknown statement') return answer;
  }
  return { kind: 'unknown statement' };
}

async function ask(query: SourceQuery, sql: string): Promise<Answer> {
  try {
    return { kind: 'rows', rows: await query(sql) };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === SYNTAX) return { kind: 'unknown statement' };
    if (errno === NO_BINLOG) return { kind: 'no binlog' };
    if (errno !== undefined && DENIED.has(errno)) return { kind: 'denied' };
    throw error;
  }
}

function errnoOf(error: unknown): number | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('errno' in at && typeof at.errno === 'number') return at.errno;
  }
  return undefined;
}

function releaseOf(version: string): [number, number, number] {
  const [, major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0), Number(patch ?? 0)];
}

function listOf(value: unknown): string[] {
  return textOf(value)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** `schema`.`table`, ready for SQL. */
export function quoteTable(schema: string, name: string): string {
  return [schema, name].map(quoteName).join('.');
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}
