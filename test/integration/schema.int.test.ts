import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mapTable } from '../../src/routing/columns.ts';
import { schemaCommand } from '../../src/cli/schema.ts';
import { applySchema, diffSchema, planSchema } from '../../src/wiring/schema.ts';
import { runVerb } from '../support/run-verb.ts';
import type { SchemaOptions } from '../../src/wiring/schema.ts';
import { sourceTables } from '../../src/wiring/source-facts.ts';
import { batch, NEVER, openedTarget, P0, tableBatch, writerOf } from '../contract/target-fixture.ts';
import { EVERY_TYPE, ODD_TABLE, schemaFixture } from './schema-fixture.ts';

const PLAIN = { accept: false, dryRun: false };
const REALLY = { dryRun: false };
const quiet = (): void => undefined;

type Fixture = Awaited<ReturnType<typeof schemaFixture>>;

async function planAndApply({ config, options }: Fixture, routes?: readonly object[]): Promise<void> {
  await planSchema(config(routes), options, PLAIN);
  await applySchema(config(routes), options, REALLY, quiet, NEVER);
}

function textOf({ dir }: SchemaOptions, file = 'V001__shop.sql'): string {
  return readFileSync(join(dir, 'east', file), 'utf8');
}

describe.each([
  ['mysql', 'mysql'],
  ['mysql', 'mariadb'],
  ['mysql', 'postgres'],
  ['mariadb', 'mariadb'],
  ['mariadb', 'mysql'],
  ['mariadb', 'postgres'],
] as const)('the schema of a %s source at a %s target', (from, to) => {
  it('has every type planned and applied so that nothing differs and every value can be written', async (context) => {
    const fixture = await schemaFixture(context, from, to, [EVERY_TYPE]);
    const { config, options, source, target } = fixture;
    const [planned] = await planSchema(config(), options, PLAIN);
    expect(planned!.files).toEqual(['V001__shop.sql']);
    expect(await applySchema(config(), options, REALLY, quiet, NEVER)).toBe(1);
    expect(await diffSchema(config(), options)).toEqual([]);
    expect(await applySchema(config(), options, REALLY, quiet, NEVER)).toBe(0);
    expect(await planSchema(config(), options, PLAIN)).toMatchObject([{ files: [], byHand: [] }]);
    expect(readdirSync(join(options.dir, 'east')).toSorted()).toEqual(['V001__shop.sql', 'planned.json']);

    const [table] = await sourceTables(config().sources[0]!);
    const names = { source: 'main', schema: source.name, table: 'every_type', groups: [] };
    const ferried = mapTable(table!, { drop: ['g'] }, names).table;
    const writer = await writerOf(await openedTarget(target.url), ferried, 'every_type');
    expect(writer.columns).toHaveLength(ferried.columns.length);
  });

  it('takes the defaults that it has at the source', async (context) => {
    const fixture = await schemaFixture(context, from, to, [EVERY_TYPE]);
    await planAndApply(fixture);
    const { source, target } = fixture;
    const columns = 't, tu, t1, i, bu, d, df, c, v, CAST(da AS char(10)), CAST(ti AS char(8)), y, e, id';
    await source.pool.query('INSERT INTO every_type (i, v) VALUES (0, DEFAULT(v))');
    await target.exec(
      `INSERT INTO every_type (i, vl${to === 'postgres' ? ', bd' : ''}) VALUES (0, 'x'${to === 'postgres' ? ", ''" : ''})`,
    );
    const [rows] = await source.pool.query({ sql: `SELECT ${columns} FROM every_type`, rowsAsArray: true });
    const expected = (rows as unknown[][])[0]!.map(String);
    const [found] = await target.rows(`SELECT ${columns} FROM every_type`);
    expect(found!.map((text) => text?.trimEnd())).toEqual(expected);
    if (to !== 'postgres')
      expect(await target.rows('SELECT HEX(bd), HEX(vd) FROM every_type')).toEqual([
        ['61620000', '61275C62'],
      ]);
    const sets = await target.rows(
      `SELECT CAST(st AS char(20)) FROM every_type WHERE dt IS NOT NULL AND ts IS NOT NULL`,
    );
    expect(sets.map(([text]) => text?.trimEnd())).toEqual([to === 'postgres' ? '{x,w}' : 'x,w']);
  });

  it('follows the mapping of columns, and keeps the origin of rows that meet', async (context) => {
    const shard = (n: number): string =>
      `CREATE TABLE orders_${n} (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(60) NOT NULL, phone varchar(30),
        note text, code int, amount decimal(10,2) NOT NULL, UNIQUE KEY email_key (email), KEY phone_key (phone))`;
    const fixture = await schemaFixture(context, from, to, [shard(1), shard(2)]);
    const { config, options, source } = fixture;
    const routes = [
      {
        from: `${source.name}.orders_*`,
        to: 'orders',
        target: 'east',
        columns: {
          drop: ['note'],
          rename: { amount: 'total' },
          hash: ['email'],
          hashKey: 'a key that is long enough for everybody',
          mask: { phone: 4 },
          prefix: { code: 'c-{1}-' },
          add: { region: 'north', shard: 7 },
          key: ['origin', 'id'],
          origin: 'origin',
        },
      },
    ];
    await planAndApply(fixture, routes);
    expect(await diffSchema(config(routes), options)).toEqual([]);
    const text = textOf(options);
    expect(text).toMatch(/"?`?email`?"? (?:char|character)\(64\)/);
    expect(text).toContain('starts with origin');
    expect(text).toContain('AUTO_INCREMENT is left out');
    const spec = config(routes).routes[0]!.columns!;
    const target = await openedTarget(fixture.target.url);
    for (const table of await sourceTables(config().sources[0]!)) {
      const names = {
        source: 'main',
        schema: table.schema,
        table: table.name,
        groups: [table.name.slice(7)],
      };
      const mapped = mapTable(table, { ...spec, hashKey: 'k' }, names).table;
      expect((await writerOf(target, mapped, 'orders')).origin?.value).toContain(table.name);
    }
  });

  it('adds what has come since in a next file, and leaves the rest to a person', async (context) => {
    const fixture = await schemaFixture(context, from, to, [
      'CREATE TABLE a (id int NOT NULL PRIMARY KEY, v varchar(20), gone int)',
    ]);
    const { config, options, source, target } = fixture;
    await planAndApply(fixture);
    await target.exec("INSERT INTO a (id, v) VALUES (1, 'x')");
    await source.pool.query(
      'ALTER TABLE a ADD COLUMN n int NOT NULL, ADD COLUMN w varchar(5), ADD KEY w_key (w), MODIFY v varchar(40), DROP COLUMN gone',
    );
    await source.pool.query('CREATE TABLE b (id int NOT NULL PRIMARY KEY)');
    expect((await diffSchema(config(), options)).map(({ difference }) => difference.kind).toSorted()).toEqual([
      'missing-column', 'missing-column', 'missing-index', 'missing-table', 'narrow', 'unwritten-column',
    ]); // prettier-ignore
    const [planned] = await planSchema(config(), options, PLAIN);
    expect(planned!.files).toEqual(['V002__shop.sql', 'V003__shop_indexes.sql']);
    expect(planned!.byHand).toEqual([
      expect.stringMatching(/^a\.v: type .*20.* becomes .*40/),
      'a.gone: is not wanted any more',
    ]);
    expect(await applySchema(config(), options, REALLY, quiet, NEVER)).toBe(2);
    expect(await target.rows('SELECT id, v, n, w FROM a')).toEqual([['1', 'x', '0', null]]);
    expect((await diffSchema(config(), options)).map(({ difference }) => difference.kind)).toEqual([
      'narrow',
      'unwritten-column',
    ]);
    const again = await planSchema(config(), options, PLAIN);
    expect(again).toMatchObject([
      { files: [], byHand: [expect.stringContaining('a.v'), expect.stringContaining('gone')] },
    ]);
    expect(await planSchema(config(), options, { ...PLAIN, accept: true })).toMatchObject([
      { files: [], byHand: [] },
    ]);
  });
});

it('keeps what is MySQL alone from one MySQL to another, and says what PostgreSQL does not get', async (context) => {
  const fixture = await schemaFixture(context, 'mysql', 'mysql', [ODD_TABLE]);
  await fixture.source.pool.query('CREATE VIEW seen AS SELECT id FROM odd');
  await fixture.source.pool.query(
    'CREATE TABLE child (id int PRIMARY KEY, odd int, FOREIGN KEY fk (odd) REFERENCES odd (id))',
  );
  await planAndApply(fixture);
  expect(await diffSchema(fixture.config(), fixture.options)).toEqual([]);
  const shown = async (rows: Promise<unknown>): Promise<string> => JSON.stringify(await rows);
  const there = await shown(
    fixture.source.pool.query({ sql: 'SHOW CREATE TABLE odd', rowsAsArray: true }).then(([rows]) => rows),
  );
  const here = await shown(fixture.target.rows('SHOW CREATE TABLE odd'));
  const spelled = (text: string): string =>
    text
      .replaceAll('named', 'odd_chk_1')
      .replace(/ENGINE.*/, '')
      .replaceAll(/ CHARACTER SET \w+ COLLATE \w+/g, '');
  expect(spelled(here)).toBe(spelled(there));

  const other = await schemaFixture(context, 'mysql', 'postgres', [ODD_TABLE]);
  const [planned] = await planSchema(other.config(), other.options, PLAIN);
  await applySchema(other.config(), other.options, REALLY, quiet, NEVER);
  const notes = planned!.notes.map(({ what }) => what).join('\n');
  for (const word of ['no twin here', 'was generated', 'invisible', 'index lowered', 'check named'])
    expect(notes).toContain(word);
  await other.target.exec("INSERT INTO odd (id, name) VALUES (1, 'x')");
  expect(await other.target.rows('SELECT length(made), day = CURRENT_DATE FROM odd')).toEqual([
    ['36', 'true'],
  ]);
  const file = textOf(fixture.options);
  expect(file).toMatch(/seen: is a view: not converted/);
  expect(file).toMatch(
    /child: foreign key \w+ \(FOREIGN KEY \(`odd`\) REFERENCES `odd` \(`id`\)\) is left out/,
  );
});

it('puts indexes into a file of their own, which locks nobody out', async (context) => {
  for (const engine of ['mysql', 'mariadb', 'postgres'] as const) {
    const fixture = await schemaFixture(context, 'mysql', engine, [
      'CREATE TABLE a (id int NOT NULL AUTO_INCREMENT, tenant int NOT NULL, v int, w int, PRIMARY KEY (tenant, id), UNIQUE KEY u (w), KEY i (id), KEY k (v), KEY k2 (w, v))',
    ]);
    const options = { ...fixture.options, indexes: 'after' } as const;
    const [planned] = await planSchema(fixture.config(), options, PLAIN);
    expect(planned!.files).toEqual(['V001__shop.sql', 'V002__shop_indexes.sql']);
    expect(textOf(options)).toContain(engine === 'postgres' ? 'UNIQUE ("w")' : 'KEY `i`');
    expect(textOf(options)).not.toMatch(/[`_]k2?[`"]/);
    expect(textOf(options, 'V002__shop_indexes.sql')).toContain(
      engine === 'postgres' ? 'CONCURRENTLY' : 'LOCK=NONE',
    );
    const said: string[] = [];
    const tablesOnly = { dryRun: false, beforeCopy: true };
    const say = (line: string): void => void said.push(line);
    expect(await applySchema(fixture.config(), options, tablesOnly, say, NEVER)).toBe(1);
    expect(await applySchema(fixture.config(), options, tablesOnly, say, NEVER)).toBe(0);
    expect(said.at(-1)).toBe('east: V002__shop_indexes.sql waits for the copy');
    expect((await diffSchema(fixture.config(), options)).map(({ difference }) => difference.kind)).toEqual(
      engine === 'postgres'
        ? ['missing-index', 'missing-index', 'missing-index']
        : ['missing-index', 'missing-index'],
    );
    expect(await applySchema(fixture.config(), options, REALLY, quiet, NEVER)).toBe(1);
    expect(await diffSchema(fixture.config(), options)).toEqual([]);
  }
});

it('keeps letters equal in a unique key at PostgreSQL as the source does, and tells keys apart by bytes', async (context) => {
  const fixture = await schemaFixture(context, 'mysql', 'postgres', [
    'CREATE TABLE users (name varchar(20) NOT NULL PRIMARY KEY, email varchar(50), UNIQUE KEY email_key (email))',
  ]);
  await planAndApply(fixture);
  const target = await openedTarget(fixture.target.url);
  const source = {
    schema: 'shop',
    name: 'users',
    columns: [
      { name: 'name', type: 'varchar', compares: 'loose' },
      { name: 'email', type: 'varchar', compares: 'loose' },
    ],
    key: [0],
  } as const;
  const writer = await writerOf(target, source, 'users');
  await target.claim(P0, 1);
  const write = async (next: number, upserts: string[][], deletes: string[][] = []) =>
    await target.write(batch(next, next + 1, [tableBatch(writer, { upserts, deletes })]), NEVER);
  expect(
    await write(0, [
      ['ann', 'Ann@x'],
      ['ANN', 'other'],
    ]),
  ).toMatchObject({ parked: [] });
  expect(await write(1, [['bob', 'änn@X']])).toMatchObject({
    parked: [{ key: ['bob'], reason: 'conflict' }],
  });
  expect(await write(2, [['eve', 'ann@x ']])).toMatchObject({ parked: [] });
  // The key differs by case alone: the other row stays.
  expect(await write(3, [], [['ann']])).toMatchObject({ kind: 'done' });
  expect(await fixture.target.rows('SELECT name FROM users ORDER BY name COLLATE "C"')).toEqual([
    ['ANN'],
    ['eve'],
  ]);
  const [waiting] = await target.parked();
  expect(await target.retryParked(waiting!, null, NEVER)).toBe('healed');
});

it('says what differs', async (context) => {
  const table = `CREATE TABLE a (id int NOT NULL PRIMARY KEY, v varchar(20), n bigint unsigned, e enum('a','b'), m datetime(3),
    u varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, j json, UNIQUE KEY u_key (u), KEY v_key (v))`;
  const wrong = {
    mysql: `CREATE TABLE a (id int NOT NULL PRIMARY KEY, v varchar(10) NOT NULL, n bigint, e enum('a'), m datetime, extra int NOT NULL, spare int, kept int NOT NULL DEFAULT 1, made int AS (id + 1) STORED,
      u varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, j date, UNIQUE KEY n_key (n))`,
    postgres: `CREATE TABLE a (id int NOT NULL PRIMARY KEY, v varchar(10) NOT NULL, n bigint, e text CHECK (e IN ('a')),
      m timestamp(0), extra int NOT NULL, spare int, kept int NOT NULL DEFAULT 1, made int GENERATED ALWAYS AS (id + 1) STORED, u varchar(10), j date, UNIQUE (n))`,
  };
  for (const engine of ['mysql', 'postgres'] as const) {
    const { config, options, target } = await schemaFixture(context, 'mysql', engine, [table]);
    await target.exec(wrong[engine]);
    const found = (await diffSchema(config(), options)).map(
      ({ difference: { column, kind } }) => `${column} ${kind}`,
    );
    expect(found.toSorted()).toEqual([
      'e narrow', 'extra extra-column', 'j type', 'kept unwritten-column', 'm narrow', 'n narrow', 'null extra-unique', 'null missing-index',
      'null missing-unique', 'spare unwritten-column', 'u collation', 'u null', 'v narrow', 'v null',
    ]); // prettier-ignore
  }
});

it('only notes a column that no source brings and rows can do without', async (context) => {
  const { config, target } = await schemaFixture(context, 'mysql', 'mysql', [
    'CREATE TABLE a (id int NOT NULL PRIMARY KEY)',
  ]);
  await target.exec('CREATE TABLE a (id int NOT NULL PRIMARY KEY, old_name varchar(9) NULL)');
  const { file } = config();
  const diff = async (...args: string[]) => await runVerb(schemaCommand, ['diff', '--config', file, ...args]);
  expect(await diff()).toEqual({
    lines: [
      'note: east  a  old_name is brought by no source: new rows get NULL there',
      'the targets are as the sources ask for',
    ],
    exitCode: 0,
  });
  expect(JSON.parse((await diff('--json')).lines[0] ?? '')).toMatchObject({
    level: 'note',
    column: 'old_name',
  });
  await target.exec('ALTER TABLE a MODIFY old_name varchar(9) NOT NULL');
  expect(await diff()).toMatchObject({
    lines: [expect.stringContaining('old_name is NOT NULL without a default')],
    exitCode: 4,
  });
});

it('takes types by wish, but none that cannot hold the values', async (context) => {
  const fixture = await schemaFixture(context, 'mysql', 'postgres', [
    'CREATE TABLE a (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, flag tinyint(1) NOT NULL DEFAULT 1, j json, mail varchar(9), at time, UNIQUE KEY m (mail))',
  ]);
  const { config, options, source } = fixture;
  const column = `postgres:${source.name}.*`;
  const types = {
    [`${column}.id`]: 'bigserial', [`${column}.flag`]: 'bool', [`${column}.j`]: 'json', [`${column}.mail`]: 'citext',
    [`${column}.at`]: 'time(3)', [`mysql:${source.name}.a.id`]: 'date',
  }; // prettier-ignore
  await planSchema(config(), { ...options, types }, PLAIN);
  await applySchema(config(), options, REALLY, quiet, NEVER);
  expect(await diffSchema(config(), { types })).toEqual([]);
  await fixture.target.exec("INSERT INTO a (mail) VALUES ('X')");
  expect(await fixture.target.rows('SELECT id, flag FROM a')).toEqual([['1', 'true']]);
  for (const wrong of [
    { [`${source.name}.a.id`]: 'date' },
    { [`${source.name}.a.nothing`]: 'int' },
    { id: 'int' },
  ]) {
    await expect(planSchema(config(), { ...options, types: wrong }, PLAIN)).rejects.toMatchObject({
      code: 'ROWFERRY_CONFIG_INVALID',
    });
  }
});

it('remembers the types of the configuration, below those of the command line', async (context) => {
  const { config, options, source } = await schemaFixture(context, 'mysql', 'postgres', [
    'CREATE TABLE a (id int NOT NULL PRIMARY KEY, total decimal(10,2), flags json)',
  ]);
  const types = {
    [`${source.name}.a.total`]: 'numeric(20,4)',
    'postgres:*.*.flags': 'text',
    'mysql:*.*.flags': 'longtext',
    '*.*.region': 'char(2)',
    '*.*.not_yet': 'int',
  };
  const routes = [{ from: `${source.name}.a`, target: 'east', columns: { add: { region: 'de' } } }];
  const told: string[] = [];
  const warned = { ...options, warn: (line: string): void => void told.push(line) };
  await planSchema(config(routes, { types }), warned, PLAIN);
  expect(textOf(options)).toMatch(/"total" numeric\(20,4\),\n {2}"flags" text,\n {2}"region" character\(2\)/);
  expect(told).toEqual([
    expect.stringMatching(/yaml:1:\d+: \*\.\*\.not_yet names no column of a captured table$/),
  ]);
  expect(await planSchema(config(routes, { types }), options, PLAIN)).toMatchObject([
    { files: [], byHand: [] },
  ]);
  const more = { ...options, types: { '*.*.total': 'numeric(30,4)' } };
  expect(await planSchema(config(routes, { types }), more, PLAIN)).toMatchObject([
    { byHand: ['a.total: type numeric(20,4) becomes numeric(30,4)'] },
  ]);
});

it('plans nothing past a type for a column that is not there, and compares all the same', async (context) => {
  const { config, options, source } = await schemaFixture(context, 'mysql', 'mysql', [
    'CREATE TABLE orders (id int NOT NULL PRIMARY KEY, total decimal(10,2))',
  ]);
  const misspelt = config(undefined, { types: { [`mysql:${source.name}.orders.totl`]: 'decimal(20,4)' } });
  const message = new RegExp(
    `rowferry\\.yaml:1:\\d+: mysql:${source.name}\\.orders\\.totl names no column of a captured table; did you mean mysql:${source.name}\\.orders\\.total\\?$`,
  );
  await expect(planSchema(misspelt, options, PLAIN)).rejects.toMatchObject({
    code: 'ROWFERRY_CONFIG_INVALID',
    message: expect.stringMatching(message),
  });
  const told: string[] = [];
  const warn = (line: string): void => void told.push(line);
  expect(await diffSchema(misspelt, { types: {}, warn })).toMatchObject([
    { difference: { kind: 'missing-table' } },
  ]);
  expect(told).toEqual([expect.stringMatching(message)]);
});

it('tells of a route whose table no source shows, rather than that there is nothing to do', async (context) => {
  const { config, options, source } = await schemaFixture(context, 'mysql', 'mysql', [
    'CREATE TABLE orders (id int NOT NULL PRIMARY KEY)',
  ]);
  const misspelt = config([{ from: `${source.name}.order`, to: 'orders', target: 'east' }]);
  const told: string[] = [];
  const warn = (line: string): void => void told.push(line);
  expect(await planSchema(misspelt, { ...options, warn }, PLAIN)).toMatchObject([{ files: [] }]);
  expect(await diffSchema(misspelt, { types: {}, warn })).toEqual([]);
  const line = expect.stringMatching(/: no source has \S+\.order; did you mean \S+\.orders\?$/);
  expect(told).toEqual([line, line]);
});

it('has tables of every period since the first, and asks for those of present and coming ones', async (context) => {
  const fixture = await schemaFixture(context, 'mysql', 'postgres', [
    'CREATE TABLE orders (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, placed datetime NOT NULL)',
  ]);
  const { config, options, source, target } = fixture;
  const monthOf = (offset: number): string => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset)).toISOString().slice(0, 7);
  };
  const tables = { by: 'placed', algorithm: 'date', period: 'month', since: monthOf(-2), ahead: 1 };
  const routes = [{ from: `${source.name}.orders`, to: 'orders', target: 'east', tables }];
  await planAndApply(fixture, routes);
  const names = [-2, -1, 0, 1].map((offset) => `orders_${monthOf(offset).replace('-', '_')}`);
  const there = await target.rows(
    "SELECT tablename FROM pg_tables WHERE tablename LIKE 'orders%' ORDER BY 1",
  );
  expect(there.flat()).toEqual(names);
  await target.exec(`DROP TABLE ${names[0]}`);
  expect(await diffSchema(config(routes), options)).toEqual([]);
  await target.exec(`DROP TABLE ${names[3]}`);
  expect(await diffSchema(config(routes), options)).toMatchObject([
    { difference: { table: names[3], kind: 'missing-table' } },
  ]);
});

it('is planned, applied and compared by the command line', async (context) => {
  const { config, options, target, source } = await schemaFixture(context, 'mysql', 'mysql', [
    'CREATE TABLE a (id int PRIMARY KEY, v int, KEY v_key (v))',
  ]);
  const lines: string[] = [];
  const rowferry = async (...args: string[]): Promise<unknown> => {
    lines.length = 0;
    const output = {
      out: (line: string) => void lines.push(line),
      err: (line: string) => void lines.push(line),
    };
    const terminal = { columns: 80, unicode: false };
    const command = schemaCommand({ output, env: {}, signal: NEVER, terminal });
    await command.parseAsync([...args, '--config', config().file], { from: 'user' });
    const code = process.exitCode;
    process.exitCode = undefined;
    return code;
  };
  expect(await rowferry('diff')).toBe(4);
  expect(lines).toEqual(['east  a  is missing']);
  await rowferry('plan', '--dry-run', '--json');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { target: 'east', files: ['V001__shop.sql'], notes: [], byHand: [] },
  ]);
  await rowferry('plan', '--indexes', 'after', '--type', `${source.name}.a.v=bigint`);
  expect(lines.at(-1)).toBe('east: wrote V001__shop.sql, V002__shop_indexes.sql');
  await rowferry('apply', '--dry-run');
  expect(lines.at(-1)).toBe('2 files would be applied');
  await rowferry('apply', '--target', 'east');
  expect(lines.at(-1)).toBe('2 files applied');
  expect(await rowferry('diff', '--json')).toBeUndefined();
  expect(lines).toEqual([]);
  expect(
    await target.rows(
      "SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'a' AND column_name = 'v'",
    ),
  ).toEqual([['bigint']]);
  expect(readdirSync(join(options.dir, 'schema', 'east'))).toHaveLength(3);
});

it('does not plan on top of files that somebody changed, unless told to take them', async (context) => {
  const { config, options, source } = await schemaFixture(context, 'mysql', 'mysql', [
    'CREATE TABLE a (id int PRIMARY KEY)',
  ]);
  await planSchema(config(), options, PLAIN);
  appendFileSync(join(options.dir, 'east', 'V001__shop.sql'), '\n-- looked at\n');
  writeFileSync(join(options.dir, 'east', 'V002__mine.sql'), 'CREATE TABLE mine (id int PRIMARY KEY);\n');
  await source.pool.query('CREATE TABLE b (id int PRIMARY KEY)');
  await expect(planSchema(config(), options, PLAIN)).rejects.toMatchObject({
    code: 'ROWFERRY_SCHEMA_HISTORY',
    message: expect.stringMatching(/V001__shop.sql was changed.*V002__mine.sql was not planned/),
  });
  expect(await planSchema(config(), options, { ...PLAIN, accept: true })).toMatchObject([
    { files: ['V003__shop.sql'] },
  ]);
  expect(textOf(options, 'V003__shop.sql')).not.toContain('CREATE TABLE `a`');
  expect(await applySchema(config(), options, REALLY, quiet, NEVER)).toBe(3);
});
