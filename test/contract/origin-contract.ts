/** The Target port's contract for target tables in which rows of several source tables meet. */
import { describe, expect, test } from 'vitest';
import {
  A, B, COLUMNS, DONE, FOREIGN_KEY, FORMS, looseOrigin, PLAIN, row, stored, twoSources, users, waiting,
} from './origin-fixture.ts'; // prettier-ignore
import { batch, contractDatabase, lockWait, NEVER, nextOf, openedTarget, tableBatch, writerOf } from './target-fixture.ts'; // prettier-ignore
import type { EngineName } from './target-fixture.ts';

export function originContract(engine: EngineName): void {
  describe.for(FORMS)('rows of two sources in one table %s', ([, create]) => {
    test('are replaced and deleted by their own source', async (context) => {
      const { write, rows } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '1', 'x'), row('a', '2', 'y'), row('a', '3', 'z')] });
      await write('b', { upserts: [row('b', '4', 'v')] });
      const changes = { upserts: [row('a', '1', 'y'), row('a', '2', 'x')], deletes: [['3'], ['9']] };
      expect(await write('a', changes)).toEqual(DONE);
      expect(await write('a', changes)).toEqual(DONE);
      expect(await rows()).toEqual([stored('a', '1', 'y'), stored('a', '2', 'x'), stored('b', '4', 'v')]);
    });

    test.for(['stop', 'park'] as const)(
      'never overwrite each other (bad rows: %s)',
      async (onBadRow, context) => {
        const { write, rows, target, retry } = await twoSources(context, engine, create);
        await write('b', { upserts: [row('b', '2', 'theirs')] });
        await write('a', { upserts: [row('a', '4', 'old')] });
        const work = {
          upserts: [row('a', '1', 'x'), row('a', '2', 'mine'), row('a', '3', 'z')],
          deletes: [['4']],
        };
        expect(await write('a', work, onBadRow)).toMatchObject(waiting('a', '2'));
        // All of the batch is there but the row, which waits.
        expect(await rows()).toEqual([
          stored('a', '1', 'x'),
          stored('b', '2', 'theirs'),
          stored('a', '3', 'z'),
        ]);
        expect(await nextOf(target)).toBe(2);
        expect(await retry()).toEqual(['waits']);
        expect(await target.parked()).toMatchObject([{ attempts: 1, detail: FOREIGN_KEY }]);
        // It stands once the other source has deleted its row.
        await write('b', { deletes: [['2']] });
        expect(await retry()).toEqual(['healed']);
        expect(await target.parked()).toEqual([]);
        expect(await rows()).toEqual([
          stored('a', '1', 'x'),
          stored('a', '2', 'mine'),
          stored('a', '3', 'z'),
        ]);
      },
    );

    test('are not found by a row too many for one statement only', async (context) => {
      const { write, database, retry } = await twoSources(context, engine, create);
      await write('b', { upserts: [row('b', '2200', 'theirs')] });
      const upserts = Array.from({ length: 2_500 }, (_, i) => row('a', String(i), `m${i}`));
      expect(await write('a', { upserts })).toMatchObject(waiting('a', '2200'));
      expect(await database.rows('SELECT count(*) FROM users')).toEqual([['2500']]);
      await write('b', { deletes: [['2200']] });
      expect(await retry()).toEqual(['healed']);
      const deletes = upserts.map(([id]) => [id!]);
      await write('b', { deletes });
      expect(await database.rows('SELECT count(*) FROM users')).toEqual([['2500']]);
      await write('a', { deletes });
      expect(await database.rows('SELECT count(*) FROM users')).toEqual([['0']]);
    });

    test('never delete each other', async (context) => {
      const { write, rows } = await twoSources(context, engine, create);
      await write('b', { upserts: [row('b', '2', 'theirs')] });
      expect(await write('a', { deletes: [['2'], ['3']] })).toEqual(DONE);
      expect(await rows()).toEqual([stored('b', '2', 'theirs')]);
    });

    test('leave rows without an origin alone', async (context) => {
      const { write, rows, database } = await twoSources(context, engine, create);
      await database.exec("INSERT INTO users VALUES (2, 'old', NULL)");
      expect(await write('a', { deletes: [['2']] })).toEqual(DONE);
      expect(await write('a', { upserts: [row('a', '2', 'mine')] })).toMatchObject(waiting('a', '2'));
      expect(await rows()).toEqual([['2', 'old', null]]);
    });

    test('are told apart byte by byte, however the column compares', async (context) => {
      const { write, rows, database } = await twoSources(context, engine, looseOrigin(engine, create));
      if (engine === 'postgres')
        await database.exec('ALTER TABLE users ALTER origin TYPE varchar(200) COLLATE loose');
      for (const other of ['A:shop.users', 'á:shop.users', `${A} `]) {
        await database.exec(`DELETE FROM users`);
        await database.exec(`INSERT INTO users VALUES (2, 'theirs', '${other}')`);
        await write('a', { deletes: [['2']] });
        const mine = { upserts: [row('a', '2', 'mine')], unpark: [['2']] };
        expect(await write('a', mine)).toMatchObject(waiting('a', '2'));
        expect(await rows()).toEqual([['2', 'theirs', other]]);
      }
      await database.exec(`DELETE FROM users`);
      await write('a', { upserts: [row('a', '2', 'x')] });
      await write('a', { upserts: [row('a', '2', 'y')] });
      expect(await rows()).toEqual([stored('a', '2', 'y')]);
      await write('a', { deletes: [['2']] });
      expect(await rows()).toEqual([]);
    });

    test('are guarded also while the other row is still being written', async (context) => {
      const { write, rows, database } = await twoSources(context, engine, create);
      const other = await database.session();
      await other.exec('BEGIN');
      await other.exec(`INSERT INTO users VALUES (2, 'theirs', '${B}')`);
      const writing = write('a', { upserts: [row('a', '2', 'mine')] });
      await lockWait(database, 'the upsert to meet the other row');
      await other.exec('COMMIT');
      expect(await writing).toMatchObject(waiting('a', '2'));
      expect(await rows()).toEqual([stored('b', '2', 'theirs')]);
    });

    test('pass over a row that is another source’s when the lock is had', async (context) => {
      const { write, rows, database } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '2', 'mine')] });
      const other = await database.session();
      await other.exec('BEGIN');
      await other.exec(`UPDATE users SET origin = '${B}' WHERE id = 2`);
      const deleted = write('a', { deletes: [['2']] });
      await lockWait(database, 'the delete to wait for the row');
      await other.exec('COMMIT');
      expect(await deleted).toEqual(DONE);
      expect(await rows()).toEqual([stored('b', '2', 'mine')]);
    });

    test('may change places within one batch, but not have one place', async (context) => {
      const { write, rows, target, retry, a, b } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '2', 'x')] });
      const upsert = tableBatch(b, { upserts: [row('b', '2', 'x')] });
      const both = batch(1, 2, [tableBatch(a, { upserts: [row('a', '2', 'y')] }), upsert]);
      expect(await target.write(both, NEVER)).toMatchObject(waiting('b', '2'));
      expect(await rows()).toEqual([stored('a', '2', 'y')]);
      const again = tableBatch(b, { upserts: [row('b', '2', 'x')], unpark: [['2']] });
      const over = batch(2, 3, [again, tableBatch(a, { deletes: [['2']] })]);
      expect(await target.write(over, NEVER)).toEqual(DONE);
      expect(await rows()).toEqual([stored('b', '2', 'x')]);
      expect(await retry()).toEqual([]);
    });

    test('stay apart while bad rows are looked for', async (context) => {
      const { write, rows, target } = await twoSources(context, engine, create);
      await write('b', { upserts: [row('b', '2', 'theirs'), row('b', '3', 'also')] });
      const bad = row('a', '3', 'x'.repeat(21));
      const work = { upserts: [bad, row('a', '1', 'y'), row('a', '2', 'mine')] };
      await expect(write('a', work, 'stop')).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_DATA' });
      expect(await target.parked()).toEqual([]);
      // The bad row's key is the other source's row: that one is no outdated version of it.
      expect(await write('a', work, 'park')).toMatchObject({
        parked: [
          { key: ['3'], reason: 'data' },
          { key: ['2'], reason: 'conflict', detail: FOREIGN_KEY },
        ],
      });
      expect(await rows()).toEqual([
        stored('a', '1', 'y'),
        stored('b', '2', 'theirs'),
        stored('b', '3', 'also'),
      ]);
    });

    test('are guarded in a table named with its schema', async (context) => {
      const { database, target, rows } = await twoSources(context, engine, create);
      const schema = engine === 'postgres' ? 'public' : (await database.rows('SELECT DATABASE()'))[0]?.[0];
      const [a, b] = [await writerOf(target, users(A), `${schema}.users`), await writerOf(target, users(B), `${schema}.users`)]; // prettier-ignore
      await target.write(batch(0, 1, [tableBatch(b, { upserts: [row('b', '2', 'theirs')] })]), NEVER);
      const mine = batch(1, 2, [tableBatch(a, { upserts: [row('a', '2', 'mine')], deletes: [['2']] })]);
      expect(await target.write(mine, NEVER)).toMatchObject(waiting('a', '2'));
      await target.write(batch(2, 3, [tableBatch(b, { upserts: [row('b', '2', 'new')] })]), NEVER);
      expect(await rows()).toEqual([stored('b', '2', 'new')]);
    });
  });

  describe('an origin', () => {
    test('within the key lets both sources have the same ids', async (context) => {
      const create =
        'CREATE TABLE users (id bigint NOT NULL, email varchar(20), origin varchar(100) NOT NULL, PRIMARY KEY (origin, id))';
      const { write, rows } = await twoSources(context, engine, create, (value) =>
        users(value, { key: [2, 0] }),
      );
      for (const email of ['x', 'y']) {
        await write('a', { upserts: [row('a', '2', email)] });
        await write('b', { upserts: [row('b', '2', email)] });
      }
      expect(await rows()).toEqual([stored('a', '2', 'y'), stored('b', '2', 'y')]);
      await write('a', { deletes: [[A, '2']] });
      expect(await rows()).toEqual([stored('b', '2', 'y')]);
    });

    test.for(['char(40)', 'text'])('fits a column of type %s', async (type, context) => {
      const create = `CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, email varchar(20), origin ${type})`;
      const { write, database } = await twoSources(context, engine, create);
      await write('a', { upserts: [row('a', '2', 'x')] });
      await write('a', { upserts: [row('a', '2', 'y')] });
      expect(await write('b', { upserts: [row('b', '2', 'z')] })).toMatchObject(waiting('b', '2'));
      await write('b', { deletes: [['2']], unpark: [['2']] });
      expect(await database.rows('SELECT email FROM users')).toEqual([['y']]);
      await write('a', { deletes: [['2']] });
      expect(await database.rows('SELECT email FROM users')).toEqual([]);
    });

    test('needs a column that can hold and give back any text', async (context) => {
      const refused = async (column: string, value: string = A): Promise<void> => {
        const database = await contractDatabase(context, engine);
        await database.exec(
          `CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, email varchar(20)${column})`,
        );
        const target = await openedTarget(database.url);
        await expect(writerOf(target, users(value))).rejects.toMatchObject({
          code: 'ROWFERRY_TARGET_SCHEMA',
        });
      };
      await refused('');
      await refused(
        `, origin varchar(200) GENERATED ALWAYS AS (${engine === 'postgres' ? 'email' : 'lower(email)'}) STORED`,
      );
      await refused(engine === 'postgres' ? ', origin json' : `, origin enum('${A}')`);
      await refused(', origin varchar(200)', `${A} `);
    });

    test('that is too long for its column is a bad row', async (context) => {
      const create =
        'CREATE TABLE users (id bigint NOT NULL PRIMARY KEY, email varchar(20), origin varchar(5))';
      const { write } = await twoSources(context, engine, create);
      await expect(write('a', { upserts: [row('a', '2', 'x')] })).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
        where: { column: 'origin' },
      });
      expect(await write('a', { deletes: [['2']] })).toEqual(DONE);
    });

    test('that a row says otherwise than its table is a bug', async (context) => {
      const { write, rows } = await twoSources(context, engine, PLAIN);
      await expect(write('a', { upserts: [row('b', '2', 'x')] })).rejects.toMatchObject({
        code: 'ROWFERRY_INVARIANT',
      });
      expect(await rows()).toEqual([]);
    });
  });

  if (engine !== 'postgres') mysqlOnly(engine);
}

function mysqlOnly(engine: EngineName): void {
  describe('rows of two sources at a MySQL target', () => {
    test('stay apart when their keys differ by case alone', async (context) => {
      const create =
        'CREATE TABLE users (id varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, email varchar(20), origin varchar(200))';
      const { columns } = users(A);
      const shape = {
        columns: [{ name: 'id', type: 'varchar', compares: 'loose' } as const, ...columns.slice(1)],
      };
      const { write, rows, target } = await twoSources(context, engine, create, (value) =>
        users(value, shape),
      );
      await write('b', { upserts: [row('b', 'K', 'theirs')] });
      await write('a', { deletes: [['k'], ['K']] });
      expect(await write('a', { upserts: [row('a', 'k', 'mine')] })).toMatchObject(waiting('a', 'k'));
      expect(await rows()).toEqual([stored('b', 'K', 'theirs')]);
      await write('a', { deletes: [['k']], unpark: [['k']] });
      // Within a source it is a row that goes away by itself.
      await write('b', { upserts: [row('b', 'k', 'new')] });
      expect(await target.parked()).toMatchObject([
        { key: ['k'], origin: B, detail: 'another row holds the unique key (id)' },
      ]);
    });

    test('are guarded though a row with an empty ENUM label goes its own way', async (context) => {
      const create = `CREATE TABLE users (${COLUMNS}, kind enum('p', 'q'))`;
      const columns = [...users(A).columns, { name: 'kind', type: 'enum' }];
      const { write, database } = await twoSources(context, engine, create, (value) =>
        users(value, { columns }),
      );
      await write('b', { upserts: [[...row('b', '2', 'theirs'), '']] });
      expect(await write('a', { upserts: [[...row('a', '2', 'mine'), '']] })).toMatchObject(
        waiting('a', '2'),
      );
      await write('b', { upserts: [[...row('b', '2', 'new'), '']] });
      expect(await database.rows('SELECT email, kind + 0 FROM users')).toEqual([['new', '0']]);
    });

    test('a unique index that is added meanwhile is not taken for another source', async (context) => {
      const { write, rows, database } = await twoSources(context, engine, PLAIN);
      await write('b', { upserts: [row('b', '2', 'x')] });
      await database.exec('ALTER TABLE users ADD UNIQUE (email)');
      await expect(write('a', { upserts: [row('a', '1', 'x')] })).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
      });
      expect(await rows()).toEqual([stored('b', '2', 'x')]);
    });
  });
}
