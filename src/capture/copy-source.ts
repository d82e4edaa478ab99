/** A source's connections for a copy: one for marks, one for plans, and one for each reader. */
import type { MysqlConnection } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import type { DeclaredKeys } from '../model/declared-key.ts';
import type { Mark } from './mark.ts';
import {
  ADD_MARK_WRITER,
  CREATE_MARK_TABLE,
  LEAVE_OWN_SCHEMA,
  MARK_WRITER_COLUMNS,
  USE_OWN_SCHEMA,
  writeMark,
} from './mark.ts';
import { quoteName } from '../model/mysql-literals.ts';
import { CUT_SESSION, LOCK_SESSION, readAll } from './cut-reader.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import type { KeyRange } from './snapshot-sql.ts';
import type { CopyKey } from './snapshot-state.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import { describeSnapshotTable } from './snapshot-table.ts';
import type { CopySource } from './copy-parts.ts';

interface MysqlCopySourceOptions {
  /** Opens a connection with `SNAPSHOT_SESSION`. */
  readonly connect: () => Promise<MysqlConnection>;
  /** Bytes of one chunk's rows in memory. */
  readonly chunkBytes: number;
  /** Keys that are declared for tables. */
  readonly keys: DeclaredKeys;
  /** What becomes of tables without a key. */
  readonly keyless: 'refuse' | 'append';
  /** `schema.table` -> SQL condition. */
  readonly where: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export class MysqlCopySource implements CopySource {
  readonly #options: MysqlCopySourceOptions;
  readonly #marks: MysqlConnection;
  readonly #planner: SnapshotReader;
  readonly #readers = new Map<number, SnapshotReader>();
  /** Of tables without a key. */
  readonly #cuts: MysqlConnection[] = [];

  private constructor(options: MysqlCopySourceOptions, marks: MysqlConnection) {
    this.#options = options;
    this.#marks = marks;
    this.#planner = new SnapshotReader(options.connect);
  }

  static async open(options: MysqlCopySourceOptions): Promise<MysqlCopySource> {
    return new MysqlCopySource(options, await options.connect());
  }

  async prepare(): Promise<void> {
    const columns = await this.#markColumns();
    // An account that may only write there need not be able to create or alter it.
    if (columns.size === 0) {
      await this.#mayWrite(async () => {
        for (const sql of [...CREATE_MARK_TABLE, LEAVE_OWN_SCHEMA]) await this.#marks.query(sql);
      });
    } else if (!hasWriter(columns)) {
      await this.#addWriter();
    }
  }

  async #markColumns(): Promise<ReadonlySet<string>> {
    const { rows } = await this.#marks.query(
      "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'rowferry' AND TABLE_NAME = 'mark'",
    );
    return new Set(rows.map(({ name }) => name ?? ''));
  }

  /** The table of an earlier version; two captures may meet here, of which one finds the columns there. */
  async #addWriter(): Promise<void> {
    try {
      for (const sql of [USE_OWN_SCHEMA, ADD_MARK_WRITER, LEAVE_OWN_SCHEMA]) await this.#marks.query(sql);
    } catch (error) {
      if (!(error instanceof RowferryError) || error.action === 'retry') throw error;
      if (hasWriter(await this.#markColumns())) return;
      throw new RowferryError(error.code, `rowferry.mark lacks columns of this version: ${error.message}`, {
        where: { ...error.where, table: 'rowferry.mark' },
        hint: `as an administrator: ${USE_OWN_SCHEMA}; ${ADD_MARK_WRITER}; then: rowferry snapshot resume`,
        cause: error,
      });
    }
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
      this.#options.keyless,
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

  async readAtCut(table: SnapshotTable, mark: () => Promise<void>) {
    const { connect, where, signal } = this.#options;
    const { schema, name } = table.table;
    const path = `${quoteName(schema)}.${quoteName(name)}`;
    const [locker, reader] = [await connect(), await connect()];
    this.#cuts.push(locker, reader);
    try {
      for (const sql of LOCK_SESSION) await locker.query(sql);
      await this.#mayLock(schema, async () => void (await locker.query(`LOCK TABLES ${path} READ`)));
      if (shapeOf(await this.describe(`${schema}.${name}`)) !== shapeOf(table)) throw changedShape(table);
      for (const sql of CUT_SESSION) await reader.query(sql);
      // The first look at the table also keeps statements that change it away until all of it is read.
      await reader.query(`SELECT 1 FROM ${path} LIMIT 1`);
      await mark();
      // Answered by the session that took the lock: it was held until now.
      await locker.query('UNLOCK TABLES');
    } catch (error) {
      reader.destroy();
      throw error;
    } finally {
      locker.destroy();
    }
    const condition = where[`${schema}.${name}`];
    return readAll(reader, table, condition, signal);
  }

  async #mayLock(schema: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RowferryError) || error.action === 'retry') throw error;
      throw new RowferryError(error.code, `the table cannot be locked: ${error.message}`, {
        where: error.where,
        hint: `GRANT LOCK TABLES, SELECT ON ${quoteName(schema)}.* to the account of the source, then: rowferry snapshot resume`,
        cause: error,
      });
    }
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
    for (const connection of this.#cuts) connection.destroy();
    this.#marks.destroy();
    this.#planner.close();
    for (const reader of this.#readers.values()) reader.close();
  }

  async close(): Promise<void> {
    for (const connection of this.#cuts) connection.destroy();
    this.#planner.close();
    for (const reader of this.#readers.values()) reader.close();
    await this.#marks.close();
  }
}

/** Of what is read, and how. */
function shapeOf({ table, plans, key }: SnapshotTable): string {
  return JSON.stringify([table.columns, plans.map(({ select }) => select), key.length]);
}

function changedShape({ table: { schema, name } }: SnapshotTable): RowferryError {
  return new RowferryError('ROWFERRY_SOURCE_SCHEMA', 'a statement changed the table before it was read', {
    where: { table: `${schema}.${name}` },
    hint: 'nothing: it is looked at again',
  });
}

function hasWriter(columns: ReadonlySet<string>): boolean {
  return MARK_WRITER_COLUMNS.every((name) => columns.has(name));
}

function rangeOf(after: CopyKey | null, to: CopyKey): KeyRange {
  return { after, to };
}
