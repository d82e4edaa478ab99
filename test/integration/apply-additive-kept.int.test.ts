/** What additive changes must keep, or refuse to guess, at real targets. */
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { AdditiveStep } from '../../src/model/schema-change.ts';
import { contractDatabase, openedTarget } from '../contract/target-fixture.ts';
import { altered, AppliersProcess, column, MemoryTopic, reached, routeTo } from './apply-tables-fixture.ts';

const ENGINES = ['mysql', 'mariadb', 'postgres'] as const;

test('a column of PostgreSQL that widens compares as it did before', async (context) => {
  const database = await contractDatabase(context, 'postgres');
  await database.exec(
    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
  );
  await database.exec(
    'CREATE TABLE item (id bigint PRIMARY KEY, name varchar(20) COLLATE loose UNIQUE, code varchar(20) COLLATE "C", qty int)',
  );
  await database.exec("INSERT INTO item VALUES (1, 'Anna', 'c', 1)");
  const target = await openedTarget(database.url);
  const topic = new MemoryTopic(1);
  const widened = ['name', 'code'].map((name): AdditiveStep => ({
    kind: 'widen column',
    column: column(name, 'varchar(60)'),
  }));
  topic.change(altered(...widened), 20);
  new AppliersProcess(topic, [target], [routeTo('shard-1')]).start(0);
  await reached(target, 0, 1);
  const found = await database.rows(
    `SELECT column_name, character_maximum_length::text, collation_name FROM information_schema.columns
     WHERE table_schema = current_schema() AND table_name = 'item' AND data_type = 'character varying' ORDER BY 1`,
  );
  expect(found).toEqual([
    ['code', '60', 'C'],
    ['name', '60', 'loose'],
  ]);
  await expect(database.exec("INSERT INTO item VALUES (2, 'ANNA', 'c', 1)")).rejects.toThrow('unique');
});

describe.each(ENGINES)('%s', (engine) => {
  test('a column that was there without the default stops the partition: nobody knows what its rows hold', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(
      'CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name varchar(20), qty int NOT NULL, state varchar(8))',
    );
    await database.exec("INSERT INTO item VALUES (1, 'a', 1, NULL)");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    const state = column('state', 'varchar(8)', { nullable: false, default: 'open' });
    topic.change(altered({ kind: 'add column', column: state }), 20);
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    const worker = applier.start(0);
    await waitUntil(() => worker.error(), { what: 'the partition to stop' });
    expect(worker.error()).toMatchObject({
      code: 'ROWFERRY_TARGET_SCHEMA',
      where: { target: 'shard-1', table: 'item', column: 'state', partition: 0 },
    });
    await database.exec("UPDATE item SET state = 'open'");
    await database.exec("ALTER TABLE item ALTER COLUMN state SET DEFAULT 'open'");
    applier.start(0);
    await reached(target, 0, 1);
  });

  test.for([
    ['varchar(8)', 'open', "'shut'", "'open'"],
    ['int', '5', '0', '5'],
    ['decimal(6,2)', '1.50', '1.05', '1.5'],
    ['date', '2020-02-03', "'2020-02-04'", "'2020-02-03'"],
    ['int', null, '7', 'NULL'],
  ] as const)(
    'a column %s that was there with another default stops the partition until it has the one of the statement (%s)',
    async ([type, due, wrong, right], context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(
        `CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name varchar(20), qty int, x ${type} DEFAULT ${wrong})`,
      );
      const target = await openedTarget(database.url);
      const topic = new MemoryTopic(1);
      topic.change(altered({ kind: 'add column', column: column('x', type, { default: due }) }), 20);
      const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
      const worker = applier.start(0);
      await waitUntil(() => worker.error(), { what: 'the partition to stop' });
      expect(worker.error()).toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA', where: { column: 'x' } });
      expect(worker.error()?.message).toContain('with the default');
      await database.exec(`ALTER TABLE item ALTER COLUMN x SET DEFAULT ${right}`);
      applier.start(0);
      await reached(target, 0, 1);
    },
  );

  test('a column with the default that rowferry itself gave it is right, whatever its type', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (id bigint NOT NULL PRIMARY KEY)');
    const defaults: readonly (readonly [type: string, value: string])[] = [
      ['tinyint', '-1'],
      ['bigint unsigned', '18446744073709551615'],
      ['int', '+007'],
      ['decimal(10,3)', '1.5'],
      ['decimal(10,0)', '0012'],
      ['float', '1.5'],
      ['double', '1e10'],
      ['year', '2024'],
      ['bit(9)', '101'],
      ['char(5)', 'a'],
      ['varchar(30)', `it's \\ "x" ::text (1)`],
      ['varchar(30)', '5'],
      ['varchar(30)', ''],
      ['varbinary(9)', '0x00275cff'],
      ['date', '2020-02-03'],
      ['time(3)', '01:02:03.5'],
      ['datetime(3)', '2020-02-03 04:05:06.700'],
      ['datetime', '2020-02-03 00:00:00'],
      ['timestamp', '2020-02-03 04:05:06'],
      ["enum('a','B')", 'B'],
      ["set('a','b')", 'a,b'],
    ];
    const steps = defaults.flatMap(([type, value], i): AdditiveStep[] => [
      { kind: 'add column', column: column(`c${i}`, type, { default: value }) },
      { kind: 'add column', column: column(`n${i}`, type, { nullable: false, default: value }) },
      // PostgreSQL has no zero date to say.
      ...(/^(?:date|timestamp)/.test(type)
        ? []
        : [{ kind: 'add column', column: column(`i${i}`, type, { nullable: false }) } as const]),
      { kind: 'add column', column: column(`x${i}`, type) },
    ]);
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.change(altered(...steps), 20);
    const first = new AppliersProcess(topic, [target], [routeTo('shard-1')]).start(0);
    const isDone = async (): Promise<boolean> =>
      first.error() !== undefined || (await target.watermarks()).some(({ next }) => next >= 1);
    await waitUntil(isDone, { what: 'the columns' });
    expect(first.error()).toBeUndefined();
    topic.change(altered(...steps), 30);
    // A process that remembers nothing.
    const worker = new AppliersProcess(topic, [target], [routeTo('shard-1')]).start(0);
    const isOver = async (): Promise<boolean> =>
      worker.error() !== undefined || (await target.watermarks()).some(({ next }) => next >= 2);
    await waitUntil(isOver, { what: 'the repetition' });
    expect(worker.error()).toBeUndefined();
  });

  test('names, defaults and comments are what they were, whatever letters they have', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (id bigint NOT NULL PRIMARY KEY)');
    await database.exec('INSERT INTO item VALUES (1)');
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    const evil = `it's "quoted" \\'; DROP TABLE item; -- $1 $$ %s ? \n\t\\ ünï 😀`;
    const name = `a"b\`c'd\\e; -- ü $1`;
    const steps: readonly AdditiveStep[] = [
      { kind: 'add column', column: column(name, 'varchar(200)', { default: evil, comment: evil }) },
      { kind: 'add column', column: column('select', `enum('x''y','ü"')`, { default: `x'y` }) },
      { kind: 'add column', column: column('Order', 'int unsigned', { default: '4294967295' }) },
      { kind: 'add column', column: column('order by', 'bit(9)', { default: '101' }) },
      { kind: 'add column', column: column('bytes', 'varbinary(9)', { default: '0x00275cff' }) },
      { kind: 'add index', index: { name, parts: [{ column: 'Order', prefix: null, descending: true }] } },
      { kind: 'widen column', column: column(name, 'varchar(300)', { default: evil, comment: evil }) },
    ];
    topic.change(altered(...steps), 20);
    new AppliersProcess(topic, [target], [routeTo('shard-1')]).start(0);
    await reached(target, 0, 1);
    const quoted = (text: string): string =>
      engine === 'postgres' ? `"${text.replaceAll('"', '""')}"` : `\`${text.replaceAll('`', '``')}\``;
    expect(await database.rows(`SELECT ${quoted(name)}, ${quoted('select')} FROM item`)).toEqual([
      [evil, `x'y`],
    ]);
  });
});
