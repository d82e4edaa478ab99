/** The Target port's contract for rows that are refused: parking (P1-P4) and bad rows. */
import { describe, expect, test } from 'vitest';
import {
  ACCOUNT,
  batch,
  claimedTarget,
  CREATE_ACCOUNT,
  CREATE_ITEM,
  ITEM,
  NEVER,
  nextOf,
  P0,
  P1,
  tableBatch,
} from './target-fixture.ts';
import type { ContractDatabase, EngineName } from './target-fixture.ts';

const accounts = (database: ContractDatabase): Promise<(string | null)[][]> =>
  database.rows('SELECT id, email FROM account ORDER BY id');

export function parkingContract(engine: EngineName): void {
  describe('rows in conflict', () => {
    test('swap unique values within a batch without a conflict', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a'], ['2', 'b'], ['3', 'c']] })]), NEVER); // prettier-ignore
      const result = await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['1', 'b'], ['2', 'a']] })]), NEVER); // prettier-ignore
      expect(result).toEqual({ kind: 'done', parked: [] });
      expect(await accounts(database)).toEqual([['1', 'b'], ['2', 'a'], ['3', 'c']]); // prettier-ignore
    });

    test('are parked in the same transaction and never overwrite the other row (P1)', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      const upserts = Array.from({ length: 30 }, (_, i) => [String(i + 2), i === 17 ? 'a' : `m${i}`]);
      const result = await target.write(batch(1, 2, [tableBatch(writer, { upserts })]), NEVER);
      expect(result).toMatchObject({
        kind: 'done',
        parked: [
          {
            ...P0,
            sourceTable: 'shop.account',
            table: 'account',
            key: ['19'],
            reason: 'conflict',
            detail: 'another row holds the unique key (email)',
            attempts: 0,
            sequence: { epoch: 1, file: 1, end: 18, half: 0 },
          },
        ],
      });
      const rows = await accounts(database);
      expect(rows).toHaveLength(30);
      expect(rows).toContainEqual(['1', 'a']);
      expect(rows).not.toContainEqual(['19', 'a']);
      expect(await target.parked()).toEqual(result.kind === 'done' ? result.parked : []);
      expect(await target.parked(P0)).toHaveLength(1);
      expect(await target.parked(P1)).toEqual([]);
      expect(await nextOf(target)).toBe(2);
    });

    test('heal when the row in the way goes (P4), and stay parked until then', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2', 'a']] })]), NEVER);
      const [entry] = await target.parked();
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('waits');
      expect(await target.parked()).toMatchObject([{ key: ['2'], attempts: 1 }]);
      await target.write(batch(2, 3, [tableBatch(writer, { deletes: [['1']] })]), NEVER);
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await accounts(database)).toEqual([['2', 'a']]);
      expect(await target.parked()).toEqual([]);
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('gone');
    });

    test('that swap unique values from two partitions do not wait for each other', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.claim(P1, 1);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['2', 'b']] })], { id: P1 }), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['1', 'b']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2', 'a']] })], { id: P1 }), NEVER);
      for (const entry of await target.parked()) {
        expect(await target.retryParked(entry, 1, NEVER)).toBe('healed');
      }
      expect(await target.parked()).toEqual([]);
      expect(await accounts(database)).toEqual([['1', 'b'], ['2', 'a']]); // prettier-ignore
    });

    test('write over a row that has a parked entry itself, which is outdated (P3)', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.claim(P1, 1);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['2', 'a']] })], { id: P1 }), NEVER);
      // Someone put an old image of the parked row back: it must not keep others out.
      await database.exec("INSERT INTO account VALUES (2, 'old')");
      const result = await target.write(
        batch(1, 2, [tableBatch(writer, { upserts: [['3', 'old']] })]),
        NEVER,
      );
      expect(result).toEqual({ kind: 'done', parked: [] });
      expect(await accounts(database)).toEqual([['1', 'a'], ['3', 'old']]); // prettier-ignore
      expect(await target.parked()).toMatchObject([{ key: ['2'] }]);
      // The same when it is a parked row that needs the place.
      await target.write(batch(2, 3, [tableBatch(writer, { deletes: [['1']] })]), NEVER);
      await database.exec("INSERT INTO account VALUES (1, 'a')");
      await target.write(batch(3, 4, [tableBatch(writer, { upserts: [['1', 'old']] })]), NEVER);
      const entry = (await target.parked()).find(({ key }) => key[0] === '2')!;
      await database.exec('DELETE FROM account WHERE id = 1');
      await database.exec("INSERT INTO account VALUES (1, 'a')");
      expect(await target.retryParked(entry, 1, NEVER)).toBe('healed');
      expect(await accounts(database)).toEqual([['2', 'a'], ['3', 'old']]); // prettier-ignore
    });

    test('lose their entry to any later change of their key (P2)', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      const conflicting = { upserts: [['2', 'a'], ['3', 'a'], ['4', 'a']] }; // prettier-ignore
      await target.write(batch(1, 2, [tableBatch(writer, conflicting)]), NEVER);
      expect(await target.parked()).toHaveLength(3);
      const changes = { upserts: [['2', 'free']], deletes: [['3']], unpark: [['2'], ['3']] };
      await target.write(batch(2, 3, [tableBatch(writer, changes)]), NEVER);
      expect(await target.parked()).toMatchObject([{ key: ['4'] }]);
      expect(await accounts(database)).toEqual([['1', 'a'], ['2', 'free']]); // prettier-ignore
    });

    test('lose their entry also in a batch that parks others', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2', 'a'], ['3', 'a']] })]), NEVER); // prettier-ignore
      const changes = { upserts: [['2', 'free'], ['4', 'a']], deletes: [['3']], unpark: [['2'], ['3']] }; // prettier-ignore
      await target.write(batch(2, 3, [tableBatch(writer, changes)]), NEVER);
      expect(await target.parked()).toMatchObject([{ key: ['4'] }]);
      expect(await accounts(database)).toEqual([['1', 'a'], ['2', 'free']]); // prettier-ignore
    });

    test('are found among more rows than one statement takes', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      const upserts = Array.from({ length: 2_500 }, (_, i) => [String(i + 2), i === 2_200 ? 'a' : `m${i}`]);
      const result = await target.write(batch(1, 2, [tableBatch(writer, { upserts })]), NEVER);
      expect(result).toMatchObject({ parked: [{ key: ['2202'] }] });
      expect(await target.parked()).toHaveLength(1);
      expect(await database.rows('SELECT count(*) FROM account')).toEqual([['2500']]);
    });

    test('keep their age when they conflict again', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a'], ['2', 'b']] })]), NEVER); // prettier-ignore
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['3', 'a']] })]), NEVER);
      await database.exec("UPDATE rowferry_parked SET parked_at = '2020-01-02 03:04:05.678'");
      await target.write(
        batch(2, 3, [tableBatch(writer, { upserts: [['3', 'b']], unpark: [['3']] })]),
        NEVER,
      );
      expect(await target.parked()).toMatchObject([
        { key: ['3'], parkedAtMs: Date.UTC(2020, 0, 2, 3, 4, 5, 678) },
      ]);
      await target.write(batch(3, 4, [tableBatch(writer, { deletes: [['2']] })]), NEVER);
      const [entry] = await target.parked();
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await accounts(database)).toEqual([['1', 'a'], ['3', 'b']]); // prettier-ignore
    });

    test('heal for their owner only, and for an operator', async (context) => {
      const { target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2', 'a']] })]), NEVER);
      await target.write(batch(2, 3, [tableBatch(writer, { deletes: [['1']] })]), NEVER);
      const [entry] = await target.parked();
      await target.claim(P0, 5);
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('stale');
      expect(await target.retryParked(entry!, null, NEVER)).toBe('healed');
    });

    test('can be dropped by an operator', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [['2', 'a']] })]), NEVER);
      const [entry] = await target.parked();
      expect(await target.dropParked(entry!)).toBe(true);
      expect(await target.dropParked(entry!)).toBe(false);
      expect(await accounts(database)).toEqual([['1', 'a']]);
    });

    test('over a key of an expression are parked though nobody can name the other row', async (context) => {
      const index =
        engine === 'mysql'
          ? 'UNIQUE ((lower(email)))'
          : engine === 'mariadb'
            ? 'UNIQUE (email(3))'
            : 'EXCLUDE (email WITH =)';
      const create = `CREATE TABLE account (id bigint NOT NULL PRIMARY KEY, email varchar(20), ${index})`;
      const { database, target, writer } = await claimedTarget(context, engine, create, ACCOUNT);
      expect(writer.table.uniqueKeys).toEqual([[]]);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'abcd']] })]), NEVER);
      const result = await target.write(
        batch(1, 2, [tableBatch(writer, { upserts: [['2', 'abcd']] })]),
        NEVER,
      );
      expect(result).toMatchObject({ parked: [{ key: ['2'], reason: 'conflict' }] });
      expect(await accounts(database)).toEqual([['1', 'abcd']]);
    });
  });

  describe('rows that can never be written', () => {
    const bad = 'x'.repeat(21);

    test('are parked with their reason when so configured, and the others written', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['2', 'old', 1]] })]), NEVER);
      const upserts = [['1', 'apple', 3], ['2', bad, 1], ['3', 'pear', 2], ['4', 'fig', 9_999_999_999], ['5', 'kiwi', null], ['6', 'plum', 6]]; // prettier-ignore
      const result = await target.write(
        batch(1, 2, [tableBatch(writer, { upserts })], { onBadRow: 'park' }),
        NEVER,
      );
      expect(result).toMatchObject({
        kind: 'done',
        parked: [
          { key: ['2'], reason: 'data' },
          { key: ['4'], reason: 'data' },
          { key: ['5'], reason: 'data' },
        ],
      });
      const details = result.kind === 'done' ? result.parked.map(({ detail }) => detail) : [];
      expect(details[0]).toContain('name');
      expect(details[2]).toContain('qty');
      expect(details.join()).not.toContain(bad);
      // The outdated version of the parked row is gone: the entry holds the row.
      expect(await database.rows('SELECT id FROM item ORDER BY id')).toEqual([['1'], ['3'], ['6']]);
    });

    test('heal once the table takes them', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ITEM, ITEM);
      await target.write(
        batch(0, 1, [tableBatch(writer, { upserts: [['2', bad, 1]] })], { onBadRow: 'park' }),
        NEVER,
      );
      const [entry] = await target.parked();
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('waits');
      await database.exec(
        engine === 'postgres'
          ? 'ALTER TABLE item ALTER name TYPE varchar(50)'
          : 'ALTER TABLE item MODIFY name varchar(50)',
      );
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await database.rows('SELECT id, name FROM item')).toEqual([['2', bad]]);
    });

    test('whose key the target cannot hold are deleted with success: they are not there', async (context) => {
      const { target, writer } = await claimedTarget(
        context,
        engine,
        'CREATE TABLE item (id int NOT NULL PRIMARY KEY, name varchar(20), qty int NOT NULL)',
        ITEM,
      );
      const upserts = [['4000000000', 'a', 1]];
      const first = await target.write(
        batch(0, 1, [tableBatch(writer, { upserts })], { onBadRow: 'park' }),
        NEVER,
      );
      expect(first).toMatchObject({ parked: [{ reason: 'data', key: ['4000000000'] }] });
      const deletes = { deletes: [['4000000000']], unpark: [['4000000000']] };
      expect(await target.write(batch(1, 2, [tableBatch(writer, deletes)]), NEVER)).toEqual({
        kind: 'done',
        parked: [],
      });
      expect(await target.parked()).toEqual([]);
    });

    test('do not hide a conflict, nor a conflict them', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE_ACCOUNT, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      const work = { upserts: [['2', 'a'], ['3', bad], ['4', 'd']] }; // prettier-ignore
      await expect(target.write(batch(1, 2, [tableBatch(writer, work)]), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
      });
      expect(await target.parked()).toEqual([]);
      await target.write(batch(1, 2, [tableBatch(writer, work)], { onBadRow: 'park' }), NEVER);
      expect((await target.parked()).map(({ key, reason }) => `${key[0]} ${reason}`).toSorted()).toEqual([
        '2 conflict',
        '3 data',
      ]);
      expect(await accounts(database)).toEqual([['1', 'a'], ['4', 'd']]); // prettier-ignore
    });
  });
}
