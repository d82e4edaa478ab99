/** The Target port's contract for owners, control tables and the shape of tables. */
import { describe, expect, test } from 'vitest';
import type { Table } from '../../src/model/table.ts';
import { openTarget } from '../../src/targets/open-target.ts';
import {
  ACCOUNT,
  batch,
  claimedTarget,
  contractDatabase,
  CREATE_ACCOUNT,
  CREATE_ITEM,
  databaseUrl,
  ITEM,
  lockWait,
  NEVER,
  nextOf,
  openedTarget,
  P0,
  P1,
  silentLog,
  tableBatch,
  writerOf,
} from './target-fixture.ts';
import type { ContractDatabase, EngineName } from './target-fixture.ts';

export function stateContract(engine: EngineName): void {
  describe('claiming a partition (A2)', () => {
    test('creates its watermark, and a higher number takes it over with next and plan', async (context) => {
      const { target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 10, []), NEVER);
      await target.write(batch(10, 10, [], { save: { kind: 'planned', plannedEnd: 25 } }), NEVER);
      expect(await target.claim(P0, 2)).toMatchObject({
        kind: 'mine',
        watermark: { ...P0, owner: 2, next: 10, plannedEnd: 25, sequence: { epoch: 1, file: 1, end: 10 } },
      });
      expect(await target.claim(P1, 2)).toMatchObject({
        kind: 'mine',
        watermark: { ...P1, owner: 2, next: 0, plannedEnd: null, sourceTimeMs: null },
      });
    });

    test('is lost to an equal or higher owner, which stays', async (context) => {
      const { target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.claim(P0, 5);
      expect(await target.claim(P0, 4)).toEqual({ kind: 'lost', owner: 5 });
      expect(await target.claim(P0, 5)).toEqual({ kind: 'lost', owner: 5 });
      expect(await target.watermarks()).toMatchObject([{ owner: 5 }]);
    });

    test('by many at once is won by exactly one for each number, the highest last', async (context) => {
      const { database, target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const others = await Promise.all([1, 2, 3].map(() => openedTarget(database.url)));
      const claims = await Promise.all(
        [target, ...others].flatMap((each) => [7, 8].map(async (owner) => ({ owner, ...(await each.claim(P1, owner)) }))),
      ); // prettier-ignore
      const mine = claims.filter(({ kind }) => kind === 'mine').map(({ owner }) => owner);
      expect(mine.filter((owner) => owner === 8)).toHaveLength(1);
      expect(mine.filter((owner) => owner === 7).length).toBeLessThanOrEqual(1);
      expect((await target.watermarks()).find(({ partition }) => partition === 1)?.owner).toBe(8);
    });

    test('waits for the transaction of the owner before, and then makes that owner stale', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await database.exec("INSERT INTO item VALUES (1, 'locked', 0)");
      const blocker = await database.session();
      await blocker.exec('BEGIN');
      await blocker.exec('UPDATE item SET qty = 1 WHERE id = 1');
      let isClaimed = false;
      const writing = target.write(batch(0, 10, [tableBatch(writer, { upserts: [['1', 'a', 7]] })]), NEVER);
      // The batch holds the watermark's lock and waits for the row's.
      await lockWait(database, 'the batch to begin');
      const claiming = target.claim(P0, 2).then((result) => {
        isClaimed = true;
        return result;
      });
      expect(isClaimed).toBe(false);
      await blocker.exec('ROLLBACK');
      expect(await writing).toMatchObject({ kind: 'done' });
      expect(await claiming).toMatchObject({ kind: 'mine', watermark: { next: 10 } });
      expect(await target.write(batch(10, 20, []), NEVER)).toMatchObject({ kind: 'stale' });
    });
  });

  describe('control tables', () => {
    test('are made by processes that open at once', async (context) => {
      const database = await contractDatabase(context, engine);
      const targets = await Promise.all(Array.from({ length: 6 }, () => openedTarget(database.url)));
      await targets[0]!.claim(P0, 1);
      expect(await targets[5]!.watermarks()).toHaveLength(1);
    });

    test('keep pipelines apart', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      const other = await openedTarget(database.url, { pipeline: 'other' });
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a'], ['2', 'a']] })]), NEVER); // prettier-ignore
      expect(await target.parked()).toHaveLength(1);
      expect(await other.watermarks()).toEqual([]);
      expect(await other.parked()).toEqual([]);
      expect(await other.claim(P0, 1)).toMatchObject({ kind: 'mine', watermark: { next: 0 } });
      expect(await nextOf(target)).toBe(1);
    });

    test('of a later version are refused', async (context) => {
      const { database } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await database.exec(
        engine === 'postgres'
          ? "COMMENT ON TABLE rowferry_parked IS 'rowferry control table, version 2'"
          : "ALTER TABLE rowferry_parked COMMENT = 'rowferry control table, version 2'",
      );
      await expect(openedTarget(database.url)).rejects.toMatchObject({
        code: 'ROWFERRY_CONFIG_STATE_MISMATCH',
      });
    });
  });

  describe('opening', () => {
    test('with a wrong password or database stops and says so', async (context) => {
      const database = await contractDatabase(context, engine);
      const wrongs = [
        [(url: URL): string => (url.password = 'wrong'), /^wrong user or password/],
        [(url: URL): string => (url.pathname = '/no_such_database'), /no database of this name/],
      ] as const;
      for (const [change, hint] of wrongs) {
        const url = new URL(database.url);
        change(url);
        await expect(openedTarget(url.href)).rejects.toMatchObject({
          code: 'ROWFERRY_TARGET_ACCESS',
          action: 'stop',
          where: { target: 'shard-1' },
          hint: expect.stringMatching(hint),
        });
      } // prettier-ignore
    });

    test('without the grants that it needs stops and says so', async (context) => {
      const { database } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const url = new URL(database.url);
      const role = `r_${Date.now().toString(36)}_${process.pid}`;
      const statements =
        engine === 'postgres'
          ? [`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`]
          : [`CREATE USER ${role} IDENTIFIED BY 'pw'`, `GRANT SELECT ON ${url.pathname.slice(1)}.* TO ${role}`]; // prettier-ignore
      for (const statement of statements) await database.exec(statement);
      context.onTestFinished(() => dropRole(database, role));
      Object.assign(url, { username: role, password: 'pw' });
      await expect(openedTarget(url.href)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_ACCESS',
        hint: expect.stringMatching(/^the account lacks (a grant|[A-Z]+)/),
      });
    });

    test('does nothing before it is asked to', async () => {
      const url = databaseUrl(
        engine === 'postgres' ? 'postgres://u:p@127.0.0.1:1/x' : 'mysql://u:p@127.0.0.1:1/x',
      );
      const target = openTarget({
        name: 't',
        pipeline: 'p',
        url,
        connections: 1,
        zeroDates: 'stop',
        log: silentLog,
      });
      await target.close();
      await target.close();
    });
  });

  describe('the shape of tables', () => {
    test('is described by the catalog', async (context) => {
      const database = await contractDatabase(context, engine);
      const generated =
        engine === 'postgres' ? 'numeric GENERATED ALWAYS AS (b * 2) STORED' : 'int AS (b * 2)';
      const serial = engine === 'postgres' ? 'bigint GENERATED ALWAYS AS IDENTITY' : 'bigint AUTO_INCREMENT';
      await database.exec(
        `CREATE TABLE kinds (id ${serial}, a varchar(10) NOT NULL DEFAULT 'x', b int, c ${generated}, PRIMARY KEY (b, id), UNIQUE (id), UNIQUE (a, b))`,
      );
      const target = await openedTarget(database.url);
      const described = await target.describe(['kinds', 'missing']);
      expect([...described.keys()]).toEqual(['kinds']);
      const table = described.get('kinds')!;
      expect(table).toMatchObject({
        name: 'kinds',
        primaryKey: ['b', 'id'],
        columns: [
          { name: 'id', nullable: false, generated: false, hasDefault: true },
          { name: 'a', nullable: false, generated: false, hasDefault: true },
          { name: 'b', nullable: false, generated: false, hasDefault: false },
          { name: 'c', generated: true },
        ],
      });
      expect(table.uniqueKeys.toSorted((x, y) => x.length - y.length)).toEqual([['id'], ['a', 'b']]);
    });

    test('gives a number that the source chose to an identity column', async (context) => {
      const serial = engine === 'postgres' ? 'bigint GENERATED ALWAYS AS IDENTITY' : 'bigint AUTO_INCREMENT';
      const create = `CREATE TABLE item (id ${serial} PRIMARY KEY, name varchar(20), qty int NOT NULL)`;
      const { database, target, writer } = await claimedTarget(context, engine, create, ITEM);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['0', 'a', 1], ['40', 'b', 1]] })]), NEVER); // prettier-ignore
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['0', 'c', 1]] })]), NEVER);
      expect(await database.rows('SELECT id, name FROM item ORDER BY id')).toEqual([['0', 'c'], ['40', 'b']]); // prettier-ignore
    });

    test('that does not fit is refused with everything that is wrong', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec('CREATE TABLE item (id varchar(20) PRIMARY KEY, qty date, extra int NOT NULL)');
      const target = await openedTarget(database.url);
      const error = await writerOf(target, ITEM).then(() => undefined, (thrown: unknown) => thrown); // prettier-ignore
      expect(error).toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
        where: { target: 'shard-1', table: 'item' },
      });
      const { message } = error as Error;
      expect(message).toMatch(/column name \(varchar\) is missing/);
      expect(message).toMatch(/column qty \(date\) cannot take a int exactly/);
      expect(message).toMatch(/column extra is NOT NULL without a default/);
    });

    test('without a key to replace rows by is refused', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec('CREATE TABLE item (id bigint, name varchar(20), qty int)');
      const target = await openedTarget(database.url);
      await expect(writerOf(target, ITEM)).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA' });
    });

    test('that vanished while running stops with the table named', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await database.exec('DROP TABLE item');
      const work = tableBatch(writer, { upserts: [['1', 'a', 1]] });
      await expect(target.write(batch(0, 1, [work]), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
        where: { table: 'item' },
      });
      expect(await nextOf(target)).toBe(0);
    });

    test('may be a view only by mistake', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      await database.exec('CREATE VIEW shown AS SELECT * FROM item');
      const target = await openedTarget(database.url);
      await expect(target.describe(['item', 'shown'])).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
      });
    });

    test('may have names that need quotes, in a schema of its own', async (context) => {
      const database = await contractDatabase(context, engine);
      const q = engine === 'postgres' ? '"' : '`';
      const schema = engine === 'postgres' ? 'Other' : new URL(database.url).pathname.slice(1);
      if (engine === 'postgres') await database.exec('CREATE SCHEMA "Other"');
      const table = `${q}${schema}${q}.${q}or${q}${q}der; --${q}`;
      await database.exec(
        `CREATE TABLE ${table} (${q}Id${q} bigint PRIMARY KEY, ${q}sel${q}${q}ect?${q} varchar(20))`,
      );
      const source: Table = {
        schema: 'shop',
        name: 'orders',
        columns: [{ name: 'Id', type: 'bigint' }, { name: `sel${q}ect?`, type: 'varchar' }],
        key: [0],
      }; // prettier-ignore
      const target = await openedTarget(database.url);
      const writer = await writerOf(target, source, `${schema}.or${q}der; --`);
      await target.claim(P0, 1);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a'], ['2', 'b']] })]), NEVER); // prettier-ignore
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['1', 'c']], deletes: [['2']] })]), NEVER); // prettier-ignore
      expect(await database.rows(`SELECT * FROM ${table}`)).toEqual([['1', 'c']]);
    });
  });
}

async function dropRole(database: ContractDatabase, role: string): Promise<void> {
  const isPostgres = database.engine === 'postgres';
  if (isPostgres) await database.exec(`DROP OWNED BY ${role}`);
  await database.exec(`DROP ${isPostgres ? 'ROLE' : 'USER'} ${role}`);
}
