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

/** Who writes a mark. Names alone would not tell: two Kafkas may each know a pipeline and a source of the same names. */
export interface MarkWriter {
  readonly pipeline: string;
  readonly source: string;
  /** Id of the first claim of the checkpoint topic: the same for all captures of one topic, and for those of no other. */
  readonly lineage: string;
  /** Id of the capture's own claim. */
  readonly claim: string;
  /** Its offset, by which claims of one lineage are ordered (C2). */
  readonly incarnation: number;
}

/** `lineage` and `claim` are empty in marks of versions that wrote neither. */
export interface Mark extends MarkWriter {
  /** Which chunk of that incarnation. */
  readonly chunk: number;
  readonly edge: 'low' | 'high';
}

export function isMarkTable(schema: string, table: string): boolean {
  return schema === MARK_SCHEMA && table === MARK_TABLE;
}

/**
 * Filters of the binlog and of replication go by the schema that a session uses for statements, and by the table's own for rows.
 * Without one a table of ours would not be made where its rows go, and each replica with such filters would stop at the first.
 */
export const USE_OWN_SCHEMA = `USE ${MARK_SCHEMA}`;
/** A session knows the grants on the schema that it uses as they were when it began to. Every account may use this one. */
export const LEAVE_OWN_SCHEMA = 'USE information_schema';

/** Makes the schema and a table in it, where they are not there; leaves the session in the schema. */
export function createOwnTable(table: string, comment: string, definitions: string): readonly string[] {
  return [
    `CREATE DATABASE IF NOT EXISTS ${MARK_SCHEMA}`,
    USE_OWN_SCHEMA,
    `CREATE TABLE IF NOT EXISTS ${MARK_SCHEMA}.${table} (${definitions}) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin COMMENT = '${comment}'`,
  ];
}

/** One row for each reader of a snapshot, so that their marks do not wait for each other. */
export const CREATE_MARK_TABLE = createOwnTable(
  MARK_TABLE,
  'marks of rowferry snapshots',
  `
  pipeline varchar(64) NOT NULL,
  source varchar(64) NOT NULL,
  reader int NOT NULL,
  lineage varchar(36) NOT NULL DEFAULT '',
  claim varchar(36) NOT NULL DEFAULT '',
  incarnation bigint NOT NULL,
  chunk bigint NOT NULL,
  edge varchar(4) NOT NULL,
  written_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (pipeline, source, reader)
`,
);

/** What a table of an earlier version lacks. Capture of that version goes on writing to it: the columns have defaults. */
export const MARK_WRITER_COLUMNS: readonly string[] = ['lineage', 'claim'];

export const ADD_MARK_WRITER =
  `ALTER TABLE ${MARK_SCHEMA}.${MARK_TABLE} ` +
  MARK_WRITER_COLUMNS.map((name) => `ADD COLUMN ${name} varchar(36) NOT NULL DEFAULT ''`).join(', ');

/** The statement that writes a mark; run with autocommit, its answer is the COMMIT's. */
export function writeMark(mark: Mark, reader: number): string {
  const names = [mark.pipeline, mark.source, mark.lineage, mark.claim, mark.edge].map(quote);
  const values = [...names, reader, mark.incarnation, mark.chunk].join(', ');
  return (
    `INSERT INTO ${MARK_SCHEMA}.${MARK_TABLE} (pipeline, source, lineage, claim, edge, reader, incarnation, chunk) VALUES (${values}) ` +
    'ON DUPLICATE KEY UPDATE lineage = VALUES(lineage), claim = VALUES(claim), incarnation = VALUES(incarnation), ' +
    'chunk = VALUES(chunk), edge = VALUES(edge), ' +
    'written_at = CURRENT_TIMESTAMP(3)'
  );
}

/** A row of the mark table as it stands in the binlog; undefined for one that is no mark of this version. */
export function readMark(table: Table, row: Row): Mark | undefined {
  const value = (name: string): WireValue =>
    row[table.columns.findIndex((column) => column.name === name)] ?? null;
  const [pipeline, source, edge] = [value('pipeline'), value('source'), value('edge')];
  const [lineage, claim] = [value('lineage') ?? '', value('claim') ?? ''];
  const [incarnation, chunk] = [Number(value('incarnation')), Number(value('chunk'))];
  const isMark =
    typeof pipeline === 'string' &&
    typeof source === 'string' &&
    typeof lineage === 'string' &&
    typeof claim === 'string' &&
    (edge === 'low' || edge === 'high') &&
    Number.isSafeInteger(incarnation) &&
    Number.isSafeInteger(chunk);
  return isMark ? { pipeline, source, lineage, claim, incarnation, chunk, edge } : undefined;
}

/**
 * Whose mark goes by in the binlog:
 * - `ours`: this very claim wrote it. The incarnation is compared too: a capture of an earlier version that writes to our row
 *   leaves our id in it.
 * - `newer`: a later claim of our checkpoint topic did (C2). A mark without a lineage counts as one of ours: to stop for
 *   nothing is loud, to go on past a successor's mark loses the rows that it copied.
 * - `stranger`: a capture of the same names that another checkpoint topic knows.
 * - `nobody`: an older claim, whose chunks nobody waits for, or another pipeline.
 */
export function whoseMark(mark: Mark, self: MarkWriter): 'ours' | 'newer' | 'stranger' | 'nobody' {
  if (mark.pipeline !== self.pipeline || mark.source !== self.source) return 'nobody';
  if (mark.lineage !== '' && mark.lineage !== self.lineage) return 'stranger';
  if (mark.incarnation > self.incarnation) return 'newer';
  const isOurs =
    mark.claim === self.claim && mark.lineage === self.lineage && mark.incarnation === self.incarnation;
  return isOurs ? 'ours' : 'nobody';
}
