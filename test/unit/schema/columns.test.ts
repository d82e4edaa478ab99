import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mysqlColumn, postgresColumn } from '../../../src/model/values.ts';
import type { WireValue } from '../../../src/model/table.ts';
import type { ColumnContext } from '../../../src/schema/column-context.ts';
import { convertForMysql } from '../../../src/schema/convert-mysql-column.ts';
import { convertForPostgres } from '../../../src/schema/convert-postgres-column.ts';
import type { MappedColumn } from '../../../src/schema/map-columns.ts';
import type { PlannedColumn, TargetTraits } from '../../../src/schema/planned.ts';
import { postgresTypeOf, spelledByPostgres } from '../../../src/schema/postgres-types.ts';
import { fitOf } from '../../../src/schema/type-room.ts';
import { catalogColumn } from './catalog-fixture.ts';

const MYSQL: Extract<TargetTraits, { engine: 'mysql' }> = {
  engine: 'mysql',
  flavour: 'mysql',
  collations: new Set(['utf8mb4_0900_ai_ci', 'utf8mb4_0900_bin', 'utf8mb4_bin', 'utf8mb4_general_ci']),
};

const between = (low: number, high: number): fc.Arbitrary<number> => fc.integer({ min: low, max: high });
const typed = (type: string, values: readonly WireValue[]): Case => ({ type, values });

interface Case {
  readonly type: string;
  /** At the edges of the type, in wire form. */
  readonly values: readonly WireValue[];
}

const INTEGERS: readonly (readonly [string, number])[] = [['tinyint', 8], ['smallint', 16], ['mediumint', 24], ['int', 32], ['bigint', 64]]; // prettier-ignore

const integers = fc.tuple(fc.constantFrom(...INTEGERS), fc.boolean()).map(([[base, bits], unsigned]) => {
  const high = 2n ** BigInt(unsigned ? bits : bits - 1) - 1n;
  const low = unsigned ? 0n : -high - 1n;
  const wire = (value: bigint): WireValue => (base === 'bigint' ? String(value) : Number(value));
  return typed(`${base}${unsigned ? ' unsigned' : ''}`, [wire(low), wire(high), wire(0n)]);
});

const decimals = between(1, 65).chain((precision) =>
  between(0, Math.min(30, precision)).map((scale) => {
    const digits = `${'9'.repeat(precision - scale) || '0'}${scale > 0 ? `.${'9'.repeat(scale)}` : ''}`;
    return typed(`decimal(${precision},${scale})`, [digits, `-${digits}`]);
  }),
);

const fraction = (digits: number): string => (digits === 0 ? '' : `.${'9'.repeat(digits)}`);
const temporals = between(0, 6).chain((digits) =>
  fc.constantFrom(
    typed('date', ['1000-01-01', '9999-12-31']),
    typed(digits === 0 ? 'datetime' : `datetime(${digits})`, [`9999-12-31 23:59:59${fraction(digits)}`]),
    typed(digits === 0 ? 'timestamp' : `timestamp(${digits})`, [`2038-01-19 03:14:07${fraction(digits)}`]),
    typed(digits === 0 ? 'time' : `time(${digits})`, [
      `838:59:58${fraction(digits)}`,
      `-838:59:58${fraction(digits)}`,
    ]),
    typed('year', [0, 1901, 2155]),
  ),
);

const texts = fc.oneof(
  fc.tuple(fc.constantFrom('char', 'varchar'), between(0, 255)).map(([base, length]) =>
    typed(
      `${base}(${length})`,
      ['', '😀'.repeat(length), "it's"].filter((text) => Array.from(text).length <= length),
    ),
  ),
  fc.constantFrom('tinytext', 'text', 'mediumtext', 'longtext').map((base) => typed(base, ['', 'a \\ b'])),
  fc.constant(typed("enum('a','b''c')", ['a', "b'c", ''])),
  fc.constant(typed("set('a','b c')", ['', 'a', 'a,b c'])),
  fc.constant(typed('json', ['{"a": 1}', 'null'])),
);

const others = fc.oneof(
  between(1, 64).map((bits) => typed(`bit(${bits})`, ['0'.repeat(bits), '1'.repeat(bits)])),
  fc
    .tuple(fc.constantFrom('binary', 'varbinary'), between(1, 255))
    .map(([base, length]) => typed(`${base}(${length})`, ['', 'AP8='.slice(0, length > 1 ? 4 : 0)])),
  fc.constantFrom('tinyblob', 'blob', 'mediumblob', 'longblob').map((base) => typed(base, ['', 'AP8='])),
  fc.constantFrom(typed('float', [0.1, '-0']), typed('double', [5e-324, 1.7976931348623157e308])),
);

const cases = fc.oneof(integers, decimals, temporals, texts, others);

function context(more: Partial<ColumnContext> = {}): ColumnContext & { readonly notes: string[] } {
  const notes: string[] = [];
  const rest = {
    sourceFlavour: 'mysql',
    inKey: false,
    inUniqueKey: false,
    override: undefined,
    about: 'shop.a.c',
    keepsCounter: true,
    keepsExpressions: true,
  } as const;
  return { ...rest, note: (what) => void notes.push(what), notes, ...more };
}

function raw(type: string, more: Parameters<typeof catalogColumn>[1] = {}): MappedColumn {
  const source = catalogColumn(type, more);
  return { name: source.name, source, how: 'raw', type };
}

const place = ({ name, type, nullable }: PlannedColumn) => ({ name, type, nullable });

describe('a planned column', () => {
  it('takes every value of its source column at PostgreSQL', () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ type, values }, inUniqueKey) => {
        const planned = convertForPostgres(raw(type), context({ inUniqueKey }))!;
        const column = postgresColumn(type, place(planned), { zeroDates: 'stop' });
        expect(column, `${type} as ${planned.type}`).toBeDefined();
        for (const value of values) expect(column!.text(value)).not.toBeNull();
        expect(fitOf('postgres', type, planned.type)).toBe('fits');
        // Spelled as the server spells it, so that the comparison sees no difference.
        expect(spelledByPostgres(planned.type)).toBe(planned.type);
      }),
    );
  });

  it('takes every value of its source column at MySQL', () => {
    fc.assert(
      fc.property(cases, ({ type, values }) => {
        const planned = convertForMysql(raw(type), MYSQL, context())!;
        const column = mysqlColumn(type, place(planned));
        expect(column, type).toBeDefined();
        for (const value of values) expect(column!.literal(value)).not.toBe('NULL');
        expect(fitOf('mysql', type, planned.type)).toBe('fits');
      }),
    );
  });

  it.each([
    ['tinyint unsigned', 'smallint'], ['smallint unsigned', 'integer'], ['mediumint unsigned', 'integer'],
    ['int unsigned', 'bigint'], ['bigint unsigned', 'numeric(20,0)'], ['tinyint(1)', 'smallint'], ['bit(1)', 'boolean'],
    ['bit(9)', 'bit(9)'], ['char(0)', 'character varying(1)'], ['varchar(0)', 'character varying(1)'],
    ['tinytext', 'text'], ['varbinary(3)', 'bytea'], ['datetime', 'timestamp(0) without time zone'],
    ['timestamp(3)', 'timestamp(3) with time zone'], ['time(6)', 'interval(6)'], ['year', 'smallint'],
    ["enum('a')", 'text'], ["set('a')", 'text[]'], ['json', 'jsonb'], ['decimal(65,30)', 'numeric(65,30)'],
    ['float', 'real'], ['double', 'double precision'],
  ])('of %s is %s at PostgreSQL', (type, expected) => {
    expect(postgresTypeOf(type)).toBe(expected);
  }); // prettier-ignore

  it('of a geometry is bytes that nobody needs to fill, and says so; of an unknown type there is none', () => {
    const told = context();
    expect(convertForPostgres(raw('point', { nullable: false }), told)).toMatchObject({
      type: 'bytea',
      nullable: true,
    });
    expect(convertForPostgres(raw('vector(3)'), told)).toBeNull();
    expect(convertForMysql(raw('inet6'), MYSQL, told)).toBeNull();
    expect(told.notes).toEqual(
      ['point', 'vector(3)', 'inet6'].map((type) => expect.stringContaining(`${type}: the binlog`)),
    );
  });

  it('refuses a type by wish that cannot hold the values', () => {
    const given = (type: string) => ({ override: { column: 'shop.*.c', type, place: '--type' } });
    const wish = (type: string) => () => convertForPostgres(raw('int'), context(given(type)));
    expect(wish('date')).toThrow('--type: the type date for shop.*.c cannot hold int exactly (shop.a.c)');
    expect(wish('numeric(30)')).not.toThrow();
    expect(() => convertForMysql(raw('json'), MYSQL, context(given('int')))).toThrow('cannot hold json');
  });

  it('has an ICU collation where a unique key needs one, never in the primary key', () => {
    const column = raw('varchar(9)', { collation: 'utf8mb4_0900_ai_ci' });
    expect(convertForPostgres(column, context({ inUniqueKey: true }))?.collation).toBe('rowferry_ai_ci');
    expect(convertForPostgres(column, context())?.collation).toBeNull();
    expect(convertForPostgres(column, context({ inUniqueKey: true, inKey: true }))?.collation).toBeNull();
    const exact = raw('varchar(9)', { collation: 'utf8mb4_0900_as_cs' });
    expect(convertForPostgres(exact, context({ inUniqueKey: true }))?.collation).toBeNull();
  });

  it.each([
    ['int', { kind: 'literal', text: '7' }, '7'],
    ['bit(3)', { kind: 'literal', text: '101' }, "B'101'"],
    ['bit(1)', { kind: 'literal', text: '1' }, 'true'],
    ['date', { kind: 'literal', text: '0000-00-00' }, null],
    ['varchar(9)', { kind: 'literal', text: "it's" }, "'it''s'"],
    ["set('a','b')", { kind: 'literal', text: 'a,b' }, `'{"a","b"}'`],
    ["set('a','b')", { kind: 'literal', text: '' }, "'{}'"],
    ['datetime(3)', { kind: 'now', digits: 3 }, 'LOCALTIMESTAMP(3)'],
    ['timestamp', { kind: 'now', digits: 0 }, 'CURRENT_TIMESTAMP(0)'],
    ['char(36)', { kind: 'expression', sql: 'uuid()' }, 'gen_random_uuid()'],
    ['json', { kind: 'expression', sql: 'json_array()' }, "'[]'"],
    ['int', { kind: 'expression', sql: 'uuid()' }, null],
    ['varbinary(4)', { kind: 'literal', text: 'ab' }, null],
  ] as const)('of %s with the default %o has %s at PostgreSQL', (type, given, expected) => {
    expect(convertForPostgres(raw(type, { default: given }), context())?.default).toBe(expected);
  });
});
