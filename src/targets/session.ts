/**
 * What a database engine gives to the shared parts of a target: one connection and the statements in the engine's own SQL.
 * Every session starts outside a transaction and is given back outside of one.
 */
import type { PooledConnection } from '../drivers/connection-pool.ts';
import type { Table } from '../model/table.ts';
import type {
  KeyValues,
  ParkedEntry,
  PartitionId,
  RowWrite,
  TableWriter,
  TargetColumn,
  TargetTable,
  Truncation,
  TruncateId,
  Watermark,
  WriteBatch,
} from './target.ts';

/** A watermark with the name of the transaction that wrote it last, which settles an unanswered COMMIT (A4). */
export interface StoredWatermark extends Watermark {
  readonly writeId: string | null;
}

/** Names one parked entry. */
export interface ParkedRef extends PartitionId {
  readonly table: string;
  readonly keyHash: string;
}

/** Whose row it is that waits. */
export interface ParkedKey {
  readonly ref: ParkedRef;
  readonly key: KeyValues;
  readonly origin?: string;
}

/** A parked entry with all that is needed to write its row (P1). */
export interface ParkedRecord extends ParkedEntry {
  readonly shape: Table;
  readonly image: RowWrite['row'];
}

export interface Session extends PooledConnection {
  /** A COMMIT was sent and its answer has not arrived: the transaction may have happened. */
  readonly isCommitPending: boolean;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Runs `work` so that an error which the server answered leaves nothing of it behind, and the transaction usable. */
  atomically(work: () => Promise<void>): Promise<void>;

  /**
   * The whole batch in one transaction, COMMIT included, in as few round trips as the engine allows; `stale` when owner or
   * `next` differ (nothing is changed then). Rows are not isolated: any refusal fails the batch.
   */
  writeAll(batch: WriteBatch, writeId: string): Promise<'committed' | 'stale'>;

  /** Changes the watermark if owner and `next` are as expected; locks its row in any case that it exists. */
  saveWatermark(batch: WriteBatch, writeId: string): Promise<boolean>;
  findWatermark(id: PartitionId, lock: 'lock' | 'look'): Promise<StoredWatermark | undefined>;
  listWatermarks(): Promise<readonly StoredWatermark[]>;
  /** Creates the row when absent, then `owner = mine where owner < mine`. */
  claimWatermark(id: PartitionId, owner: number, writeId: string): Promise<void>;

  /**
   * Keys that the target cannot hold at all name no row there and are passed over, as are rows of another origin.
   */
  deleteRows(writer: TableWriter, keys: readonly KeyValues[]): Promise<void>;
  /** Replaces rows by key. A conflict with another row is an error, and so is a row of another origin with the key. */
  upsertRows(writer: TableWriter, rows: readonly RowWrite[]): Promise<void>;
  /** Plain inserts of rows whose keys are absent. */
  insertRows(writer: TableWriter, rows: readonly RowWrite[]): Promise<void>;
  /** True when the target holds one of these keys, as it compares them, with another origin than the writer's. */
  holdsOtherOrigin(writer: TableWriter, keys: readonly KeyValues[]): Promise<boolean>;
  /** Keys, as text of the target, of the rows that hold a unique value of this row, with the unique key's columns. */
  rowsInTheWay(
    writer: TableWriter,
    row: RowWrite,
  ): Promise<readonly { readonly key: readonly string[]; readonly columns: readonly string[] }[]>;
  /** True when the row with this very key, and the writer's origin if it has one, holds a unique value of `row`. */
  isInTheWay(writer: TableWriter, row: RowWrite, key: KeyValues): Promise<boolean>;

  listParked(id: PartitionId | undefined): Promise<readonly ParkedEntry[]>;
  /** Every parked key that waits for this table, whatever its partition. */
  parkedKeys(table: string): Promise<readonly ParkedKey[]>;
  /** Locks an entry and reads it; undefined when it is gone. */
  lockParked(ref: ParkedRef): Promise<ParkedRecord | undefined>;
  /** Since when these keys are parked; the entries are locked. */
  parkedSince(refs: readonly ParkedRef[]): Promise<ReadonlyMap<string, number>>;
  insertParked(record: ParkedRecord): Promise<void>;
  countParkedAttempt(ref: ParkedRef): Promise<void>;
  deleteParked(refs: readonly ParkedRef[]): Promise<number>;

  /** Runs one statement; every value of its rows is the server's text, or null. */
  query(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
  /** Takes the database's lock of changes of tables for as long as `work` lasts; no transaction and no lock remain. */
  changeTables<T>(work: (run: Session['query']) => Promise<T>): Promise<T>;
  isTruncated(id: TruncateId): Promise<boolean>;
  listTruncations(topic: string): Promise<readonly TruncateId[]>;
  /** Takes the statement's lock and, without a record, empties the tables and leaves one; no transaction and no lock remain. */
  truncate(truncation: Truncation): Promise<'now' | 'before'>;

  describe(tables: readonly string[]): Promise<ReadonlyMap<string, TargetTable>>;
  /** Creates the control tables when absent and checks that they can be used. */
  prepareControlTables(): Promise<void>;
}

/** What of an engine needs no connection. */
export interface Engine {
  readonly kind: 'mysql' | 'postgres';
  /** True when the engine's catalog names the column that the source calls `source`. */
  sameColumn(source: string, target: string): boolean;
  /** True when the table of values has a way from this type to that column. */
  canWrite(type: string, column: TargetColumn): boolean;
}
