/** Rows of tables without a key: they are added, and nothing is replaced. */
import { describe, expect, test } from 'vitest';
import type { Table } from '../../src/model/table.ts';
import { batch, claimedTarget, NEVER, nextOf, P0, tableBatch } from './target-fixture.ts';
import type { EngineName } from './target-fixture.ts';

const VISIT: Table = {
  schema: 'shop',
  name: 'visit',
  columns: [
    { name: 'who', type: 'bigint' },
    { name: 'note', type: 'varchar' },
  ],
  key: [],
};
const CREATE = 'CREATE TABLE visit (who bigint, note varchar(20))';
const COUNTED = 'SELECT who, note, COUNT(*) FROM visit GROUP BY who, note ORDER BY who, note';

export function keylessContract(engine: EngineName): void {
  describe('rows of a table without a key', () => {
    test('are added each time, also those that are the same', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE, VISIT);
      const work = tableBatch(writer, { upserts: [['1', 'a'], ['1', 'a'], ['2', 'b']] }); // prettier-ignore
      await target.write(batch(0, 10, [work]), NEVER);
      await target.write(batch(10, 20, [work]), NEVER);
      expect(await database.rows(COUNTED)).toEqual([
        ['1', 'a', '4'],
        ['2', 'b', '2'],
      ]);
    });

    test('are not added by a batch that is done, or is another owner’s', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE, VISIT);
      const work = tableBatch(writer, { upserts: [['1', 'a']] });
      await target.write(batch(0, 10, [work]), NEVER);
      expect(await target.write(batch(0, 10, [work]), NEVER)).toMatchObject({ kind: 'stale' });
      await target.claim(P0, 2);
      expect(await target.write(batch(10, 20, [work]), NEVER)).toMatchObject({ kind: 'stale' });
      expect(await database.rows(COUNTED)).toEqual([['1', 'a', '1']]);
    });

    test('stop the batch when one does not fit, and are never parked: nothing would name them', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE, VISIT);
      const work = tableBatch(writer, { upserts: [['1', 'a'], ['1', 'x'.repeat(21)]] }); // prettier-ignore
      await expect(target.write(batch(0, 10, [work], { onBadRow: 'park' }), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
        where: { table: 'visit' },
      });
      expect(await database.rows(COUNTED)).toEqual([]);
      expect([await nextOf(target), await target.parked()]).toEqual([0, []]);
    });

    test('go beside a counter of the target’s own, and not where a key could refuse them', async (context) => {
      const counter =
        engine === 'postgres' ? 'bigint GENERATED ALWAYS AS IDENTITY' : 'bigint NOT NULL AUTO_INCREMENT';
      const create = `CREATE TABLE visit (id ${counter}, who bigint, note varchar(20), PRIMARY KEY (id))`;
      const { database, target, writer } = await claimedTarget(context, engine, create, VISIT);
      await target.write(batch(0, 10, [tableBatch(writer, { upserts: [['1', 'a'], ['1', 'a']] })]), NEVER); // prettier-ignore
      expect(await database.rows(COUNTED)).toEqual([['1', 'a', '2']]);
      await database.exec('CREATE UNIQUE INDEX by_who ON visit (who, id)');
      const described = (await target.describe(['visit'])).get('visit')!;
      expect(() => target.writer(VISIT, described)).toThrow('rows may come that the unique key (who, id)');
    });

    test('are listed with what was emptied', async (context) => {
      const { database, target, writer } = await claimedTarget(context, engine, CREATE, VISIT);
      await target.write(batch(0, 10, [tableBatch(writer, { upserts: [['1', 'a']] })]), NEVER);
      const id = { topic: P0.topic, sourceTable: 'shop.visit', epoch: 1, file: 2, end: 30 };
      await target.truncate({ ...id, tables: [{ table: 'visit', only: null }] }, NEVER);
      expect(await target.truncations(P0.topic)).toEqual([id]);
      expect(await target.truncations('another')).toEqual([]);
      expect(await database.rows(COUNTED)).toEqual([]);
    });
  });
}
