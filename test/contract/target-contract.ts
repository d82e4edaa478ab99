/** The Target port's contract, clause by clause, for any engine behind it. */
import { describe, expect, test } from 'vitest';
import { RowferryError } from '../../src/errors.ts';
import type { Table } from '../../src/model/table.ts';
import {
  batch,
  claimedTarget,
  contractDatabase,
  CREATE_ITEM,
  ITEM,
  NEVER,
  nextOf,
  openedTarget,
  P0,
  P1,
  sequence,
  tableBatch,
  writerOf,
} from './target-fixture.ts';
import type { EngineName } from './target-fixture.ts';

export function targetContract(engine: EngineName): void {
  describe('writing a batch', () => {
    test('changes rows and watermark together', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const work = tableBatch(writer, { upserts: [['1', 'apple', 3], ['2', null, -4]] }); // prettier-ignore
      expect(await target.write(batch(0, 10, [work]), NEVER)).toEqual({ kind: 'done', parked: [] });
      expect(await database.rows('SELECT id, name, qty FROM item ORDER BY id')).toEqual([
        ['1', 'apple', '3'],
        ['2', null, '-4'],
      ]);
      expect(await target.watermarks()).toEqual([
        {
          ...P0,
          owner: 1,
          next: 10,
          plannedEnd: null,
          sequence: sequence(10),
          sourceTimeMs: 1_700_000_000_010,
        },
      ]);
    });

    test('changes nothing at all when one row is refused', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const work = tableBatch(writer, { upserts: [['1', 'apple', 3], ['2', 'x'.repeat(21), 1]] }); // prettier-ignore
      await expect(target.write(batch(0, 10, [work]), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
        where: { target: 'shard-1', table: 'item', column: 'name' },
      });
      expect(await database.rows('SELECT * FROM item')).toEqual([]);
      expect(await nextOf(target)).toBe(0);
    });

    test('says neither value nor statement when it refuses a row', async (context) => {
      const { target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const secret = 'hunter2'.repeat(4);
      for (const row of [
        ['1', secret, 1],
        ['1', 'a', 99_999_999_999],
        ['1', secret.slice(0, 9), null],
      ] as const) {
        // prettier-ignore
        const error = await target
          .write(batch(0, 10, [tableBatch(writer, { upserts: [row] })]), NEVER)
          .then(() => undefined)
          .catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(RowferryError);
        const { inspect } = await import('node:util');
        expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/hunter2|99999999999|INSERT/);
        expect((error as RowferryError).code).toBe('ROWFERRY_TARGET_DATA');
      }
    });

    test('is stale, and changes nothing, for another owner', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.claim(P0, 2);
      const work = tableBatch(writer, { upserts: [['1', 'apple', 3]] });
      const result = await target.write(batch(0, 10, [work]), NEVER);
      expect(result).toMatchObject({ kind: 'stale', found: { owner: 2, next: 0 } });
      expect(await database.rows('SELECT * FROM item')).toEqual([]);
    });

    test('is stale, and changes nothing, when next is not as expected', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 10, []), NEVER);
      const work = tableBatch(writer, { upserts: [['1', 'apple', 3]] });
      const result = await target.write(batch(5, 20, [work]), NEVER);
      expect(result).toMatchObject({ kind: 'stale', found: { owner: 1, next: 10 } });
      expect(await database.rows('SELECT * FROM item')).toEqual([]);
    });

    test('is stale without a watermark', async (context) => {
      const { target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      expect(await target.write(batch(0, 10, [], { id: P1 }), NEVER)).toEqual({
        kind: 'stale',
        found: undefined,
      });
    });

    test('refuses a watermark that would step back', async (context) => {
      const { target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 10, []), NEVER);
      await expect(target.write(batch(10, 9, []), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_INVARIANT',
      });
      expect(await nextOf(target)).toBe(10);
    });

    test('replaces the whole row by key, and deletes what is absent with success', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const first = tableBatch(writer, { upserts: [['1', 'apple', 3], ['2', 'pear', 4]] }); // prettier-ignore
      await target.write(batch(0, 10, [first]), NEVER);
      const second = tableBatch(writer, { upserts: [['1', null, 5]], deletes: [['2'], ['77']] });
      // The same work twice, as a replay brings it.
      await target.write(batch(10, 20, [second]), NEVER);
      await target.write(batch(20, 30, [second]), NEVER);
      expect(await database.rows('SELECT id, name, qty FROM item')).toEqual([['1', null, '5']]);
    });

    test('deletes in every table before it inserts in any', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'old', 1]] })]), NEVER);
      // Two batches of one table stand for two source tables that feed it: the row that moves from one to the other stays.
      const upserts = tableBatch(writer, { upserts: [['1', 'new', 2]] });
      const deletes = tableBatch(writer, { deletes: [['1']] });
      await target.write(batch(1, 2, [upserts, deletes]), NEVER);
      expect(await database.rows('SELECT id, name, qty FROM item')).toEqual([['1', 'new', '2']]);
    });

    test('phase one saves only the plan, and the plan never shrinks', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const work = tableBatch(writer, { upserts: [['1', 'apple', 3]] });
      const planned = (plannedEnd: number): Parameters<typeof batch>[3] => ({
        save: { kind: 'planned', plannedEnd },
      });
      await target.write(batch(0, 0, [work], planned(50)), NEVER);
      await target.write(batch(0, 0, [work], planned(40)), NEVER);
      expect(await target.watermarks()).toMatchObject([{ next: 0, plannedEnd: 50, sequence: { epoch: 0 } }]);
      expect(await database.rows('SELECT id FROM item')).toEqual([['1']]);
      await target.write(batch(0, 50, []), NEVER);
      expect(await target.watermarks()).toMatchObject([{ next: 50, plannedEnd: null }]);
    });

    test('a batch without a time keeps the one before', async (context) => {
      const { target } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 10, []), NEVER);
      const save = { kind: 'next', next: 20, sequence: sequence(20), sourceTimeMs: null } as const;
      await target.write(batch(10, 20, [], { save }), NEVER);
      expect(await target.watermarks()).toMatchObject([{ next: 20, sourceTimeMs: 1_700_000_000_010 }]);
    });

    test('writes partitions side by side', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const ids = Array.from({ length: 12 }, (_, partition) => ({ topic: 'shop.changes', partition }));
      await Promise.all(ids.map((id) => target.claim(id, 2)));
      for (let round = 0; round < 5; round++) {
        const results = await Promise.all(
          ids.map((id) => {
            const upserts = Array.from({ length: 50 }, (_, i) => [String(i * ids.length + id.partition), `r${round}`, round]);
            const deletes = [[String(10_000 + id.partition)]];
            return target.write(batch(round, round + 1, [tableBatch(writer, { upserts, deletes })], { id, owner: 2 }), NEVER);
          }),
        ); // prettier-ignore
        expect(results.every(({ kind }) => kind === 'done')).toBe(true);
      }
      expect(await database.rows("SELECT count(*) FROM item WHERE name = 'r4'")).toEqual([['600']]);
    });

    test('takes 70,000 rows in one transaction', { timeout: 60_000 }, async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      const upserts = Array.from({ length: 70_000 }, (_, i) => [String(i), `row ${i}`, i]);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts })]), NEVER);
      expect(await database.rows('SELECT count(*), sum(qty) FROM item')).toEqual([['70000', '2449965000']]);
      const deletes = upserts.map(([id]) => [id!]);
      await target.write(batch(1, 2, [tableBatch(writer, { deletes })]), NEVER);
      expect(await database.rows('SELECT count(*) FROM item')).toEqual([['0']]);
    });

    test('takes rows larger than a megabyte', async (context) => {
      const source: Table = {
        ...ITEM,
        columns: [{ name: 'id', type: 'int' }, { name: 'body', type: 'longtext' }, { name: 'raw', type: 'longblob' }],
      }; // prettier-ignore
      const [text, bytes] = engine === 'postgres' ? ['text', 'bytea'] : ['longtext', 'longblob'];
      const create = `CREATE TABLE item (id int NOT NULL PRIMARY KEY, body ${text}, raw ${bytes})`;
      const { database, target, writer } = await claimedTarget(context, engine, create, source);
      const body = `ü'\\"\n${'日本語😀 '.repeat(200_000)}`;
      const raw = Buffer.alloc(9_000_000, 0xa7).toString('base64');
      const upserts = [[1, body, raw], [2, 'b', 'AA=='], [3, body, null]]; // prettier-ignore
      await target.write(batch(0, 1, [tableBatch(writer, { upserts })]), NEVER);
      const lengths = await database.rows(
        'SELECT id, char_length(body), octet_length(raw) FROM item ORDER BY id',
      );
      const characters = String(Array.from(body).length);
      expect(lengths).toEqual([['1', characters, '9000000'], ['2', '1', '1'], ['3', characters, null]]); // prettier-ignore
    });
  });

  describe('keys', () => {
    test('of several columns and of texts with special characters', async (context) => {
      const source: Table = {
        schema: 'shop',
        name: 'item',
        columns: [
          { name: 'qty', type: 'int' },
          { name: 'country', type: 'char' },
          { name: 'code', type: 'varchar', compares: 'loose' },
        ],
        key: [2, 1],
      };
      const create =
        'CREATE TABLE item (country char(2) NOT NULL, code varchar(40) NOT NULL, qty int, PRIMARY KEY (code, country))';
      const { database, target, writer } = await claimedTarget(context, engine, create, source);
      const codes = [`a'b`, 'a\\', 'a"b', 'ü😀', '', 'a,b', '{a}', 'NULL', 'a\nb', '--'];
      const upserts = codes.map((code, i) => [i, 'de', code]);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts })]), NEVER);
      await target.write(
        batch(1, 2, [tableBatch(writer, { upserts: codes.map((code, i) => [i + 100, 'de', code]) })]),
        NEVER,
      );
      expect(await database.rows('SELECT code, country, qty FROM item ORDER BY qty')).toEqual(
        codes.map((code, i) => [code, 'de', String(i + 100)]),
      );
      await target.write(
        batch(2, 3, [tableBatch(writer, { deletes: codes.slice(1).map((code) => [code, 'de']) })]),
        NEVER,
      );
      expect(await database.rows('SELECT code FROM item')).toEqual([[`a'b`]]);
    });

    test.skipIf(engine === 'postgres')(
      'that ignore case keep one row, spelt as the source spells it (MySQL only: PostgreSQL compares exactly)',
      async (context) => {
        const source: Table = {
          schema: 'shop',
          name: 'item',
          columns: [{ name: 'code', type: 'varchar', compares: 'loose' }, { name: 'qty', type: 'int' }],
          key: [0],
        }; // prettier-ignore
        const create =
          'CREATE TABLE item (code varchar(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, qty int)';
        const { database, target, writer } = await claimedTarget(context, engine, create, source);
        await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['ABC', 1]] })]), NEVER);
        // The source spelt the key otherwise: there this is a delete and an insert, whose order the batch keeps.
        await target.write(
          batch(1, 2, [tableBatch(writer, { deletes: [['ABC']], upserts: [['abc', 2]] })]),
          NEVER,
        );
        expect(await database.rows('SELECT code, qty FROM item')).toEqual([['abc', '2']]);
        await target.write(batch(2, 3, [tableBatch(writer, { upserts: [['abc', 3]] })]), NEVER);
        expect(await database.rows('SELECT code, qty FROM item')).toEqual([['abc', '3']]);
        await target.write(batch(3, 4, [tableBatch(writer, { deletes: [['abc']] })]), NEVER);
        expect(await database.rows('SELECT code FROM item')).toEqual([]);
      },
    );

    test('that only the source tells apart are refused', async (context) => {
      const source: Table = {
        schema: 'shop',
        name: 'item',
        columns: [{ name: 'code', type: 'varchar', compares: 'exact' }],
        key: [0],
      };
      const loose = engine === 'postgres' ? 'COLLATE loose' : 'COLLATE utf8mb4_general_ci';
      const database = await contractDatabase(context, engine);
      if (engine === 'postgres') {
        await database.exec(
          `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`,
        );
      }
      await database.exec(`CREATE TABLE item (code varchar(20) ${loose} NOT NULL PRIMARY KEY)`);
      const target = await openedTarget(database.url);
      await expect(writerOf(target, source)).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA' });
    });

    test('are all a row may have', async (context) => {
      const source: Table = { ...ITEM, columns: [{ name: 'id', type: 'bigint' }] };
      const create = 'CREATE TABLE item (id bigint NOT NULL PRIMARY KEY)';
      const { database, target, writer } = await claimedTarget(context, engine, create, source);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1'], ['2']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2'], ['3']] })]), NEVER);
      expect(await database.rows('SELECT id FROM item ORDER BY id')).toEqual([['1'], ['2'], ['3']]);
    });
  });
}
