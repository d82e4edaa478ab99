import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quote } from '../../../src/model/mysql-literals.ts';
import { arrayElement } from '../../../src/model/postgres-texts.ts';
import {
  exceedsCharacters,
  fitsDecimal,
  fitsFraction,
  hexOfBase64,
  isCalendarDate,
  isZeroDate,
} from '../../../src/model/value-guards.ts';
import { mysqlColumn, parseSourceType, postgresColumn, VALUE_RULES } from '../../../src/model/values.ts';
import type { WireValue } from '../../../src/model/table.ts';

const place = (type: string): { name: string; type: string; nullable: boolean } => ({
  name: 'c',
  type,
  nullable: true,
});
const literal = (from: string, to: string, value: WireValue): string =>
  mysqlColumn(from, place(to))!.literal(value);
const text = (from: string, to: string, value: WireValue): string | null =>
  postgresColumn(from, place(to), { zeroDates: 'stop' })!.text(value);

/** Reads a MySQL string literal as the server does. */
function unquote(sql: string): string {
  const body = /^'((?:[^'\\]|''|\\.)*)'$/su.exec(sql)?.[1];
  if (body === undefined) throw new Error('not one string literal');
  return body.replace(/''|\\(.)/gsu, (all, escaped: string) =>
    all === "''" ? "'" : escaped === '0' ? '\0' : escaped,
  );
}

/** Reads the elements of a PostgreSQL array's text. */
function elements(array: string): (string | null)[] {
  const found: (string | null)[] = [];
  const pattern = /(?:"((?:[^"\\]|\\.)*)"|([^",{}]+))(?:,|\}$)/gsuy;
  pattern.lastIndex = 1;
  for (let match = pattern.exec(array); match !== null; match = pattern.exec(array)) {
    found.push(
      match[1] === undefined ? (match[2] === 'NULL' ? null : match[2]!) : match[1].replace(/\\(.)/gsu, '$1'),
    );
  }
  return found;
}

describe('string literals', () => {
  test('say what they were made of, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(unquote(quote(value))).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("'", '\\', '\0', '"', 'a', '\n', '%') }), (value) => {
        expect(unquote(quote(value))).toBe(value);
      }),
    );
  });
});

describe('array texts', () => {
  test('say what they were made of, whatever it is', () => {
    const anything = fc.array(
      fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', ',', 'NULL', ' ', "'", 'é', 'a') }),
    );
    fc.assert(
      fc.property(anything, (values) => {
        expect(elements(`{${values.map(arrayElement).join(',')}}`)).toEqual(values);
      }),
    );
  });

  test('of a SET are its labels', () => {
    expect(text('set', 'text[]', 'a,b "c",d\\e')).toBe('{"a","b \\"c\\"","d\\\\e"}');
    expect(text('set', 'text[]', '')).toBe('{}');
  });
});

describe('numbers', () => {
  test('of 64 bits pass as they are', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const digits = String(value);
        expect(literal('bigint', 'bigint', digits)).toBe(digits);
        expect(text('bigint unsigned', 'numeric(20,0)', digits)).toBe(digits);
      }),
    );
  });

  test('out of range are refused, at the edge and not before', () => {
    for (const [type, bits] of [['smallint', 16], ['integer', 32], ['bigint', 64]] as const) {
      const limit = 2n ** BigInt(bits - 1);
      const source = 'bigint unsigned';
      expect(text(source, type, String(limit - 1n))).toBe(String(limit - 1n));
      expect(() => text(source, type, String(limit))).toThrow(/out of range/);
      if (bits === 64) continue;
      expect(text('bigint', type, String(-limit))).toBe(String(-limit));
      expect(() => text('bigint', type, String(-limit - 1n))).toThrow(/out of range/);
    } // prettier-ignore
  });

  test('of floats read back as the same float', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const wire: WireValue = Object.is(value, -0) ? '-0' : value;
        expect(Math.fround(Number(literal('float', 'float', wire)))).toBe(value);
        expect(Number(literal('float', 'double', wire))).toBe(value);
        expect(Math.fround(Number(text('float', 'real', wire)))).toBe(value);
      }),
    );
  });

  test('of doubles read back as the same double, the sign of zero included', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const wire: WireValue = Object.is(value, -0) ? '-0' : value;
        expect(Number(literal('double', 'double', wire))).toBe(value);
        expect(Number(text('double', 'double precision', wire))).toBe(value);
      }),
    );
    // Without an exponent MySQL reads an integer, which has no negative zero.
    expect(literal('double', 'double', '-0')).toBe('-0e0');
  });

  test('fit a decimal exactly when nothing is lost by its scale or precision', () => {
    const digits = fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat(10));
    fc.assert(
      fc.property(
        digits,
        fc.integer({ min: 1, max: 30 }),
        fc.nat(10),
        ([value, scale], precision, toScale) => {
          fc.pre(toScale <= precision);
          const shift = 10n ** BigInt(Math.max(0, scale - toScale));
          const fits =
            value % shift === 0n && abs(value) / 10n ** BigInt(scale) < 10n ** BigInt(precision - toScale);
          expect(fitsDecimal(decimalText(value, scale), precision, toScale)).toBe(fits);
        },
      ),
    );
  });

  test('written without quotes can be nothing but numbers', () => {
    for (const bad of ['1; DROP TABLE x', '1)', '', ' 1', '1e5', '0x1', "1'", '١']) {
      for (const type of ['int', 'bigint', 'decimal(10,2)', 'bit(8)', 'year']) {
        const column = type === 'decimal(10,2)' || type === 'year' || type === 'bit(8)' ? type : 'bigint';
        expect(() => literal(type, column, bad), `${type} ${bad}`).toThrow(expect.objectContaining({ code: 'ROWFERRY_WIRE_CORRUPT' }));
      }
    } // prettier-ignore
    for (const bad of ['NaN', '', 'Infinity', 'x']) {
      expect(() => literal('double', 'double', bad)).toThrow();
      expect(() => text('double', 'double precision', bad)).toThrow();
    }
  });

  test('of bits keep all 64', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const wire = value.toString(2).padStart(64, '0');
        expect(literal('bit(64)', 'bit(64)', wire)).toBe(String(value));
        expect(text('bit(64)', 'bit(64)', wire)).toBe(wire);
        expect(text('bit(64)', 'numeric(20,0)', wire)).toBe(String(value));
      }),
    );
  });
});

describe('guards', () => {
  test('count characters as code points', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (value, limit) => {
        expect(exceedsCharacters(value, limit)).toBe(Array.from(value).length > limit);
      }),
    );
  });

  test('take fraction digits away only when they are zeros', () => {
    expect(fitsFraction('00:00:00.500000', 1)).toBe(true);
    expect(fitsFraction('00:00:00.500001', 1)).toBe(false);
    expect(fitsFraction('00:00:00', 0)).toBe(true);
    expect(fitsFraction('00:00:00.000000', 0)).toBe(true);
  });

  test('know the calendar', () => {
    for (const date of ['2024-02-29', '2000-02-29', '2023-01-31', '9999-12-31']) expect(isCalendarDate(date)).toBe(true);
    for (const date of ['2023-02-29', '1900-02-29', '2023-04-31', '2023-02-30']) expect(isCalendarDate(date)).toBe(false);
    for (const date of ['0000-00-00', '2024-00-01', '2024-01-00', '0000-01-01']) expect(isZeroDate(date)).toBe(true);
    for (const date of ['2000-10-10', '1000-01-01', '2024-10-20 00:00:00']) expect(isZeroDate(date)).toBe(false);
  }); // prettier-ignore

  test('give BINARY its zero bytes back', () => {
    expect(hexOfBase64('AQI=', 4)).toBe('01020000');
    expect(hexOfBase64('AQI=', 0)).toBe('0102');
    expect(literal('binary(4)', 'binary(8)', 'AQI=')).toBe("x'0102000000000000'");
    expect(literal('varbinary', 'varbinary(8)', 'AQI=')).toBe("x'0102'");
  });

  test('let NULL into a NOT NULL column of neither engine', () => {
    const required = { name: 'c', type: 'timestamp', nullable: false };
    expect(() => mysqlColumn('timestamp(0)', required)!.literal(null)).toThrow(/NOT NULL/);
    const date = { name: 'c', type: 'date', nullable: false };
    expect(() => postgresColumn('date', date, { zeroDates: 'null' })!.text('0000-00-00')).toThrow(/NOT NULL/);
  });

  test('name the column and never the value', () => {
    try {
      text('varchar', 'character varying(3)', 'hunter2');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ROWFERRY_TARGET_DATA', where: { column: 'c' } });
      expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
    }
  });
});

describe('the table of values', () => {
  test('knows every canonical type, and no other', () => {
    const types =
      'tinyint,smallint unsigned,mediumint,int unsigned,bigint unsigned,decimal(65,30),float,double,bit(8),char,varchar,tinytext,text,mediumtext,longtext,binary(16),varbinary,tinyblob,blob,mediumblob,longblob,date,datetime(6),timestamp(0),time(3),year,enum,set,json';
    for (const type of types.split(/,(?!30\))/)) {
      const parsed = parseSourceType(type);
      expect(parsed, type).toBeDefined();
      expect(VALUE_RULES[parsed!.family].wire).not.toBe('');
    }
    for (const type of ['geometry', 'vector', 'point', '']) expect(parseSourceType(type)).toBeUndefined();
    expect(mysqlColumn('geometry', place('geometry'))).toBeUndefined();
  });

  test('takes the arguments apart', () => {
    expect(parseSourceType('decimal(65,30) unsigned')).toMatchObject({
      base: 'decimal',
      args: [65, 30],
      unsigned: true,
    });
    expect(parseSourceType('datetime(6)')).toMatchObject({ base: 'datetime', args: [6], unsigned: false });
  });

  test('has no way where a value would change its meaning', () => {
    for (const [from, to] of [['varchar', 'int'], ['decimal(10,2)', 'int'], ['datetime(6)', 'date'], ['varbinary', 'text'], ['text', 'blob'], ['bigint', 'double']] as const) {
      expect(mysqlColumn(from, place(to)), `${from} ${to}`).toBeUndefined();
    }
    for (const [from, to] of [['varchar', 'integer'], ['decimal(10,2)', 'double precision'], ['bigint', 'real'], ['int', 'boolean'], ['bit(2)', 'boolean'], ['bit(8)', 'bit(9)'], ['text', 'bytea'], ['varbinary', 'uuid'], ['timestamp(0)', 'date']] as const) {
      expect(postgresColumn(from, place(to), { zeroDates: 'stop' }), `${from} ${to}`).toBeUndefined();
    }
  }); // prettier-ignore

  test('tells an ENUM that may hold index 0 from one with an empty label', () => {
    const mayBeEmpty = (type: string): boolean => mysqlColumn('enum', place(type))!.mayBeEmptyEnum;
    expect(mayBeEmpty("enum('a','b')")).toBe(true);
    expect(mayBeEmpty("enum('a'',''b','c')")).toBe(true);
    expect(mayBeEmpty("enum('','b')")).toBe(false);
    expect(mayBeEmpty("enum('a','')")).toBe(false);
  });

  test('carries types in arrays that neither cut nor pad', () => {
    const carried = (from: string, to: string): unknown => {
      const { parameterType, cast } = postgresColumn(from, place(to), { zeroDates: 'stop' })!;
      return [parameterType, cast];
    };
    expect(carried('varchar', 'character varying(3)')).toEqual(['text[]', '']);
    expect(carried('char', 'character(3)')).toEqual(['bpchar[]', '']);
    expect(carried('bit(3)', 'bit(3)')).toEqual(['"bit"[]', '']);
    expect(carried('decimal(10,2)', 'numeric(10,2)')).toEqual(['numeric[]', '']);
    expect(carried('set', 'character varying(3)[]')).toEqual(['text[]', '::text[]']);
    expect(carried('timestamp(6)', 'timestamp(3) with time zone')).toEqual(['timestamptz[]', '']);
    expect(carried('enum', 'other."Mood"')).toEqual(['other."Mood"[]', '']);
  });
});

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function decimalText(value: bigint, scale: number): string {
  const digits = abs(value)
    .toString()
    .padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
