/** The control tables' part of a session, the same for both engines. */
import type { ControlSql } from './control-sql.ts';
import {
  readKey,
  readParkedEntry,
  readParkedRecord,
  readTime,
  readTruncation,
  readWatermark,
} from './control-sql.ts';
import type { ParkedKey, ParkedRecord, ParkedRef, StoredWatermark } from './session.ts';
import type { ParkedEntry, PartitionId, TruncateId, Truncation, WriteBatch } from './target.ts';
import { emptyingSql, reaches } from './truncation.ts';
import type { TruncateDialect } from './truncation.ts';

interface ControlResult {
  readonly rows: readonly Readonly<Record<string, string | null>>[];
  readonly affectedRows: number;
}

/** Whatever the pipeline: two of them may write one table. */
const CHANGE_LOCK = JSON.stringify(['rowferry_change']);

export abstract class ControlSession {
  protected readonly control: ControlSql;

  constructor(control: ControlSql) {
    this.control = control;
  }

  protected abstract run(sql: string): Promise<ControlResult>;
  /** Runs `work` in a session that has locked the source table's truncation against all others, by `name`. */
  protected abstract withTruncateLock<T>(name: string, work: () => Promise<T>): Promise<T>;
  protected abstract readonly truncateDialect: TruncateDialect;

  async query(sql: string): Promise<ControlResult['rows']> {
    return (await this.run(sql)).rows;
  }

  async changeTables<T>(
    work: (run: (sql: string) => Promise<ControlResult['rows']>) => Promise<T>,
  ): Promise<T> {
    return this.withChangeLock(CHANGE_LOCK, async () => work((sql) => this.query(sql)));
  }

  /** Like `withTruncateLock`; each statement of `work` is complete in itself. */
  protected withChangeLock<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.withTruncateLock(name, work);
  }

  async isTruncated(id: TruncateId): Promise<boolean> {
    const [row] = (await this.run(this.control.findTruncation(id))).rows;
    return row !== undefined && reaches(readTruncation(row), id);
  }

  async listTruncations(topic: string): Promise<readonly TruncateId[]> {
    const { rows } = await this.run(this.control.listTruncations(topic));
    return rows.map((row) => ({ topic, sourceTable: String(row['source_table']), ...readTruncation(row) }));
  }

  async truncate(truncation: Truncation): Promise<'now' | 'before'> {
    return this.withTruncateLock(this.control.truncateLockName(truncation), async () => {
      if (await this.isTruncated(truncation)) return 'before';
      // First, for an entry that heals meanwhile puts its row into a table that is not empty yet.
      await this.run(this.control.deleteParkedOf(truncation));
      for (const table of truncation.tables) await this.run(emptyingSql(table, this.truncateDialect));
      await this.run(this.control.saveTruncation(truncation));
      return 'now';
    });
  }

  async saveWatermark(batch: WriteBatch, writeId: string): Promise<boolean> {
    return (await this.run(this.control.saveWatermark(batch, writeId))).affectedRows > 0;
  }

  async findWatermark(id: PartitionId, lock: 'lock' | 'look'): Promise<StoredWatermark | undefined> {
    const [row] = (await this.run(this.control.findWatermark(id, lock))).rows;
    return row && readWatermark(row);
  }

  async listWatermarks(): Promise<readonly StoredWatermark[]> {
    return (await this.run(this.control.listWatermarks())).rows.map(readWatermark);
  }

  async claimWatermark(id: PartitionId, owner: number, writeId: string): Promise<void> {
    await this.run(this.control.createWatermark(id));
    await this.run(this.control.claimWatermark(id, owner, writeId));
  }

  async listParked(id: PartitionId | undefined): Promise<readonly ParkedEntry[]> {
    return (await this.run(this.control.listParked(id))).rows.map(readParkedEntry);
  }

  async parkedKeys(table: string): Promise<readonly ParkedKey[]> {
    const { rows } = await this.run(this.control.parkedKeys(table));
    return rows.map((row) => ({
      ref: {
        topic: row['topic'] ?? '',
        partition: Number(row['partition']),
        table,
        keyHash: row['key_hash'] ?? '',
      },
      ...readKey(row),
    }));
  }

  async lockParked(ref: ParkedRef): Promise<ParkedRecord | undefined> {
    const [row] = (await this.run(this.control.lockParked(ref))).rows;
    return row && readParkedRecord(row);
  }

  async parkedSince(refs: readonly ParkedRef[]): Promise<ReadonlyMap<string, number>> {
    const since = new Map<string, number>();
    for (const part of parts(refs)) {
      const { rows } = await this.run(this.control.parkedSince(part));
      for (const row of rows) since.set(row['key_hash'] ?? '', readTime(row));
    }
    return since;
  }

  async insertParked(record: ParkedRecord): Promise<void> {
    await this.run(this.control.insertParked(record));
  }

  async countParkedAttempt(ref: ParkedRef): Promise<void> {
    await this.run(this.control.countParkedAttempt(ref));
  }

  async deleteParked(refs: readonly ParkedRef[]): Promise<number> {
    let count = 0;
    for (const part of parts(refs)) count += (await this.run(this.control.deleteParked(part))).affectedRows;
    return count;
  }
}

function* parts(refs: readonly ParkedRef[]): Generator<readonly ParkedRef[]> {
  const size = 1000;
  for (let start = 0; start < refs.length; start += size) yield refs.slice(start, start + size);
}
