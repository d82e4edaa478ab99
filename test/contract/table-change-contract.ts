/** The Target port's contract for changes of tables: statements, and the truncation that happens once. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import type { Target, Truncation } from '../../src/targets/target.ts';
import {
  ACCOUNT,
  batch,
  claimedTarget,
  contractDatabase,
  CREATE_ACCOUNT,
  CREATE_ITEM,
  ITEM,
  NEVER,
  openedTarget,
  P0,
  P1,
  tableBatch,
} from './target-fixture.ts';
import type { ContractDatabase, EngineName } from './target-fixture.ts';

const ITEM_EMPTIED: Truncation = {
  topic: P0.topic,
  sourceTable: 'shop.item',
  epoch: 1,
  file: 3,
  end: 500,
  tables: [{ table: 'item', only: null }],
};

async function alter(target: Target, statements: readonly string[], signal = NEVER): Promise<void> {
  await target.changeTables(async (run) => {
    for (const statement of statements) await run(statement);
  }, signal);
}

export function tableChangeContract(engine: EngineName): void {
  describe('changes of tables', () => {
    test('are statements one by one, up to the first that fails', async (context) => {
      const { database, target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const add = (column: string): string => `ALTER TABLE item ADD COLUMN ${column} int`;
      await expect(alter(target, [add('a'), add('a'), add('b')])).rejects.toThrow(/error/i);
      expect(await columnsOf(database)).toEqual(['id', 'name', 'qty', 'a']);
      await alter(target, [add('b')]);
      expect(await columnsOf(database)).toContain('b');
    });

    test('that a grant is missing for stop with a code of their own', async (context) => {
      const { database } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const url = new URL(database.url);
      const role = `r_${Date.now().toString(36)}_${process.pid}`;
      const grants =
        engine === 'postgres'
          ? [
              `CREATE ROLE ${role} LOGIN PASSWORD 'pw'`,
              `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`,
            ]
          : [
              `CREATE USER ${role} IDENTIFIED BY 'pw'`,
              `GRANT SELECT, INSERT, UPDATE, DELETE ON ${url.pathname.slice(1)}.* TO ${role}`,
            ];
      for (const statement of grants) await database.exec(statement);
      context.onTestFinished(async () => {
        if (engine === 'postgres') await database.exec(`DROP OWNED BY ${role}`);
        await database.exec(engine === 'postgres' ? `DROP ROLE ${role}` : `DROP USER ${role}`);
      });
      Object.assign(url, { username: role, password: 'pw' });
      const target = await openedTarget(url.href);
      await expect(alter(target, ['ALTER TABLE item ADD COLUMN a int'])).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_ACCESS',
      });
      await expect(target.truncate(ITEM_EMPTIED, NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_ACCESS',
      });
      expect(await target.isTruncated(ITEM_EMPTIED)).toBe(false);
    });

    test('do not keep whoever stops waiting for a statement that lasts', async (context) => {
      const { database, target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const blocker = await database.session();
      await blocker.exec('BEGIN');
      await blocker.exec("INSERT INTO item VALUES (1, 'a', 1)");
      const stop = new AbortController();
      const altering = alter(target, ['ALTER TABLE item ADD COLUMN a int'], stop.signal);
      altering.catch(() => undefined);
      await waitUntil(() => isWaitingForTable(database), { what: 'the ALTER to wait', intervalMs: 150 });
      stop.abort();
      await expect(altering).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_LINK' });
      await blocker.exec('ROLLBACK');
    });

    test('are made by one caller at a time, whatever its process: what one has read stays true until it is done', async (context) => {
      const { database, target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const other = await openedTarget(database.url);
      const steps: string[] = [];
      let second: Promise<void> = Promise.resolve();
      await target.changeTables(async (run) => {
        second = other.changeTables(async (query) => {
          await query('SELECT 1');
          steps.push('second');
        }, NEVER);
        second.catch(() => undefined);
        await waitUntil(() => isWaitingForLock(database), { what: 'the other to wait', intervalMs: 150 });
        await run('ALTER TABLE item ADD COLUMN a int');
        steps.push('first');
      }, NEVER);
      await second;
      expect(steps).toEqual(['first', 'second']);
    });

    test('can be planned by the catalog', async (context) => {
      const { target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      expect(await target.catalog((query) => query("SELECT 'x' AS a, NULL AS b"))).toEqual([
        { a: 'x', b: null },
      ]);
    });
  });

  describe('truncation', () => {
    test('empties once: a repetition changes nothing, an earlier statement neither', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a', 1]] })]), NEVER);
      expect(await target.isTruncated(ITEM_EMPTIED)).toBe(false);
      expect(await target.truncate(ITEM_EMPTIED, NEVER)).toBe('now');
      expect(await database.rows('SELECT * FROM item')).toEqual([]);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2', 'newer', 1]] })]), NEVER);
      const earlier = [
        ITEM_EMPTIED,
        { ...ITEM_EMPTIED, end: 499 },
        { ...ITEM_EMPTIED, file: 2, end: 900 },
        { ...ITEM_EMPTIED, epoch: 0, file: 9 },
      ];
      for (const again of earlier) {
        expect(await target.isTruncated(again)).toBe(true);
        expect(await target.truncate(again, NEVER)).toBe('before');
      }
      expect(await database.rows('SELECT id FROM item')).toEqual([['2']]);
    });

    test('happens again for a later statement and for a newer epoch', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.truncate(ITEM_EMPTIED, NEVER);
      for (const [next, later] of [{ ...ITEM_EMPTIED, end: 501 }, { ...ITEM_EMPTIED, epoch: 2, file: 1 }].entries()) {
        await target.write(batch(next, next + 1, [tableBatch(writer, { upserts: [['1', 'a', 1]] })]), NEVER);
        expect(await target.truncate(later, NEVER)).toBe('now');
        expect(await database.rows('SELECT * FROM item')).toEqual([]);
      } // prettier-ignore
    });

    test('by many at once is done by one', async (context) => {
      const { database, target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const others = await Promise.all([1, 2, 3].map(() => openedTarget(database.url)));
      const outcomes = await Promise.all(
        [target, ...others, target].map((each) => each.truncate(ITEM_EMPTIED, NEVER)),
      );
      expect(outcomes.toSorted()).toEqual(['before', 'before', 'before', 'before', 'now']);
    });

    test('is of one source table, topic and pipeline', async (context) => {
      const { database, target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.truncate(ITEM_EMPTIED, NEVER);
      const other = await openedTarget(database.url, { pipeline: 'other' });
      expect(await other.isTruncated(ITEM_EMPTIED)).toBe(false);
      expect(await target.isTruncated({ ...ITEM_EMPTIED, topic: 'x' })).toBe(false);
      expect(await target.isTruncated({ ...ITEM_EMPTIED, sourceTable: 'shop.other' })).toBe(false);
    });

    test('takes parked rows of the source table away, of all partitions, and no others', async (context) => {
      const { target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.claim(P1, 1);
      const rows = (ids: readonly string[]) => [
        tableBatch(writer, { upserts: ids.map((id) => [id, 'same@x']) }),
      ];
      await target.write(batch(0, 1, rows(['1', '2'])), NEVER);
      await target.write(batch(0, 1, rows(['3']), { id: P1 }), NEVER);
      expect(await target.parked()).toHaveLength(2);
      await target.truncate({ ...ITEM_EMPTIED, sourceTable: 'shop.other', tables: [] }, NEVER);
      expect(await target.parked()).toHaveLength(2);
      const tables = [{ table: 'account', only: null }];
      await target.truncate({ ...ITEM_EMPTIED, sourceTable: 'shop.account', tables }, NEVER);
      expect(await target.parked()).toEqual([]);
    });

    test('removes only rows that say what they must, byte for byte', async (context) => {
      const create =
        'CREATE TABLE item (id bigint PRIMARY KEY, place varchar(40), tenant int, code varchar(20))';
      const { database, target } = await claimedTarget(context, engine, create, { ...ITEM, columns: [{ name: 'id', type: 'bigint' }] }); // prettier-ignore
      const rows = [`1, 'a:s.t', 7, 'x-1'`, `2, 'A:s.t', 7, 'x-2'`, `3, 'a:s.t ', 7, 'x-3'`, `4, NULL, 7, 'x-4'`, `5, 'a:s.t', 8, 'x-5'`, `6, 'a:s.t', 7, 'X-6'`]; // prettier-ignore
      await database.exec(`INSERT INTO item VALUES ${rows.map((row) => `(${row})`).join(', ')}`);
      const only = [
        { column: 'place', equals: 'a:s.t' },
        { column: 'tenant', equals: '7' },
        { column: 'code', startsWith: 'x-' },
      ];
      await target.truncate({ ...ITEM_EMPTIED, tables: [{ table: 'item', only }] }, NEVER);
      expect((await database.rows('SELECT id FROM item ORDER BY id')).flat()).toEqual(['2', '3', '4', '5', '6']); // prettier-ignore
    });

    test('waits for a session that holds its lock, and for nothing once that is gone', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      const proxy = await FaultProxy.start(addressOf(database.url));
      onTestFinished(() => proxy.close());
      const slow = await openedTarget(proxy.through(database.url), { retryBudgetMs: 0 });
      const quick = await openedTarget(database.url);
      const blocker = await database.session();
      await blocker.exec('BEGIN');
      await blocker.exec("INSERT INTO item VALUES (1, 'a', 1)");
      const first = slow.truncate(ITEM_EMPTIED, NEVER).then(() => 'done', () => 'cut'); // prettier-ignore
      await waitUntil(() => isWaitingForTable(database), {
        what: 'the first to hold the lock',
        intervalMs: 150,
      });
      let isOver = false;
      const second = quick.truncate(ITEM_EMPTIED, NEVER).finally(() => (isOver = true));
      proxy.cut();
      expect(await first).toBe('cut');
      // What the first sent still waits at the server, under its lock.
      expect(isOver).toBe(false);
      await blocker.exec('COMMIT');
      expect(['now', 'before']).toContain(await second);
      expect(await quick.isTruncated(ITEM_EMPTIED)).toBe(true);
      expect(await database.rows('SELECT * FROM item')).toEqual([]);
      await database.exec("INSERT INTO item VALUES (2, 'newer', 1)");
      expect(await slow.truncate(ITEM_EMPTIED, NEVER)).toBe('before');
      expect(await database.rows('SELECT id FROM item')).toEqual([['2']]);
    });
  });
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

async function columnsOf({ engine, rows }: ContractDatabase): Promise<(string | null)[]> {
  const schema = engine === 'postgres' ? 'current_schema()' : 'DATABASE()';
  const sql = `SELECT column_name FROM information_schema.columns WHERE table_name = 'item' AND table_schema = ${schema} ORDER BY ordinal_position`;
  return (await rows(sql)).flat();
}

/** A session of this database waits for a table that another one has locked. */
async function isWaitingForTable({ engine, rows }: ContractDatabase): Promise<boolean> {
  const sql =
    engine === 'postgres'
      ? "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation'"
      : "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table metadata lock%'";
  return (await rows(sql)).length > 0;
}

async function isWaitingForLock({ engine, rows }: ContractDatabase): Promise<boolean> {
  const sql =
    engine === 'postgres'
      ? "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
      : "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE = 'User lock'";
  return (await rows(sql)).length > 0;
}
