/** The shape of a captured table, as the binlog's own metadata tells it (never today's catalog). */

/**
 * A column's MySQL type in canonical text, the key of the table in `values.ts`: lower case, with the arguments that change
 * meaning and nothing else. `int`, `int unsigned`, `bigint unsigned`, `decimal(10,2)`, `float`, `double`, `bit(8)`, `char`,
 * `varchar`, `text`, `binary(16)`, `varbinary`, `blob`, `date`, `datetime(6)`, `timestamp(0)`, `time(3)`, `year`, `enum`,
 * `set`, `json`, `geometry`.
 */
export type ColumnType = string;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /**
   * How the source compares text keys of this column: `exact` compares bytes, `loose` may treat different texts as equal
   * (case, accents, trailing spaces). Only meaningful for character columns.
   */
  readonly compares?: 'exact' | 'loose';
  /** What the type's text leaves out, where the binlog tells it; it never travels. */
  readonly room?: ColumnRoom;
}

/** How much the source's column holds: what it takes to tell whether another type holds all of it. */
export interface ColumnRoom {
  readonly nullable: boolean;
  /** Of every number, also of `decimal`, `float` and `double`, whose types do not say it. */
  readonly unsigned: boolean;
  /** Most bytes of a value of a text or binary type; null for all others. */
  readonly bytes: number | null;
  /** As MySQL names it (`utf8mb4`, `utf8mb3`); null for columns without text. */
  readonly charset: string | null;
  /** Of ENUM and SET, in order; null for all others. */
  readonly labels: readonly string[] | null;
}

export interface Table {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly Column[];
  /** Indexes into `columns` of the primary key, in key order; empty when the table has none. */
  readonly key: readonly number[];
  /**
   * The column (index into `columns`) that says which source table a row came from, and what it says for this one; every row
   * image holds that value there. Only in shapes that apply has mapped for a target table in which rows of several source
   * tables meet: the target then changes no row that says otherwise.
   */
  readonly origin?: { readonly column: number; readonly value: string };
}

/** `schema.name`, the logical name of a table in messages, partitions and routes. */
export function tableName(table: { readonly schema: string; readonly name: string }): string {
  return `${table.schema}.${table.name}`;
}

/**
 * A value in wire form, ready for JSON: integers up to 32 bits, YEAR, FLOAT and DOUBLE are numbers (`-0` is the string
 * `"-0"`); BIGINT and DECIMAL are decimal strings; BIT(n) is a string of n binary digits; temporals are
 * `YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS[.ffffff]` (TIMESTAMP in UTC) and `[-]HHH:MM:SS[.ffffff]` with all digits of the
 * declared precision; text, ENUM labels, SET labels joined by commas and JSON text are strings; bytes are base64.
 */
export type WireValue = string | number | null;

/** One row image: a value for each column of its table, in column order. */
export type Row = readonly WireValue[];
