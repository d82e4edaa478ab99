/** Emptying target tables for a TRUNCATE of their source table, once: the statements, the same in both engines but for details. */
import { binlogFileNumber } from '../model/position.ts';
import type { RowFilter, TruncateId, Truncation } from './target.ts';

/** How an engine tells a source table's rows from others by a text of theirs. */
export interface TruncateDialect {
  readonly path: (table: string) => string;
  /** The first `length` letters of a column (all with null) in a form that compares by bytes. */
  readonly exactColumn: (column: string, length: number | null) => string;
  readonly exactText: (text: string) => string;
}

/** Everything, or the rows that one source table has there. */
export function emptyingSql({ table, only }: Truncation['tables'][number], dialect: TruncateDialect): string {
  const path = dialect.path(table);
  return only === null ? `TRUNCATE TABLE ${path}` : `DELETE FROM ${path} WHERE ${isOneOf(only, dialect)}`;
}

/** Finds one of these rows. */
export function anyOfSql({ table, only }: Truncation['tables'][number], dialect: TruncateDialect): string {
  const where = only === null ? '' : ` WHERE ${isOneOf(only, dialect)}`;
  return `SELECT 1 AS one FROM ${dialect.path(table)}${where} LIMIT 1`;
}

function isOneOf(only: readonly RowFilter[], { exactColumn, exactText }: TruncateDialect): string {
  const conditions = only.map(({ column, startsWith, equals }: RowFilter) =>
    equals === undefined
      ? `${exactColumn(column, Array.from(startsWith).length)} = ${exactText(startsWith)}`
      : `${exactColumn(column, null)} = ${exactText(equals)}`,
  );
  return conditions.join(' AND ');
}

/**
 * True when `done` is this statement or a later one. A source table's statements are carried out in their order, since every
 * partition meets them in it: the last one stands for all before it, and those of an epoch that is over are never wanted again.
 */
export function reaches(
  done: Pick<TruncateId, 'epoch' | 'file' | 'end'>,
  wanted: Pick<TruncateId, 'epoch' | 'file' | 'end'>,
): boolean {
  const order = done.epoch - wanted.epoch || done.file - wanted.file || done.end - wanted.end;
  return order >= 0;
}

/** `binlog.000042:1234` in numbers; undefined for anything else. */
export function statementPlace(
  position: string,
): { readonly file: number; readonly end: number } | undefined {
  const [, name = '', end = ''] = /^(.*):(\d+)$/s.exec(position) ?? [];
  const file = /^\d+$/.test(name) ? Number(name) : binlogFileNumber(name);
  return file === undefined || end === '' ? undefined : { file, end: Number(end) };
}
