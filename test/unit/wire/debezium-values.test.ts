import { describe, expect, it } from 'vitest';
import type { ConnectField } from '../../../src/wire/debezium-columns.ts';
import { readBySchema, readByType } from './debezium-text.ts';

const debezium = (name: string, type: string): Omit<ConnectField, 'field'> => ({
  type,
  name: `io.debezium.${name}`,
});
const decimal = (scale: number, precision?: number): Omit<ConnectField, 'field'> => ({
  type: 'bytes',
  name: 'org.apache.kafka.connect.data.Decimal',
  parameters: {
    scale: String(scale),
    ...(precision === undefined ? {} : { 'connect.decimal.precision': String(precision) }),
  },
});
const told = (
  type: string,
  column: string,
  length?: number,
  scale?: number,
): Omit<ConnectField, 'field'> => ({
  type,
  parameters: {
    '__debezium.source.column.type': column,
    ...(length === undefined ? {} : { '__debezium.source.column.length': String(length) }),
    ...(scale === undefined ? {} : { '__debezium.source.column.scale': String(scale) }),
  },
});

describe('a value whose type the schema tells', () => {
  it.each([
    ['int8', { type: 'int8' }, '-128', 'tinyint', -128],
    ['int16', { type: 'int16' }, '255', 'tinyint', 255],
    ['int32', { type: 'int32' }, '65535', 'int', 65535],
    ['int64', { type: 'int64' }, '9223372036854775807', 'bigint', '9223372036854775807'],
    ['int64 of few digits', { type: 'int64' }, '-5', 'bigint', '-5'],
    ['float', { type: 'float' }, '-0.0', 'float', '-0'],
    ['double', { type: 'double' }, '1.2345678901234568E20', 'double', 123456789012345680000],
    ['boolean', { type: 'boolean' }, 'true', 'bit(1)', '1'],
    ['string', { type: 'string' }, '"a \\"1234567890123456789\\""', 'varchar', 'a "1234567890123456789"'],
    ['string of digits', { type: 'string' }, '"1234567890123456789"', 'varchar', '1234567890123456789'],
    ['bytes', { type: 'bytes' }, '"AQIAAA=="', 'varbinary', 'AQIAAA=='],
    ['NULL', { type: 'string', optional: true }, 'null', 'varchar', null],
    ['unsigned bigint as decimal', decimal(0, 20), '"AP//////////"', 'bigint', '18446744073709551615'],
    ['negative decimal', decimal(2, 10), '"/w=="', 'decimal(10,2)', '-0.01'],
    ['decimal', decimal(2, 10), '"Af4="', 'decimal(10,2)', '5.10'],
    ['date', debezium('time.Date', 'int32'), '-354285', 'date', '1000-01-01'],
    ['date of Connect', { type: 'int32', name: 'org.apache.kafka.connect.data.Date' }, '0', 'date', '1970-01-01'],
    ['ISO date', debezium('time.IsoDate', 'string'), '"2017-09-15Z"', 'date', '2017-09-15'],
    ['milliseconds of a day', debezium('time.Time', 'int32'), '1234', 'time(3)', '00:00:01.234'],
    ['negative time', debezium('time.MicroTime', 'int64'), '-3020399000000', 'time(6)', '-838:59:59.000000'],
    ['time below zero', debezium('time.MicroTime', 'int64'), '-1', 'time(6)', '-00:00:00.000001'],
    ['nanoseconds of a day', debezium('time.NanoTime', 'int64'), '1000', 'time(6)', '00:00:00.000001'],
    ['ISO time', debezium('time.IsoTime', 'string'), '"04:05:11.789Z"', 'time(6)', '04:05:11.789000'],
    ['ISO time of a whole minute', debezium('time.IsoTime', 'string'), '"04:05Z"', 'time(6)', '04:05:00.000000'],
    ['milliseconds', debezium('time.Timestamp', 'int64'), '253402300799000', 'datetime(3)', '9999-12-31 23:59:59.000'],
    ['milliseconds before 1970', debezium('time.Timestamp', 'int64'), '-1', 'datetime(3)', '1969-12-31 23:59:59.999'],
    ['microseconds', debezium('time.MicroTimestamp', 'int64'), '253402300799999999', 'datetime(6)', '9999-12-31 23:59:59.999999'],
    ['nanoseconds', debezium('time.NanoTimestamp', 'int64'), '-1000', 'datetime(6)', '1969-12-31 23:59:59.999999'],
    ['ISO timestamp', debezium('time.IsoTimestamp', 'string'), '"2019-07-09T02:28:57.123Z"', 'datetime(6)', '2019-07-09 02:28:57.123000'],
    ['zoned', debezium('time.ZonedTimestamp', 'string'), '"2018-06-20T13:37:03Z"', 'timestamp(6)', '2018-06-20 13:37:03.000000'],
    ['zoned elsewhere', debezium('time.ZonedTimestamp', 'string'), '"2018-06-20T01:37:03.5+02:00"', 'timestamp(6)', '2018-06-19 23:37:03.500000'],
    ['year', debezium('time.Year', 'int32'), '2155', 'year', 2155],
    ['year 0000', debezium('time.Year', 'int32'), '1900', 'year', 0],
    ['label', debezium('data.Enum', 'string'), '"b\\\\,c"', 'enum', 'b,c'],
    ['set', debezium('data.EnumSet', 'string'), '"a,c d"', 'set', 'a,c d'],
    ['JSON', debezium('data.Json', 'string'), '"{\\"n\\":12345678901234567890}"', 'json', '{"n":12345678901234567890}'],
    ['bits', { ...debezium('data.Bits', 'bytes'), parameters: { length: '9' } }, '"BQA="', 'bit(9)', '000000101'],
    ['all bits', { ...debezium('data.Bits', 'bytes'), parameters: { length: '31' } }, '"////fw=="', 'bit(31)', '1'.repeat(31)],
    ['geometry, which no column takes', debezium('data.geometry.Geometry', 'struct'), '{"wkb":"AA==","srid":null}', 'io.debezium.data.geometry.Geometry', '{"wkb":"AA==","srid":null}'],
  ] as const)('is read: %s', (_, field, json, type, value) => {
    expect(readBySchema(field, json)).toEqual({ type, value });
  }); // prettier-ignore

  it.each([
    ['bigint unsigned', told('int64', 'BIGINT UNSIGNED'), '-1', 'bigint unsigned', '18446744073709551615'],
    ['decimal as text', told('string', 'DECIMAL', 10, 2), '"5.1"', 'decimal(10,2)', '5.10'],
    ['datetime', { ...debezium('time.Timestamp', 'int64'), ...told('int64', 'DATETIME') }, '1000', 'datetime(0)', '1970-01-01 00:00:01'],
    ['smallint', told('int16', 'SMALLINT'), '7', 'smallint', 7],
    ['binary', told('bytes', 'BINARY', 16), '"AQI="', 'binary(16)', 'AQI='],
    ['a type that is not known', told('string', 'POLYGON'), '"x"', 'varchar', 'x'],
  ] as const)('has the type that the connector propagates: %s', (_, field, json, type, value) => {
    expect(readBySchema(field, json)).toEqual({ type, value });
  }); // prettier-ignore

  it('is bytes as the connector writes them, when its type is told', () => {
    expect(readBySchema(told('string', 'VARBINARY', 9), '"0aff"', { binaryHandlingMode: 'hex' }).value).toBe(
      'Cv8=',
    );
    expect(
      readBySchema(told('string', 'BLOB'), '"-_8"', { binaryHandlingMode: 'base64-url-safe' }).value,
    ).toBe('+/8=');
  });

  it.each([
    ['text where a number should be', { type: 'int32' }, '"7"'],
    ['a fraction where a whole number should be', { type: 'int64' }, '7.5'],
    ['a decimal as number', decimal(2, 10), '1234567890123456.78'],
    ['bits beyond the length', { ...debezium('data.Bits', 'bytes'), parameters: { length: '9' } }, '"BQQ="'],
    ['text that is not base64', { type: 'bytes' }, '"not base64"'],
    ['more digits than the column has', { ...debezium('time.NanoTime', 'int64') }, '1'],
    ['a day beyond the calendar', debezium('time.Date', 'int32'), '99999999'],
    ['what Debezium did not get', { type: 'string' }, '"__debezium_unavailable_value"'],
    ['bytes that Debezium did not get', { type: 'bytes' }, '"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="'],
  ] as const)('is refused: %s', (_, field, json) => {
    const refused = expect.objectContaining({
      code: 'ROWFERRY_WIRE_CORRUPT',
      where: { column: 'v', table: 'shop.orders' },
    });
    expect(() => readBySchema(field, json)).toThrow(refused);
  });

  it('is never quoted by an error', () => {
    expect(() => readBySchema({ type: 'int32' }, '"secret"')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});

describe('a value whose type is declared', () => {
  it.each([
    ['bigint unsigned', '-1', {}, '18446744073709551615'],
    ['bigint unsigned', '7', { bigintUnsignedHandlingMode: 'precise' }, undefined],
    ['bigint unsigned', '"AP//////////"', { bigintUnsignedHandlingMode: 'precise' }, '18446744073709551615'],
    ['decimal(10,2)', '"Af4="', {}, '5.10'],
    ['decimal(10,2)', '"5.10"', { decimalHandlingMode: 'string' }, '5.10'],
    ['bit(1)', 'false', {}, '0'],
    ['bit(9)', '"BQA="', {}, '000000101'],
    ['varbinary', '"0aff"', { binaryHandlingMode: 'hex' }, 'Cv8='],
    ['date', '1', {}, '1970-01-02'],
    ['date', '"1970-01-02Z"', { timePrecisionMode: 'isostring' }, '1970-01-02'],
    ['time(0)', '1000000', {}, '00:00:01'],
    ['time(0)', '1000', { timePrecisionMode: 'connect' }, '00:00:01'],
    ['datetime(0)', '1000', {}, '1970-01-01 00:00:01'],
    ['datetime(6)', '1', {}, '1970-01-01 00:00:00.000001'],
    ['datetime(6)', '1000', { timePrecisionMode: 'nanoseconds' }, '1970-01-01 00:00:00.000001'],
    ['timestamp(3)', '"2018-06-20T13:37:03.120Z"', {}, '2018-06-20 13:37:03.120'],
    ['enum', '"a"', {}, 'a'],
  ] as const)('is read by the modes of the connector: %s', (type, json, modes, value) => {
    if (value === undefined) expect(() => readByType(type, json, modes)).toThrow('form of bigint unsigned');
    else expect(readByType(type, json, modes)).toEqual({ type, value });
  });
});
