/** What a binlog link yields, and the codes of the events that it is read from. */
import type { Row, Table } from '../model/table.ts';

/**
 * One thing that the binlog says. `end` is the file offset right after the event: the same on every replay of the file (I-3),
 * also past 4 GiB and also for MariaDB, whose headers hold no offset inside a transaction. `timeMs` is the header's time,
 * whole seconds.
 *
 * A transaction is `begin`, any number of `rows` (and `statement` when DDL or statement DML runs inside it), then `commit`.
 * A `statement` with `standalone` is a transaction of its own. Resume points are the `end` of a `commit`, of a standalone
 * `statement`, and of an `xa` other than `start`.
 */
export type BinlogEvent =
  | RotateEvent
  | BeginEvent
  | RowsEvent
  | CommitEvent
  | StatementEvent
  | XaEvent
  | IncidentEvent
  | UnknownEvent
  | HeartbeatEvent;

/** The events that follow are in this file, the first of them at `offset`. */
interface RotateEvent {
  readonly kind: 'rotate';
  readonly file: string;
  readonly offset: number;
}

interface BeginEvent {
  readonly kind: 'begin';
  /** Null for an anonymous transaction. */
  readonly gtid: string | null;
  /** When the source committed, to the microsecond where the source tells it (MySQL 8 and newer). */
  readonly commitTimeMs: number | null;
  readonly end: number;
}

export interface RowsEvent {
  readonly kind: 'rows';
  /** The same object as long as the table keeps its shape. */
  readonly table: Table;
  readonly op: 'insert' | 'update' | 'delete';
  /** Row images; of an update the images before and after in turn. */
  readonly rows: readonly Row[];
  readonly end: number;
  readonly timeMs: number;
  /** Size of the event in the binlog. */
  readonly bytes: number;
}

interface CommitEvent {
  readonly kind: 'commit';
  readonly gtid: string | null;
  readonly end: number;
  readonly timeMs: number;
}

/** A statement in text other than BEGIN, COMMIT and savepoints: DDL, or DML that was not written as rows. */
export interface StatementEvent {
  readonly kind: 'statement';
  /** The session's default schema, empty when it had none. */
  readonly schema: string;
  /** To classify by, never to log: it may hold values. */
  readonly sql: string;
  /** It is a transaction of its own, complete at `end`. */
  readonly standalone: boolean;
  readonly gtid: string | null;
  readonly commitTimeMs: number | null;
  readonly end: number;
  readonly timeMs: number;
}

/**
 * A step of a distributed transaction. The `rows` between `start` and `prepare` take effect at a later `commit`, or never;
 * `commit-one-phase` ends a started one that takes effect at once.
 */
export interface XaEvent {
  readonly kind: 'xa';
  readonly step: 'start' | 'prepare' | 'commit-one-phase' | 'commit' | 'rollback';
  readonly gtid: string | null;
  readonly end: number;
  readonly timeMs: number;
}

/** The source says that its binlog may lack changes. */
interface IncidentEvent {
  readonly kind: 'incident';
  readonly code: number;
  readonly end: number;
}

/** An event that rowferry does not know; `ignorable` when the source marks it as skippable. */
interface UnknownEvent {
  readonly kind: 'unknown';
  readonly code: number;
  readonly ignorable: boolean;
  readonly end: number;
}

/** The link lives and the source stands at this position; sent when nothing else is. */
export interface HeartbeatEvent {
  readonly kind: 'heartbeat';
  readonly file: string;
  readonly offset: number;
}

/** Event type codes: MySQL's `Log_event_type`, from 160 on MariaDB's. */
export const EVENT = {
  QUERY: 2,
  STOP: 3,
  ROTATE: 4,
  INTVAR: 5,
  APPEND_BLOCK: 9,
  DELETE_FILE: 11,
  RAND: 13,
  USER_VAR: 14,
  FORMAT_DESCRIPTION: 15,
  XID: 16,
  BEGIN_LOAD_QUERY: 17,
  EXECUTE_LOAD_QUERY: 18,
  TABLE_MAP: 19,
  WRITE_ROWS_V1: 23,
  UPDATE_ROWS_V1: 24,
  DELETE_ROWS_V1: 25,
  INCIDENT: 26,
  HEARTBEAT: 27,
  IGNORABLE: 28,
  ROWS_QUERY: 29,
  WRITE_ROWS: 30,
  UPDATE_ROWS: 31,
  DELETE_ROWS: 32,
  GTID: 33,
  ANONYMOUS_GTID: 34,
  PREVIOUS_GTIDS: 35,
  TRANSACTION_CONTEXT: 36,
  VIEW_CHANGE: 37,
  XA_PREPARE: 38,
  PARTIAL_UPDATE_ROWS: 39,
  TRANSACTION_PAYLOAD: 40,
  HEARTBEAT_V2: 41,
  GTID_TAGGED: 42,
  ANNOTATE_ROWS: 160,
  BINLOG_CHECKPOINT: 161,
  MARIADB_GTID: 162,
  MARIADB_GTID_LIST: 163,
  START_ENCRYPTION: 164,
  QUERY_COMPRESSED: 165,
  WRITE_ROWS_COMPRESSED_V1: 166,
  UPDATE_ROWS_COMPRESSED_V1: 167,
  DELETE_ROWS_COMPRESSED_V1: 168,
  WRITE_ROWS_COMPRESSED: 169,
  UPDATE_ROWS_COMPRESSED: 170,
  DELETE_ROWS_COMPRESSED: 171,
} as const;
