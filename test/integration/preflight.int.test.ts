import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { TestContext } from 'vitest';
import { startSandbox } from '../../scripts/sandbox/start-sandbox.ts';
import type { Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { preflightSource } from '../../src/capture/preflight.ts';
import type { Preflight } from '../../src/capture/preflight.ts';
import { parseDatabaseUrl } from '../../src/config/database-url.ts';
import { MysqlConnection } from '../../src/drivers/mysql.ts';
import type { DeclaredKeys } from '../../src/model/declared-key.ts';
import { mysqlDatabase, testServers, uniqueName } from '../support/servers.ts';

type Sql = (sql: string) => Promise<unknown>;

async function connect(url: string): Promise<MysqlConnection> {
  const address = parseDatabaseUrl(url, 'source');
  if ('wrong' in address) throw new Error(address.wrong);
  const connection = await MysqlConnection.connect({
    url: { ...address.value, tls: null },
    side: 'source',
    where: { source: 'main' },
    session: [],
  });
  onTestFinished(() => connection.close());
  return connection;
}

async function inspect(
  url: string,
  tables: readonly string[],
  serverId = 4711,
  keys: DeclaredKeys = {},
): Promise<Preflight> {
  const connection = await connect(url);
  return await preflightSource(async (sql) => (await connection.query(sql)).rows, {
    name: 'main',
    serverId,
    tables,
    keys,
    copies: true,
  });
}

/** An account with these grants and its URL; dropped at the end of the test. */
async function account(
  server: { readonly url: string },
  sql: Sql,
  grants: readonly string[],
): Promise<string> {
  const user = uniqueName('u').slice(0, 32);
  await sql(`CREATE USER ${user}@'%' IDENTIFIED BY 'pw'`);
  onTestFinished(async () => void (await sql(`DROP USER ${user}@'%'`)));
  for (const grant of grants) await sql(`GRANT ${grant} TO ${user}@'%'`);
  const url = new URL(server.url);
  url.username = user;
  url.password = 'pw';
  return url.href;
}

function errors({ findings }: Preflight): string[] {
  return findings.filter(({ level }) => level === 'error').map(({ code }) => code);
}

describe.each([
  ['MySQL', () => testServers().src],
  ['MariaDB', () => testServers().mariadb],
])('%s', (name, serverOf) => {
  const monitor = name === 'MySQL' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR';

  test('an account with just the documented grants passes, and the facts say where the source stands', async (context) => {
    const { database, sql } = await open(context);
    await sql(
      `CREATE TABLE ${database}.orders (id BIGINT PRIMARY KEY, note TEXT, twice INT AS (id * 2) STORED)`,
    );
    const url = await account(serverOf(), sql, [
      `REPLICATION SLAVE, ${monitor} ON *.*`,
      `SELECT ON ${database}.*`,
      'CREATE, SELECT, INSERT, UPDATE ON rowferry.*',
    ]);
    const preflight = await inspect(url, [`${database}.*`]);
    // The test servers are the faster for not surviving a crash of the machine.
    const asStarted = ['retention', 'durability'];
    expect(preflight.findings.filter(({ code }) => !asStarted.includes(code))).toEqual([]);
    expect(preflight.facts).toMatchObject({
      flavour: name === 'MySQL' ? 'mysql' : 'mariadb',
      server: expect.stringMatching(name === 'MySQL' ? /^[0-9a-f-]{36}$/ : /^server-\d+$/),
      current: { file: expect.stringMatching(/^binlog\.\d{6}$/), offset: expect.any(Number) },
      gtid: expect.stringMatching(name === 'MySQL' ? /^[0-9a-f-]{36}:\d/ : /^\d+-\d+-\d+$/),
      purgedGtid: '',
      files: [{ name: 'binlog.000001', size: expect.any(Number) }],
      tableNames: 'exact',
    });
    expect(preflight.tables).toMatchObject([
      {
        schema: database,
        name: 'orders',
        engine: 'InnoDB',
        readable: true,
        primaryKey: { columns: ['id'] },
        columns: [{ name: 'id' }, { name: 'note', charset: 'utf8mb4' }, { name: 'twice', generated: true }],
      },
    ]);
  });

  test('grants that come by a role count', async (context) => {
    const { database, sql } = await open(context);
    const role = uniqueName('role').slice(0, 32);
    await sql(`CREATE ROLE ${role}`);
    onTestFinished(async () => void (await sql(`DROP ROLE ${role}`)));
    await sql(`GRANT REPLICATION SLAVE, ${monitor} ON *.* TO ${role}`);
    await sql(`GRANT SELECT ON ${database}.* TO ${role}`);
    await sql(`GRANT CREATE, SELECT, INSERT, UPDATE ON rowferry.* TO ${role}`);
    const url = await account(serverOf(), sql, []);
    const user = new URL(url).username;
    await sql(`GRANT ${role} TO ${user}@'%'`);
    await sql(`SET DEFAULT ROLE ${role} ${name === 'MySQL' ? 'TO' : 'FOR'} ${user}@'%'`);
    const preflight = await inspect(url, [`${database}.*`]);
    expect(errors(preflight)).toEqual([]);
    expect(preflight.findings.map(({ code }) => code)).not.toContain('grant-mark');
  });

  test('an account without grants hears of every grant that it lacks, and the mends mend', async (context) => {
    const { database, sql } = await open(context);
    await sql(`CREATE TABLE ${database}.orders (id INT PRIMARY KEY, note TEXT)`);
    const url = await account(serverOf(), sql, [`SELECT (id) ON ${database}.orders`]);
    const before = await inspect(url, [`${database}.*`]);
    expect(errors(before)).toEqual(['grant-replication', 'grant-monitor', 'grant-select']);
    expect(before.findings).toContainEqual(
      expect.objectContaining({
        code: 'grant-mark',
        what: expect.stringMatching(/ lacks (CREATE, )?SELECT, INSERT, UPDATE on rowferry.mark/),
      }),
    );
    const mends = before.findings.filter(({ code, level }) => level === 'error' || code === 'grant-mark');
    for (const { mend } of mends) await sql(mend);
    const after = await inspect(url, [`${database}.*`]);
    expect(errors(after)).toEqual([]);
    expect(after.findings.map(({ code }) => code)).not.toContain('grant-mark');
  });

  test('tables that cannot be ferried exactly are found all at once, and the mends mend', async (context) => {
    const { database, sql } = await open(context);
    for (const statement of [
      `good (id INT PRIMARY KEY, t TEXT CHARACTER SET cp1251)`,
      `keyless (a INT, id INT)`,
      `unique_only (a INT NOT NULL, b INT NOT NULL, UNIQUE KEY (a, b))`,
      `prefixed (t VARCHAR(99) NOT NULL, PRIMARY KEY (t(5)))`,
      `myisam (id INT PRIMARY KEY) ENGINE = MyISAM`,
      `spatial_one (id INT PRIMARY KEY, p POINT)`,
      `vectors (id INT PRIMARY KEY, v VECTOR(3))`,
      `swedish (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET swe7)`,
      `western (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET latin1)`,
      `child (id INT PRIMARY KEY, p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES good (id) ON DELETE CASCADE)`,
    ])
      await sql(`CREATE TABLE ${database}.${statement}`);
    if (name === 'MariaDB') {
      await sql(`CREATE TABLE ${database}.uuids (id UUID PRIMARY KEY)`);
      await sql(`CREATE TABLE ${database}.packed (id INT PRIMARY KEY, t VARCHAR(9) COMPRESSED)`);
      await sql(`CREATE TABLE ${database}.past (id INT PRIMARY KEY) WITH SYSTEM VERSIONING`);
      await sql(`CREATE SEQUENCE ${database}.numbers`);
    }
    const url = await account(serverOf(), sql, [
      `REPLICATION SLAVE, ${monitor} ON *.*`,
      `SELECT ON ${database}.*`,
    ]);
    const { findings } = await inspect(url, [`${database}.*`]);
    const found = findings
      .filter(({ what }) => what.includes(`${database}.`))
      .map(({ code, what }) => `${code} ${/\.(\w+)/.exec(what)?.[1]}`)
      .toSorted();
    const both = [
      'column-charset swedish',
      'column-type spatial_one',
      'column-type vectors',
      'table-engine myisam',
      'table-key keyless',
      'table-key prefixed',
      'table-key unique_only',
    ];
    // MySQL 9 writes cascades to its binlog.
    const mariadb = [
      'column-type uuids',
      'foreign-key-cascade child',
      'table-kind numbers',
      'table-kind past',
    ];
    expect(found).toEqual((name === 'MySQL' ? both : [...both, ...mariadb]).toSorted());

    const statements = findings.filter(({ code }) =>
      ['table-key', 'table-engine', 'column-charset'].includes(code),
    );
    for (const { mend } of statements) await sql(mend);
    const after = await inspect(url, [`${database}.*`]);
    const left = new Set(after.findings.map(({ code }) => code));
    for (const { code } of statements) expect(left).not.toContain(code);
  });

  test('a declared key passes where the source vouches for it, and what is proposed is what passes', async (context) => {
    const { database, sql } = await open(context);
    for (const statement of [
      'good (b INT NOT NULL, a VARCHAR(9) NOT NULL, UNIQUE KEY u (b, a))',
      'two (a INT NOT NULL, b INT NOT NULL, UNIQUE KEY (a), UNIQUE KEY (b))',
      'empty (a INT, b INT NOT NULL, UNIQUE KEY (a, b))',
      'prefixed (a VARCHAR(99) NOT NULL, UNIQUE KEY (a(5)))',
      'loose (a INT NOT NULL, KEY (a))',
      'computed (a INT NOT NULL, b INT AS (a + 1) STORED NOT NULL, UNIQUE KEY (b))',
    ]) {
      // MariaDB gives no generated column NOT NULL.
      await sql(
        `CREATE TABLE ${database}.${name === 'MariaDB' ? statement.replace('STORED NOT NULL', 'STORED') : statement}`,
      );
    }
    // What the manual says for a table that has neither.
    await sql(`CREATE TABLE ${database}.log (line TEXT)`);
    await sql(
      `ALTER TABLE ${database}.log ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY`,
    );
    await sql(`INSERT INTO ${database}.log VALUES ('one')`);
    const url = await account(serverOf(), sql, [
      `REPLICATION SLAVE, ${monitor} ON *.*`,
      `SELECT ON ${database}.*`,
    ]);
    const of = (columns: Record<string, readonly string[]>): DeclaredKeys =>
      Object.fromEntries(Object.entries(columns).map(([table, key]) => [`${database}.${table}`, key]));
    const wrong = of({
      good: ['b'],
      two: ['a', 'c'],
      empty: ['a', 'b'],
      prefixed: ['a'],
      loose: ['a'],
      computed: ['b'],
    });
    const before = await inspect(url, [`${database}.*`], 4711, wrong);
    const told = before.findings.filter(({ code }) => code === 'table-key').map(({ what }) => what);
    expect(told.map((what) => what.replace(`${database}.`, '')).toSorted()).toEqual([
      expect.stringMatching(/^computed has generated columns in its declared key.*: b$/),
      expect.stringMatching(/^empty may hold NULL in columns of its declared key: a$/),
      expect.stringMatching(
        /^good has no unique key of exactly the columns of its declared key, in whole: b$/,
      ),
      expect.stringMatching(/^loose has no unique key/),
      expect.stringMatching(/^prefixed has no unique key/),
      expect.stringMatching(/^two lacks columns of its declared key: c$/),
    ]);

    const undeclared = await inspect(url, [
      `${database}.*`,
      '!*.empty',
      '!*.prefixed',
      '!*.loose',
      '!*.computed',
    ]);
    const proposed = undeclared.findings.flatMap(({ mend }) =>
      [...mend.matchAll(/keys: (\{.*?\})/g)].map(([, text = '']) => JSON.parse(text) as DeclaredKeys),
    );
    expect(proposed).toEqual([of({ good: ['b', 'a'] }), of({ two: ['a'] }), of({ two: ['b'] })]);
    const declared = Object.assign({}, ...proposed, of({ good: ['A', 'b'] })) as DeclaredKeys;
    const after = await inspect(url, [`${database}.good`, `${database}.two`], 4711, declared);
    expect(errors(after)).toEqual([]);
  });

  async function open(context: TestContext): Promise<{ database: string; sql: Sql }> {
    const { name: database, pool } = await mysqlDatabase(context, serverOf());
    const connection = await pool.getConnection();
    context.onTestFinished(() => connection.release());
    return { database, sql: (statement) => connection.query(statement) };
  }
});

describe('servers with bad settings', () => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await startSandbox({
      ownServers: true,
      mysql: [
        {
          name: 'careless',
          flags: [
            '--binlog-format=MIXED',
            '--binlog-row-image=MINIMAL',
            '--binlog-row-metadata=MINIMAL',
            '--binlog-row-value-options=PARTIAL_JSON',
            '--binlog-transaction-compression=ON',
            '--binlog-order-commits=OFF',
            '--gtid-mode=ON_PERMISSIVE',
            '--binlog-expire-logs-seconds=3600',
            '--binlog-ignore-db=shop',
          ],
        },
        { name: 'without-binlog', flags: ['--skip-log-bin'] },
      ],
      mariadb: [
        {
          name: 'careless',
          flags: ['--binlog-format=STATEMENT', '--binlog-row-image=NOBLOB', '--binlog-row-metadata=NO_LOG'],
        },
      ],
    });
  });
  afterAll(async () => {
    await sandbox.stop();
  });

  test('MySQL: all findings come at once, and the statements among the mends mend', async () => {
    const url = sandbox.mysql[0]?.url ?? '';
    const root = await connect(url);
    await root.query('CREATE DATABASE shop');
    await root.query('CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    const [{ id = '' } = {}] = (await root.query('SELECT @@server_id AS id')).rows;
    const before = await inspect(url, ['shop.*'], Number(id));
    expect(before.findings.map(({ level, code }) => `${level} ${code}`)).toEqual([
      'error binlog-format',
      'error binlog-row-image',
      'error binlog-row-metadata',
      'error binlog-row-value-options',
      'error binlog-transaction-compression',
      'error binlog-order-commits',
      'error gtid-mode',
      'error server-id',
      'error binlog-filter',
      'warning durability',
      'warning durability',
      'warning retention',
    ]);
    const statements = before.findings.flatMap(({ mend }) => mend.match(/SET PERSIST [^;]+/g) ?? []);
    for (const statement of statements) await root.query(statement);
    const after = await inspect(url, ['shop.*']);
    expect(after.findings.map(({ level, code }) => `${level} ${code}`)).toEqual(['error binlog-filter']);
  });

  test('MySQL without a binlog says so, and nothing fails on the way', async () => {
    const { findings, facts } = await inspect(sandbox.mysql[1]?.url ?? '', ['shop.*']);
    expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining(['log-bin', 'no-table']));
    expect(facts.current.file).toBe('');
  });

  test('MariaDB: all findings come at once, and the statements among the mends mend', async () => {
    const url = sandbox.mariadb[0]?.url ?? '';
    const root = await connect(url);
    const before = await inspect(url, ['shop.*']);
    expect(errors(before)).toEqual(['binlog-format', 'binlog-row-image', 'binlog-row-metadata']);
    const statements = before.findings.flatMap(({ mend }) => mend.match(/SET GLOBAL [^;]+/g) ?? []);
    for (const statement of statements) await root.query(statement);
    expect(errors(await inspect(url, ['shop.*']))).toEqual([]);
  });
});
