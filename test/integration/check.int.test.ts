import { describe, expect, it } from 'vitest';
import { checkCommand } from '../../src/cli/check.ts';
import { Secret } from '../../src/config/secret.ts';
import { ensureTopic } from '../../src/drivers/kafka-admin.ts';
import { PartitionProducer } from '../../src/drivers/kafka-producer.ts';
import { TopicStore } from '../../src/wiring/kafka-parts.ts';
import { sourceTopics } from '../../src/wiring/names.ts';
import type { Finding } from '../../src/wiring/check.ts';
import { checkPipeline } from '../../src/wiring/check.ts';
import { NEVER } from '../contract/target-fixture.ts';
import { testServers } from '../support/servers.ts';
import { kafkaLink } from './kafka-fixture.ts';
import { schemaFixture } from './schema-fixture.ts';

it('tells findings to people and to programs', async (context) => {
  const { config } = await schemaFixture(context, 'mysql', 'mysql', ['CREATE TABLE a (id int PRIMARY KEY)']);
  const { file } = config();
  const errors: string[] = [];
  const run = async (...args: string[]): Promise<string[]> => {
    const lines: string[] = [];
    const output = {
      out: (line: string) => void lines.push(line),
      err: (line: string) => void errors.push(line),
    };
    const terminal = { columns: 80, unicode: false };
    const command = checkCommand({ output, env: {}, signal: NEVER, terminal });
    await command.parseAsync(['--config', file, ...args], { from: 'user' });
    return lines;
  };
  // Nobody listens where its Kafka should be, and the target has no tables.
  const [lines, json] = await Promise.all([run(), run('--json')]);
  expect(process.exitCode).toBe(2);
  expect(errors[0]).toMatch(/^2 problems, \d warnings?$/);
  process.exitCode = undefined;
  // Place and mend follow each finding on lines of their own.
  expect(lines.filter((line) => line.startsWith('          mend: '))).not.toEqual([]);
  expect(lines.flatMap((line) => /^\S+ +\w+/.exec(line)?.[0] ?? [])).toEqual([
    'warning source',
    'warning source',
    'ok      source',
    'ok      routes',
    'FAILED  kafka',
    'FAILED  target',
  ]);
  expect(json.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { state: 'warning', about: 'source main', what: expect.stringContaining('sync_binlog is 0') },
    { state: 'warning', about: 'source main', what: expect.stringContaining('crashes') },
    { state: 'ok', about: 'source main' },
    { state: 'ok', about: 'routes' },
    { state: 'failed', about: 'kafka', code: 'ROWFERRY_KAFKA_LINK' },
    {
      state: 'failed',
      about: 'target east',
      code: 'ROWFERRY_CONFIG_INVALID',
      what: expect.stringContaining('schema plan'),
    },
  ]);
});

it('names a route whose table no source has, and a captured table that no route takes', async (context) => {
  const tables = ['CREATE TABLE orders (id int PRIMARY KEY)', 'CREATE TABLE users (id int PRIMARY KEY)'];
  const { config, source } = await schemaFixture(context, 'mysql', 'mysql', tables);
  const { file } = config([
    { from: `${source.name}.order`, target: 'east' },
    { from: `${source.name}.users`, target: 'east' },
  ]);
  const findings: { readonly about: string; readonly what: string }[] = [];
  const output = {
    out: (line: string) => void findings.push(JSON.parse(line) as never),
    err: () => undefined,
  };
  const terminal = { columns: 80, unicode: false };
  const command = checkCommand({ output, env: {}, signal: NEVER, terminal });
  await command.parseAsync(['--config', file, '--json'], { from: 'user' });
  process.exitCode = undefined;
  const routes = findings.find(({ about }) => about === 'routes')?.what;
  expect(routes).toContain(`no source has ${source.name}.order; did you mean ${source.name}.orders?`);
  expect(routes).toContain(`${source.name}.orders is captured, and no route takes it`);
  // What is misspelt is no table to be made.
  expect(findings.find(({ about }) => about === 'target east')?.what).not.toContain('order ');
});

it('takes captured tables without a route for nobody’s where nothing is applied', async (context) => {
  const { config } = await schemaFixture(context, 'mysql', 'mysql', ['CREATE TABLE a (id int PRIMARY KEY)']);
  const routes = async (part: object): Promise<string | undefined> => {
    const findings: Finding[] = [];
    const kafka = { ...config().kafka, brokers: testServers().brokers };
    await checkPipeline({ ...config(), kafka, ...part }, (finding) => void findings.push(finding), NEVER);
    const found = findings.find(({ about }) => about === 'routes');
    return `${found?.state}: ${found?.what}`;
  };
  const none = { routes: [] };
  expect(await routes(none)).toBe('ok: nothing is applied: others than rowferry consume the topics');
  expect(await routes({ routes: [], targets: [] })).toMatch(/^ok: nothing is applied/);
  const [route] = config().routes;
  const other = { ...route!, from: 'elsewhere.*' };
  expect(await routes({ routes: [other] })).toMatch(/^failed: .* is captured, and no route takes it/);
});

it('counts the brokers that copies of topics need, until the topics are there', async (context) => {
  const { config } = await schemaFixture(context, 'mysql', 'mysql', ['CREATE TABLE a (id int PRIMARY KEY)']);
  const { brokers } = testServers();
  const topicPrefix = `copies_${Date.now().toString(36)}_${process.pid}`;
  const kafka = async (replicationFactor: number): Promise<Finding | undefined> => {
    const findings: Finding[] = [];
    const settings = { ...config().kafka, brokers, topicPrefix, replicationFactor };
    await checkPipeline({ ...config(), kafka: settings }, (finding) => void findings.push(finding), NEVER);
    return findings.find(({ about }) => about === 'kafka');
  };
  expect(await kafka(1)).toMatchObject({ state: 'ok' });
  expect(await kafka(32)).toMatchObject({
    state: 'failed',
    code: 'ROWFERRY_KAFKA_REFUSED',
    what: expect.stringMatching(/is 32, and Kafka has \d+ brokers?: no topic can be made -> /),
  });
  await ensureTopic(
    kafkaLink(),
    { name: `${topicPrefix}.layout`, partitions: 1, replicationFactor: 1, config: {} },
    NEVER,
  );
  expect(await kafka(32)).toMatchObject({ state: 'ok' });
});

it('tells of a Kafka that answers, and of each topic that cannot be read', async (context) => {
  const { config } = await schemaFixture(context, 'mysql', 'mysql', ['CREATE TABLE a (id int PRIMARY KEY)']);
  const topicPrefix = `unread_${Date.now().toString(36)}_${process.pid}`;
  const settings = { ...config().kafka, brokers: testServers().brokers, topicPrefix };
  const [main] = config().sources;
  const sources = [main!, { ...main!, name: 'other' }];
  const changed = { ...config(), sources, kafka: { ...settings, replicationFactor: 1 } };
  const link = kafkaLink();
  const options = { maxMessageBytes: 100_000, compression: 'none', signal: NEVER } as const;
  const producer = new PartitionProducer(link, options);
  context.onTestFinished(async () => await producer.close());
  const look = async (): Promise<Finding[]> => {
    const findings: Finding[] = [];
    await checkPipeline(changed, (finding) => void findings.push(finding), NEVER);
    return findings.filter(({ about }) => about === 'kafka');
  };
  // Of a pipeline that is still to be started no topic is there.
  expect(await look()).toMatchObject([{ state: 'ok' }]);
  const topics = sources.map(({ name }) => sourceTopics(changed, name).checkpoints);
  for (const name of topics) {
    await ensureTopic(link, { name, partitions: 1, replicationFactor: 1, config: {} }, NEVER);
    await new TopicStore(link, producer, name).append('key', 'of somebody else');
  }
  expect(await look()).toMatchObject([
    { state: 'ok' },
    ...topics.map((topic) => ({
      state: 'failed',
      code: 'ROWFERRY_WIRE_CORRUPT',
      what: expect.stringContaining(topic) as string,
    })),
  ]);
});

describe.each(['mysql', 'postgres'] as const)('at %s', (engine) => {
  it('names what the account lacks to follow statements and to make tables', async (context) => {
    const { config, target } = await schemaFixture(context, 'mysql', engine, [
      'CREATE TABLE a (id int PRIMARY KEY)',
      'CREATE TABLE b (id int PRIMARY KEY)',
    ]);
    await target.exec('CREATE TABLE a (id int PRIMARY KEY)');
    const user = `c_${Date.now().toString(36)}_${process.pid}`;
    const url = new URL(target.url);
    const database = url.pathname.slice(1);
    const grants =
      engine === 'postgres'
        ? [
            `CREATE ROLE ${user} LOGIN PASSWORD 'pw'`,
            `GRANT CREATE, USAGE ON SCHEMA public TO ${user}`,
            `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
          ]
        : [
            `CREATE USER ${user} IDENTIFIED BY 'pw'`,
            `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON ${database}.* TO ${user}`,
          ];
    for (const sql of grants) await target.exec(sql);
    context.onTestFinished(async () => {
      if (engine === 'postgres') await target.exec(`DROP OWNED BY ${user}`);
      await target.exec(engine === 'postgres' ? `DROP ROLE ${user}` : `DROP USER ${user}`);
    });
    Object.assign(url, { username: user, password: 'pw' });
    const base = config();
    const [source] = base.sources;
    const look = async (part: object): Promise<string[]> => {
      const findings: Finding[] = [];
      const written = { ...base.targets[0]!.url, user, password: new Secret('pw') };
      const changed = {
        ...base,
        kafka: { ...base.kafka, brokers: testServers().brokers },
        sources: [{ ...source!, ...part }],
        targets: [{ ...base.targets[0]!, url: written }],
      };
      await checkPipeline(changed, (finding) => void findings.push(finding), NEVER);
      return findings.flatMap(({ about, state, what }) =>
        about === 'target east' && state === 'warning' ? [what] : [],
      );
    };
    // With `ddl: stop` nothing of the target's tables is ever changed.
    expect(await look({ ddl: 'stop', truncate: 'stop' })).toEqual([]);
    const lacks = await look({ ddl: 'apply', truncate: 'apply' });
    expect(lacks).toHaveLength(2);
    if (engine === 'mysql') {
      expect(lacks[0]).toMatch(/lacks ALTER, INDEX: .*ddl: apply.* -> GRANT ALTER, INDEX ON `/);
      expect(lacks[1]).toMatch(/lacks DROP: .*truncate: apply/);
    } else {
      expect(lacks[0]).toMatch(/does not own a: .*ddl: apply.* OWNER TO/);
      expect(lacks[1]).toMatch(/lacks TRUNCATE on a: .*truncate: apply/);
    }
    const mends = lacks.map((line) =>
      line
        .replace(/^.* -> /, '')
        .replace('TABLE …', 'TABLE a')
        .replace(/;.*$/, ''),
    );
    for (const sql of mends) await target.exec(sql);
    expect(await look({ ddl: 'apply', truncate: 'apply' })).toEqual([]);
    // The table b is still to be made.
    const revoke =
      engine === 'mysql'
        ? `REVOKE CREATE ON ${database}.* FROM ${user}`
        : `REVOKE CREATE ON SCHEMA public FROM ${user}`;
    await target.exec(revoke);
    expect((await look({ ddl: 'stop' })).join()).toMatch(/lacks CREATE.*schema apply/);
  });
});

describe.each(['mysql', 'postgres'] as const)('at %s', (engine) => {
  it('tells all that the account lacks in one run, also where not even its own tables can be made', async (context) => {
    const { config, target } = await schemaFixture(context, 'mysql', engine, [
      'CREATE TABLE a (id int PRIMARY KEY)',
    ]);
    await target.exec('CREATE TABLE a (id int PRIMARY KEY)');
    const user = `l_${Date.now().toString(36)}_${process.pid}`;
    const url = new URL(target.url);
    const database = url.pathname.slice(1);
    const grants =
      engine === 'postgres'
        ? [
            `CREATE ROLE ${user} LOGIN PASSWORD 'pw'`,
            `REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
            `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user}`,
          ]
        : [`CREATE USER ${user} IDENTIFIED BY 'pw'`, `GRANT SELECT ON ${database}.* TO ${user}`];
    for (const sql of grants) await target.exec(sql);
    context.onTestFinished(async () => {
      if (engine === 'postgres') await target.exec(`DROP OWNED BY ${user}`);
      await target.exec(engine === 'postgres' ? `DROP ROLE ${user}` : `DROP USER ${user}`);
    });
    const base = config();
    const look = async (): Promise<Finding[]> => {
      const findings: Finding[] = [];
      const written = { ...base.targets[0]!.url, user, password: new Secret('pw') };
      const changed = {
        ...base,
        kafka: { ...base.kafka, brokers: testServers().brokers },
        sources: [{ ...base.sources[0]!, ddl: 'stop' as const, truncate: 'apply' as const }],
        targets: [{ ...base.targets[0]!, url: written }],
      };
      await checkPipeline(changed, (finding) => void findings.push(finding), NEVER);
      return findings.filter(({ about }) => about === 'target east');
    };
    const [first, ...lacks] = await look();
    expect(first).toMatchObject({ state: 'failed', code: 'ROWFERRY_TARGET_ACCESS' });
    expect(lacks.map(({ state }) => state)).toEqual(['warning', 'warning', 'warning']);
    const told = lacks.map(({ what }) => what).join('\n');
    expect(told).toMatch(/lacks CREATE\b.*own tables cannot be made/);
    expect(told).toMatch(/lacks INSERT, UPDATE, DELETE\b.*rows cannot be written/);
    expect(told).toMatch(engine === 'mysql' ? /lacks DROP: / : /lacks TRUNCATE on a: /);
    // What each says mends it all.
    for (const { what } of lacks) await target.exec(what.replace(/^.* -> /, '').replace(/;.*$/, ''));
    expect(await look()).toMatchObject([{ state: 'ok' }]);
  });
});

it('tells the warnings of a source beside its errors', async (context) => {
  const { config, source } = await schemaFixture(context, 'mysql', 'mysql', [
    'CREATE TABLE a (id int PRIMARY KEY)',
  ]);
  const user = `s_${Date.now().toString(36)}_${process.pid}`;
  await source.pool.query(`CREATE USER ${user} IDENTIFIED BY 'pw'`);
  await source.pool.query(`GRANT SELECT ON ${source.name}.* TO ${user}`);
  context.onTestFinished(async () => void (await source.pool.query(`DROP USER ${user}`)));
  const base = config();
  const [main] = base.sources;
  const url = { ...main!.url, user, password: new Secret('pw') };
  const findings: Finding[] = [];
  const sources = [{ ...main!, url, startFrom: { kind: 'snapshot' as const } }];
  await checkPipeline({ ...base, sources }, (finding) => void findings.push(finding), NEVER);
  const told = findings.filter(({ about }) => about === 'source main');
  expect(told.at(-1)).toMatchObject({
    state: 'failed',
    what: expect.stringMatching(/may not read the binlog[^]*may not ask for the binlog/),
  });
  const warned = told.filter(({ state }) => state === 'warning').map(({ what }) => what);
  expect(warned.join('\n')).toContain('lacks CREATE, SELECT, INSERT, UPDATE on rowferry.mark');
});
