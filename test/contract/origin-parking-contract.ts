/** The Target port's contract for parked rows of target tables in which rows of several source tables meet. */
import { describe, expect, test } from 'vitest';
import { A, B, FOREIGN_KEY, PLAIN, row, stored, twoSources, UNIQUE, waiting } from './origin-fixture.ts';
import { batch, NEVER, P0, tableBatch } from './target-fixture.ts';
import type { EngineName } from './target-fixture.ts';

export function originParkingContract(engine: EngineName): void {
  describe('rows of two sources in conflict', () => {
    test('over another unique key are parked and heal as ever', async (context) => {
      const { write, rows, target } = await twoSources(context, engine, UNIQUE);
      await write('b', { upserts: [row('b', '2', 'x')] });
      expect(await write('a', { upserts: [row('a', '1', 'x')] })).toMatchObject({
        parked: [{ ...P0, key: ['1'], origin: A, detail: 'another row holds the unique key (email)' }],
      });
      const [entry] = await target.parked();
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('waits');
      await write('b', { deletes: [['2']] });
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await rows()).toEqual([stored('a', '1', 'x')]);
    });

    test('over the key as well wait for the key', async (context) => {
      const { write, rows, database, retry } = await twoSources(context, engine, UNIQUE);
      await write('b', { upserts: [row('b', '2', 'x'), row('b', '3', 'y')] });
      for (const origin of [B, null]) {
        if (origin === null) await database.exec('UPDATE users SET origin = NULL WHERE id = 2');
        for (const email of ['x', 'y']) {
          const work = { upserts: [row('a', '1', 'y'), row('a', '2', email)], unpark: [['1'], ['2']] };
          expect(await write('a', work)).toMatchObject({
            parked: [
              { key: ['1'], detail: 'another row holds the unique key (email)' },
              { key: ['2'], detail: FOREIGN_KEY },
            ],
          });
        }
        expect(await rows()).toEqual([['2', 'x', origin], stored('b', '3', 'y')]);
      }
      expect(await retry()).toEqual(['waits', 'waits']);
    });

    test('wait as two entries though they have one key and one partition', async (context) => {
      const { rows, target, a, b } = await twoSources(context, engine, UNIQUE);
      const write = async (next: number, ...tables: ReturnType<typeof tableBatch>[]): Promise<unknown> =>
        await target.write(batch(next, next + 1, tables), NEVER);
      await write(0, tableBatch(b, { upserts: [row('b', '8', 'x'), row('b', '9', 'y')] }));
      await write(1, tableBatch(a, { upserts: [row('a', '2', 'x')] }));
      await write(2, tableBatch(b, { upserts: [row('b', '2', 'y')] }));
      expect(new Set((await target.parked()).map(({ origin }) => origin))).toEqual(new Set([A, B]));
      // A later change by one source takes its own entry only (P2).
      await write(3, tableBatch(b, { deletes: [['2'], ['9']], unpark: [['2']] }));
      expect(await target.parked()).toMatchObject([{ key: ['2'], origin: A }]);
      await write(4, tableBatch(b, { upserts: [row('b', '2', 'x')], unpark: [['2']] }));
      expect(await target.parked()).toHaveLength(2);
      await write(5, tableBatch(b, { deletes: [['8']] }));
      const entry = (await target.parked()).find(({ origin }) => origin === A)!;
      expect(await target.retryParked(entry, 1, NEVER)).toBe('healed');
      expect(await rows()).toEqual([stored('a', '2', 'x')]);
      const [other] = await target.parked();
      expect(await target.dropParked(other!)).toBe(true);
      expect(await target.parked()).toEqual([]);
    });

    test('are outdated by an entry of their own source only (P3)', async (context) => {
      const { write, rows, target, database } = await twoSources(context, engine, UNIQUE);
      await write('b', { upserts: [row('b', '9', 'x')] });
      await write('a', { upserts: [row('a', '2', 'x')] });
      expect(await target.parked()).toMatchObject([{ key: ['2'], origin: A }]);
      // The key that waits is free: the other source has a row of that key, and it is not outdated.
      await write('b', { upserts: [row('b', '2', 'y')] });
      const detail = 'another row holds the unique key (email)';
      for (const [from, id] of [
        ['a', '3'],
        ['b', '4'],
      ] as const) {
        expect(await write(from, { upserts: [row(from, id, 'y')] })).toMatchObject({
          parked: [{ key: [id], detail }],
        });
      }
      const entry = (await target.parked()).find(({ key }) => key[0] === '3')!;
      expect(await target.retryParked(entry, 1, NEVER)).toBe('waits');
      expect(await rows()).toEqual([stored('b', '2', 'y'), stored('b', '9', 'x')]);
      // An old image of the row that waits is outdated.
      await database.exec(`UPDATE users SET origin = '${A}' WHERE id = 2`);
      expect(await target.retryParked(entry, 1, NEVER)).toBe('healed');
      expect(await rows()).toEqual([stored('a', '3', 'y'), stored('b', '9', 'x')]);
    });

    test('wait, and say why, when the other source took the key meanwhile', async (context) => {
      const { write, rows, target } = await twoSources(context, engine, UNIQUE);
      await write('b', { upserts: [row('b', '9', 'x')] });
      await write('a', { upserts: [row('a', '2', 'x')] });
      await write('b', { upserts: [row('b', '2', 'y')], deletes: [['9']] });
      const [entry] = await target.parked();
      for (const attempts of [1, 2]) {
        expect(await target.retryParked(entry!, 1, NEVER)).toBe('waits');
        expect(await target.parked()).toEqual([{ ...entry!, attempts, detail: FOREIGN_KEY }]);
      }
      expect(await rows()).toEqual([stored('b', '2', 'y')]);
      // A later change of the row takes the entry's place and keeps its age.
      const change = { upserts: [row('a', '2', 'z')], unpark: [['2']] };
      expect(await write('a', change)).toMatchObject(waiting('a', '2'));
      const { parkedAtMs } = entry!;
      expect(await target.parked()).toMatchObject([{ origin: A, attempts: 0, parkedAtMs }]);
      await write('b', { deletes: [['2']] });
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await rows()).toEqual([stored('a', '2', 'z')]);
    });

    test('wait for the key also when it was a bad row that was parked', async (context) => {
      const { write, rows, target, database } = await twoSources(context, engine, PLAIN);
      const long = 'x'.repeat(21);
      await write('a', { upserts: [row('a', '2', long)] }, 'park');
      await write('b', { upserts: [row('b', '2', 'theirs')] });
      await database.exec(
        engine === 'postgres'
          ? 'ALTER TABLE users ALTER email TYPE varchar(50)'
          : 'ALTER TABLE users MODIFY email varchar(50)',
      );
      const [entry] = await target.parked();
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('waits');
      expect(await target.parked()).toMatchObject([{ attempts: 1, reason: 'data', detail: FOREIGN_KEY }]);
      expect(await rows()).toEqual([stored('b', '2', 'theirs')]);
      await write('b', { deletes: [['2']] });
      expect(await target.retryParked(entry!, 1, NEVER)).toBe('healed');
      expect(await rows()).toEqual([stored('a', '2', long)]);
    });
  });
}
