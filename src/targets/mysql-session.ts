/** One MySQL or MariaDB connection of a target. Autocommit is off: the first statement begins a transaction. */
import type { MysqlConnection, MysqlResult } from '../drivers/mysql.ts';
import { serverErrorOf } from '../drivers/server-error.ts';
import { RowferryError } from '../errors.ts';
import { quote } from '../model/mysql-literals.ts';
import type { ControlSql } from './control-sql.ts';
import { ControlSession } from './control-session.ts';
import { describeMysql } from './mysql-catalog.ts';
import { prepareMysqlTables } from './mysql-control-tables.ts';
import { MYSQL_ROWS, MysqlTableSql, refuseOversize } from './mysql-sql.ts';
import type { StatementLimits, UpsertForm } from './mysql-sql.ts';
import { unparkedRefs } from './parked-record.ts';
import { isRowRefusal, otherOrigin } from './row-refusal.ts';
import type { Session } from './session.ts';
import type { KeyValues, RowWrite, TableWriter, TargetTable, WriteBatch } from './target.ts';

/** What the sessions of one server have in common. */
export interface MysqlTraits {
  readonly form: UpsertForm;
  readonly limits: StatementLimits;
}

/** Refuses what does not fit, yet stores every date and number that MySQL can hold as it is. */
const SQL_MODE = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';
/** Stores an ENUM's index 0, which strict mode never does. Warnings tell of anything else that it would change. */
const RELAXED_SQL_MODE = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';

export const MYSQL_SESSION = [
  'SET NAMES utf8mb4',
  // REPEATABLE READ would lock gaps: partitions would wait for each other.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION time_zone = '+00:00', sql_mode = '${SQL_MODE}', foreign_key_checks = 0, unique_checks = 1, ` +
    // A forgotten transaction of a process that vanished must not hold its locks for long.
    'innodb_lock_wait_timeout = 5, wait_timeout = 600, sql_safe_updates = 0, sql_notes = 1, autocommit = 0 ' +
    // MySQL has so many by itself, and lets only administrators say so.
    '/*M!100000 , max_error_count = 1024 */',
];

/** Within a script: fails (a subquery with two rows) unless the UPDATE before it met its row. */
const REQUIRE_ONE_ROW = 'SELECT IF(ROW_COUNT() = 1, 1, (SELECT 1 UNION SELECT 2))';
/** The same unless the statement before it was carried out without a warning. */
const REQUIRE_NO_WARNING = 'SELECT IF(@@warning_count = 0, 1, (SELECT 1 UNION SELECT 2))';

/** Errors that a COMMIT may answer: ER_ERROR_DURING_COMMIT and group replication's refusal. */
const COMMIT_ERRORS = new Set(['1180', '3101']);

/**
 * An upsert met a row of another origin or of another key (see `MysqlTableSql`), that by a unique key which the table did not
 * have when described.
 */
const SUBQUERY_ROWS = '1242';

/** How long an applier waits for another one that empties the same table, before it says so and tries again. */
const LOCK_WAIT_SECONDS = 5;

const DATA_TRUNCATED = '1265';
/** Warnings and notes by which a server says that it stored something else than it was given. */
const LOSSY = new Set([DATA_TRUNCATED, '1048', '1264', '1292', '1300', '1364', '1366', '1406', '1411']);

const plans: Readonly<Record<UpsertForm, WeakMap<TableWriter, MysqlTableSql>>> = {
  alias: new WeakMap(),
  values: new WeakMap(),
};

export class MysqlSession extends ControlSession implements Session {
  readonly #connection: MysqlConnection;
  readonly #traits: MysqlTraits;
  #isCommitPending = false;

  constructor(connection: MysqlConnection, control: ControlSql, traits: MysqlTraits) {
    super(control);
    this.#connection = connection;
    this.#traits = traits;
  }

  get isUsable(): boolean {
    return this.#connection.isUsable;
  }

  get isCommitPending(): boolean {
    return this.#isCommitPending;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  async begin(): Promise<void> {
    // Nothing to send.
  }

  async commit(): Promise<void> {
    this.#isCommitPending = true;
    // A refusal leaves it pending too: whether the server had gone past the point of no return is for the watermark to say.
    await this.#connection.query('COMMIT');
    this.#isCommitPending = false;
  }

  async rollback(): Promise<void> {
    await this.#connection.query('ROLLBACK');
  }

  async atomically(work: () => Promise<void>): Promise<void> {
    await this.#connection.query('SAVEPOINT rowferry');
    try {
      await work();
    } catch (error) {
      // After a deadlock the whole transaction is gone, the savepoint with it.
      if (isRowRefusal(error) && this.isUsable)
        await this.#connection.query('ROLLBACK TO SAVEPOINT rowferry');
      throw error;
    }
  }

  async writeAll(batch: WriteBatch, writeId: string): Promise<'committed' | 'stale'> {
    const script = this.#script(batch, writeId);
    if (script === undefined) return this.#writeInOrder(batch, writeId);
    this.#isCommitPending = true;
    try {
      await this.#connection.script(script);
      this.#isCommitPending = false;
      return 'committed';
    } catch (error) {
      const code = serverErrorOf(error)?.code;
      // Without an answer, or when COMMIT itself failed, the watermark has to tell what happened.
      if (!this.isUsable || code === undefined || COMMIT_ERRORS.has(code)) throw error;
      this.#isCommitPending = false;
      const isKnown =
        error instanceof RowferryError && (error.action === 'retry' || error.action === 'isolate');
      if (isKnown) throw error;
    }
    // A script does not tell which of its statements failed: stale, or whose value.
    await this.rollback();
    return this.#writeInOrder(batch, writeId);
  }

  /** The transaction as one text, which stops at what would keep it from being exact; undefined when it must go in pieces. */
  #script(batch: WriteBatch, writeId: string): string[] | undefined {
    const { limits } = this.#traits;
    const { tables } = batch;
    const statements = [this.control.saveWatermark(batch, writeId), REQUIRE_ONE_ROW];
    const refs = unparkedRefs(batch);
    if (refs.length > 0) statements.push(this.control.deleteParked(refs));
    let units = 0;
    const add = (sql: string, ...after: readonly string[]): void => {
      units += sql.length;
      statements.push(sql, ...after);
    };
    for (const { writer, deletes } of tables) {
      for (const sql of this.#made(writer, (plan) => plan.deletes(deletes, limits))) add(sql);
    }
    for (const { writer, upserts } of tables) {
      const plan = this.#plan(writer);
      if (plan.hasEmptyEnums && upserts.some((row) => plan.emptyEnumCount(row) > 0)) return undefined;
      if (writer.hasUniqueKeys) {
        // ON DUPLICATE KEY UPDATE would fire for any unique key and overwrite another row.
        const keys = upserts.map(({ key }) => key);
        for (const sql of this.#made(writer, () => plan.deletes(keys, limits))) add(sql);
        for (const sql of this.#made(writer, () => plan.inserts(upserts, limits)))
          add(sql, REQUIRE_NO_WARNING);
      } else {
        for (const sql of this.#made(writer, () => plan.puts(upserts, limits))) add(sql, REQUIRE_NO_WARNING);
      }
      if (units > limits.units) return undefined;
    }
    statements.push('COMMIT');
    return statements;
  }

  async #writeInOrder(batch: WriteBatch, writeId: string): Promise<'committed' | 'stale'> {
    if (!(await this.saveWatermark(batch, writeId))) return 'stale';
    const { tables } = batch;
    await this.deleteParked(unparkedRefs(batch));
    for (const { writer, deletes } of tables) await this.deleteRows(writer, deletes);
    for (const { writer, upserts } of tables) {
      if (writer.key.length === 0) {
        await this.insertRows(writer, upserts);
      } else if (writer.hasUniqueKeys) {
        await this.deleteRows(
          writer,
          upserts.map(({ key }) => key),
        );
        await this.insertRows(writer, upserts);
      } else {
        await this.upsertRows(writer, upserts);
      }
    }
    await this.commit();
    return 'committed';
  }

  async deleteRows(writer: TableWriter, keys: readonly KeyValues[]): Promise<void> {
    await this.#blaming(writer, async (plan) => {
      for (const sql of plan.deletes(keys, this.#traits.limits)) await this.#connection.query(sql);
    });
  }

  async upsertRows(writer: TableWriter, rows: readonly RowWrite[]): Promise<void> {
    await this.#blaming(writer, async (plan) => {
      const { usual, empty } = splitEmptyEnums(plan, rows);
      for (const sql of plan.upserts(usual, this.#traits.limits)) await this.#upsert(sql, writer, usual);
      if (empty.length === 0) return;
      const keys = empty.map(({ key }) => key);
      for (const sql of plan.deletes(keys, this.#traits.limits)) await this.#connection.query(sql);
      await this.#insertEmptyEnums(plan, empty);
    });
  }

  async insertRows(writer: TableWriter, rows: readonly RowWrite[]): Promise<void> {
    await this.#blaming(writer, async (plan) => {
      const { usual, empty } = splitEmptyEnums(plan, rows);
      for (const sql of plan.inserts(usual, this.#traits.limits)) await this.#write(sql);
      if (empty.length > 0) await this.#insertEmptyEnums(plan, empty);
    });
  }

  async holdsOtherOrigin(writer: TableWriter, keys: readonly KeyValues[]): Promise<boolean> {
    let isHeld = false;
    await this.#blaming(writer, async (plan) => {
      for (const sql of plan.otherOrigins(keys, this.#traits.limits)) {
        isHeld ||= (await this.#connection.query(sql)).rows.length > 0;
      }
    });
    return isHeld;
  }

  async rowsInTheWay(
    writer: TableWriter,
    row: RowWrite,
  ): Promise<{ readonly key: readonly string[]; readonly columns: readonly string[] }[]> {
    const found: { readonly key: readonly string[]; readonly columns: readonly string[] }[] = [];
    await this.#blaming(writer, async (plan) => {
      for (const { sql, columns } of plan.holders(row)) {
        const { rows } = await this.#connection.query(sql);
        for (const values of rows) found.push({ key: Object.values(values).map(String), columns });
      }
    });
    return found;
  }

  async isInTheWay(writer: TableWriter, row: RowWrite, key: KeyValues): Promise<boolean> {
    let isHolder = false;
    await this.#blaming(writer, async (plan) => {
      for (const { sql } of plan.holders(row, key)) {
        const { rows } = await this.#connection.query(sql);
        isHolder ||= rows.length > 0;
      }
    });
    return isHolder;
  }

  describe(tables: readonly string[]): Promise<ReadonlyMap<string, TargetTable>> {
    return describeMysql((sql) => this.#connection.query(sql), tables);
  }

  prepareControlTables(): Promise<void> {
    return prepareMysqlTables((sql) => this.#connection.query(sql), this.control);
  }

  protected override readonly truncateDialect = MYSQL_ROWS;

  /**
   * TRUNCATE commits what was before it, so that no row could be the lock. This one is the session's: a statement that still runs
   * when its client is gone holds it to its end.
   */
  protected override async withTruncateLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
    // Such locks are the server's, not the database's, and their names have at most 64 letters.
    const held = `CONCAT('rowferry/', LEFT(SHA2(CONCAT(DATABASE(), ${quote(lock)}), 256), 48))`;
    const [got] = await this.query(`SELECT GET_LOCK(${held}, ${LOCK_WAIT_SECONDS}) AS got`);
    if (got?.['got'] !== '1') throw lockTaken();
    try {
      const answer = await work();
      await this.commit();
      return answer;
    } finally {
      if (this.isUsable) await this.#connection.query(`SELECT RELEASE_LOCK(${held})`);
    }
  }

  protected override run(sql: string): Promise<MysqlResult> {
    refuseOversize(sql, this.#traits.limits.packetBytes);
    return this.#connection.query(sql);
  }

  /** A statement that stores rows: whatever it changed of them in passing is an error. */
  async #write(sql: string): Promise<void> {
    const { warnings } = await this.#connection.query(sql);
    if (warnings === 0) return;
    const { rows } = await this.#connection.query('SHOW WARNINGS');
    const lossy = rows.find(({ Code }) => LOSSY.has(Code ?? ''));
    if (lossy !== undefined) throw changedValue(lossy['Code'] ?? '');
  }

  async #upsert(sql: string, writer: TableWriter, rows: readonly RowWrite[]): Promise<void> {
    try {
      await this.#write(sql);
    } catch (error) {
      if (serverErrorOf(error)?.code !== SUBQUERY_ROWS) throw error;
      // The statement has locked the row that it met: what it met is still there.
      const keys = rows.map(({ key }) => key);
      const isOther = writer.origin !== undefined && (await this.holdsOtherOrigin(writer, keys));
      throw isOther ? otherOrigin(writer) : changedKeys();
    }
  }

  /** One by one, so that each warning can be told to belong to an ENUM's index 0. */
  async #insertEmptyEnums(plan: MysqlTableSql, rows: readonly RowWrite[]): Promise<void> {
    await this.#connection.query(`SET SESSION sql_mode = '${RELAXED_SQL_MODE}'`);
    try {
      for (const row of rows) {
        for (const sql of plan.inserts([row], this.#traits.limits)) {
          await this.#connection.query(sql);
          const { rows: warnings } = await this.#connection.query('SHOW WARNINGS');
          const other = warnings.find(({ Code }) => Code !== DATA_TRUNCATED);
          if (other !== undefined || warnings.length !== plan.emptyEnumCount(row)) {
            throw changedValue(other?.['Code'] ?? DATA_TRUNCATED);
          }
        }
      }
    } finally {
      if (this.isUsable) await this.#connection.query(`SET SESSION sql_mode = '${SQL_MODE}'`);
    }
  }

  /** Adds table and column to what goes wrong in `work`. */
  async #blaming(writer: TableWriter, work: (plan: MysqlTableSql) => Promise<void>): Promise<void> {
    try {
      await work(this.#plan(writer));
    } catch (error) {
      throw blaming(error, writer);
    }
  }

  #made(writer: TableWriter, make: (plan: MysqlTableSql) => string[]): string[] {
    try {
      return make(this.#plan(writer));
    } catch (error) {
      throw blaming(error, writer);
    }
  }

  #plan(writer: TableWriter): MysqlTableSql {
    const { form } = this.#traits;
    let plan = plans[form].get(writer);
    if (plan === undefined) plans[form].set(writer, (plan = new MysqlTableSql(writer, form)));
    return plan;
  }
}

function blaming(error: unknown, writer: TableWriter): unknown {
  if (!(error instanceof RowferryError)) return error;
  const column = serverErrorOf(error)?.columnAmong(writer.columns.map(({ target }) => target.name));
  return error.at({ table: writer.table.name, ...(column === undefined ? {} : { column }) });
}

function splitEmptyEnums(
  plan: MysqlTableSql,
  rows: readonly RowWrite[],
): { readonly usual: readonly RowWrite[]; readonly empty: readonly RowWrite[] } {
  if (!plan.hasEmptyEnums) return { usual: rows, empty: [] };
  return {
    usual: rows.filter((row) => plan.emptyEnumCount(row) === 0),
    empty: rows.filter((row) => plan.emptyEnumCount(row) > 0),
  };
}

function lockTaken(): RowferryError {
  return new RowferryError('ROWFERRY_TARGET_BUSY', 'another applier is emptying the table', {
    hint: 'rowferry waits for it; when it hangs, its session at the target ends by itself and its lock with it',
  });
}

function changedKeys(): RowferryError {
  return new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    "the table's unique keys changed at the target; nothing of the batch was written",
    { hint: 'the table is described again when the partition starts anew' },
  );
}

function changedValue(code: string): RowferryError {
  return new RowferryError(
    'ROWFERRY_TARGET_DATA',
    `the server would store another value (MySQL warning ${code})`,
    {
      hint: 'widen the target column, or set badRows: park to go on without the row',
    },
  );
}
