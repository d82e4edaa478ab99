/**
 * The heartbeat row: the time, written again and again at the source, or at the primary of a source that is a replica,
 * and read from the binlog like anything else. When it comes it tells until when everything that the server had committed has
 * been read; when it does not come, nothing is known, however alive the link is.
 *
 * The time is the written server's, not that of the machine that writes: the row may be written by one machine and read by
 * another, after a change of leadership or hours later, and of their clocks nobody knows the difference; that of the server is
 * measured by each of them (`SourceClock`). So it does not matter either who wrote a row: a writer that lost its leadership
 * while it was suspended writes the truth.
 *
 * In UTC, which has no hour twice.
 */
import type { RowsEvent } from '../drivers/binlog-event.ts';
import { quote } from '../model/mysql-literals.ts';
import type { WireValue } from '../model/table.ts';
import { createOwnTable, MARK_SCHEMA } from './mark.ts';

const HEARTBEAT_TABLE = 'heartbeat';

/** Whose row it is. */
export interface HeartbeatOwner {
  readonly pipeline: string;
  readonly source: string;
}

export function isHeartbeatTable(schema: string, table: string): boolean {
  return schema === MARK_SCHEMA && table === HEARTBEAT_TABLE;
}

/** One row a pipeline and source, which never becomes more. */
export const CREATE_HEARTBEAT_TABLE = createOwnTable(
  HEARTBEAT_TABLE,
  'time of this server, for the lag of rowferry',
  `
  pipeline varchar(64) NOT NULL,
  source varchar(64) NOT NULL,
  written_at datetime(6) NOT NULL COMMENT 'UTC',
  PRIMARY KEY (pipeline, source)
`,
);

/** Finds the table, without any grant but those on it. */
export const FIND_HEARTBEAT_TABLE = `SELECT 1 AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${MARK_SCHEMA}' AND TABLE_NAME = '${HEARTBEAT_TABLE}'`;

/**
 * Writes the row, with autocommit; touches none where the server is read-only. An account may be allowed to write all the same,
 * and on a replica that would be a transaction which its primary does not have. Servers say what `read_only` is as a number, or,
 * as newer ones of MariaDB do, as a word, which compared with a number is an error.
 */
export function writeHeartbeat({ pipeline, source }: HeartbeatOwner): string {
  return (
    `INSERT INTO ${MARK_SCHEMA}.${HEARTBEAT_TABLE} (pipeline, source, written_at) ` +
    `SELECT ${quote(pipeline)}, ${quote(source)}, UTC_TIMESTAMP(6) FROM DUAL WHERE CAST(@@global.read_only AS CHAR) IN ('0', 'OFF') ` +
    'ON DUPLICATE KEY UPDATE written_at = VALUES(written_at)'
  );
}

/** When our row was written, by the server's clock, milliseconds; undefined for a row of another pipeline or source. */
export function readHeartbeat({ table, op, rows }: RowsEvent, owner: HeartbeatOwner): number | undefined {
  const row = rows.at(-1);
  if (op === 'delete' || row === undefined) return undefined;
  const value = (name: string): WireValue =>
    row[table.columns.findIndex((column) => column.name === name)] ?? null;
  if (value('pipeline') !== owner.pipeline || value('source') !== owner.source) return undefined;
  const writtenAt = value('written_at');
  const writtenMs = typeof writtenAt === 'string' ? utcMs(writtenAt) : NaN;
  return Number.isFinite(writtenMs) ? writtenMs : undefined;
}

/** `2026-01-31 12:00:00.123456` in UTC -> milliseconds since 1970; not a number when it is no time. */
export function utcMs(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}
