import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textDecoder } from '../../../src/drivers/binlog-charset.ts';
import { charsetOfCollation, comparesBytes } from '../../../src/drivers/binlog-collations.ts';
import { Cursor, DecodeFault } from '../../../src/drivers/binlog-cursor.ts';
import { doubleText, jsonText } from '../../../src/drivers/binlog-json.ts';
import {
  bitReader,
  decimalReader,
  readBigint,
  readFloat,
  readUnsignedBigint,
  shortestFloat,
} from '../../../src/drivers/binlog-numbers.ts';
import { datetimeReader, timeReader, timestampReader } from '../../../src/drivers/binlog-temporal.ts';

const written = (length: number, write: (bytes: Buffer) => unknown): Cursor => {
  const bytes = Buffer.alloc(length);
  write(bytes);
  return new Cursor(bytes);
};

describe('numbers', () => {
  test('64-bit integers are exact text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(readBigint(written(8, (bytes) => bytes.writeBigInt64LE(value)))).toBe(String(value));
        const unsigned = BigInt.asUintN(64, value);
        expect(readUnsignedBigint(written(8, (bytes) => bytes.writeBigUInt64LE(unsigned)))).toBe(
          String(unsigned),
        );
      }),
    );
    for (const edge of [2n ** 53n, -(2n ** 53n), 2n ** 53n - 1n, -(2n ** 53n) - 1n, 0n, -1n]) {
      expect(readBigint(written(8, (bytes) => bytes.writeBigInt64LE(edge)))).toBe(String(edge));
    }
  });

  test('a FLOAT is the shortest decimal that gives it back', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const shortest = shortestFloat(value);
        expect(Math.fround(shortest)).toBe(value);
        // No text of fewer digits does.
        const digits = shortest.toExponential().replace(/e.*|[-.]/g, '').length;
        if (digits > 1 && value !== 0)
          expect(Math.fround(Number(value.toPrecision(digits - 1)))).not.toBe(value);
      }),
      { numRuns: 5_000 },
    );
    expect(readFloat(written(4, (bytes) => bytes.writeFloatLE(-0)))).toBe('-0');
    expect(() => readFloat(written(4, (bytes) => bytes.writeFloatLE(NaN)))).toThrow(DecodeFault);
  });

  test('a DECIMAL keeps every digit', () => {
    const shape = fc
      .integer({ min: 1, max: 65 })
      .chain((precision) =>
        fc.tuple(fc.constant(precision), fc.integer({ min: 0, max: Math.min(precision, 30) })),
      );
    fc.assert(
      fc.property(
        shape,
        fc.boolean(),
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 65, maxLength: 65 }),
        ([precision, scale], negative, digits) => {
          const whole = digits.slice(0, precision - scale).join('');
          const fraction = digits.slice(precision - scale, precision).join('');
          const bytes = encodeDecimal(whole, fraction, negative);
          const cursor = new Cursor(bytes);
          const zero = /^0*$/.test(whole + fraction);
          const text = `${negative && !zero ? '-' : ''}${whole.replace(/^0+(?=\d)/, '') || '0'}${scale > 0 ? `.${fraction}` : ''}`;
          expect(decimalReader(precision, scale)(cursor)).toBe(text);
          expect(cursor.left).toBe(0);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('BIT is as many binary digits as it has', () => {
    expect(bitReader(1)(new Cursor(Buffer.from([1])))).toBe('1');
    expect(bitReader(10)(new Cursor(Buffer.from([0b10, 0b101])))).toBe('1000000101');
  });
});

/** MySQL's decimal2bin, digit by digit. */
function encodeDecimal(whole: string, fraction: string, negative: boolean): Buffer {
  const size = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
  const groups: string[] = [];
  const lead = whole.length % 9;
  if (lead > 0) groups.push(whole.slice(0, lead));
  for (let at = lead; at < whole.length; at += 9) groups.push(whole.slice(at, at + 9));
  for (let at = 0; at < fraction.length; at += 9) groups.push(fraction.slice(at, at + 9));
  const bytes = Buffer.concat(
    groups.map((digits) => {
      const group = Buffer.alloc(size[digits.length]!);
      group.writeUIntBE(Number(digits), 0, group.length);
      return group;
    }),
  );
  if (negative) bytes.forEach((byte, index) => (bytes[index] = ~byte & 0xff));
  bytes[0] = bytes[0]! ^ 0x80;
  return bytes;
}

describe('dates and times', () => {
  const digits = fc.integer({ min: 0, max: 6 });

  test('TIME is exact on both sides of zero, in every precision', () => {
    const micros = fc.integer({ min: -3_020_399_000_000, max: 3_020_399_000_000 });
    fc.assert(
      fc.property(micros, digits, (value, precision) => {
        const unit = 10 ** (6 - precision);
        const size = Math.floor(Math.abs(value) / unit) * unit;
        const [seconds, fraction] = [Math.floor(size / 1e6), size % 1e6];
        const [hour, minute, second] = [
          Math.floor(seconds / 3600),
          Math.floor(seconds / 60) % 60,
          seconds % 60,
        ];
        const bytes = (precision + 1) >> 1;
        const stored = Math.floor(fraction / 10 ** (6 - bytes * 2));
        const packed = ((hour * 64 + minute) * 64 + second) * 256 ** bytes + stored;
        const negative = value < 0 && size > 0;
        const cursor = written(3 + bytes, (buf) =>
          buf.writeUIntBE(0x80_0000 * 256 ** bytes + (negative ? -packed : packed), 0, 3 + bytes),
        );
        const pad = (number: number): string => String(number).padStart(2, '0');
        const tail = precision === 0 ? '' : `.${String(fraction).padStart(6, '0').slice(0, precision)}`;
        expect(timeReader(precision)(cursor)).toBe(
          `${negative ? '-' : ''}${pad(hour)}:${pad(minute)}:${pad(second)}${tail}`,
        );
      }),
    );
  });

  test('TIMESTAMP is UTC to 2106, whatever day came before', () => {
    const reader = timestampReader(0);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), (seconds) => {
        const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
        expect(reader(written(4, (bytes) => bytes.writeUInt32BE(seconds)))).toBe(text);
      }),
    );
    expect(reader(new Cursor(Buffer.alloc(4)))).toBe('0000-00-00 00:00:00');
    expect(timestampReader(6)(new Cursor(Buffer.alloc(7)))).toBe('0000-00-00 00:00:00.000000');
    expect(timestampReader(2)(new Cursor(Buffer.from([0, 0, 0, 0, 1])))).toBe('1970-01-01 00:00:00.01');
  });

  test('DATETIME keeps every part, zero parts too', () => {
    const part = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(
        part(9999),
        part(12),
        part(31),
        part(23),
        part(59),
        part(59),
        (year, month, day, hour, minute, second) => {
          const bits =
            (((BigInt(year * 13 + month) * 32n + BigInt(day)) * 32n + BigInt(hour)) * 64n + BigInt(minute)) *
              64n +
            BigInt(second);
          const cursor = written(5, (bytes) => bytes.writeUIntBE(Number(bits + 0x80_0000_0000n), 0, 5));
          const pad = (number: number, size = 2): string => String(number).padStart(size, '0');
          expect(datetimeReader(0)(cursor)).toBe(
            `${pad(year, 4)}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)}`,
          );
        },
      ),
    );
  });
});

describe('text', () => {
  const decode = (collation: number, hex: string): string => {
    const bytes = Buffer.from(hex, 'hex');
    return textDecoder(collation)?.(bytes, 0, bytes.length) ?? 'no decoder';
  };

  test('is read by the collation’s character set', () => {
    expect(decode(255, 'f09f9880c3bc')).toBe('😀ü');
    expect(decode(8, '80e9818d8f909dff')).toBe('€é\x81\x8d\x8f\x90\x9dÿ');
    expect(decode(54, 'd83dde000041')).toBe('😀A');
    expect(decode(62, '3dd800de4100')).toBe('😀A');
    expect(decode(60, '0001f60000000041')).toBe('😀A');
    expect(decode(28, 'd6d0cec441')).toBe('中文A');
    expect(decode(13, '93fa967bb6c55c')).toBe('日本ｶﾅ\\');
    expect(decode(248, '81308130d6d0')).toBe('\x80中');
    expect(decode(97, '8ff3f3f5a1a4a2')).toBe('ⅰ\ue000あ');
  });

  test('that its character set does not know is never replaced', () => {
    for (const [collation, hex] of [
      [255, 'ff41'],
      [11, 'c3bc'],
      [57, '8a'],
      [28, 'd6'],
      [13, '81'],
      [54, '41'],
      [60, '00000041ff'],
      [60, '00110000'],
      [62, '4100ff'],
      [33, 'c3'],
    ] as const) {
      expect(() => decode(collation, hex)).toThrow(DecodeFault);
    }
    // Unless it is the replacement character itself.
    expect(decode(255, 'efbfbd')).toBe('\ufffd');
  });

  test('of unknown collations and sets without a table has no decoder', () => {
    for (const collation of [10, 3, 6, 37, 92, 999, 5000]) expect(textDecoder(collation)).toBeUndefined();
    expect(charsetOfCollation(10)).toBe('swe7');
    expect(charsetOfCollation(2304)).toBe('utf8mb4');
    expect(charsetOfCollation(1070)).toBe('utf8mb4');
    expect(charsetOfCollation(5000)).toBeUndefined();
  });

  test('compares by bytes only where trailing spaces count or are not stored', () => {
    expect([63, 309, 1070].every((collation) => comparesBytes(collation, false))).toBe(true);
    expect(comparesBytes(46, true)).toBe(true);
    expect([46, 255, 2304, 8, 9999].some((collation) => comparesBytes(collation, false))).toBe(false);
  });
});

describe('JSON', () => {
  test('doubles keep a point or an exponent and their value', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = doubleText(value);
        expect(Object.is(Number(text), value)).toBe(true);
        expect(text).toMatch(/[.e]/);
        expect(JSON.parse(text)).toBe(value);
      }),
    );
    expect([1, 1e14, 1e15, 1e-15, 1e-16, -1.5e300, -0].map(doubleText)).toEqual([
      '1.0', '100000000000000.0', '1e15', '0.000000000000001', '1e-16', '-1.5e300', '-0.0',
    ]); // prettier-ignore
  });

  test('a broken document is a fault, not a crash or an endless loop', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(typeof jsonText(Buffer.from(bytes))).toBe('string');
        } catch (error) {
          expect(error instanceof DecodeFault || error instanceof RangeError).toBe(true);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
