/** Whether a target column has room for every value of a MySQL type. Pure. */
import { parseMysqlType } from '../model/mysql-literals.ts';
import { parsePostgresType } from '../model/postgres-texts.ts';
import { mysqlColumn, parseSourceType, postgresColumn } from '../model/values.ts';
import type { SourceType } from '../model/value-types.ts';
import { labelsOf } from './catalog.ts';

type Engine = 'mysql' | 'postgres';

/** True when the column takes the values of both types, all of them. */
export function holdsAll(engine: Engine, one: string, other: string, type: string): boolean {
  return [one, other].every((from) => fitOf(engine, from, type) === 'fits');
}

/**
 * `fits`: every value; `narrow`: some values would be refused; `cannot`: there is no way to write such values at all.
 */
export function fitOf(engine: Engine, from: string, type: string): 'fits' | 'narrow' | 'cannot' {
  const source = parseSourceType(from);
  if (source === undefined) return 'fits';
  const place = { name: '', type, nullable: true };
  const writes =
    engine === 'mysql'
      ? mysqlColumn(from, place) !== undefined
      : postgresColumn(from, place, { zeroDates: 'null' }) !== undefined;
  if (!writes) return 'cannot';
  return hasRoom(engine, source, from, type) ? 'fits' : 'narrow';
}

function hasRoom(engine: Engine, source: SourceType, from: string, type: string): boolean {
  const target = engine === 'mysql' ? parseMysqlType(type) : parsePostgresType(type);
  if (target.kind === 'other' || target.kind === 'json' || target.kind === 'array') return true;
  const [first, second = 0] = target.args;
  switch (target.kind) {
    case 'integer': {
      const range = integerRange(target.base, /unsigned/i.test(type));
      const needed = source.family === 'bit' ? bitRange(source) : integerRange(source.base, source.unsigned);
      return range.low <= needed.low && range.high >= needed.high;
    }
    case 'decimal':
    case 'numeric':
      return decimalRoom(
        source,
        target.kind === 'numeric' && first === undefined ? null : [first ?? 10, second],
      );
    case 'bit':
      return target.base === 'bit varying' && first === undefined
        ? true
        : (first ?? 1) >= (source.args[0] ?? 1);
    case 'boolean':
      return source.family === 'bit';
    case 'float':
    case 'real':
      return source.family === 'float';
    case 'datetime':
    case 'timestamp':
    case 'timestamptz':
    case 'time':
    case 'interval':
      return (
        (first ?? (engine === 'postgres' ? 6 : 0)) >= (source.args[0] ?? 0) &&
        spans(source, target.base, target.kind)
      );
    case 'enum':
    case 'set':
      return labelsFit(from, type);
    case 'bytes':
      return bytesOf(target.base, first) >= bytesOf(source.base, source.args[0]);
    case 'text':
      return textRoom(engine, source, from, target.base, first);
    default:
      return true;
  }
}

interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

const BITS: Readonly<Record<string, number>> = {
  tinyint: 8, smallint: 16, mediumint: 24, int: 32, integer: 32, bigint: 64,
}; // prettier-ignore

function integerRange(base: string, unsigned: boolean): Range {
  if (base === 'year') return { low: 0n, high: 2155n };
  const bits = BigInt(BITS[base] ?? 64);
  return unsigned
    ? { low: 0n, high: 2n ** bits - 1n }
    : { low: -(2n ** (bits - 1n)), high: 2n ** (bits - 1n) - 1n };
}

function bitRange({ args }: SourceType): Range {
  return { low: 0n, high: 2n ** BigInt(args[0] ?? 1) - 1n };
}

function decimalRoom(source: SourceType, room: readonly [precision: number, scale: number] | null): boolean {
  if (room === null) return true;
  const [precision, scale] = room;
  if (source.family === 'decimal') {
    const [sourcePrecision = 10, sourceScale = 0] = source.args;
    return scale >= sourceScale && precision - scale >= sourcePrecision - sourceScale;
  }
  const range = source.family === 'bit' ? bitRange(source) : integerRange(source.base, source.unsigned);
  const digits = Math.max(String(range.high).length, String(-range.low).length);
  return precision - scale >= digits;
}

/** TIMESTAMP ends in 2038 at MySQL; a time of day is no span of 838 hours. */
function spans(source: SourceType, base: string, kind: string): boolean {
  if (source.family === 'time') return kind === 'interval' || base === 'time';
  return base !== 'timestamp' || source.family === 'timestamp';
}

function labelsFit(from: string, type: string): boolean {
  const labels = new Set(labelsOf(type));
  return labelsOf(from).every((label) => labels.has(label));
}

const SIZES: Readonly<Record<string, number>> = {
  tinytext: 255, text: 65_535, mediumtext: 16_777_215, longtext: 4_294_967_295,
  tinyblob: 255, blob: 65_535, mediumblob: 16_777_215, longblob: 4_294_967_295,
}; // prettier-ignore

function bytesOf(base: string, length: number | undefined): number {
  return base === 'bytea' ? Infinity : (SIZES[base] ?? length ?? 1);
}

function textRoom(
  engine: Engine,
  source: SourceType,
  from: string,
  base: string,
  length: number | undefined,
): boolean {
  const isPlain = engine === 'postgres' && (base === 'text' || length === undefined) && base !== 'character';
  if (isPlain) return true;
  // Sizes of MySQL's texts are bytes, up to four for a character.
  const room = SIZES[base] === undefined || engine === 'postgres' ? (length ?? 1) : SIZES[base] / 4;
  const size = SIZES[source.family === 'json' ? 'longtext' : source.base];
  if (SIZES[base] !== undefined && size !== undefined) return SIZES[base] >= size;
  return room >= charactersOf(source, from);
}

function charactersOf(source: SourceType, from: string): number {
  const { base, family, args } = source;
  if (family === 'enum') return Math.max(1, ...labelsOf(from).map((label) => Array.from(label).length));
  if (family === 'set') return labelsOf(from).join(',').length;
  if (family === 'text') return SIZES[base] ?? args[0] ?? 1;
  if (family === 'json') return SIZES['longtext'] ?? 0;
  if (family === 'decimal') return (args[0] ?? 10) + 3;
  return family === 'integer' || family === 'bigint' ? 20 : 26;
}
