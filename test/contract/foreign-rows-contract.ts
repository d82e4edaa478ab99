/** The Target port's contract on rows that a batch does not name: they stay as they are. */
import { describe, expect, test } from 'vitest';
import type { Table } from '../../src/model/table.ts';
import {
  ACCOUNT,
  batch,
  claimedTarget,
  contractDatabase,
  NEVER,
  nextOf,
  openedTarget,
  P1,
  tableBatch,
  writerOf,
} from './target-fixture.ts';
import type { EngineName } from './target-fixture.ts';

const STREET: Table = {
  schema: 'shop',
  name: 'street',
  columns: [
    { name: 'k', type: 'varchar', compares: 'loose' },
    { name: 'qty', type: 'int' },
  ],
  key: [0],
};

/** Column type, and two keys that it takes for equal though they differ. */
const LOOSE: readonly (readonly [string, string, string])[] = [
  ['varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci', 'straße0', 'strase0'],
  ['varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci', 'straße0', 'strasse0'],
  ['varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci', 'é', 'E'],
  ['varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', 'a ', 'a'],
  ['char(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci', 'ä', 'a'],
];

export function foreignRowsContract(engine: EngineName): void {
  if (engine === 'postgres') {
    describe('a table whose deletes change other tables', () => {
      test.for(['CASCADE', 'SET NULL', 'SET DEFAULT'])(
        'is refused, with the foreign key ON DELETE %s named',
        async (action, context) => {
          const database = await contractDatabase(context, engine);
          await database.exec('CREATE TABLE account (id bigint PRIMARY KEY, email varchar(20) UNIQUE)');
          await database.exec(
            `CREATE TABLE note (id bigint PRIMARY KEY, account bigint CONSTRAINT note_of REFERENCES account ON DELETE ${action})`,
          );
          const target = await openedTarget(database.url);
          await expect(writerOf(target, ACCOUNT)).rejects.toMatchObject({
            code: 'ROWFERRY_TARGET_SCHEMA',
            message: expect.stringContaining('account by note_of of note'),
          });
          // The table that refers to others loses nothing by its own deletes.
          expect((await target.describe(['note'])).has('note')).toBe(true);
        },
      );
    });
    return;
  }

  describe('a unique index that is added while rows are written', () => {
    test('stops the partition before a row of another key is overwritten', async (context) => {
      const create = 'CREATE TABLE account (id bigint NOT NULL PRIMARY KEY, email varchar(20))';
      const { database, target, writer } = await claimedTarget(context, engine, create, ACCOUNT);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      await database.exec('ALTER TABLE account ADD UNIQUE (email)');
      const work = { upserts: [['2', 'a']] };
      await expect(target.write(batch(1, 2, [tableBatch(writer, work)]), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
        action: 'stop',
        where: { table: 'account' },
      });
      expect(await database.rows('SELECT id, email FROM account')).toEqual([['1', 'a']]);
      expect(await nextOf(target)).toBe(1);
      const again = await writerOf(target, ACCOUNT);
      expect(await target.write(batch(1, 2, [tableBatch(again, work)]), NEVER)).toMatchObject({
        parked: [{ key: ['2'], reason: 'conflict' }],
      });
      expect(await database.rows('SELECT id, email FROM account')).toEqual([['1', 'a']]);
    });
  });

  describe('different keys that the target takes for equal', () => {
    test.for(LOOSE)('in %s do not overwrite or delete each other', async ([type, one, other], context) => {
      const create = `CREATE TABLE street (k ${type} NOT NULL PRIMARY KEY, qty int)`;
      const { database, target, writer } = await claimedTarget(context, engine, create, STREET);
      await target.claim(P1, 1);
      const rows = (): Promise<(string | null)[][]> => database.rows('SELECT k, qty FROM street');
      expect(writer.hasUniqueKeys).toBe(true);
      await target.write(batch(0, 1, [tableBatch(writer, { upserts: [[one, 1]] })]), NEVER);
      // The source has deleted the one by now; this partition is ahead.
      const upsert = batch(0, 1, [tableBatch(writer, { upserts: [[other, 2]] })], { id: P1 });
      expect(await target.write(upsert, NEVER)).toMatchObject({
        parked: [{ key: [other], reason: 'conflict' }],
      });
      expect(await rows()).toEqual([[one, '1']]);
      const [entry] = await target.parked();
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('waits');
      await target.write(batch(1, 2, [tableBatch(writer, { deletes: [[one]] })]), NEVER);
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await rows()).toEqual([[other, '2']]);
      await target.write(batch(2, 3, [tableBatch(writer, { deletes: [[one]] })]), NEVER);
      expect(await rows()).toEqual([[other, '2']]);
      await target.write(batch(1, 2, [tableBatch(writer, { upserts: [[other, 3]] })], { id: P1 }), NEVER);
      expect(await rows()).toEqual([[other, '3']]);
    });
  });
}
