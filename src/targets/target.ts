/**
 * The Target port: one database that receives rows. MySQL and PostgreSQL stand behind it and pass one contract suite
 * (`test/contract/target-contract.ts`).
 *
 * ## Contract
 * - **One batch, one transaction.** `write` changes rows, parked entries and the watermark of one partition in one local
 *   transaction (I-4). It either happened wholly or not at all; there is no in between and no XA.
 * - **Ownership first.** The first statement of every transaction locks the partition's watermark row and checks `owner` and
 *   `expectNext`. Where they differ nothing is changed and `write` answers `stale` (I-5).
 * - **Unknown outcome.** When COMMIT's answer is lost, `write` re-reads the watermark on a new connection (A4): owner ours
 *   and `next` (or `plannedEnd` for phase one) as we would have set it means done, otherwise the work is repeated. A caller
 *   sees `done`, `stale` or an error, never "maybe".
 * - **Order inside a transaction.** Watermark, then deletes of every table, then upserts. Every key that is deleted or
 *   upserted loses its parked entry here in the same transaction (P2) when the caller listed it in `unpark`.
 * - **Idempotent.** An upsert replaces the whole row by primary key whatever was there; a delete of an absent row is
 *   success. Values arrive in wire form (`model/table.ts`) and are written exactly, or the write fails.
 * - **Secondary unique keys.** A row that collides with *another* primary key is never overwritten and never dropped: it is
 *   parked in the same transaction (P1), unless the row in the way has a parked entry itself; then that outdated row is
 *   deleted and the write goes on (P3). `write` reports what it parked.
 * - **Origin.** Where rows of several source tables meet in one target table, a writer has an `origin`: it changes only rows
 *   whose origin column holds its own value, byte for byte. An upsert of a key that the target holds with another origin (or
 *   none) is parked as a conflict, whatever `onBadRow` says; a delete passes over such a row. The statement that writes decides
 *   this itself, so that no other process can come in between. A parked entry belongs to a key of one origin: it says nothing
 *   of the same key of another one, which is not outdated by it (P3), and is taken away by changes of its own origin only (P2).
 * - **Errors** are `RowferryError`s classified by errno or SQLSTATE. Deadlock, lock wait, serialisation failure and a lost
 *   connection are retried inside with jittered backoff until `signal` aborts or the retry budget ends; then the
 *   `retry`-class error is thrown. A row that can never be written throws a `data`-class error which names table and column,
 *   never a value; nothing of the batch is committed then, unless `onBadRow` is `park`, in which case that row is parked
 *   with its reason and the others are written.
 * - **Changes of tables.** `catalog` lends a session to read what the server's catalog says. `changeTables` lends one that holds a
 *   lock of the database: what is read there of the catalog stays true until its statements, for whoever takes the lock as well,
 *   and a session that is lost has lost both. Statements are each complete in themselves. After a `retry`-class error the work begins
 *   anew: it must read first, since a statement whose answer is lost may have been carried out. Both wait for others no longer than a few seconds at a time
 *   (retried as above), but a statement that works may take a day.
 * - **Truncation.** `truncate` empties tables and removes the parked entries of the source table, and records the statement's
 *   name in the same session that holds a lock for it: of many callers in any process exactly one empties, whoever comes later
 *   meets the record and changes nothing. Parked entries go before rows: none can heal into a table that was emptied. What the
 *   session sent is carried out under its lock or not at all; a caller that was suspended in between has lost both. The record
 *   of a source table is its last statement by (epoch, file, end), so that an earlier one, however late it comes, is done as
 *   well. The caller sees to it that nothing newer than the statement is there while the record is not.
 * - **Rows without a key.** Where `key` of a writer is empty its upserts are plain inserts, which nothing replaces: the caller
 *   hands each row over once, in the transaction that saves its `next`. Such a row is never parked: nothing would name it.
 * - **Concurrency.** Calls for different partitions may run at the same time (one pooled connection each); calls for one
 *   partition never overlap: the caller sees to that.
 */
import type { Table, WireValue } from '../model/table.ts';

/** The running maximum of (epoch, sequence) of a partition at an offset (A1); epoch 0 means nothing was seen yet. */
export interface PartitionSequence {
  readonly epoch: number;
  readonly file: number;
  readonly end: number;
  readonly half: number;
}

/** Names the watermark row. `pipeline` is implied by the target, which is opened for one pipeline. */
export interface PartitionId {
  readonly topic: string;
  readonly partition: number;
}

export interface Watermark extends PartitionId {
  /** Owner number (A2); 0 when nobody ever claimed it. */
  readonly owner: number;
  /** Next Kafka offset that this target needs; decimal in the database, exact as a number up to 2^53. */
  readonly next: number;
  /** End of the batch whose phase one committed and whose phase two did not; null otherwise. */
  readonly plannedEnd: number | null;
  readonly sequence: PartitionSequence;
  /** Commit time at the source of the newest change or marker at `next`, milliseconds; null before the first. */
  readonly sourceTimeMs: number | null;
}

/** A table at a target, as its catalog describes it. Column names keep the target's spelling. */
export interface TargetTable {
  readonly name: string;
  readonly columns: readonly TargetColumn[];
  /** Names of the primary key's columns, in order; empty when there is none. */
  readonly primaryKey: readonly string[];
  /** Secondary unique keys (constraints and unique indexes), each as its columns; expressions count as a key without columns. */
  readonly uniqueKeys: readonly (readonly string[])[];
}

export interface TargetColumn {
  readonly name: string;
  /** The engine's own type text, for example `bigint unsigned` or `timestamp(6) without time zone`. */
  readonly type: string;
  readonly nullable: boolean;
  /** The server computes it; rowferry never writes it. */
  readonly generated: boolean;
  readonly hasDefault: boolean;
  /** How the target compares text of this column; absent when it holds no text. */
  readonly compares?: 'exact' | 'loose';
}

/** How rows of one source table shape are written to one target table; made once per shape and kept. */
export interface TableWriter {
  readonly source: Table;
  readonly table: TargetTable;
  /** Source columns that are written, as index into the source row, with the source type and the target column. */
  readonly columns: readonly {
    readonly index: number;
    readonly type: string;
    readonly target: TargetColumn;
  }[];
  /** Positions within `columns` of the primary key, in key order; empty when the source table has none. */
  readonly key: readonly number[];
  /**
   * A row may collide with a row of another key: by secondary unique keys, or at MySQL by a text key that the target compares
   * more loosely than by bytes. Upserts are then delete by the exact key plus insert, and conflicts park.
   */
  readonly hasUniqueKeys: boolean;
  /** Position within `columns` of the column that guards rows of other source tables, and what it holds in ours. */
  readonly origin?: { readonly position: number; readonly value: string };
}

/** A key is the wire values of the primary key columns in key order. */
export type KeyValues = readonly WireValue[];

export interface RowWrite {
  readonly key: KeyValues;
  /** The whole source row in wire form (indexed by `TableWriter.columns[].index`). */
  readonly row: readonly WireValue[];
  readonly sequence: PartitionSequence;
}

export interface TableBatch {
  readonly writer: TableWriter;
  readonly deletes: readonly KeyValues[];
  readonly upserts: readonly RowWrite[];
  /** Keys among deletes and upserts that may have a parked entry here (P2). */
  readonly unpark: readonly KeyValues[];
}

export interface WriteBatch {
  readonly id: PartitionId;
  readonly owner: number;
  /** `next` as this owner last knew it. */
  readonly expectNext: number;
  readonly tables: readonly TableBatch[];
  /** What the transaction saves: the end of the batch, or (phase one, A3) only the plan to reach it. */
  readonly save:
    | {
        readonly kind: 'next';
        readonly next: number;
        readonly sequence: PartitionSequence;
        readonly sourceTimeMs: number | null;
      }
    | { readonly kind: 'planned'; readonly plannedEnd: number };
  readonly onBadRow: 'stop' | 'park';
}

export type ParkReason = 'conflict' | 'data';

export interface ParkedEntry extends PartitionId {
  /** Source table `schema.name` the row came from and target table it waits for. */
  readonly sourceTable: string;
  readonly table: string;
  readonly key: KeyValues;
  /** The writer's origin; two entries of one key with different origins are two entries. */
  readonly origin?: string;
  readonly reason: ParkReason;
  /** Code and text without values: which unique key, which column. */
  readonly detail: string;
  readonly sequence: PartitionSequence;
  readonly parkedAtMs: number;
  readonly attempts: number;
}

export type WriteResult =
  | { readonly kind: 'done'; readonly parked: readonly ParkedEntry[] }
  | { readonly kind: 'stale'; readonly found: Watermark | undefined };

/** Names a TRUNCATE of a source table: epoch, and file number and end of the statement in the binlog. */
export interface TruncateId {
  readonly topic: string;
  /** `schema.name` */
  readonly sourceTable: string;
  readonly epoch: number;
  readonly file: number;
  readonly end: number;
}

/** What a column (in the target's spelling) says in rows of one source table, byte for byte. */
export type RowFilter =
  | { readonly column: string; readonly equals: string; readonly startsWith?: never }
  | { readonly column: string; readonly startsWith: string; readonly equals?: never };

export interface Truncation extends TruncateId {
  /** Tables that are there; `only` is null where they hold no rows of other source tables. */
  readonly tables: readonly { readonly table: string; readonly only: readonly RowFilter[] | null }[];
}

/** Runs one query; every value is the server's text, or null. */
export type CatalogQuery = (sql: string) => Promise<readonly Readonly<Record<string, string | null>>[]>;

export interface Target {
  readonly name: string;
  readonly kind: 'mysql' | 'postgres';

  /** Connects, checks grants and session, creates `rowferry_watermark`, `rowferry_parked` and `rowferry_truncated` when absent. */
  open(signal: AbortSignal): Promise<void>;
  /** Describes the named tables; a missing one is absent from the answer. */
  describe(tables: readonly string[]): Promise<ReadonlyMap<string, TargetTable>>;
  /** Builds the writer of a source shape; throws ROWFERRY_TARGET_SCHEMA naming every missing column at once. */
  writer(source: Table, target: TargetTable): TableWriter;

  /** Watermarks of this pipeline, all topics. */
  watermarks(): Promise<readonly Watermark[]>;
  /**
   * A2: creates the row when absent, then `owner = mine where owner < mine`. Answers the watermark as it stands after the
   * claim, or `lost` with the owner that is ahead.
   */
  claim(
    id: PartitionId,
    owner: number,
  ): Promise<
    | { readonly kind: 'mine'; readonly watermark: Watermark }
    | { readonly kind: 'lost'; readonly owner: number }
  >;
  write(batch: WriteBatch, signal: AbortSignal): Promise<WriteResult>;

  /** Parked entries, oldest first; of one partition when `id` is given. */
  parked(id?: PartitionId): Promise<readonly ParkedEntry[]>;
  /**
   * P4: one transaction that checks the owner, locks the entry, reads the image there, writes the row and deletes the entry.
   * `gone` when the entry is not there any more, `waits` when the row still cannot be written (attempts is counted up), be it
   * that its key now belongs to a row of another origin.
   */
  retryParked(
    entry: ParkedEntry,
    owner: number | null,
    signal: AbortSignal,
  ): Promise<'healed' | 'waits' | 'gone' | 'stale'>;
  /** Deletes an entry for good: an operator's decision, never rowferry's. */
  dropParked(entry: ParkedEntry): Promise<boolean>;

  /** Lends a session for queries that change nothing. */
  catalog<T>(read: (query: CatalogQuery) => Promise<T>): Promise<T>;
  /** Lends the session in which tables of this database may be changed, to one caller at a time in any process. */
  changeTables<T>(work: (run: CatalogQuery) => Promise<T>, signal: AbortSignal): Promise<T>;
  isTruncated(id: TruncateId): Promise<boolean>;
  /** The last statement of each source table of a topic that was carried out here. */
  truncations(topic: string): Promise<readonly TruncateId[]>;
  /** `before` when the record was there. */
  truncate(truncation: Truncation, signal: AbortSignal): Promise<'now' | 'before'>;

  close(): Promise<void>;
}
