/** Additive changes that travel with the rows, applied by real workers to real targets. */
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import type { Table } from '../../src/model/table.ts';
import type { AdditiveStep } from '../../src/model/schema-change.ts';
import type { Target } from '../../src/targets/target.ts';
import { contractDatabase, CREATE_ITEM, ITEM, openedTarget } from '../contract/target-fixture.ts';
import { altered, AppliersProcess, column, MemoryTopic, reached, routeTo } from './apply-tables-fixture.ts';

const ENGINES = ['mysql', 'mariadb', 'postgres'] as const;
const WITH_STATE: Table = { ...ITEM, columns: [...ITEM.columns, { name: 'state', type: 'varchar' }] };
const ADD_STATE: AdditiveStep = {
  kind: 'add column',
  column: column('state', 'varchar(8)', { nullable: false, default: "it's" }),
};

/** Counts the ALTERs that were sent. */
function counted(target: Target): { readonly target: Target; readonly alters: string[] } {
  const alters: string[] = [];
  const changeTables: Target['changeTables'] = async (work, signal) =>
    await target.changeTables(async (run) => {
      const counting: typeof run = async (sql) => {
        if (/^(?:ALTER|CREATE)/.test(sql)) alters.push(sql);
        return await run(sql);
      };
      return await work(counting);
    }, signal);
  const proxy = new Proxy(target, {
    get: (real, key) => {
      if (key === 'changeTables') return changeTables;
      const value: unknown = Reflect.get(real, key, real);
      return typeof value === 'function' ? (value.bind(real) as unknown) : value;
    },
  });
  return { target: proxy, alters };
}

describe.each(ENGINES)('%s', (engine) => {
  test('a column comes before its first value, with its default for rows of either side', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    const { target, alters } = counted(await openedTarget(database.url));
    const topic = new MemoryTopic(2);
    topic.rows(0, ITEM, [['1', 'a', 1]], { end: 10 });
    topic.change(altered(ADD_STATE), 20);
    topic.rows(0, WITH_STATE, [['2', 'b', 1, 'new']], { end: 30 });
    // A row of the old shape, as another partition or a replay brings it when the column is there.
    topic.rows(1, ITEM, [['3', 'c', 1]], { end: 10 });
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    applier.start(0);
    await reached(target, 0, 3);
    applier.start(1);
    await reached(target, 1, 2);
    expect(await database.rows('SELECT id, state FROM item ORDER BY id')).toEqual([
      ['1', "it's"],
      ['2', 'new'],
      ['3', "it's"],
    ]);
    expect(alters).toHaveLength(1);
  });

  test('two processes that meet the change at once both go on', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    const topic = new MemoryTopic(4);
    const index: AdditiveStep = {
      kind: 'add index',
      index: { name: 'by_state', parts: [{ column: 'state', prefix: null, descending: false }] },
    };
    const other: AdditiveStep = { kind: 'add column', column: column('more', 'int') };
    topic.change(altered(ADD_STATE, index, other), 20);
    for (const partition of [0, 1, 2, 3])
      topic.rows(partition, WITH_STATE, [[String(partition), 'b', 1, 'new']], { end: 30 });
    const targets = await Promise.all([0, 1, 2, 3].map(() => openedTarget(database.url)));
    const workers = targets.map((target, partition) =>
      new AppliersProcess(topic, [target], [routeTo('shard-1')]).start(partition),
    );
    for (const partition of [0, 1, 2, 3]) await reached(targets[0]!, partition, 2);
    expect(workers.map(({ error }) => error())).toEqual([undefined, undefined, undefined, undefined]);
    expect(await database.rows('SELECT count(*) FROM item')).toEqual([['4']]);
  });

  test('what was done before a crash is not done again', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    await database.exec("INSERT INTO item VALUES (1, 'a', 1)");
    const real = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.change(altered(ADD_STATE), 20);
    topic.rows(0, WITH_STATE, [['2', 'b', 1, 'new']], { end: 30 });
    // The process ends between the ALTER and the commit.
    let crash = (): void => {};
    const crashed = new Promise<void>((resolve) => (crash = resolve));
    const dying = counted(real);
    const stuck = new Proxy(dying.target, {
      get: (inner, key) => {
        if (key === 'write') {
          crash();
          return (_: unknown, signal: AbortSignal) =>
            new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('killed'))));
        }
        return Reflect.get(inner, key) as unknown;
      },
    });
    void new AppliersProcess(topic, [stuck], [routeTo('shard-1')]).start(0);
    await crashed;
    expect(dying.alters).toHaveLength(1);
    const next = counted(await openedTarget(database.url));
    new AppliersProcess(topic, [next.target], [routeTo('shard-1')]).start(0);
    await reached(next.target, 0, 2);
    expect(next.alters).toEqual([]);
    expect(await database.rows('SELECT id, state FROM item ORDER BY id')).toEqual([['1', "it's"], ['2', 'new']]); // prettier-ignore
  });

  test('a column widens for values that had no room, and the shape looks the same', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    await database.exec("INSERT INTO item VALUES (7, 'old', 1)");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.rows(0, ITEM, [['1', 'a', 1]], { end: 10 });
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    applier.start(0);
    await reached(target, 0, 1);
    topic.change(altered({ kind: 'widen column', column: column('name', 'varchar(60)') }), 20);
    topic.rows(0, ITEM, [['2', 'x'.repeat(60), 1]], { end: 30 });
    await reached(target, 0, 3);
    expect(await database.rows('SELECT id, name FROM item ORDER BY id')).toEqual([
      ['1', 'a'],
      ['2', 'x'.repeat(60)],
      ['7', 'old'],
    ]);
  });

  test('a column that cannot widen stops the partition with the place, and a mended table lets it go on', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name date, qty int NOT NULL)');
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.change(altered({ kind: 'widen column', column: column('name', 'varchar(60)') }), 20);
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    const worker = applier.start(0);
    await waitUntil(() => worker.error(), { what: 'the partition to stop' });
    expect(worker.error()).toMatchObject({
      code: 'ROWFERRY_TARGET_SCHEMA',
      where: { target: 'shard-1', table: 'item', column: 'name', partition: 0 },
    });
    await database.exec('ALTER TABLE item DROP COLUMN name');
    await database.exec('ALTER TABLE item ADD COLUMN name varchar(60)');
    applier.start(0);
    await reached(target, 0, 1);
  });

  test('columns follow the mapping of their route', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name varchar(20))');
    await database.exec("INSERT INTO item VALUES (1, 'a')");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    const text = (name: string, value: string): AdditiveStep => ({
      kind: 'add column',
      column: column(name, 'varchar(20)', { default: value }),
    });
    const steps = [
      text('secret', 's'),
      text('phone', '12345'),
      text('code', 'c'),
      text('hidden', 'h'),
      text('gone', 'g'),
    ];
    topic.change(altered(...steps), 20);
    const columns = {
      drop: ['gone', 'qty'],
      hash: ['secret'],
      hashKey: 'k',
      mask: { phone: 2 },
      prefix: { code: '{source}-' },
      rename: { hidden: 'shown' },
    };
    new AppliersProcess(topic, [target], [routeTo('shard-1', { columns })]).start(0);
    await reached(target, 0, 1);
    const [row] = await database.rows('SELECT phone, code, shown, secret FROM item');
    expect(row?.slice(0, 3)).toEqual(['***45', 'shop-c', 'h']);
    expect(row?.[3]).toMatch(/^[0-9a-f]{64}$/);
    expect((await target.describe(['item'])).get('item')?.columns.map(({ name }) => name)).not.toContain('gone'); // prettier-ignore
  });
});
