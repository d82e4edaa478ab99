/** Types of columns, taken apart: what the table of values and its encoders speak about. */
import type { ColumnType } from './table.ts';

export type Family =
  | 'integer'
  | 'bigint'
  | 'decimal'
  | 'float'
  | 'double'
  | 'bit'
  | 'text'
  | 'bytes'
  | 'date'
  | 'datetime'
  | 'timestamp'
  | 'time'
  | 'year'
  | 'enum'
  | 'set'
  | 'json';

/** A canonical source type taken apart: `decimal(10,2)` has the arguments 10 and 2. */
export interface SourceType {
  readonly text: ColumnType;
  readonly base: string;
  readonly family: Family;
  readonly unsigned: boolean;
  readonly args: readonly number[];
}

/** Kinds of target columns; `other` is a type that the table does not name and that reads text by itself (citext, uuid). */
export type MysqlKind =
  | 'integer'
  | 'decimal'
  | 'float'
  | 'double'
  | 'bit'
  | 'text'
  | 'bytes'
  | 'date'
  | 'datetime'
  | 'time'
  | 'year'
  | 'enum'
  | 'set'
  | 'json'
  | 'other';

export type PostgresKind =
  | 'integer'
  | 'numeric'
  | 'real'
  | 'double'
  | 'boolean'
  | 'bit'
  | 'text'
  | 'bytea'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'time'
  | 'interval'
  | 'array'
  | 'json'
  | 'uuid'
  | 'other';

/** A target column's own type, taken apart: `args` are its length, precision or scale. */
export interface TargetType<K> {
  readonly text: string;
  readonly base: string;
  readonly kind: K;
  readonly args: readonly number[];
}

export interface ValueOptions {
  /** What becomes of a MySQL date with a zero year, month or day at PostgreSQL; MySQL takes it as it is. */
  readonly zeroDates: 'null' | 'stop';
}

/** Everything that an encoder may know when it is made for a column. */
export interface EncoderContext<K> {
  readonly column: string;
  readonly source: SourceType;
  readonly target: TargetType<K>;
  readonly options: ValueOptions;
}

/** Numeric arguments of a type; labels of an ENUM or SET are none. */
export function numbers(args: string | undefined): readonly number[] {
  if (args === undefined || !/^[\d, -]+$/.test(args)) return [];
  return args.split(',').map(Number);
}
