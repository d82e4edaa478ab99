import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote as mysqlQuote } from '../../../src/model/mysql-literals.ts';
import { refusalOf, splitStatements } from '../../../src/schema/sql-script.ts';
import { quote as postgresQuote } from '../../../src/targets/postgres-sql.ts';

const split = (text: string, engine: 'mysql' | 'postgres' = 'mysql'): string[] =>
  splitStatements(text, engine, 'V001__a.sql').map(({ sql }) => sql);

const refusal = (text: string, engine: 'mysql' | 'postgres' = 'mysql'): string | null => {
  const [statement] = splitStatements(text, engine, 'V001__a.sql');
  return refusalOf(statement!, engine);
};

describe('a script', () => {
  it.each(['mysql', 'postgres'] as const)('is taken apart at its semicolons alone, at %s', (engine) => {
    const quote = engine === 'mysql' ? mysqlQuote : postgresQuote;
    const text = fc.string({
      unit: fc.constantFrom(';', "'", '\\', '"', '`', '-', '-- ', '/*', '*/', '#', '$$', '\n', 'a', '😀'),
    });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (texts) => {
        const statements = texts.map((one) => `COMMENT ON TABLE a IS ${quote(one)}`);
        expect(
          split(`-- it's; a "comment"\n${statements.join(";\n/* and; another' */ ")};\n`, engine),
        ).toEqual(statements);
      }),
    );
  });

  it('tells the line of each statement', () => {
    const lines = splitStatements(
      '-- one\n\nCREATE TABLE a (\n  id int\n);\n# more\n  CREATE TABLE b (id int)',
      'mysql',
      'f',
    );
    expect(lines.map(({ line }) => line)).toEqual([3, 7]);
  });

  it('knows texts of PostgreSQL that end at a tag of their own, and backslashes', () => {
    expect(
      split("CREATE VIEW a AS SELECT $x$ ; ' $$ $x$; CREATE VIEW b AS SELECT e'\\';', '\\'", 'postgres'),
    ).toHaveLength(2);
  });

  it('with a quote that does not end is refused', () => {
    expect(() => split("CREATE TABLE a (v text DEFAULT 'x);")).toThrow('V001__a.sql:1: a quote begins');
  });
});

describe('a statement', () => {
  it.each([
    'CREATE TABLE a (id int, `drop` int)',
    "ALTER TABLE `a, DROP b` ADD COLUMN c varchar(9) DEFAULT 'x, DROP y' COMMENT 'DROP', ADD KEY k (c, d), LOCK=NONE",
    'ALTER TABLE a ADD COLUMN c int, ALGORITHM=INSTANT',
    'CREATE UNIQUE INDEX i ON a (v) LOCK=NONE',
    'ALTER TABLE a ADD FULLTEXT KEY k (c), LOCK=SHARED',
    'CREATE SCHEMA IF NOT EXISTS s',
  ])('that adds may run: %s', (sql) => {
    expect(refusal(sql)).toBeNull();
  });

  it.each([
    'DROP TABLE a', 'drop/**/table a', 'TRUNCATE a', 'DELETE FROM a', 'UPDATE a SET b = 1', 'RENAME TABLE a TO b',
    'INSERT INTO a VALUES (1)', 'CREATE OR REPLACE TABLE a (id int)', 'SET GLOBAL read_only = 1', 'GRANT ALL ON *.* TO x',
    'ALTER TABLE a DROP COLUMN b, LOCK=NONE', 'ALTER TABLE a ADD c int, DROP COLUMN b, LOCK=NONE',
    'ALTER TABLE a MODIFY b smallint, LOCK=NONE', 'ALTER TABLE a CHANGE b c int, LOCK=NONE',
    'ALTER TABLE a RENAME TO b, LOCK=NONE', 'ALTER TABLE a CONVERT TO CHARACTER SET latin1, LOCK=NONE',
    'ALTER TABLE a ADD COLUMN c int', 'CREATE INDEX i ON a (v)', 'CREATE TABLE a (id int) /*!50000 , x int */',
    'ALTER TABLE a /*M! DROP COLUMN b, */ ADD c int, LOCK=NONE', 'CALL cleanup()', 'ALTER DATABASE a CHARACTER SET latin1',
  ])('that may take something away must not: %s', (sql) => {
    expect(refusal(sql)).not.toBeNull();
  }); // prettier-ignore

  it.each([
    ['CREATE INDEX CONCURRENTLY i ON a (v)', true],
    ['ALTER TABLE ONLY s.a ADD COLUMN c int, ALTER COLUMN d SET DEFAULT 3', true],
    ["COMMENT ON TABLE a IS 'DROP TABLE a; '", true],
    ['ALTER SEQUENCE "s" OWNED BY "a"."id"', true],
    ['ALTER TABLE a ALTER COLUMN b TYPE smallint', false],
    ['ALTER TABLE a DROP CONSTRAINT k', false],
    ['DROP INDEX i', false],
    ["DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$", false],
    ['ALTER TABLE a RENAME b TO c', false],
    ['WITH d AS (DELETE FROM a RETURNING *) SELECT * FROM d', false],
  ])('of PostgreSQL is judged alike: %s', (sql, allowed) => {
    expect(refusal(sql, 'postgres') === null).toBe(allowed);
  });
});
