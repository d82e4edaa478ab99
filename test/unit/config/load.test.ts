import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { but, GOOD, parse, problems } from './config-text.ts';

function expectOnly(text: string, expected: string): void {
  expect(problems(text)).toEqual([expected]);
}

const PLAIN = { sources: null, columns: null, keysAreDisjoint: false };

test('a good file resolves with every default filled in', () => {
  const config = parse(GOOD);
  expect(config.kafka).toEqual({
    brokers: ['127.0.0.1:9092'],
    partitions: 4,
    replicationFactor: 1,
    format: 'chunk',
    compression: 'none',
    maxMessageBytes: 1_000_000,
    retentionMs: 604_800_000,
    topicPrefix: 'shop',
    sessionTimeoutMs: 6_000,
    tls: null,
    sasl: null,
  });
  expect(config.sources[0]).toMatchObject({
    name: 'main',
    url: { engine: 'mysql', host: '127.0.0.1', port: 3306, user: 'rowferry', database: '', tls: null },
    serverId: 4711,
    tables: ['shop.*', '!shop.audit'],
    startFrom: { kind: 'snapshot' },
    heartbeatMs: 1_000,
  });
  expect(config.sources[0]?.url.password.reveal()).toBe('geheim');
  expect(config.targets.map(({ name, url }) => [name, url.engine, url.port, url.database])).toEqual([
    ['a', 'mysql', 3306, 'shop'],
    ['b', 'postgres', 5432, 'shop'],
  ]);
  expect(config.routes).toEqual([
    {
      ...PLAIN,
      from: 'shop.orders',
      to: 'orders',
      layout: {
        targets: ['a', 'b'],
        shards: { by: 'user_id', algorithm: 'modulo', count: 2 },
        tables: null,
      },
      place: 'shop.yaml:9:5',
    },
    {
      ...PLAIN,
      from: 'shop.users',
      to: 'users',
      layout: { targets: ['a'], shards: null, tables: null },
      place: 'shop.yaml:10:5',
    },
  ]);
  expect(config.apply).toEqual({
    batchRows: 2000,
    batchBytes: 4 * 2 ** 20,
    queueBytes: 16 * 2 ** 20,
    zeroDates: 'stop',
    badRows: 'stop',
  });
  expect(config.capture).toEqual({ chunkBytes: 200_000, queueBytes: 8 * 2 ** 20, checkpointMs: 1_000 });
  expect(config.drainMs).toBe(15_000);
});

test('the resolved configuration is frozen all the way down', () => {
  const config = parse(GOOD);
  expect(() => Object.assign(config.sources[0] ?? {}, { serverId: 1 })).toThrow(TypeError);
  expect(() => Object.assign(config.routes[0]?.layout.targets ?? {}, ['b'])).toThrow(TypeError);
});

test('all problems of a file are told together, in the order of the file, each with its place', () => {
  const text = `name: Shop!
kafka: { brokers: ["127.0.0.1"], partition: 8, format: chunks }
sources:
  main: { url: "mysql://rowferry@127.0.0.1:3306", tables: ["shop.*"], startFrom: { gtidd: x } }
targets:
  a: { url: "mysql://x:\${env:NOPE}@h/shop" }
routes:
  - { from: shop.users, target: aa }
drain: 5
`;
  expect(problems(text)).toEqual([
    'shop.yaml:1:7: name: must be a name of lower-case letters, digits, `-` and `_`, starting with a letter, at most 63',
    'shop.yaml:2:19: kafka.brokers: must be a list of brokers such as ["127.0.0.1:9092"], each host:port',
    'shop.yaml:2:34: kafka.partition: is no option; did you mean partitions?',
    'shop.yaml:2:56: kafka.format: must be one of chunk, row',
    'shop.yaml:4:3: sources.main.serverId: is missing',
    'shop.yaml:4:71: sources.main.startFrom.gtid: is missing',
    'shop.yaml:4:84: sources.main.startFrom.gtidd: is no option; did you mean gtid?',
    'shop.yaml:6:13: targets.a.url: environment variable NOPE is not set; set it, or write `${env:NOPE:-default}`',
    'shop.yaml:8:33: routes[0].target: names no target; targets are a',
    'shop.yaml:9:1: drain: is no option; did you mean drainMs?',
  ]);
});

test('an empty file lists what it needs', () => {
  expect(problems('')).toEqual([
    'shop.yaml:1:1: name: is missing',
    'shop.yaml:1:1: kafka: is missing',
    'shop.yaml:1:1: sources: is missing',
    'shop.yaml:1:1: targets: is missing',
    'shop.yaml:1:1: routes: is missing',
  ]);
});

test('a section whose lines are all commented out takes its defaults', () => {
  expect(parse(`${GOOD}apply:\n  # batchRows: 1\n`).apply.batchRows).toBe(2000);
});

test('broken YAML is told once, without a word of the file', () => {
  const lines = problems(but('"mysql://writer:pw@db-a/shop" }', '"mysql://writer:topsecret@db-a/shop'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^shop\.yaml:\d+:\d+: broken YAML \(/);
  expect(lines[0]).not.toContain('topsecret');
});

test('a name that is there twice is told beside other problems', () => {
  const twice = but('routes:', '  b: { url: "mysql://writer:pw@db-c/shop" }\nroutes:');
  expect(problems(`${twice}drainMs: soon\n`)).toEqual([
    'shop.yaml:8:3: this name is there twice; keep one of them',
    expect.stringMatching(/^shop\.yaml:12:10: drainMs: must be a duration/),
  ]);
});

test('an exclude pattern without quotes is a YAML tag, and that is said', () => {
  const lines = problems(but('"!shop.audit"', '!shop.audit'));
  expect(lines.join('\n')).toContain('text that starts with ! is a tag to YAML; put quotes around it');
});

test.each([
  ['"mysql://rowferry:${env:SRC_PASSWORD}@127.0.0.1:3306"', '"postgres://u:p@h"', 'must be MySQL or MariaDB'],
  ['"mysql://rowferry:${env:SRC_PASSWORD}@127.0.0.1:3306"', '"mysql://127.0.0.1:3306"', 'names no user'],
  ['"mysql://rowferry:${env:SRC_PASSWORD}@127.0.0.1:3306"', '"mysql://u:p@h/shop"', 'must name no database'],
  ['"mysql://rowferry:${env:SRC_PASSWORD}@127.0.0.1:3306"', '"mysql://u:p@h?ssl=1"', 'takes no ?parameters'],
  ['"mysql://rowferry:${env:SRC_PASSWORD}@127.0.0.1:3306"', '"mysql://u:p/x@h"', 'must be a URL such as'],
  ['"mysql://writer:pw@db-a/shop"', '"mysql://writer:pw@db-a"', 'must end in one database'],
  ['serverId: 4711', 'serverId: 0', 'must be a whole number from 1 to 4294967295'],
  ['serverId: 4711', 'serverId: 4294967296', 'must be a whole number from 1 to 4294967295'],
  ['serverId: 4711', 'serverId: 1.5', 'must be a whole number from 1 to 4294967295'],
  ['"shop.*"', '"shop"', 'must be a pattern `schema.table`'],
  ['"shop.*", ', '', 'only excludes; add what is captured'],
  ['["shop.*", "!shop.audit"]', '[]', 'must not be empty'],
  [
    'shards: { by: user_id, algorithm: modulo, on: [a, b] }',
    'shards: { by: u, algorithm: range, on: [a] }',
    'must be one of modulo, segments',
  ],
  ['on: [a, b]', 'on: [a, a]', 'names target a twice'],
  ['on: [a, b]', 'on: [a, c]', 'names no target; targets are a, b'],
  ['target: a', 'target: a, targets: [b]', 'has target and targets; keep one of them'],
  [', target: a', '', 'says not where rows go'],
  ['from: shop.users', 'from: "!shop.users"', 'must say which tables it takes'],
  ['from: shop.users', 'from: shop.audit', 'is captured by no source; add "shop.audit"'],
  ['from: shop.users', 'from: shop.orders, to: orders', 'goes to a.orders already by routes[0]'],
  ['from: shop.users', 'from: shop.users, to: orders', 'which routes[0] fills from shop.orders'],
  ['from: shop.users', 'from: shop.users, to: public.users', 'but target a is MySQL'],
  ['db-b/shop', 'DB-A:5432/shop', null],
  ['postgres://writer:pw@db-b/shop', 'mysql://other:pw@DB-A:3306/shop', 'is the same database as target a'],
  [
    'mysql://writer:pw@db-a/shop',
    'mysql://writer:pw@127.0.0.1/shop',
    'would write shop.orders at target a, which source main captures',
  ],
  ['mysql://writer:pw@db-a/shop', 'mysql://writer:pw@127.0.0.1/shop_a', null],
  ['name: shop', 'name: a b', 'must be a name of lower-case letters'],
  ['name: shop', 'name: 12', 'not a number; put it in quotes'],
  ['partitions: 4', 'topicPrefix: "my topic"', 'must be the start of a topic name'],
  ['partitions: 4', 'topicPrefix: ".."', 'must be the start of a topic name'],
  ['partitions: 4', 'maxMessageBytes: 100kB', 'must not be smaller than capture.chunkBytes, which is 200kB'],
  ['partitions: 4', 'compression: zip', 'must be one of none, gzip, lz4'],
  ['partitions: 4', 'retentionMs: 5', 'or `forever`'],
  ['main:', 'Main:', 'is no name; a name is lower-case letters'],
])('with %j written as %j: %j', (old, replacement, expected) => {
  if (expected === null) {
    expect(parse(but(old, replacement)).name).toBe('shop');
    return;
  }
  const lines = problems(but(old, replacement));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(expected);
});

test('two sources must differ in server id, and rows of both in one table need keys that stay apart', () => {
  const text = but(
    'targets:',
    '  other: { url: "mysql://rowferry@127.0.0.2", serverId: 4711, tables: ["shop.users"] }\ntargets:',
  );
  expect(problems(text)).toEqual([
    'shop.yaml:5:57: sources.other.serverId: is also the id of source main; choose another: two replicas with one id throw each other out',
    expect.stringMatching(
      /^shop\.yaml:11:13: routes\[1\]\.from: may take rows of several source tables .* added \{source\}/,
    ),
  ]);
});

test('a size that is left to its default is blamed on the one that is written', () => {
  expectOnly(
    `${GOOD}capture: { chunkBytes: 2MB }\n`,
    'shop.yaml:11:24: capture.chunkBytes: must not be larger than kafka.maxMessageBytes, which is 1MB',
  );
});

test('sizes and durations take numbers or text with a unit', () => {
  const config = parse(
    `${but('partitions: 4', 'maxMessageBytes: 1.5MiB, retentionMs: forever, sessionTimeoutMs: 10s')}capture: { queueBytes: 16MiB, checkpointMs: 500 }\n`,
  );
  expect(config.kafka.maxMessageBytes).toBe(1_572_864);
  expect(config.kafka.retentionMs).toBe(-1);
  expect(config.kafka.sessionTimeoutMs).toBe(10_000);
  expect(config.capture).toMatchObject({ queueBytes: 16 * 2 ** 20, checkpointMs: 500 });
});

test.each([
  ['earliest', { kind: 'earliest' }],
  [
    '{ gtid: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77,\\n 3e11fa47-71ca-11e1-9e33-c80aa9429563:1-2" }',
    {
      kind: 'gtid',
      gtid: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77,3e11fa47-71ca-11e1-9e33-c80aa9429563:1-2',
    },
  ],
  ['{ gtid: 0-1-100 }', { kind: 'gtid', gtid: '0-1-100' }],
  ['{ file: binlog.000042, position: 4 }', { kind: 'file', file: 'binlog.000042', position: 4 }],
])('startFrom %s is understood', (written, expected) => {
  const config = parse(but('serverId: 4711', `serverId: 4711, startFrom: ${written}`));
  expect(config.sources[0]?.startFrom).toEqual(expected);
});

test('TLS is off by default, on by true, and takes PEM text whose key stays secret', () => {
  const readFile = (path: string): string => `pem of ${path}\n`;
  const tls =
    'tls: { ca: "${file:ca.pem}", cert: "${file:c.pem}", key: "${file:k.pem}", rejectUnauthorized: false }';
  const config = parse(but('db-b/shop"', `db-b/shop", ${tls}`, but('db-a/shop"', 'db-a/shop", tls: true')), {
    readFile,
  });
  expect(config.sources[0]?.url.tls).toBeNull();
  expect(config.targets[0]?.url.tls).toEqual({ rejectUnauthorized: true });
  expect(config.targets[1]?.url.tls).toMatchObject({
    ca: 'pem of ca.pem',
    cert: 'pem of c.pem',
    rejectUnauthorized: false,
  });
  expect(config.targets[1]?.url.tls?.key?.reveal()).toBe('pem of k.pem');
});

test('a file that cannot be read is a problem of the configuration', () => {
  expect(() => loadConfig('/nowhere/rowferry.yaml', {})).toThrow(
    expect.objectContaining({
      code: 'ROWFERRY_CONFIG_INVALID',
      message: '/nowhere/rowferry.yaml: cannot be read (ENOENT)',
    }),
  );
});

test('files are found relative to the configuration, and runDir too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rowferry-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'password'), 'p@ss/word#1\n');
  const file = join(folder, 'shop.yaml');
  writeFileSync(file, `${but('${env:SRC_PASSWORD}', '${file:password}')}runDir: run\n`);
  const config = loadConfig(file, {});
  expect(config.sources[0]?.url.password.reveal()).toBe('p@ss/word#1');
  expect(config.runDir).toBe(join(folder, 'run'));
});

test.each([
  ['leastRows: 5000, mostRows: 1000', 'snapshot.leastRows: is more than mostRows, which is 1000'],
  ["hours: '22:00-22:00'", 'snapshot.hours: is no time at all'],
  ["where: { shop.nope_: 'a > 1', shop.audit: 'b' }", 'snapshot.where.shop.audit: names no captured table'],
  ["where: { 'nothing.here': 'a > 1' }", 'snapshot.where.nothing.here: names no captured table'],
])('copies with %s are refused', (settings, expected) => {
  expect(problems(`${GOOD}snapshot: { ${settings} }\n`).join('\n')).toContain(expected);
});

test('hours may go past midnight', () => {
  const config = parse(`${GOOD}snapshot: { hours: '22:00-05:30', where: { shop.orders: 'id > 5' } }\n`);
  expect(config.snapshot).toMatchObject({
    hours: { from: 1320, to: 330 },
    where: { 'shop.orders': 'id > 5' },
  });
});

test('declared keys are lists of columns by captured table', () => {
  const withKeys = (keys: string): string => but('serverId: 4711,', `serverId: 4711, keys: ${keys},`);
  expect(parse(GOOD).sources[0]?.keys).toEqual({});
  expect(parse(withKeys('{ shop.events: [id, kind] }')).sources[0]?.keys).toEqual({
    'shop.events': ['id', 'kind'],
  });
  expect(problems(withKeys('{ shop.events: [id, ID], shop.log: [], shop.tags: id }'))).toEqual([
    expect.stringContaining('names a column twice'),
    expect.stringContaining('must be a list of column names'),
    expect.stringContaining('must be a list of column names'),
  ]);
  for (const table of ['shop.audit', 'other.events', '"shop.*"', 'events']) {
    const [problem, ...more] = problems(withKeys(`{ ${table}: [id] }`));
    expect(problem).toContain('names no captured table; write it as schema.table, without patterns');
    expect(more).toEqual([]);
  }
});

test('a heartbeat row is written at the source, or at the server that it replicates', () => {
  const rowOf = (text: string) =>
    parse(but('serverId: 4711', `serverId: 4711${text}`)).sources[0]?.heartbeatRow;
  expect(rowOf('')).toBeNull();
  expect(rowOf(', heartbeatRow: false')).toBeNull();
  expect(rowOf(', heartbeatRow: true')).toMatchObject({ url: { host: '127.0.0.1' }, isElsewhere: false });
  const primary = rowOf(', heartbeatRow: { url: "mysql://beat:pw@db-p/", tls: true }');
  const url = { host: 'db-p', port: 3306, user: 'beat', tls: { rejectUnauthorized: true } };
  expect(primary).toMatchObject({ url, isElsewhere: true });
  expect(problems(but('serverId: 4711', 'serverId: 4711, heartbeatRow: 1s'))).toHaveLength(1);
});

test('replicas belong to their source, with TLS of their own', () => {
  const replicas =
    'replicas: { r1: { url: "mysql://watch:pw@db-r/", tls: true }, r2: { url: "mysql://watch:pw@db-s" } }';
  const config = parse(but('serverId: 4711', `serverId: 4711, ${replicas}`));
  expect(config.sources[0]?.replicas).toMatchObject([
    { name: 'r1', url: { host: 'db-r', tls: { rejectUnauthorized: true } } },
    { name: 'r2', url: { host: 'db-s', tls: null } },
  ]);
});

test('the making of tables has a folder beside the file, and types in their order with their places', () => {
  expect(parse(GOOD).schema).toEqual({ dir: resolve('schema'), indexes: 'before', types: [] });
  const types = `{ "postgres:*.*.flags": jsonb, shop.orders.total: "numeric(20,4)" }`;
  const config = parse(`${GOOD}schema: { dir: sql, indexes: after, types: ${types} }\n`);
  expect(config.schema).toEqual({
    dir: resolve('sql'),
    indexes: 'after',
    types: [
      { column: 'postgres:*.*.flags', type: 'jsonb', place: 'shop.yaml:11:46' },
      { column: 'shop.orders.total', type: 'numeric(20,4)', place: 'shop.yaml:11:75' },
    ],
  });
});

test.each([
  [
    '"pg:shop.orders.total": int',
    'schema.types.pg:shop.orders.total: begins with pg:, which is no engine; write mysql:',
  ],
  ['"mariadb:shop.orders.total": int', 'write mysql: (for MariaDB, too), postgres:, or nothing for both'],
  ['orders.total: int', 'schema.types.orders.total: is not of the form schema.table.column'],
  ['"!shop.orders.total": int', 'is not of the form schema.table.column'],
  ['"shop.orders.*": int', 'has a wildcard in its column'],
  ['shop.orders.total: 7', 'must be a type in quotes, such as numeric(20,4), not a number'],
])('a type %s is refused', (types, expected) => {
  const lines = problems(`${GOOD}schema: { types: { ${types} } }\n`);
  expect(lines).toEqual([expect.stringMatching(/^shop\.yaml:11:\d+: /)]);
  expect(lines[0]).toContain(expected);
});
