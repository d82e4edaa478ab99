import { expect, test } from 'vitest';
import { parseForeignKeys, readOwnedGtids } from '../../../src/capture/preflight-facts.ts';
import type { ColumnFacts, PreflightFacts, TableFacts } from '../../../src/capture/preflight-facts.ts';
import type { Finding } from '../../../src/capture/preflight-finding.ts';
import { evaluateSource, formatFindings, preflightSource } from '../../../src/capture/preflight.ts';
import type { DeclaredKeys } from '../../../src/model/declared-key.ts';
import { GtidSet } from '../../../src/model/gtid-set.ts';
import { TableFilter } from '../../../src/model/table-filter.ts';
import { EXACT_CHARSETS } from '../../../src/capture/preflight-table-rules.ts';
import { textDecoder } from '../../../src/drivers/binlog-charset.ts';
import { charsetOfCollation } from '../../../src/drivers/binlog-collations.ts';
import { RowferryError } from '../../../src/errors.ts';

const VARIABLES = {
  binlog_expire_logs_auto_purge: 'ON',
  binlog_expire_logs_seconds: '2592000',
  binlog_format: 'ROW',
  binlog_order_commits: 'ON',
  binlog_row_image: 'FULL',
  binlog_row_metadata: 'FULL',
  binlog_row_value_options: '',
  binlog_transaction_compression: 'OFF',
  gtid_mode: 'ON',
  log_bin: 'ON',
};

const ID: ColumnFacts = {
  name: 'id',
  dataType: 'bigint',
  columnType: 'bigint unsigned',
  charset: null,
  generated: false,
};
const PRIMARY = { columns: ['id'], notNull: true, partial: false };

const ORDERS: TableFacts = {
  schema: 'shop',
  name: 'orders',
  kind: 'BASE TABLE',
  engine: 'InnoDB',
  columns: [ID],
  primaryKey: PRIMARY,
  uniqueKeys: [],
  foreignKeys: [],
  readable: true,
};

const GOOD: PreflightFacts = {
  flavour: 'mysql',
  version: '8.4.3',
  release: [8, 4, 3],
  serverUuid: '3e11fa47-71ca-11e1-9e33-c80aa9429562',
  serverId: 1,
  account: 'rowferry@%',
  variables: new Map(Object.entries(VARIABLES)),
  mayDump: true,
  mayMonitor: true,
  replicaIds: [2, 3],
  doDb: [],
  ignoreDb: [],
  current: { file: 'binlog.000001', offset: 157 },
  gtid: '',
  purgedGtid: '',
  logs: [{ name: 'binlog.000001', size: 157 }],
  tables: [ORDERS],
};

const MARIADB: Partial<PreflightFacts> = {
  flavour: 'mariadb',
  version: '11.8.9-MariaDB',
  release: [11, 8, 9],
  variables: new Map([
    ['log_bin', 'ON'],
    ['binlog_format', 'ROW'],
    ['binlog_row_image', 'FULL'],
    ['binlog_row_metadata', 'FULL'],
  ]),
};

interface JudgeOptions {
  readonly serverId: number;
  readonly tables: readonly string[];
  readonly keys: DeclaredKeys;
}

function judge(
  change: Partial<PreflightFacts>,
  { serverId = 4711, tables = ['shop.*'], keys = {} }: Partial<JudgeOptions> = {},
): Finding[] {
  return evaluateSource(
    { ...GOOD, ...change },
    { serverId, includes: new TableFilter(tables).includes, keys, copies: true },
  );
}

function withVariables(change: Record<string, string>): Partial<PreflightFacts> {
  return { variables: new Map(Object.entries({ ...VARIABLES, ...change })) };
}

function withTable(change: Partial<TableFacts>): Partial<PreflightFacts> {
  return { tables: [{ ...ORDERS, ...change }] };
}

function withColumn(change: Partial<ColumnFacts>): Partial<PreflightFacts> {
  return withTable({ columns: [ID, { ...ID, name: 'c', ...change }] });
}

test('good sources of both flavours have no finding', () => {
  expect(judge({})).toEqual([]);
  expect(judge(MARIADB)).toEqual([]);
  expect(judge({ ...withVariables({ innodb_native_foreign_keys: 'OFF' }) })).toEqual([]);
  const durable = { sync_binlog: '1', innodb_flush_log_at_trx_commit: '3' };
  expect(judge({ ...withVariables(durable) })).toEqual([]);
});

const CASES: readonly [string, Partial<PreflightFacts>, 'error' | 'warning', string, string][] = [
  ['MySQL before 8.0', { version: '5.7.44', release: [5, 7, 44] }, 'error', 'version', 'upgrade to MySQL 8.0 or newer'],
  ['MariaDB before 10.6', { ...MARIADB, release: [10, 5, 9] }, 'error', 'version', 'upgrade to MariaDB 10.6 or newer'],
  ['no binlog', withVariables({ log_bin: 'OFF' }), 'error', 'log-bin', 'my.cnf: log_bin = binlog, then restart the server'],
  [
    'statements instead of rows',
    withVariables({ binlog_format: 'MIXED' }),
    'error',
    'binlog-format',
    'SET PERSIST binlog_format = ROW; -- sessions that are open keep the old value: reconnect them',
  ],
  [
    'a minimal row image on MariaDB',
    { ...MARIADB, variables: new Map([...(MARIADB.variables ?? []), ['binlog_row_image', 'MINIMAL']]) },
    'error',
    'binlog-row-image',
    'SET GLOBAL binlog_row_image = FULL; and in my.cnf: binlog_row_image = FULL -- sessions that are open keep the old value: reconnect them',
  ],
  ['no row metadata', withVariables({ binlog_row_metadata: 'MINIMAL' }), 'error', 'binlog-row-metadata', 'SET PERSIST binlog_row_metadata = FULL;'],
  ['partial JSON', withVariables({ binlog_row_value_options: 'PARTIAL_JSON' }), 'error', 'binlog-row-value-options', "SET PERSIST binlog_row_value_options = '';"],
  ['compressed transactions', withVariables({ binlog_transaction_compression: 'ON' }), 'error', 'binlog-transaction-compression', 'SET PERSIST binlog_transaction_compression = OFF;'],
  ['unordered commits', withVariables({ binlog_order_commits: 'OFF' }), 'error', 'binlog-order-commits', 'SET PERSIST binlog_order_commits = ON;'],
  ['a binlog that a crash cuts', withVariables({ sync_binlog: '0' }), 'warning', 'durability', 'SET PERSIST sync_binlog = 1;'],
  ['tables that a crash sets back', withVariables({ innodb_flush_log_at_trx_commit: '2' }), 'warning', 'durability', 'SET PERSIST innodb_flush_log_at_trx_commit = 1;'],
  ['no GTIDs', withVariables({ gtid_mode: 'OFF' }), 'warning', 'gtid-mode', 'SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON;'],
  ['mixed GTIDs', withVariables({ gtid_mode: 'ON_PERMISSIVE' }), 'error', 'gtid-mode', 'SET PERSIST enforce_gtid_consistency = ON; SET PERSIST gtid_mode = ON;'],
  ['mixed GTIDs, one step before', withVariables({ gtid_mode: 'OFF_PERMISSIVE' }), 'error', 'gtid-mode', 'SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON;'],
  ['our id on the server itself', { serverId: 4711 }, 'error', 'server-id', 'choose another `serverId`'],
  ['our id on another replica', { replicaIds: [4711] }, 'error', 'server-id', 'choose another `serverId`'],
  ['a server without id', { serverId: 0 }, 'error', 'server-id', 'SET PERSIST server_id = 1;'],
  ['two days of binlog for a copy', withVariables({ binlog_expire_logs_seconds: '172800' }), 'warning', 'retention', 'SET PERSIST binlog_expire_logs_seconds = 604800;'],
  ['a small limit of the binlog’s size', withVariables({ binlog_space_limit: '1073741824' }), 'warning', 'retention', 'SET PERSIST binlog_space_limit = 0;'],
  ['an hour of binlog', withVariables({ binlog_expire_logs_seconds: '3600' }), 'warning', 'retention', 'SET PERSIST binlog_expire_logs_seconds = 604800;'],
  ['no right to dump', { mayDump: false }, 'error', 'grant-replication', 'GRANT REPLICATION SLAVE ON *.* TO `rowferry`@`%`;'],
  ['no right to monitor', { mayMonitor: false }, 'error', 'grant-monitor', 'GRANT REPLICATION CLIENT ON *.* TO `rowferry`@`%`;'],
  ['no right to monitor MariaDB', { ...MARIADB, mayMonitor: false }, 'error', 'grant-monitor', 'GRANT BINLOG MONITOR ON *.* TO `rowferry`@`%`;'],
  ['a table that cannot be read', withTable({ readable: false }), 'error', 'grant-select', 'GRANT SELECT ON `shop`.* TO `rowferry`@`%`;'],
  ['a schema kept out of the binlog', { ignoreDb: ['shop'] }, 'error', 'binlog-filter', 'my.cnf: remove binlog_do_db and binlog_ignore_db, then'],
  ['a schema not let into the binlog', { doDb: ['other', 'rowferry'] }, 'error', 'binlog-filter', 'or add binlog_do_db = shop, then'],
  ['a pattern without table', { tables: [] }, 'warning', 'no-table', 'GRANT SELECT ON `shop`.* TO `rowferry`@`%`;'],
  ['a copy of a read-only source', withVariables({ read_only: 'ON' }), 'warning', 'read-only', 'capture from a server that takes writes'],
  ['marks that are kept out of the binlog', { doDb: ['shop'] }, 'warning', 'binlog-filter', 'binlog_do_db = rowferry'],
  ['a sequence', withTable({ kind: 'SEQUENCE', primaryKey: null }), 'error', 'table-kind', 'add "!shop.orders" to `tables`'],
  ['a system-versioned table', withTable({ kind: 'SYSTEM VERSIONED' }), 'error', 'table-kind', 'add "!shop.orders" to `tables`'],
  ['MyISAM', withTable({ engine: 'MyISAM' }), 'error', 'table-engine', 'ALTER TABLE `shop`.`orders` ENGINE = InnoDB;'],
  [
    'no key at all',
    withTable({ primaryKey: null }),
    'error',
    'table-key',
    'ALTER TABLE `shop`.`orders` ADD COLUMN `row_id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY;',
  ],
  [
    'only a unique key',
    withTable({ primaryKey: null, uniqueKeys: [{ ...PRIMARY, columns: ['a', 'b'] }] }),
    'error',
    'table-key',
    'ALTER TABLE `shop`.`orders` ADD PRIMARY KEY (`a`, `b`); -- or leave it, and add to the source: keys: { "shop.orders": ["a", "b"] }',
  ],
  [
    'a primary key over the start of a text',
    withTable({ primaryKey: { ...PRIMARY, partial: true } }),
    'error',
    'table-key',
    'ALTER TABLE `shop`.`orders` DROP PRIMARY KEY, ADD COLUMN `row_id`',
  ],
  ['geometry', withColumn({ dataType: 'point', columnType: 'point' }), 'error', 'column-type', 'exclude it'],
  ['vector', withColumn({ dataType: 'vector', columnType: 'vector(3)' }), 'error', 'column-type', 'exclude it'],
  ['uuid', withColumn({ dataType: 'uuid', columnType: 'uuid' }), 'error', 'column-type', 'exclude it'],
  ['a time of before 5.6', withColumn({ dataType: 'time', columnType: 'time /* mariadb-5.3 */' }), 'error', 'column-type', 'exclude it'],
  ['a virtual column on MariaDB', { ...MARIADB, ...withColumn({ generated: true, virtual: true }) }, 'error', 'column-type', 'exclude it'],
  [
    'a unique key that MariaDB keeps as a hash',
    withTable({ uniqueKeys: [{ ...PRIMARY, columns: ['body'], hashed: true }] }),
    'error',
    'table-key',
    'DROP INDEX …, or exclude it',
  ],
  ['swe7', withColumn({ dataType: 'varchar', charset: 'swe7' }), 'error', 'column-charset', 'CONVERT TO CHARACTER SET utf8mb4;'],
  [
    'a cascade that is not in the binlog',
    withTable({ foreignKeys: [{ name: 'fk`1', cascades: ['ON DELETE CASCADE'] }] }),
    'error',
    'foreign-key-cascade',
    'ALTER TABLE `shop`.`orders` DROP FOREIGN KEY `fk``1`;',
  ],
]; // prettier-ignore

test.each(CASES)('%s', (_, change, level, code, mend) => {
  const findings = judge(change);
  expect(findings.map((finding) => [finding.level, finding.code])).toEqual([[level, code]]);
  expect(findings[0]?.mend).toContain(mend);
});

test.each<[string, Partial<PreflightFacts>]>([
  ['binlog files that are never removed', withVariables({ binlog_expire_logs_seconds: '0' })],
  [
    'binlog files that are not removed by themselves',
    withVariables({ binlog_expire_logs_seconds: '60', binlog_expire_logs_auto_purge: 'OFF' }),
  ],
  ['replicas that may not be seen', { replicaIds: null }],
  ['a server filter that spares the captured schema', { doDb: ['shop', 'rowferry'], ignoreDb: ['other'] }],
  ['a foreign key that only refuses', withTable({ foreignKeys: [{ name: 'fk', cascades: [] }] })],
  [
    'a cascade that the server writes as rows',
    {
      ...withVariables({ innodb_native_foreign_keys: 'OFF' }),
      ...withTable({ foreignKeys: [{ name: 'fk', cascades: ['ON DELETE CASCADE'] }] }),
    },
  ],
  [
    'an enum label that looks like a comment',
    withColumn({ dataType: 'enum', columnType: "enum('/*','it''s')" }),
  ],
])('%s: no finding', (_, change) => {
  expect(judge(change)).toEqual([]);
});

const KIND: ColumnFacts = { ...ID, name: 'kind', columnType: 'int', nullable: false };
const BOTH = { columns: ['kind', 'id'], notNull: true, partial: false };

function judgeDeclared(change: Partial<TableFacts>, key: readonly string[] = ['id', 'Kind']): Finding[] {
  const table = { columns: [ID, KIND], primaryKey: null, uniqueKeys: [BOTH], ...change };
  return judge(withTable(table), { keys: { 'shop.orders': key } });
}

test('a declared key passes when a unique key vouches for it, in whatever order, with and without a primary key', () => {
  expect(judgeDeclared({})).toEqual([]);
  expect(judgeDeclared({ primaryKey: PRIMARY })).toEqual([]);
  expect(judgeDeclared({ primaryKey: PRIMARY }, ['id'])).toEqual([]);
});

test('several unique keys are proposed all of them: rowferry chooses none', () => {
  const [finding] = judge(withTable({ primaryKey: null, uniqueKeys: [BOTH, PRIMARY] }));
  expect(finding?.mend).toMatch(
    /keys: \{ "shop.orders": \["kind", "id"\] \} or keys: \{ "shop.orders": \["id"\] \}$/,
  );
});

test.each<[string, Partial<TableFacts>]>([
  ['may be NULL', { uniqueKeys: [{ ...BOTH, notNull: false }] }],
  ['count in part', { uniqueKeys: [{ ...BOTH, partial: true }] }],
  ['are computed', { columns: [ID, { ...KIND, generated: true }], uniqueKeys: [BOTH] }],
])('no key is proposed whose columns %s', (_, change) => {
  const [finding] = judge(withTable({ primaryKey: null, ...change }));
  expect(finding?.mend).toMatch(/ADD COLUMN `row_id` .* PRIMARY KEY; -- or, .*`keyless: append`/);
});

test.each<[string, Partial<TableFacts>, readonly string[] | undefined, string, string]>([
  ['names what is no column', {}, ['id', 'sort'], 'lacks columns of its declared key: sort', 'name columns of the table under `keys`: id, kind'],
  ['may be NULL', { columns: [ID, { ...KIND, nullable: true }] }, undefined, 'may hold NULL in columns of its declared key: kind', 'MODIFY `kind` int NOT NULL'],
  ['is computed', { columns: [ID, { ...KIND, generated: true }] }, undefined, 'generated columns in its declared key', 'name other columns'],
  ['has fewer columns than the unique key', {}, ['id'], 'no unique key of exactly the columns', 'ALTER TABLE `shop`.`orders` ADD UNIQUE KEY (`id`);'],
  ['is unique in part', { uniqueKeys: [{ ...BOTH, partial: true }] }, undefined, 'no unique key of exactly the columns', 'ADD UNIQUE KEY (`id`, `kind`);'],
])('a declared key is refused that %s', (_, change, key, what, mend) => {
  const findings = judgeDeclared(change, key);
  expect(findings.map((finding) => [finding.level, finding.code])).toEqual([['error', 'table-key']]);
  expect(findings[0]?.what).toContain(what);
  expect(findings[0]?.mend).toContain(mend);
}); // prettier-ignore

test('a key that is declared for no table there is told, since its name may be misspelt', () => {
  const [finding, ...more] = judge({}, { keys: { 'shop.Orders': ['id'] } });
  expect([finding?.level, finding?.code, more]).toEqual(['warning', 'no-table', []]);
  expect(finding?.what).toContain('shop.Orders');
});

test('everything is found at once, errors first', () => {
  const findings = judge({
    ...withVariables({ binlog_format: 'MIXED', binlog_expire_logs_seconds: '60' }),
    mayDump: false,
    ...withTable({ engine: 'MyISAM', primaryKey: null }),
  });
  expect(findings.map(({ level, code }) => `${level} ${code}`)).toEqual([
    'error grant-replication',
    'error binlog-format',
    'error table-engine',
    'error table-key',
    'warning retention',
  ]);
  expect(formatFindings(findings).split('\n')).toHaveLength(10);
});

test('the character sets that pass are those that the binlog driver reads', () => {
  const known = Array.from({ length: 4096 }, (_, collation) => collation).flatMap((collation) => {
    const charset = charsetOfCollation(collation);
    return charset === undefined || charset === 'binary' ? [] : [{ charset, collation }];
  });
  expect(new Set(known.map(({ charset }) => charset)).size).toBeGreaterThan(35);
  for (const { charset, collation } of known) {
    expect([charset, EXACT_CHARSETS.has(charset)]).toEqual([charset, textDecoder(collation) !== undefined]);
  }
});

test('cascades are read from the statement that creates the table', () => {
  const create = `CREATE TABLE \`c\` (
  \`id\` int NOT NULL COMMENT 'CONSTRAINT \`x\` FOREIGN KEY ON DELETE CASCADE',
  CONSTRAINT \`a\`\`b\` FOREIGN KEY (\`p\`) REFERENCES \`p\` (\`id\`) ON DELETE CASCADE ON UPDATE SET NULL,
  CONSTRAINT \`c\` FOREIGN KEY (\`q\`) REFERENCES \`q\` (\`id\`) ON DELETE RESTRICT ON UPDATE NO ACTION
) ENGINE=InnoDB`;
  expect(parseForeignKeys(create)).toEqual([
    { name: 'a`b', cascades: ['ON DELETE CASCADE', 'ON UPDATE SET NULL'] },
    { name: 'c', cascades: [] },
  ]);
});

test.each([
  ['8.0.21', 'SHOW MASTER STATUS', 'SHOW SLAVE HOSTS'],
  ['8.0.22-log', 'SHOW MASTER STATUS', 'SHOW REPLICAS'],
  ['8.4.0', 'SHOW BINARY LOG STATUS', 'SHOW REPLICAS'],
  ['10.6.20-MariaDB', 'SHOW MASTER STATUS', 'SHOW SLAVE HOSTS'],
])('%s is asked in words that it knows', async (version, status, replicas) => {
  const asked: string[] = [];
  await preflightSource(
    (sql) => {
      asked.push(sql);
      if (sql.includes('VERSION()')) return Promise.resolve([{ version, account: 'u@%', server_id: '1' }]);
      return Promise.resolve(sql.includes('VARIABLES') ? [{ Variable_name: 'log_bin', Value: 'ON' }] : []);
    },
    { name: 'main', serverId: 4711, tables: ['shop.*'], keys: {}, copies: false },
  );
  expect(asked).toContain(status);
  expect(asked).toContain(replicas);
});

test('an error that is no missing grant is thrown with the name of the source', async () => {
  const failing = preflightSource(
    () => Promise.reject(new RowferryError('ROWFERRY_SOURCE_LINK', 'the connection failed')),
    { name: 'main', serverId: 4711, tables: ['shop.*'], keys: {}, copies: false },
  );
  await expect(failing).rejects.toMatchObject({ code: 'ROWFERRY_SOURCE_LINK', where: { source: 'main' } });
});

test('a table without any key passes with `keyless: append`, one whose unique key could be declared does not', () => {
  const wanted = { serverId: 9001, includes: [], keys: {}, keyless: 'append', copies: true } as const;
  const codes = (change: Partial<PreflightFacts>): string[] =>
    evaluateSource({ ...GOOD, ...change }, wanted).map(({ code }) => code);
  expect(codes(withTable({ primaryKey: null }))).not.toContain('table-key');
  expect(codes(withTable({ primaryKey: null, uniqueKeys: [BOTH] }))).toContain('table-key');
});

test.each([
  [['%'], []],
  [['shop'], []],
  [['s_op', 'other'], []],
  [['s\\_op'], ['GRANT LOCK TABLES ON `shop`.* TO `rowferry`@`%`;']],
  [[], ['GRANT LOCK TABLES ON `shop`.* TO `rowferry`@`%`;']],
  [undefined, []],
])('a copy of it needs the right to lock: %j', (locks, mends) => {
  const wanted = { serverId: 9001, includes: [], keys: {}, keyless: 'append', copies: true } as const;
  const facts = { ...GOOD, ...withTable({ primaryKey: null }), ...(locks === undefined ? {} : { locks }) };
  const found = evaluateSource(facts, wanted).filter(({ code }) => code === 'grant-lock');
  expect(found.map(({ mend }) => mend)).toEqual(mends);
  expect(evaluateSource(facts, { ...wanted, copies: false }).map(({ code }) => code)).not.toContain(
    'grant-lock',
  );
});

test('a heartbeat row has to reach the binlog as well, and asks for nothing else of a copy', () => {
  const wanted = { serverId: 9001, includes: [], keys: {}, copies: false };
  const facts: PreflightFacts = {
    ...GOOD,
    doDb: ['shop'],
    variables: new Map([...GOOD.variables, ['read_only', 'ON']]),
  };
  const codes = (heartbeatRow: boolean): string[] =>
    evaluateSource(facts, { ...wanted, heartbeatRow }).map(({ code }) => code);
  expect(codes(true)).toEqual([...codes(false), 'binlog-filter']);
});

test('reads the GTIDs that sessions own, as MySQL 9.7 tells them: between two sources it puts nothing', () => {
  const [one, other] = ['3da747c4-e569-11f1-8f8a-02fc00000001', '4da747c4-e569-11f1-8f8a-02fc00000001'];
  const read = GtidSet.parse(readOwnedGtids(`${one}:7#12:5#9${other}:5#10${other}:tagged:9#11`));
  expect(read.equals(GtidSet.parse(`${one}:5:7,${other}:5,${other}:tagged:9`))).toBe(true);
  expect(readOwnedGtids('')).toBe('');
});
