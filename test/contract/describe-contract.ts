/** The Target port's contract for looking tables up. */
import { describe, expect, test } from 'vitest';
import { contractDatabase, openedTarget } from './target-fixture.ts';
import type { EngineName } from './target-fixture.ts';

export function describeContract(engine: EngineName): void {
  const quoted = (name: string): string => (engine === 'postgres' ? `"${name}"` : `\`${name}\``);

  describe('describing tables', () => {
    test('answers for many as for each alone', async (context) => {
      const database = await contractDatabase(context, engine);
      const kinds = [
        '(id bigint NOT NULL PRIMARY KEY, a varchar(20) NOT NULL DEFAULT 1, b int, UNIQUE (b, a), UNIQUE (a))',
        '(b char(3) NOT NULL, a int NOT NULL, PRIMARY KEY (b, a))',
        '(only_one text)',
      ];
      const schema =
        engine === 'postgres' ? 'public' : ((await database.rows('SELECT DATABASE()'))[0]![0] ?? '');
      const there: string[] = [];
      for (const [i, columns] of kinds.entries()) {
        for (const name of [`t_${i}`, `T_${i}`, `t ${i}'s \\ü`]) {
          await database.exec(
            `CREATE TABLE ${quoted(name)} ${columns.replace('only_one', name.slice(0, 1))}`,
          );
          there.push(name, `${schema}.${name}`);
        }
      }
      const target = await openedTarget(database.url);
      // More than are asked for at once, the ones that are there among the first and last.
      const missing = Array.from({ length: 1_100 }, (_, i) => `t_${i + kinds.length}`);
      const found = await target.describe([
        ...there.slice(0, 5),
        ...missing,
        ...there.slice(5),
        `nowhere.t_0`,
        't 0',
      ]);
      expect(new Set(found.keys())).toEqual(new Set(there));
      for (const name of there) {
        const alone = await target.describe([name]);
        expect(found.get(name)).toEqual(alone.get(name));
        expect(alone.get(name)?.name).toBe(name);
      }
      expect(found.get('t_0')).toMatchObject({
        columns: [{ name: 'id' }, { name: 'a', hasDefault: true }, { name: 'b', nullable: true }],
        primaryKey: ['id'],
      });
      expect(new Set(found.get('t_0')?.uniqueKeys)).toEqual(new Set([['b', 'a'], ['a']]));
      expect(found.get('t_1')).toMatchObject({ primaryKey: ['b', 'a'], uniqueKeys: [] });
      expect(found.get('T_2')?.columns.map(({ name }) => name)).toEqual([engine === 'postgres' ? 't' : 'T']);
    });

    test('refuses names that are longer than any table’s, and takes none for its beginning', async (context) => {
      const database = await contractDatabase(context, engine);
      const longest = engine === 'postgres' ? 63 : 64;
      const name = 'o'.repeat(longest - 2) + '_0';
      await database.exec(`CREATE TABLE ${name} (id bigint NOT NULL PRIMARY KEY)`);
      const target = await openedTarget(database.url);
      expect([...(await target.describe([name])).keys()]).toEqual([name]);
      await expect(target.describe([name, `${name}0`, `${name}1`])).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
        message: expect.stringContaining(`: ${name}0, ${name}1`) as string,
      });
      await expect(target.describe([`${'s'.repeat(65)}.t`])).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_SCHEMA',
      });
    });
  });
}
