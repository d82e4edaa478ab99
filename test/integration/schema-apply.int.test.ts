import { describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import { parseDatabaseUrl } from '../../src/config/database-url.ts';
import type { TargetSettings } from '../../src/config/config.ts';
import { RowferryError } from '../../src/errors.ts';
import { applyVersions } from '../../src/schema/apply-versions.ts';
import { History } from '../../src/schema/history.ts';
import type { SchemaSession } from '../../src/schema/history.ts';
import { versionOf } from '../../src/schema/version-file.ts';
import type { VersionFile } from '../../src/schema/version-file.ts';
import { withTarget } from '../../src/wiring/schema-links.ts';
import { contractDatabase, NEVER } from '../contract/target-fixture.ts';
import type { ContractDatabase, EngineName } from '../contract/target-fixture.ts';

const online: Readonly<Record<EngineName, string>> = {
  mysql: 'ALTER TABLE a ADD INDEX ia (v), LOCK=NONE',
  mariadb: 'ALTER TABLE a ADD INDEX ia (v), LOCK=NONE',
  postgres: 'CREATE INDEX CONCURRENTLY "ia" ON "a" (v)',
};

function files(engine: EngineName): VersionFile[] {
  const column =
    engine === 'postgres' ? 'ALTER TABLE a ADD COLUMN w int' : 'ALTER TABLE a ADD COLUMN w int, LOCK=NONE';
  return [
    file(
      'V001__shop.sql',
      '-- first\nCREATE TABLE a (id int NOT NULL PRIMARY KEY, v int);\nCREATE TABLE b (id int NOT NULL PRIMARY KEY)',
    ),
    file('V002__shop.sql', `${column};\n${online[engine]};`),
  ];
}

function file(name: string, text: string): VersionFile {
  return { version: versionOf(name)!, name, text };
}

function settings(database: ContractDatabase): Pick<TargetSettings, 'name' | 'url'> {
  const parsed = parseDatabaseUrl(database.url, 'target');
  if ('wrong' in parsed) throw new Error(parsed.wrong);
  return { name: 'east', url: { ...parsed.value, tls: null } };
}

async function apply(
  database: ContractDatabase,
  versions: readonly VersionFile[],
  through: (session: SchemaSession) => SchemaSession = (session) => session,
  dryRun = false,
): Promise<{ readonly applied: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const options = { pipeline: 'shop', files: versions, who: 'me@here', rowferry: '1.0.0', dryRun };
  const report = (line: string): void => void lines.push(line);
  const applied = await withTarget(settings(database), (session) =>
    applyVersions(through(session), { ...options, report }, NEVER),
  );
  return { applied, lines };
}

/** A process that is killed at its n-th statement, just before it is sent or when it was carried out but not answered. */
function killedAt(
  n: number,
  when: 'before' | 'after',
): { through: (session: SchemaSession) => SchemaSession; ended(): boolean } {
  let count = 0;
  let isDead = false;
  const die = (): never => {
    isDead = true;
    throw new RowferryError('ROWFERRY_TARGET_LINK', 'killed');
  };
  return {
    ended: () => isDead,
    through: (session) => ({
      engine: session.engine,
      query: async (sql) => {
        count += 1;
        if (isDead || (count === n && when === 'before')) return die();
        const rows = await session.query(sql);
        return count === n ? die() : rows;
      },
    }),
  };
}

async function shape(database: ContractDatabase): Promise<string[]> {
  const own = database.engine === 'postgres' ? "table_schema = 'public'" : 'table_schema = DATABASE()';
  const columns = await database.rows(
    `SELECT table_name, column_name FROM information_schema.columns WHERE ${own} AND table_name IN ('a', 'b') ORDER BY 1, 2`,
  );
  const indexes =
    database.engine === 'postgres'
      ? await database.rows(
          "SELECT c.relname, i.indisvalid::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 'ia%'",
        )
      : await database.rows(
          `SELECT index_name, 'true' FROM information_schema.statistics WHERE ${own} AND index_name LIKE 'ia%'`,
        );
  return [...columns, ...indexes].map((row) => row.join(' '));
}

const WHOLE = ['a id', 'a v', 'a w', 'b id', 'ia true'];

async function empty(database: ContractDatabase): Promise<void> {
  for (const table of ['a', 'b', 'rowferry_schema_history'])
    await database.exec(`DROP TABLE IF EXISTS ${table}`);
}

describe.each(['mysql', 'mariadb', 'postgres'] as const)('version files at %s', (engine) => {
  const fixture = async (context: TestContext): Promise<ContractDatabase> =>
    await contractDatabase(context, engine);

  it('are applied once, with who and what in the history', async (context) => {
    const database = await fixture(context);
    const dry = await apply(database, files(engine), undefined, true);
    expect(dry).toMatchObject({
      applied: 2,
      lines: expect.arrayContaining([expect.stringContaining('CREATE TABLE b')]),
    });
    expect(await shape(database)).toEqual([]);
    expect((await apply(database, files(engine))).applied).toBe(2);
    expect((await apply(database, files(engine))).applied).toBe(0);
    expect(await shape(database)).toEqual(WHOLE);
    const history =
      'SELECT version, file, length(sha256), state, done, applied_by, rowferry FROM rowferry_schema_history ORDER BY version';
    expect(await database.rows(history)).toEqual([
      ['1', 'V001__shop.sql', '64', 'applied', '2', 'me@here', '1.0.0'],
      ['2', 'V002__shop.sql', '64', 'applied', '2', 'me@here', '1.0.0'],
    ]);
  });

  it('are whole after a run that was killed at any statement and the next one', async (context) => {
    const database = await fixture(context);
    for (const when of ['before', 'after'] as const) {
      for (let n = 1; ; n++) {
        await empty(database);
        const kill = killedAt(n, when);
        await apply(database, files(engine), kill.through).catch((error: unknown) => {
          if (!kill.ended()) throw error;
        });
        await apply(database, files(engine));
        expect([n, when, await shape(database)]).toEqual([n, when, WHOLE]);
        expect((await apply(database, files(engine))).applied).toBe(0);
        if (!kill.ended()) break;
      }
    }
  }, 120_000);

  it('do not take a table of somebody else for theirs', async (context) => {
    const database = await fixture(context);
    await database.exec('CREATE TABLE b (other int)');
    for (let time = 0; time < 2; time++) {
      await expect(apply(database, files(engine))).rejects.toMatchObject({
        message: expect.stringMatching(/^V001__shop\.sql:3: statement 2 of 2: .*(1050|42P07)/),
      });
    }
    expect(await database.rows('SELECT state, done FROM rowferry_schema_history')).toEqual([['failed', '1']]);
  });

  it('may be mended where they failed, not before', async (context) => {
    const database = await fixture(context);
    const first = 'CREATE TABLE a (id int NOT NULL PRIMARY KEY, v int);\n';
    const text = (end: string): VersionFile[] => [file('V001__shop.sql', `${first}${end}`)];
    await expect(apply(database, text('CREATE TABLE b (id nonsense)'))).rejects.toMatchObject({
      name: 'RowferryError',
    });
    const changed = [
      file('V001__shop.sql', 'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)'),
    ];
    await expect(apply(database, changed)).rejects.toMatchObject({ code: 'ROWFERRY_SCHEMA_HISTORY' });
    expect((await apply(database, text('CREATE TABLE b (id int)'))).lines[0]).toContain(
      'goes on after 1 of 2',
    );
    expect((await shape(database)).at(-1)).toBe('b id');
  });

  it('must not change, vanish or come late once applied', async (context) => {
    const database = await fixture(context);
    const [one, two] = files(engine) as [VersionFile, VersionFile];
    const late = { ...one, version: 1 };
    await apply(database, [{ ...one, version: 2, name: 'V002__a.sql' }]);
    const refusals: [VersionFile[], RegExp][] = [
      [[file('V002__a.sql', `${one.text};\n-- changed`)], /V002__a\.sql was changed after it was applied/],
      [[], /V002__a\.sql was applied and is missing/],
      [[late, file('V002__a.sql', one.text)], /V001__shop\.sql comes before version 2/],
      [[file('V002__a.sql', one.text), two], /have the same number/],
    ];
    for (const [versions, message] of refusals) {
      await expect(apply(database, versions)).rejects.toMatchObject({
        code: 'ROWFERRY_SCHEMA_HISTORY',
        message: expect.stringMatching(message),
      });
    }
    // Another checkout may end its lines otherwise.
    expect((await apply(database, [file('V002__a.sql', one.text.replaceAll('\n', '\r\n'))])).applied).toBe(0);
  });

  it('are applied by one process at a time', async (context) => {
    const database = await fixture(context);
    await withTarget(settings(database), async (session) => {
      await new History(session, 'shop').lock();
      await expect(apply(database, files(engine))).rejects.toMatchObject({ code: 'ROWFERRY_SCHEMA_LOCKED' });
    });
    const both = await Promise.allSettled([apply(database, files(engine)), apply(database, files(engine))]);
    const applied = both.map((one) =>
      one.status === 'fulfilled' ? one.value.applied : (one.reason as RowferryError).code,
    );
    expect(applied).toContain(2);
    expect(applied.filter((one) => one !== 2 && one !== 0 && one !== 'ROWFERRY_SCHEMA_LOCKED')).toEqual([]);
    expect(await shape(database)).toEqual(WHOLE);
  });

  it('are refused as a whole for one statement that takes something away', async (context) => {
    const database = await fixture(context);
    const bad = [...files(engine), file('V003__x.sql', 'CREATE TABLE c (id int);\n\nDROP TABLE a')];
    await expect(apply(database, bad)).rejects.toMatchObject({
      code: 'ROWFERRY_SCHEMA_REFUSED',
      message: expect.stringContaining('V003__x.sql:3'),
    });
    expect(await shape(database)).toEqual([]);
  });
});

it('builds an index anew at PostgreSQL that a cut build has left behind', async (context) => {
  const database = await contractDatabase(context, 'postgres');
  const cut = (session: SchemaSession): SchemaSession => ({
    engine: session.engine,
    query: async (sql) => {
      const rows = await session.query(sql);
      if (sql.includes('CONCURRENTLY')) throw new RowferryError('ROWFERRY_TARGET_LINK', 'killed');
      return rows;
    },
  });
  await expect(apply(database, files('postgres'), cut)).rejects.toThrow('killed');
  await database.exec("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ia'::regclass");
  expect((await shape(database)).at(-1)).toBe('ia false');
  await apply(database, files('postgres'));
  expect(await shape(database)).toEqual(WHOLE);
});
