import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import { mysqlEngine, upsertForm } from '../../../src/targets/mysql-target.ts';
import { MysqlTableSql } from '../../../src/targets/mysql-sql.ts';
import type { StatementLimits } from '../../../src/targets/mysql-sql.ts';
import { coarseKey, keyHash } from '../../../src/targets/parked-record.ts';
import { postgresEngine } from '../../../src/targets/postgres-target.ts';
import { PostgresTableSql } from '../../../src/targets/postgres-sql.ts';
import { tableWriter } from '../../../src/targets/table-writer.ts';
import type { RowWrite, TableWriter, TargetColumn, TargetTable } from '../../../src/targets/target.ts';
import type { Engine } from '../../../src/targets/session.ts';
import type { Table } from '../../../src/model/table.ts';

const SOURCE: Table = {
  schema: 's',
  name: 'o',
  columns: [{ name: 'id', type: 'bigint' }, { name: 'Name', type: 'varchar' }, { name: 'part', type: 'int' }],
  key: [0, 2],
}; // prettier-ignore

function column(name: string, type: string, more: Partial<TargetColumn> = {}): TargetColumn {
  return { name, type, nullable: true, generated: false, hasDefault: false, ...more };
}

const COLUMNS = [column('part', 'int'), column('id', 'bigint'), column('Name', 'varchar(30)')];
const PG_COLUMNS = [column('part', 'integer'), column('id', 'bigint'), column('Name', 'text')];

function writer(engine: Engine, table: Partial<TargetTable> = {}): TableWriter {
  const columns = engine.kind === 'mysql' ? COLUMNS : PG_COLUMNS;
  const target = { name: 'o', columns, primaryKey: ['id', 'part'], uniqueKeys: [], ...table };
  return tableWriter(engine, 't1', SOURCE, target);
}

function row(id: number, name: string | null, part: number): RowWrite {
  return {
    key: [String(id), part],
    row: [String(id), name, part],
    sequence: { epoch: 1, file: 1, end: 1, half: 0 },
  };
}

const LIMITS: StatementLimits = { rows: 3, units: 60, packetBytes: 10_000 };

describe('MySQL statements', () => {
  test('name new values as the server knows them', () => {
    const [alias] = new MysqlTableSql(writer(mysqlEngine), 'alias').upserts([row(1, "o'x", 2)], LIMITS);
    expect(alias).toBe(
      "INSERT INTO `o` (`id`,`Name`,`part`) VALUES (1,'o''x',2) AS `rowferry_new` ON DUPLICATE KEY UPDATE `id`=IF(`o`.`id` <=> `rowferry_new`.`id`,`rowferry_new`.`id`,IF((SELECT 1 UNION ALL SELECT 2),`rowferry_new`.`id`,`rowferry_new`.`id`)),`part`=IF(`o`.`part` <=> `rowferry_new`.`part`,`rowferry_new`.`part`,IF((SELECT 1 UNION ALL SELECT 2),`rowferry_new`.`part`,`rowferry_new`.`part`)),`Name`=`rowferry_new`.`Name`",
    );
    const [values] = new MysqlTableSql(writer(mysqlEngine), 'values').upserts([row(1, null, 2)], LIMITS);
    expect(values).toMatch(
      /VALUES \(1,NULL,2\) ON DUPLICATE KEY UPDATE `id`=IF\(`o`\.`id` <=> VALUES\(`id`\),VALUES\(`id`\),/,
    );
    expect(['8.0.19', '8.4.2', '9.7.4-2'].map(upsertForm)).toEqual(['alias', 'alias', 'alias']);
    expect(['5.7.44', '8.0.18', '11.8.9-MariaDB-4', '5.5.5-10.11.6-MariaDB'].map(upsertForm)).toEqual(['values', 'values', 'values', 'values']); // prettier-ignore
  });

  test('delete by the key in its own order', () => {
    const sql = new MysqlTableSql(writer(mysqlEngine), 'alias');
    expect(sql.deletes([['1', 2], ['3', 4]], LIMITS)).toEqual([
      'DELETE FROM `o` WHERE (`id`=1 AND `part`=2) OR (`id`=3 AND `part`=4)',
    ]); // prettier-ignore
  });

  test('are cut by rows and length, hold every row once and keep the order', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 40 }), (names) => {
        const sql = new MysqlTableSql(writer(mysqlEngine), 'alias');
        const statements = sql.inserts(names.map((name, i) => row(i, name, 7)), LIMITS); // prettier-ignore
        const head = 'INSERT INTO `o` (`id`,`Name`,`part`) VALUES ';
        const ids: number[] = [];
        for (const statement of statements) {
          expect(statement.startsWith(head)).toBe(true);
          const inStatement = [...statement.slice(head.length).matchAll(/(?:^|,7\),|^)\((\d+),/g)];
          expect(inStatement.length).toBeLessThanOrEqual(LIMITS.rows);
          ids.push(
            ...[...statement.slice(head.length).matchAll(/(?:^|\),)\((\d+),'/g)].map((match) =>
              Number(match[1]),
            ),
          );
        }
        expect(ids.filter((id, i) => id === i)).toHaveLength(names.length);
      }),
    );
  });

  test('refuse a row that the server would answer by closing the link', () => {
    const sql = new MysqlTableSql(writer(mysqlEngine, { columns: [...COLUMNS.slice(0, 2), column('Name', 'longtext')] }), 'alias'); // prettier-ignore
    expect(sql.inserts([row(1, 'é'.repeat(4000), 1)], LIMITS)).toHaveLength(1);
    expect(() => sql.inserts([row(1, 'é'.repeat(4600), 1)], LIMITS)).toThrow(
      expect.objectContaining({ code: 'ROWFERRY_TARGET_DATA' }),
    );
  });

  test('look for the row in the way only where all of a unique key is known', () => {
    const uniqueKeys = [['Name'], [], ['Name', 'part'], ['other']];
    const sql = new MysqlTableSql(writer(mysqlEngine, { uniqueKeys }), 'alias');
    expect(sql.holders(row(1, 'a', 2)).map(({ columns }) => columns)).toEqual([['Name'], ['Name', 'part'], ['id', 'part']]); // prettier-ignore
    expect(sql.holders(row(1, null, 2)).map(({ columns }) => columns)).toEqual([['id', 'part']]);
    expect(sql.holders(row(1, 'a', 2), ['5', 6])[0]!.sql).toBe(
      "SELECT `id` AS k0,`part` AS k1 FROM `o` WHERE `Name`='a' AND `id`=5 AND `part`=6 LIMIT 2",
    );
  });
});

describe('PostgreSQL statements', () => {
  test('are one prepared statement for any number of rows', () => {
    const sql = new PostgresTableSql(writer(postgresEngine), { zeroDates: 'stop' });
    const [one] = sql.upserts([row(1, 'a"b\\', 2)]);
    const [two] = sql.upserts([row(1, null, 2), row(3, 'NULL', 4)]);
    expect(one!.text).toBe(
      'INSERT INTO "o" ("id", "Name", "part") OVERRIDING SYSTEM VALUE SELECT u.c0, u.c1, u.c2 FROM unnest($1::bigint[], $2::text[], $3::integer[]) AS u(c0, c1, c2) ON CONFLICT ("id", "part") DO UPDATE SET "Name" = EXCLUDED."Name"',
    );
    expect(two).toMatchObject({ name: one!.name, text: one!.text });
    expect(one!.name!.length).toBeLessThan(64);
    expect(one!.values).toEqual(['{1}', '{"a\\"b\\\\"}', '{2}']);
    expect(two!.values).toEqual(['{1,3}', '{NULL,"NULL"}', '{2,4}']);
  });

  test('delete by arrays of keys', () => {
    const columns = [PG_COLUMNS[0]!, column('id', 'integer'), PG_COLUMNS[2]!];
    const sql = new PostgresTableSql(writer(postgresEngine, { columns }), { zeroDates: 'stop' });
    const [statement] = sql.deletes([['1', 2], ['3000000000', 3], ['5', 6]]); // prettier-ignore
    expect(statement!.text).toBe(
      'DELETE FROM "o" t USING unnest($1::integer[], $2::integer[]) AS u(c0, c1) WHERE t."id" = u.c0 AND t."part" = u.c1',
    );
    // The key that integer cannot hold names no row.
    expect(statement!.values).toEqual(['{1,5}', '{2,6}']);
    expect(sql.deletes([])).toEqual([]);
  });

  test('are cut before they outgrow memory', () => {
    const sql = new PostgresTableSql(writer(postgresEngine), { zeroDates: 'stop' });
    const big = 'x'.repeat(3_000_000);
    expect(sql.inserts([row(1, big, 1), row(2, big, 1), row(3, 'c', 1)])).toHaveLength(2);
    expect(sql.inserts(Array.from({ length: 4_001 }, (_, i) => row(i, 'a', 1)))).toHaveLength(3);
  });
});

describe('a table writer', () => {
  test('matches column names as the engine does, and skips what the server computes', () => {
    const columns = [
      column('ID', 'bigint'),
      column('name', 'text', { generated: true }),
      column('Part', 'int'),
    ];
    const made = tableWriter(mysqlEngine, 't1', SOURCE, { name: 'o', columns, primaryKey: ['ID', 'Part'], uniqueKeys: [] }); // prettier-ignore
    expect(made.columns.map(({ index, target }) => [index, target.name])).toEqual([[0, 'ID'], [2, 'Part']]); // prettier-ignore
    expect(made.key).toEqual([0, 1]);
    expect(() => tableWriter(postgresEngine, 't1', SOURCE, { name: 'o', columns: PG_COLUMNS.map((each) => ({ ...each, name: each.name.toUpperCase() })), primaryKey: ['ID', 'PART'], uniqueKeys: [] })).toThrow(/column id \(bigint\) is missing; column Name \(varchar\) is missing; column part \(int\) is missing/); // prettier-ignore
  });

  test('tells when an upsert may meet another unique key', () => {
    expect(writer(mysqlEngine).hasUniqueKeys).toBe(false);
    expect(writer(mysqlEngine, { uniqueKeys: [['Name']] }).hasUniqueKeys).toBe(true);
    expect(writer(mysqlEngine, { uniqueKeys: [[]] }).hasUniqueKeys).toBe(true);
    // The source's key need not be the target's primary key, as long as it is unique there.
    expect(writer(mysqlEngine, { primaryKey: ['Name'], uniqueKeys: [['part', 'id']] }).hasUniqueKeys).toBe(
      true,
    );
    expect(() => writer(mysqlEngine, { primaryKey: ['id'] })).toThrow(
      /neither the primary key nor a unique key/,
    );
  });

  test('says everything that is wrong in one error', () => {
    const columns = [column('id', 'date'), column('extra', 'int', { nullable: false })];
    const error = (() => {
      try {
        return tableWriter(mysqlEngine, 't1', SOURCE, {
          name: 'o',
          columns,
          primaryKey: ['id'],
          uniqueKeys: [],
        });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(RowferryError);
    expect(error).toMatchObject({ code: 'ROWFERRY_TARGET_SCHEMA', where: { target: 't1', table: 'o' } });
    for (const problem of [/id \(date\) cannot take a bigint/, /Name \(varchar\) is missing/, /part \(int\) is missing/, /extra is NOT NULL/, /primary key can be written/]) expect((error as Error).message).toMatch(problem); // prettier-ignore
  });
});

describe('names of parked keys', () => {
  test('are the same for wire form and for what a target prints', () => {
    const same: readonly (readonly [string | number, string])[] = [
      [5, '5'],
      ['-0012', '-12'],
      ['1.500', '1.5'],
      ['2024-01-01 00:00:00.120000', '2024-01-01 00:00:00.12'],
      ['2024-01-01 00:00:00', '2024-01-01 00:00:00+00'],
      ['AQI=', 'AQI=\n'],
      ['ABC', 'abc  '],
      ['0101', '101'],
      ['-838:59:59.000000', '-838:59:59'],
    ];
    for (const [wire, shown] of same) expect(coarseKey([wire])).toBe(coarseKey([shown]));
  });

  test('have a fixed length and tell types apart', () => {
    expect(keyHash(['x'.repeat(5000)])).toHaveLength(64);
    expect(keyHash([1])).not.toBe(keyHash(['1']));
    expect(keyHash(['a', 'b'])).not.toBe(keyHash(['a,b']));
  });
});
