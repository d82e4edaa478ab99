/**
 * Marks: rows that a snapshot writes into rowferry's own table at the source, so that they come back through the binlog among
 * the changes. The only write on a source.
 *
 * A chunk is read between two marks. What makes the chunk right (docs/architecture.md, Copies): the low mark's COMMIT has returned before
 * the rows are read, and with `binlog_order_commits=ON` whatever precedes it in the binlog is then readable; seeing the mark
 * in the binlog is not enough, since it may come before its transaction is visible.
 */
import type { Row, Table, WireValue } from '../model/table.ts';
import { quote } from '../model/mysql-literals.ts';

export const MARK_SCHEMA = 'rowferry';
export const MARK_TABLE = 'mark';

export interface Mark {
  readonly pipeline: string;
  readonly source: string;
  /** Incarnation of the capture that wrote it (C2). */
  readonly incarnation: number;
  /** Which chunk of that incarnation. */
  readonly chunk: number;
  readonly edge: 'low' | 'high';
}

export function isMarkTable(schema: string, table: string): boolean {
  return schema === MARK_SCHEMA && table === MARK_TABLE;
}

/** One row for each reader of a snapshot, so that their marks do not wait for each other. */
export const CREATE_MARK_TABLE: readonly string[] = [
  `CREATE DATABASE IF NOT EXISTS ${MARK_SCHEMA}`,
  `CREATE TABLE IF NOT EXISTS ${MARK_SCHEMA}.${MARK_TABLE} (
  pipeline varchar(64) NOT NULL,
  source varchar(64) NOT NULL,
  reader int NOT NULL,
  incarnation bigint NOT NULL,
  chunk bigint NOT NULL,
  edge varchar(4) NOT NULL,
  written_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (pipeline, source, reader)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = 'marks of rowferry snapshots'`,
];

/** The statement that writes a mark; run with autocommit, its answer is the COMMIT's. */
export function writeMark({ pipeline, source, incarnation, chunk, edge }: Mark, reader: number): string {
  const values = [quote(pipeline), quote(source), reader, incarnation, chunk, quote(edge)].join(', ');
  return (
    `INSERT INTO ${MARK_SCHEMA}.${MARK_TABLE} (pipeline, source, reader, incarnation, chunk, edge) VALUES (${values}) ` +
    'ON DUPLICATE KEY UPDATE incarnation = VALUES(incarnation), chunk = VALUES(chunk), edge = VALUES(edge), ' +
    'written_at = CURRENT_TIMESTAMP(3)'
  );
}

/** A row of the mark table as it stands in the binlog; undefined for one that is no mark of this version. */
export function readMark(table: Table, row: Row): Mark | undefined {
  const value = (name: string): WireValue =>
    row[table.columns.findIndex((column) => column.name === name)] ?? null;
  const [pipeline, source, edge] = [value('pipeline'), value('source'), value('edge')];
  const [incarnation, chunk] = [Number(value('incarnation')), Number(value('chunk'))];
  const isMark =
    typeof pipeline === 'string' &&
    typeof source === 'string' &&
    (edge === 'low' || edge === 'high') &&
    Number.isSafeInteger(incarnation) &&
    Number.isSafeInteger(chunk);
  return isMark ? { pipeline, source, incarnation, chunk, edge } : undefined;
}
