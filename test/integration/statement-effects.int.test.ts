import { describe, expect, it } from 'vitest';
import { classifyStatement } from '../../src/capture/statement.ts';
import { isWidening } from '../../src/capture/widening.ts';
import { readCatalog } from '../../src/schema/read-catalog.ts';
import type { CatalogRow } from '../../src/schema/parse-catalog.ts';
import { mysqlDatabase, testServers } from '../support/servers.ts';
import type { MysqlDatabase } from '../support/servers.ts';
import { eventsOf, only } from './binlog-fixture.ts';

const DEFINITIONS = [
  'INT(11)', 'INTEGER UNSIGNED NOT NULL DEFAULT 007', 'BIGINT ZEROFILL', 'TINYINT(1) NOT NULL DEFAULT TRUE', 'BOOLEAN',
  "MEDIUMINT DEFAULT b'101'", 'DECIMAL', 'NUMERIC(12,4) NOT NULL DEFAULT 1.5', 'FIXED(5) UNSIGNED', "DEC(5,2) DEFAULT '-.5'",
  'DOUBLE PRECISION DEFAULT 1.5', 'FLOAT(30)', 'FLOAT(7,4)', 'REAL', "BIT(9) DEFAULT b'000101'", 'BIT DEFAULT 1',
  "VARCHAR(20) NOT NULL DEFAULT 'it''s'", 'NATIONAL VARCHAR(9)', 'CHARACTER VARYING(9) CHARSET latin1', 'CHAR(3) BYTE',
  'VARCHAR(9) COLLATE utf8mb4_bin', "CHAR(5) DEFAULT 'ab '", 'LONG VARCHAR', 'LONG', 'BLOB(70000)', 'BLOB(200)',
  "BINARY(4) NOT NULL DEFAULT 'ab'", "VARBINARY(9) DEFAULT x'4142'", "ENUM('a ','b,c','it''s') DEFAULT 'b,c'", "SET('x','y z') DEFAULT 'x,y z'",
  'JSON', "DATE DEFAULT '2020-01-31'", "DATETIME(3) DEFAULT '2020-01-31 10:00:00.5'", 'TIMESTAMP(6) NULL DEFAULT NULL',
  "TIME DEFAULT '-10:11:12'", 'YEAR(4) DEFAULT 2020', "INT COMMENT 'a \"word\"'",
]; // prettier-ignore

async function queryOf({ pool }: MysqlDatabase, sql: string): Promise<readonly CatalogRow[]> {
  const [rows] = await pool.query({ sql, typeCast: (field) => field.string() });
  return rows as CatalogRow[];
}

describe.each(['mysql', 'mariadb'] as const)('a statement on %s', (flavour) => {
  it('adds the columns that the catalog then tells', async (context) => {
    const { src, mariadb } = testServers();
    const database = await mysqlDatabase(context, flavour === 'mysql' ? src : mariadb);
    await database.pool.query('CREATE TABLE t (id int PRIMARY KEY) CHARACTER SET utf8mb4');
    await database.pool.query('INSERT INTO t VALUES (1)');
    const clauses = DEFINITIONS.map((definition, i) => `ADD c${i} ${definition}`);
    const sql = `ALTER TABLE t ${clauses.join(', ')}`;
    await database.pool.query(sql);
    const does = classifyStatement(sql, database.name, flavour).tables[0]?.does;
    const added = does?.kind === 'additive' ? does.steps.filter((step) => step.kind === 'add column') : [];
    const catalog = await readCatalog(
      async (text) => queryOf(database, text),
      (schema) => schema === database.name,
    );
    const bytes = (type: string): boolean => /^(?:var)?binary/.test(type);
    // The servers tell the default of bytes each in its own way; the row below says what it is.
    const expected = catalog.tables[0]!.columns.slice(1).map((found, i) => ({
      name: found.name,
      type: found.type,
      // What the statement leaves to the table is the table's.
      charset: added[i]?.column.charset === null ? null : found.charset,
      collation: added[i]?.column.collation === null ? null : found.collation,
      nullable: found.nullable,
      default: bytes(found.type)
        ? added[i]?.column.default
        : found.default?.kind === 'literal'
          ? found.default.text
          : null,
      comment: found.comment,
    }));
    expect(added.map(({ column }) => column)).toEqual(expected);
    const binary = added.map(({ column }) => column).filter(({ type }) => bytes(type));
    const [row] = await queryOf(
      database,
      `SELECT ${binary.map(({ name }) => `HEX(${name}) AS ${name}`).join(', ')} FROM t`,
    );
    expect(row).toEqual(
      Object.fromEntries(
        binary.map((column) => [column.name, column.default?.slice(2).toUpperCase() ?? null]),
      ),
    );
  });

  it('tells a wider column from the shape that its rows came in', async (context) => {
    const { src, mariadb } = testServers();
    const server = flavour === 'mysql' ? src : mariadb;
    const database = await mysqlDatabase(context, server);
    const events = await eventsOf(
      server,
      database.name,
      `CREATE TABLE t (id int PRIMARY KEY, v varchar(20) NOT NULL, l varchar(300) CHARACTER SET latin1, c char(100), x text,
         k varbinary(5), e enum('a','é'), s set('x','y'), d decimal(10,2) unsigned, f float) CHARACTER SET utf8mb4;
       INSERT INTO t (id, v) VALUES (1, 'x')`,
    );
    const { table } = only(events, 'rows')[0]!;
    expect(Object.fromEntries(table.columns.map(({ name, room }) => [name, room]))).toEqual({
      id: { nullable: false, unsigned: false, bytes: null, charset: null, labels: null },
      v: { nullable: false, unsigned: false, bytes: 80, charset: 'utf8mb4', labels: null },
      l: { nullable: true, unsigned: false, bytes: 300, charset: 'latin1', labels: null },
      c: { nullable: true, unsigned: false, bytes: 400, charset: 'utf8mb4', labels: null },
      x: { nullable: true, unsigned: false, bytes: 65_535, charset: 'utf8mb4', labels: null },
      k: { nullable: true, unsigned: false, bytes: 5, charset: null, labels: null },
      e: { nullable: true, unsigned: false, bytes: null, charset: 'utf8mb4', labels: ['a', 'é'] },
      s: { nullable: true, unsigned: false, bytes: null, charset: 'utf8mb4', labels: ['x', 'y'] },
      d: { nullable: true, unsigned: true, bytes: null, charset: null, labels: null },
      f: { nullable: true, unsigned: false, bytes: null, charset: null, labels: null },
    });
    const widens = (name: string, definition: string): boolean => {
      const does = classifyStatement(`ALTER TABLE t MODIFY ${name} ${definition}`, 'shop').tables[0]?.does;
      const step = does?.kind === 'additive' ? does.steps[0] : undefined;
      const former = table.columns.find((column) => column.name === name)!;
      return step?.kind === 'widen column' && isWidening(former, step.column, 'utf8mb4');
    };
    expect(widens('v', 'VARCHAR(21)')).toBe(true);
    expect(widens('v', 'VARCHAR(19)')).toBe(false);
    expect(widens('l', 'VARCHAR(300)')).toBe(false);
    expect(widens('c', 'CHAR(100)')).toBe(true);
    expect(widens('c', 'CHAR(99)')).toBe(false);
    expect(widens('e', "ENUM('a','é','b')")).toBe(true);
    expect(widens('d', 'DECIMAL(10,2)')).toBe(true);
  });
});
