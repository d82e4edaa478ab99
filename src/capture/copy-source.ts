/** A source's connections for a copy: one for marks, one for plans, and one for each reader. */
import type { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import type { DeclaredKeys } from '../model/declared-key.ts';
import type { Mark } from './mark.ts';
import { CREATE_MARK_TABLE, writeMark } from './mark.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import type { KeyRange } from './snapshot-sql.ts';
import type { CopyKey } from './snapshot-state.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import { describeSnapshotTable } from './snapshot-table.ts';
import type { CopySource } from './table-copier.ts';

export interface MysqlCopySourceOptions {
  /** Opens a connection with `SNAPSHOT_SESSION`. */
  readonly connect: () => Promise<MysqlConnection>;
  /** Bytes of one chunk's rows in memory. */
  readonly chunkBytes: number;
  /** Keys that are declared for tables. */
  readonly keys: DeclaredKeys;
  /** `schema.table` -> SQL condition. */
  readonly where: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export class MysqlCopySource implements CopySource {
  readonly #options: MysqlCopySourceOptions;
  readonly #marks: MysqlConnection;
  readonly #planner: SnapshotReader;
  readonly #readers = new Map<number, SnapshotReader>();

  private constructor(options: MysqlCopySourceOptions, marks: MysqlConnection) {
    this.#options = options;
    this.#marks = marks;
    this.#planner = new SnapshotReader(options.connect);
  }

  static async open(options: MysqlCopySourceOptions): Promise<MysqlCopySource> {
    return new MysqlCopySource(options, await options.connect());
  }

  async prepare(): Promise<void> {
    const { rows } = await this.#marks.query(
      "SELECT 1 AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'rowferry' AND TABLE_NAME = 'mark'",
    );
    // An account that may only write there need not be able to create it.
    if (rows.length > 0) return;
    await this.#mayWrite(async () => {
      for (const sql of CREATE_MARK_TABLE) await this.#marks.query(sql);
    });
  }

  async mark(mark: Mark, reader: number): Promise<void> {
    await this.#mayWrite(async () => {
      await this.#marks.query(writeMark(mark, reader));
    });
  }

  async describe(table: string): Promise<SnapshotTable> {
    const dot = table.indexOf('.');
    const query = async (sql: string) => (await this.#marks.query(sql)).rows;
    return await describeSnapshotTable(
      query,
      table.slice(0, dot),
      table.slice(dot + 1),
      this.#options.keys[table],
    );
  }

  async upper(table: SnapshotTable): Promise<CopyKey | null> {
    return await this.#planner.lastKey(table, this.#options.signal);
  }

  async boundary(
    table: SnapshotTable,
    after: CopyKey | null,
    upper: CopyKey,
    rows: number,
  ): Promise<CopyKey> {
    return await this.#planner.boundary(table, rangeOf(after, upper), rows, this.#options.signal);
  }

  async read(reader: number, table: SnapshotTable, after: CopyKey | null, to: CopyKey) {
    const { connect, chunkBytes, where, signal } = this.#options;
    let own = this.#readers.get(reader);
    if (own === undefined) this.#readers.set(reader, (own = new SnapshotReader(connect)));
    const { schema, name } = table.table;
    const condition = where[`${schema}.${name}`];
    const options = { range: rangeOf(after, to), limitBytes: chunkBytes };
    return await own.read(
      table,
      condition === undefined ? options : { ...options, where: condition },
      signal,
    );
  }

  /** A source that cannot be written to says so in its own words; what to do about it is ours to say. */
  async #mayWrite(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RowferryError) || error.action === 'retry') throw error;
      throw new RowferryError(error.code, `marks cannot be written: ${error.message}`, {
        where: { ...error.where, table: 'rowferry.mark' },
        hint: 'GRANT CREATE, SELECT, INSERT, UPDATE ON rowferry.* to the account of the source; a read-only replica cannot be copied',
        cause: error,
      });
    }
  }

  destroy(): void {
    this.#marks.destroy();
    this.#planner.close();
    for (const reader of this.#readers.values()) reader.close();
  }

  async close(): Promise<void> {
    this.#planner.close();
    for (const reader of this.#readers.values()) reader.close();
    await this.#marks.close();
  }
}

function rangeOf(after: CopyKey | null, to: CopyKey): KeyRange {
  return { after, to };
}
