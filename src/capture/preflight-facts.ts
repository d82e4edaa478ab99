/** Collects what the preflight judges. Every statement needs only the grants that capture needs anyway. */
import { RowferryError } from '../errors.ts';
import type { BinlogEnd, Release, Flavour, SourceQuery } from './source-query.ts';
import { endOf, flavourOf, releaseOf, statementsOf } from './source-query.ts';
import type { BinlogFile, BinlogKept } from './binlog-headroom.ts';
import { limitBytes, RETENTION_VARIABLES, retentionSeconds } from './binlog-headroom.ts';
import { readMarkLacks } from './mark-grants.ts';
import { quoteTable } from './preflight-finding.ts';
import type { TableFilter } from '../model/table-filter.ts';

export interface ColumnFacts {
  readonly name: string;
  /** `information_schema`'s DATA_TYPE, lower case: `varchar`. */
  readonly dataType: string;
  /** COLUMN_TYPE: `varchar(100)`. */
  readonly columnType: string;
  /** Null for columns without text. */
  readonly charset: string | null;
  readonly generated: boolean;
  /** It may be NULL. */
  readonly nullable?: boolean;
  /** Computed when it is read; MariaDB's binlog does not hold it. */
  readonly virtual?: boolean;
}

export interface UniqueKeyFacts {
  readonly columns: readonly string[];
  /** All columns are NOT NULL. */
  readonly notNull: boolean;
  /** A column counts only with its first characters, or the key holds an expression. */
  readonly partial: boolean;
  /** MariaDB keeps it as a hash, in a hidden column that its binlog shows. */
  readonly hashed?: boolean;
}

interface ForeignKeyFacts {
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

export interface PreflightFacts {
  readonly flavour: Flavour;
  /** As the server says it: `9.7.4`, `11.8.9-MariaDB-log`. */
  readonly version: string;
  readonly release: Release;
  /** The `server` of a position: `@@server_uuid`, or `server-<server_id>` on MariaDB. */
  readonly serverUuid: string;
  readonly serverId: number;
  /** User and host as granted: `rowferry@%`. */
  readonly account: string;
  /** Global variables by lower-case name; one that this server does not have is absent. */
  readonly variables: ReadonlyMap<string, string>;
  readonly mayDump: boolean;
  readonly mayMonitor: boolean;
  /** Schemas whose tables the account may lock, as LIKE patterns; absent where roles may grant more than is told. */
  readonly locks?: readonly string[];
  /** Privileges that marks of copies need and the account lacks. */
  readonly markLacks?: readonly string[];
  /** Ids of the registered replicas; null when the account may not see them, which is no fault of its grants on MariaDB. */
  readonly replicaIds: readonly number[] | null;
  /** The server's own filters on what reaches the binlog. */
  readonly doDb: readonly string[];
  readonly ignoreDb: readonly string[];
  /** End of the binlog; null when it cannot be asked for. */
  readonly current: BinlogEnd | null;
  /** Executed GTID set (MySQL) or GTID position (MariaDB) at `current`; null without GTIDs. */
  readonly gtid: string | null;
  /** GTIDs of transactions that go on, asked for before `gtid` (MySQL); absent when there are none. */
  readonly owned?: string;
  /** GTIDs before the oldest binlog file; null without GTIDs. */
  readonly purgedGtid: string | null;
  readonly logs: readonly BinlogFile[];
  /** Captured tables. */
  readonly tables: readonly TableFacts[];
}

const VARIABLES = [
  ...RETENTION_VARIABLES,
  'binlog_format',
  'binlog_order_commits',
  'binlog_row_image',
  'binlog_row_metadata',
  'binlog_row_value_options',
  'binlog_transaction_compression',
  'gtid_mode',
  'server_uuid',
  'innodb_flush_log_at_trx_commit',
  'innodb_native_foreign_keys',
  'log_bin',
  'lower_case_table_names',
  'read_only',
  'sync_binlog',
];

type Rows = readonly Readonly<Record<string, unknown>>[];

/** What the source keeps of its binlog: a part of the facts that may be asked for often. */
export async function readBinlogKept(query: SourceQuery): Promise<BinlogKept> {
  const variables = await readVariables(query, RETENTION_VARIABLES);
  const files = filesOf(await query('SHOW BINARY LOGS'));
  const [server] = await query('SELECT VERSION() AS version');
  const { purgedGtid } =
    flavourOf(textOf(server?.['version'])) === 'mysql'
      ? await gtidsOfMysql(query, undefined)
      : await gtidsOfMariadb(query, { file: files[0]?.name ?? '', offset: 4 }, files[0]);
  return {
    files,
    ...(purgedGtid === null ? {} : { purgedGtid }),
    expireSeconds: retentionSeconds(variables),
    maxBytes: limitBytes(variables),
  };
}

async function readVariables(
  query: SourceQuery,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names.map(literal).join(', ')})`);
  return new Map(rows.map((row) => [textOf(row['Variable_name']).toLowerCase(), textOf(row['Value'])]));
}

function filesOf(rows: Rows): BinlogFile[] {
  return rows.map((row) => ({ name: textOf(row['Log_name']), size: Number(row['File_size']) }));
}

export async function collectFacts(query: SourceQuery, filter: TableFilter): Promise<PreflightFacts> {
  const [server] = await query(
    'SELECT VERSION() AS version, CURRENT_USER() AS account, @@global.server_id AS server_id',
  );
  const version = textOf(server?.['version']);
  const flavour = flavourOf(version);
  const serverId = Number(server?.['server_id']);
  const variables = await readVariables(query, VARIABLES);
  const release = releaseOf(version);
  const words = statementsOf(flavour, release);
  // Without a binlog these are errors rather than empty answers.
  const hasBinlog = variables.get('log_bin') === 'ON';
  const owned = flavour === 'mysql' ? await ownedGtids(query) : '';
  const status = hasBinlog ? await unlessDenied(query, words.status) : [];
  const logs = hasBinlog ? await unlessDenied(query, 'SHOW BINARY LOGS') : [];
  const replicas = await unlessDenied(query, words.replicas);
  const place = status?.[0];
  const current = endOf(place);
  const files = filesOf(logs ?? []);
  return {
    flavour,
    version,
    release,
    serverUuid: flavour === 'mysql' ? (variables.get('server_uuid') ?? '') : `server-${serverId}`,
    serverId,
    account: textOf(server?.['account']),
    variables,
    ...(await readLocks(query)),
    markLacks: await readMarkLacks(query),
    mayDump: flavour === 'mysql' ? replicas !== null : await mayDumpMariadb(query),
    mayMonitor: status !== null && logs !== null,
    replicaIds: replicas?.map((row) => Number(row['Server_Id'] ?? row['Server_id'])) ?? null,
    doDb: listOf(place?.['Binlog_Do_DB']),
    ignoreDb: listOf(place?.['Binlog_Ignore_DB']),
    current,
    ...(owned === '' ? {} : { owned }),
    ...(flavour === 'mysql'
      ? await gtidsOfMysql(query, place)
      : await gtidsOfMariadb(query, current, files[0])),
    logs: files,
    tables: await collectTables(query, filter),
  };
}

type Gtids = Pick<PreflightFacts, 'gtid' | 'purgedGtid'>;

async function gtidsOfMysql(
  query: SourceQuery,
  place: Readonly<Record<string, unknown>> | undefined,
): Promise<Gtids> {
  // SHOW VARIABLES cuts long values.
  const [row] = await query('SELECT @@global.gtid_mode AS mode, @@global.gtid_purged AS purged');
  if (textOf(row?.['mode']) !== 'ON') return { gtid: null, purgedGtid: null };
  return { gtid: gtidText(place?.['Executed_Gtid_Set']), purgedGtid: gtidText(row?.['purged']) };
}

/**
 * A transaction comes through the binlog before it counts as executed: in between it is owned by its session. Asked for first,
 * one of the two knows it.
 */
async function ownedGtids(query: SourceQuery): Promise<string> {
  const [row] = await query('SELECT @@global.gtid_owned AS owned');
  return readOwnedGtids(textOf(row?.['owned']));
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

/** `uuid:7#31:8#32uuid:3#33`, each with its session, and nothing between two sources: as a GTID set. */
export function readOwnedGtids(text: string): string {
  return text
    .replaceAll(UUID, ',$&')
    .replaceAll(/#\d+|\s/g, '')
    .replace(/^,/, '');
}

async function gtidsOfMariadb(
  query: SourceQuery,
  current: PreflightFacts['current'],
  oldest: BinlogFile | undefined,
): Promise<Gtids> {
  if (current === null || oldest === undefined) return { gtid: null, purgedGtid: null };
  const [row] = await query(
    `SELECT BINLOG_GTID_POS(${literal(current.file)}, ${current.offset}) AS here,
            BINLOG_GTID_POS(${literal(oldest.name)}, 4) AS purged`,
  );
  return { gtid: gtidText(row?.['here']), purgedGtid: gtidText(row?.['purged']) };
}

/** The server breaks long sets into lines; null only where it has no answer. */
function gtidText(value: unknown): string | null {
  return value === null || value === undefined ? null : textOf(value).replace(/\s+/g, '');
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

async function readLocks(query: SourceQuery): Promise<Pick<PreflightFacts, 'locks'>> {
  const grants = (await query('SHOW GRANTS')).flatMap((row) => Object.values(row).map(textOf));
  if (grants.some((grant) => !/^GRANT .+ ON /.test(grant))) return {};
  const locks = grants.flatMap((grant) => {
    const [, names = '', scope = ''] = /^GRANT (.+?) ON (\S+)\.\* TO /.exec(grant) ?? [];
    const isOne = names.split(', ').some((name) => name === 'LOCK TABLES' || name === 'ALL PRIVILEGES');
    return isOne ? [scope === '*' ? '%' : scope.replaceAll('`', '')] : [];
  });
  return { locks };
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
              COLUMN_TYPE AS column_type, CHARACTER_SET_NAME AS charset, EXTRA AS extra, IS_NULLABLE AS nullable
       FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN (${schemas}) ORDER BY ORDINAL_POSITION`,
    ),
  );
  const keys = grouped(
    await query(
      `SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, INDEX_NAME AS name, COLUMN_NAME AS column_name,
              NULLABLE AS nullable, SUB_PART AS sub_part, INDEX_TYPE AS index_type
       FROM information_schema.STATISTICS WHERE TABLE_SCHEMA IN (${schemas}) AND NON_UNIQUE = 0
       ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
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
      readable: (await unlessDenied(query, `SELECT * FROM ${quoted} LIMIT 0`)) !== null,
    });
  }
  return tables;
}

async function foreignKeysOf(query: SourceQuery, quoted: string): Promise<ForeignKeyFacts[]> {
  const rows = await unlessDenied(query, `SHOW CREATE TABLE ${quoted}`);
  return parseForeignKeys(textOf(rows?.[0]?.['Create Table']));
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

function uniqueKeysOf(rows: Rows): Map<string, UniqueKeyFacts> {
  const keys = new Map<string, UniqueKeyFacts>();
  for (const row of rows) {
    const name = textOf(row['name']);
    const before = keys.get(name) ?? { columns: [], notNull: true, partial: false };
    keys.set(name, {
      columns: [...before.columns, textOf(row['column_name'])],
      notNull: before.notNull && textOf(row['nullable']) !== 'YES',
      partial: before.partial || row['column_name'] === null || row['sub_part'] !== null,
      hashed: textOf(row['index_type']) === 'HASH',
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
    nullable: textOf(row['nullable']) === 'YES',
    virtual: /\bVIRTUAL GENERATED\b/.test(textOf(row['extra'])),
  };
}

function kindOf(type: unknown): TableFacts['kind'] {
  const kinds = ['SYSTEM VERSIONED', 'SEQUENCE'] as const;
  return kinds.find((kind) => kind === type) ?? 'BASE TABLE';
}

function grouped(rows: Rows) {
  const groups = new Map<string, Readonly<Record<string, unknown>>[]>();
  for (const row of rows) {
    const place = `${textOf(row['table_schema'])}\0${textOf(row['table_name'])}`;
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [row]);
    else group.push(row);
  }
  return groups;
}

/** Null when the account lacks the grant: that is an answer here. */
async function unlessDenied(query: SourceQuery, sql: string): Promise<Rows | null> {
  try {
    return await query(sql);
  } catch (error) {
    if (error instanceof RowferryError && error.code === 'ROWFERRY_SOURCE_ACCESS') return null;
    throw error;
  }
}

function listOf(value: unknown): string[] {
  return textOf(value)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}
