/** TRUNCATE of a source table, applied by real workers to real targets at different speeds. */
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { contractDatabase, CREATE_ITEM, ITEM, openedTarget } from '../contract/target-fixture.ts';
import { AppliersProcess, MemoryTopic, reached, routeTo, TOPIC } from './apply-tables-fixture.ts';

const ENGINES = ['mysql', 'mariadb', 'postgres'] as const;
const EMPTIED = { kind: 'truncate', schema: 'shop', table: 'item' } as const;
const BY_ID = {
  shards: { algorithm: 'modulo', by: 'id', count: 2 },
  tables: null,
  targets: ['shard-1', 'shard-2'],
} as const;
const IDS = 'SELECT id FROM item ORDER BY id';

describe.each(ENGINES)('%s', (engine) => {
  test('no row comes back by a slower partition, and newer ones stay', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(2);
    topic.rows(0, ITEM, [['1', 'old', 1]], { end: 10 });
    topic.rows(1, ITEM, [['2', 'old', 1]], { end: 11 });
    topic.change(EMPTIED, 20);
    topic.rows(0, ITEM, [['3', 'new', 1]], { end: 30 });
    topic.rows(1, ITEM, [['4', 'new', 1]], { end: 31 });
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    const fast = applier.start(0);
    const status = () => fast.worker.progress.status(fast.worker.id, Date.now());
    await waitUntil(() => status().error, { what: 'the fast partition to wait for the slow one' });
    expect(status()).toMatchObject({ state: 'waiting', errorCode: null, next: 1 });
    expect(status().error).toMatch(/empty shop\.item at shard-1 .* partition 1 \(at 0 of 1\)/);
    expect((await database.rows(IDS)).flat()).toEqual(['1']);
    applier.start(1);
    await reached(target, 0, 3);
    await reached(target, 1, 3);
    expect((await database.rows(IDS)).flat()).toEqual(['3', '4']);
    expect(status()).toMatchObject({ state: 'running', error: null });
  });

  test('a repeated marker changes nothing, whoever meets it; one of a newer epoch empties again', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(2);
    topic.change(EMPTIED, 20);
    topic.rows(0, ITEM, [['3', 'new', 1]], { end: 30 });
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    const workers = [applier.start(0), applier.start(1)];
    await reached(target, 0, 2);
    // Capture began anew before the statement; nobody waits for offsets that the repetition names.
    topic.change(EMPTIED, 20, { ends: [99, 99] });
    await reached(target, 0, 3);
    await reached(target, 1, 2);
    expect((await database.rows(IDS)).flat()).toEqual(['3']);
    await Promise.all(workers.map((worker) => worker.stop()));
    topic.rows(0, ITEM, [['1', 'replayed', 1]], { epoch: 2, end: 10 });
    topic.change(EMPTIED, 20, { epoch: 2 });
    topic.rows(0, ITEM, [['3', 'replayed', 1]], { epoch: 2, end: 30 });
    // A zombie of the former epoch tells of it once more.
    topic.change(EMPTIED, 20, { epoch: 1 });
    const next = new AppliersProcess(topic, [await openedTarget(database.url)], [routeTo('shard-1')]);
    next.start(0);
    next.start(1);
    await reached(target, 0, topic.ends()[0]!);
    await reached(target, 1, topic.ends()[1]!);
    expect(await database.rows('SELECT id, name FROM item')).toEqual([['3', 'replayed']]);
  });

  test('a row without a key that a suspended capture sends behind it is not added, nor behind a restart', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (id bigint NOT NULL, name varchar(20), qty int NOT NULL)');
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    const visits = { ...ITEM, key: [] };
    topic.rows(0, visits, [['1', 'old', 1]], { end: 10 });
    topic.change(EMPTIED, 20);
    topic.rows(0, visits, [['2', 'late', 1]], { end: 12 });
    const first = new AppliersProcess(topic, [target], [routeTo('shard-1')]).start(0);
    const next = () => first.worker.progress.status(first.worker.id, Date.now()).next;
    await waitUntil(() => (next() ?? 0) >= 3, { what: 'the late row to be seen' });
    expect((await database.rows(IDS)).flat()).toEqual([]);
    await first.stop();
    topic.rows(0, visits, [['3', 'later', 1]], { end: 15 });
    topic.rows(0, visits, [['4', 'new', 1]], { end: 30 });
    new AppliersProcess(topic, [await openedTarget(database.url)], [routeTo('shard-1')]).start(0);
    await reached(target, 0, 5);
    expect((await database.rows(IDS)).flat()).toEqual(['4']);
  });

  test('every target is brought to the statement before it is emptied, idle ones too', async (context) => {
    const databases = [await contractDatabase(context, engine), await contractDatabase(context, engine)];
    for (const database of databases) await database.exec(CREATE_ITEM);
    const targets = await Promise.all(
      databases.map(({ url }, i) => openedTarget(url, { name: `shard-${i + 1}` })),
    );
    const topic = new MemoryTopic(2);
    const applier = new AppliersProcess(topic, targets, [routeTo([], { layout: BY_ID })]);
    const workers = [applier.start(0), applier.start(1)];
    for (const end of [10, 11, 12]) topic.rows(0, ITEM, [[String(2 * end), 'even', 1]], { end });
    topic.rows(1, ITEM, [['1', 'odd', 1]], { end: 10 });
    topic.change(EMPTIED, 20);
    topic.rows(0, ITEM, [['5', 'new', 1]], { end: 30 });
    for (const target of targets) await reached(target, 1, 2);
    await waitUntil(async () => (await Promise.all(databases.map(({ rows }) => rows(IDS)))).flat(2).join() === '5', { what: 'the new row alone' }); // prettier-ignore
    expect(workers.map(({ error }) => error())).toEqual([undefined, undefined]);
  });

  test('rows of other sources stay, told by their origin', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name varchar(20), qty int NOT NULL, place varchar(200))'); // prettier-ignore
    await database.exec("INSERT INTO item VALUES (8, 'other', 1, 'mall:shop.item'), (9, 'nobody', 1, NULL)");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.rows(0, ITEM, [['1', 'old', 1]], { end: 10 });
    topic.change(EMPTIED, 20);
    new AppliersProcess(topic, [target], [routeTo('shard-1', { columns: { origin: 'place' } })]).start(0);
    await reached(target, 0, 2);
    expect((await database.rows(IDS)).flat()).toEqual(['8', '9']);
  });

  test('a parked row does not come back', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(`${CREATE_ITEM.slice(0, -1)}, UNIQUE (name))`);
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(2);
    topic.rows(0, ITEM, [['1', 'same', 1]], { end: 10 });
    topic.rows(1, ITEM, [['2', 'same', 1]], { end: 11 });
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1')]);
    const workers = [applier.start(0), applier.start(1)];
    await waitUntil(async () => (await target.parked()).length === 1, { what: 'one of them to be parked' });
    topic.change(EMPTIED, 20);
    topic.rows(0, ITEM, [['3', 'new', 1]], { end: 30 });
    topic.rows(1, ITEM, [['4', 'newer', 1]], { end: 31 });
    await reached(target, 0, 3);
    await reached(target, 1, 3);
    expect(await target.parked()).toEqual([]);
    expect(workers.map(({ worker }) => worker.progress.status(worker.id, 0).parked)).toEqual([0, 0]);
    expect((await database.rows(IDS)).flat()).toEqual(['3', '4']);
  });

  test('where nothing tells the rows apart the partition stops, and goes on with a record by hand', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec(CREATE_ITEM);
    await database.exec("INSERT INTO item VALUES (8, 'other', 1)");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.change(EMPTIED, 20);
    const applier = new AppliersProcess(topic, [target], [routeTo('shard-1', { keysAreDisjoint: true })]);
    const worker = applier.start(0);
    await waitUntil(() => worker.error(), { what: 'the partition to stop' });
    expect(worker.error()).toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA', where: { target: 'shard-1' } });
    await database.exec(
      `INSERT INTO rowferry_truncated VALUES ('shop', '${TOPIC}', 'shop.item', 1, 1, 20, '2026-01-01 00:00:00')`,
    );
    applier.start(0);
    await reached(target, 0, 1);
    expect((await database.rows(IDS)).flat()).toEqual(['8']);
  });

  test('a promise that keys stay apart does not say whose rows these are, whatever the key holds besides', async (context) => {
    const database = await contractDatabase(context, engine);
    await database.exec('CREATE TABLE item (region varchar(9) NOT NULL, id bigint NOT NULL, name varchar(20), qty int NOT NULL, PRIMARY KEY (region, id))'); // prettier-ignore
    // Of shop.item_2, which goes by the same route.
    await database.exec("INSERT INTO item VALUES ('eu', 8, 'other', 1)");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.rows(0, ITEM, [['1', 'old', 1]], { end: 10 });
    topic.change(EMPTIED, 20);
    const columns = { add: { region: 'eu' }, key: ['region', 'id'] };
    const applier = new AppliersProcess(
      topic,
      [target],
      [routeTo('shard-1', { keysAreDisjoint: true, columns })],
    );
    const worker = applier.start(0);
    await waitUntil(() => worker.error() !== undefined || worker.worker.progress.status(worker.worker.id, 0).next === 2, { what: 'the statement to be met' }); // prettier-ignore
    expect((await database.rows(IDS)).flat()).toContain('8');
    expect(worker.error()).toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA', where: { target: 'shard-1' } });
  });

  test("a shard that stays in its source is the source's own, and tables of periods are emptied", async (context) => {
    const database = await contractDatabase(context, engine);
    for (const period of ['2024', '2025', '2031']) await database.exec(CREATE_ITEM.replace('item', `item_${period}`)); // prettier-ignore
    for (const period of ['2024', '2031']) await database.exec(`INSERT INTO item_${period} VALUES (1, 'a', 1)`); // prettier-ignore
    await database.exec(CREATE_ITEM);
    await database.exec("INSERT INTO item VALUES (2, 'stays', 1)");
    const target = await openedTarget(database.url);
    const topic = new MemoryTopic(1);
    topic.change(EMPTIED, 20);
    const rules = [
      routeTo('shard-1', { layout: { targets: ['shard-1'], shards: null, tables: { rule: { algorithm: 'date', by: 'day', period: 'year', since: '2024' } } } }),
      routeTo('source:shop', { layout: { ...BY_ID, targets: ['source:shop', 'nowhere'] } }),
    ]; // prettier-ignore
    new AppliersProcess(topic, [target], rules).start(0);
    await reached(target, 0, 1);
    for (const period of ['2024', '2025', '2031']) expect(await database.rows(`SELECT * FROM item_${period}`)).toEqual([]); // prettier-ignore
    expect((await database.rows(IDS)).flat()).toEqual(['2']);
  });
});
