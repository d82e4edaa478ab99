import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import type { Table, WireValue } from '../../src/model/table.ts';
import type { Target } from '../../src/targets/target.ts';
import {
  batch,
  contractDatabase,
  NEVER,
  openedTarget,
  P0,
  tableBatch,
  writerOf,
} from '../contract/target-fixture.ts';
import type { ContractDatabase, EngineName } from '../contract/target-fixture.ts';
import { mysqlDatabase } from '../support/servers.ts';
import { mysqlReader, ODD_DATES, VALUE_CASES } from './value-cases.ts';

/** A source table `kinds` with the key `id` and columns v0, v1, … of these types. */
function kinds(types: readonly string[]): Table {
  return {
    schema: 'shop',
    name: 'kinds',
    columns: [{ name: 'id', type: 'int' }, ...types.map((type, i) => ({ name: `v${i}`, type }))],
    key: [0],
  };
}

interface Kinds {
  readonly database: ContractDatabase;
  readonly target: Target;
  /** Writes one row; `next` grows by one each time. */
  readonly write: (values: readonly WireValue[], onBadRow?: 'stop' | 'park') => ReturnType<Target['write']>;
}

async function openKinds(
  context: TestContext,
  engine: EngineName,
  types: readonly string[],
  columns: readonly string[],
  zeroDates: 'null' | 'stop' = 'stop',
): Promise<Kinds> {
  const database = await contractDatabase(context, engine);
  const list = columns.map((column, i) => `v${i} ${column}`).join(', ');
  await database.exec(`CREATE TABLE kinds (id int NOT NULL PRIMARY KEY, ${list})`);
  const target = await openedTarget(database.url, { zeroDates });
  const writer = await writerOf(target, kinds(types));
  await target.claim(P0, 1);
  let next = 0;
  const write: Kinds['write'] = async (values, onBadRow = 'stop') => {
    const work = tableBatch(writer, { upserts: [[next + 1, ...values]] });
    const result = await target.write(batch(next, next + 1, [work], { onBadRow }), NEVER);
    next++;
    return result;
  };
  return { database, target, write };
}

describe.each(['mysql', 'mariadb'] as const)('values written to %s', (engine) => {
  test('are those of a MySQL source, to the last digit and byte', async (context) => {
    const source = await mysqlDatabase(context);
    const list = VALUE_CASES.map(({ mysql }, i) => `v${i} ${mysql}`).join(', ');
    await source.pool.query(`CREATE TABLE kinds (id int NOT NULL PRIMARY KEY, ${list})`);
    await source.pool.query(
      `INSERT INTO kinds VALUES (1, ${VALUE_CASES.map(({ literal }) => literal).join(', ')})`,
    );
    const readers = VALUE_CASES.map(({ type }, i) => mysqlReader(type, `v${i}`)).join(', ');
    const [rows] = await source.pool.query({ sql: `SELECT ${readers} FROM kinds`, rowsAsArray: true });
    const expected = VALUE_CASES.map(({ mysql, reads }) => [mysql, reads]);
    const atSource = (rows as (string | null)[][])[0]!;
    expect(atSource.map((text, i) => [VALUE_CASES[i]!.mysql, text])).toEqual(expected);

    const { database, write } = await openKinds(
      context,
      engine,
      VALUE_CASES.map(({ type }) => type),
      VALUE_CASES.map(({ mysql }) => mysql),
    );
    await write(VALUE_CASES.map(({ wire }) => wire));
    const [atTarget] = await database.rows(`SELECT ${readers} FROM kinds`);
    expect(atTarget!.map((text, i) => [VALUE_CASES[i]!.mysql, text])).toEqual(
      VALUE_CASES.map(({ mysql, reads, mariadbReads }) => [
        mysql,
        engine === 'mariadb' && mariadbReads !== undefined ? mariadbReads : reads,
      ]),
    );
  });

  test('may be dates with zeros or that no calendar has', async (context) => {
    const odd = [...ODD_DATES, ['date', '2023-02-31'] as const, ['datetime', '0000-01-01 00:00:00'] as const];
    const types = odd.map(([type]) => type.replace(' NULL', ''));
    const { database, write } = await openKinds(context, engine, types, odd.map(([type]) => type)); // prettier-ignore
    await write(odd.map(([, wire]) => wire));
    const readers = odd.map((_, i) => `CAST(v${i} AS CHAR)`).join(', ');
    expect(await database.rows(`SELECT ${readers} FROM kinds`)).toEqual([odd.map(([, wire]) => wire)]);
  });

  test("may be an ENUM's index 0, which strict mode refuses", async (context) => {
    const { database, write } = await openKinds(
      context,
      engine,
      ['enum', 'enum', 'varchar'],
      ["enum('a','b')", "enum('x') NOT NULL", 'varchar(3)'],
    );
    await write(['', '', 'abc']);
    await write(['b', '', 'abc']);
    expect(await database.rows('SELECT v0 + 0, v0, v1 + 0, v2 FROM kinds ORDER BY id')).toEqual([
      ['0', '', '0', 'abc'],
      ['2', 'b', '0', 'abc'],
    ]);
    // Nothing else of such a row slips through, and the session is strict again afterwards.
    await expect(write(['', 'x', 'abcd'])).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_DATA' });
    const parked = await write(['', 'nope', 'abc'], 'park');
    expect(parked).toMatchObject({
      kind: 'done',
      parked: [{ reason: 'data', detail: expect.stringContaining('1265') }],
    });
    await expect(write(['nope', 'x', 'abc'])).rejects.toMatchObject({ where: { column: 'v0' } });
  });

  test('are refused where the server would round or cut them in silence', async (context) => {
    const pairs: readonly (readonly [type: string, column: string, wire: WireValue])[] = [
      ['decimal(10,3)', 'decimal(10,2)', '1.235'],
      ['datetime(6)', 'datetime(3)', '2024-01-01 00:00:00.000500'],
      ['datetime(6)', 'timestamp NULL', '2024-01-01 00:00:00.500000'],
      ['time(2)', 'time', '00:00:00.50'],
      ['double', 'float', 0.1],
      ['varchar', 'varchar(3)', 'abc '],
      ['varchar', 'varchar(3)', 'abcd'],
      // Only a warning of the server tells of this one.
      ['text', 'tinytext', `${'x'.repeat(255)} `],
      ['int', 'tinyint', 128],
      ['enum', "enum('a')", 'b'],
      ['varchar', 'varchar(5) CHARACTER SET latin1', '日本'],
      ['json', 'json', '{"a":'],
      ['varbinary', 'varbinary(2)', 'AQID'],
      ['int', 'int NOT NULL', null],
      ['datetime', 'timestamp NULL', '1969-12-31 23:59:59'],
    ];
    for (const [type, column, wire] of pairs) {
      const { write } = await openKinds(context, engine, [type], [column]);
      await expect(write([wire]), `${type} ${String(wire)} into ${column}`).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
        where: { table: 'kinds' },
      });
    }
  });

  test('of generated columns are left to the server', async (context) => {
    const { database, write } = await openKinds(
      context,
      engine,
      ['int', 'int'],
      ['int', 'int AS (v0 * 2) STORED'],
    );
    await write([4, 999]);
    expect(await database.rows('SELECT v0, v1 FROM kinds')).toEqual([['4', '8']]);
  });
});

describe('values written to postgres', () => {
  test('are those of a MySQL source, to the last digit and byte', async (context) => {
    const cases = VALUE_CASES.flatMap(({ type, wire, postgres }) =>
      Object.entries(postgres).map(([column, reads]) => ({ type, wire, column, reads })),
    );
    const { database, write } = await openKinds(
      context,
      'postgres',
      cases.map(({ type }) => type),
      cases.map(({ column }) => column),
    );
    await write(cases.map(({ wire }) => wire));
    const readers = cases.map((_, i) => `v${i}::text`).join(', ');
    const [row] = await database.rows(`SELECT ${readers} FROM kinds`);
    expect(row!.map((text, i) => [cases[i]!.type, cases[i]!.column, text])).toEqual(
      cases.map(({ type, column, reads }) => [
        type,
        column,
        column.startsWith('character(') ? reads!.trimEnd() : reads,
      ]),
    );
  });

  test('that are dates with zeros become NULL or stop, as configured', async (context) => {
    const types = ODD_DATES.map(([type]) => type.replace(' NULL', ''));
    const columns = types.map((type) => (type === 'date' ? 'date' : 'timestamp'));
    const asNull = await openKinds(context, 'postgres', types, columns, 'null');
    await asNull.write(ODD_DATES.map(([, wire]) => wire));
    expect(await asNull.database.rows('SELECT v0, v1, v2, v3, v4 FROM kinds')).toEqual([
      [null, null, null, null, null],
    ]);
    for (const [i, [, wire]] of ODD_DATES.entries()) {
      const stops = await openKinds(context, 'postgres', [types[i]!], [columns[i]!], 'stop');
      await expect(stops.write([wire])).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
        where: { table: 'kinds', column: 'v0' },
      });
    }
    const required = await openKinds(context, 'postgres', ['date'], ['date NOT NULL'], 'null');
    await expect(required.write(['0000-00-00'])).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_DATA' });
  });

  test.for(['stop', 'park'] as const)('that hold U+0000 %s', async (onBadRow, context) => {
    const { database, target, write } = await openKinds(
      context,
      'postgres',
      ['varchar', 'json'],
      ['text', 'jsonb'],
    );
    const escaped = String.raw`{"a": "\\u0000 is only text"}`;
    await write(['a\\0b', escaped]);
    expect(await database.rows('SELECT v0, v1::text FROM kinds')).toEqual([['a\\0b', escaped]]);
    for (const bad of [['a\0b', null], [null, String.raw`{"a": "\u0000"}`]] as const) {
      if (onBadRow === 'stop') {
        await expect(write(bad, onBadRow)).rejects.toMatchObject({ code: 'ROWFERRY_TARGET_DATA' });
      } else {
        expect(await write(bad, onBadRow)).toMatchObject({ parked: [{ reason: 'data' }] });
      }
    } // prettier-ignore
    expect(await target.parked()).toHaveLength(onBadRow === 'park' ? 2 : 0);
  });

  test('are refused where the server would round or cut them in silence, or cannot hold them', async (context) => {
    const pairs: readonly (readonly [type: string, column: string, wire: WireValue])[] = [
      ['decimal(10,3)', 'numeric(10,2)', '1.235'],
      ['decimal(10,0)', 'numeric(4,0)', '12345'],
      ['datetime(6)', 'timestamp(3)', '2024-01-01 00:00:00.000500'],
      ['timestamp(6)', 'timestamptz(0)', '2024-01-01 00:00:00.500000'],
      ['time(2)', 'interval(0)', '00:00:00.50'],
      ['time', 'time', '24:00:00'],
      ['time', 'time', '-00:00:01'],
      ['double', 'real', 0.1],
      ['varchar', 'varchar(3)', 'abc '],
      ['varchar', 'char(3)', 'abcd'],
      ['int', 'smallint', 32768],
      ['int unsigned', 'integer', 2147483648],
      ['bigint unsigned', 'bigint', '9223372036854775808'],
      ['tinyint', 'boolean', 2],
      ['date', 'date', '2023-02-31'],
      ['datetime', 'timestamp', '0000-01-01 00:00:00'],
      ['json', 'jsonb', '{"a":'],
      ['varchar', 'uuid', 'no uuid'],
      ['int', 'integer NOT NULL', null],
      ['int', 'integer CHECK (v0 < 10)', 11],
    ];
    for (const [type, column, wire] of pairs) {
      const { write } = await openKinds(context, 'postgres', [type], [column]);
      await expect(write([wire]), `${type} ${String(wire)} into ${column}`).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
        where: { table: 'kinds' },
      });
    }
  });

  test('fit native enums, domains, citext-like types and other arrays', async (context) => {
    const database = await contractDatabase(context, 'postgres');
    await database.exec(`CREATE TYPE "Mood" AS ENUM ('sad', 'it''s, "ok"')`);
    await database.exec('CREATE DOMAIN short_text AS varchar(5) CHECK (length(VALUE) > 1)');
    await database.exec(
      'CREATE TABLE kinds (id int PRIMARY KEY, v0 "Mood", v1 short_text, v2 "Mood"[], v3 inet, v4 xml)',
    );
    const target = await openedTarget(database.url);
    const writer = await writerOf(target, kinds(['enum', 'varchar', 'set', 'varchar', 'text']));
    await target.claim(P0, 1);
    const row = [1, 'it\'s, "ok"', 'abcde', 'sad', '10.0.0.1', '<a/>'];
    await target.write(batch(0, 1, [tableBatch(writer, { upserts: [row] })]), NEVER);
    expect(await database.rows('SELECT v0, v1, v2::text, host(v3), v4::text FROM kinds')).toEqual([
      ['it\'s, "ok"', 'abcde', '{sad}', '10.0.0.1', '<a/>'],
    ]);
    for (const bad of [[2, 'angry', null, null, null, null], [2, null, 'abcdef', null, null, null], [2, null, 'a', null, null, null]]) {
      await expect(target.write(batch(1, 2, [tableBatch(writer, { upserts: [bad] })]), NEVER)).rejects.toMatchObject({
        code: 'ROWFERRY_TARGET_DATA',
      });
    } // prettier-ignore
  });
});
