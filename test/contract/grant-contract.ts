/** A grant that was missing is seen without a new process: sessions that knew it missing are not used again. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { EngineName } from './target-fixture.ts';
import { batch, contractDatabase, ITEM, NEVER, openedTarget, P0, tableBatch, writerOf, CREATE_ITEM } from './target-fixture.ts'; // prettier-ignore

const PASSWORD = 'Gr4nt-later';

export function grantContract(engine: EngineName): void {
  describe('a grant that was missing', () => {
    test('is seen once it is given, by whichever session writes next', async (context) => {
      const database = await contractDatabase(context, engine);
      await database.exec(CREATE_ITEM);
      const owner = await openedTarget(database.url);
      const { rows, user, allow, drop } = account(engine, new URL(database.url).pathname.slice(1));
      for (const sql of rows) await database.exec(sql);
      onTestFinished(async () => {
        for (const sql of drop) await database.exec(sql);
      });
      const url = new URL(database.url);
      [url.username, url.password] = [user, PASSWORD];
      const target = await openedTarget(url.href, { connections: 3 });
      // Several sessions that know of no grant lie in the pool.
      await Promise.all([1, 2, 3].map(() => target.watermarks()));
      const writer = await writerOf(owner, ITEM);
      await target.claim(P0, 1);
      const work = [tableBatch(writer, { upserts: [['1', 'apple', 1]] })];
      await expect(target.write(batch(0, 1, work), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_ACCESS',
      });
      for (const sql of allow) await database.exec(sql);
      expect(await target.write(batch(0, 1, work), NEVER)).toMatchObject({ kind: 'done' });
    });
  });
}

/** A user that may use the control tables and read, and what lets it write all. */
function account(engine: EngineName, database: string) {
  const name = `later_${Math.random().toString(36).slice(2, 10)}`;
  if (engine === 'postgres')
    return {
      user: name,
      rows: [
        `CREATE ROLE ${name} LOGIN PASSWORD '${PASSWORD}'`,
        `GRANT USAGE, CREATE ON SCHEMA public TO ${name}`,
        `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${name}`,
        `GRANT ALL ON rowferry_watermark, rowferry_parked, rowferry_truncated TO ${name}`,
      ],
      allow: [`GRANT INSERT, UPDATE, DELETE ON item TO ${name}`],
      drop: [`DROP OWNED BY ${name}`, `DROP ROLE ${name}`],
    };
  return {
    user: name,
    rows: [
      `CREATE USER ${name} IDENTIFIED BY '${PASSWORD}'`,
      `GRANT SELECT, CREATE ON \`${database}\`.* TO ${name}`,
      ...['watermark', 'parked', 'truncated'].map(
        (table) => `GRANT ALL ON \`${database}\`.rowferry_${table} TO ${name}`,
      ),
    ],
    allow: [`GRANT INSERT, UPDATE, DELETE ON \`${database}\`.* TO ${name}`],
    drop: [`DROP USER ${name}`],
  };
}
