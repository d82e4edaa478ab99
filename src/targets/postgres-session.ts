/** One PostgreSQL connection of a target. */
import type { PostgresConnection, PostgresResult, PostgresStatement } from '../drivers/postgres.ts';
import { serverErrorOf } from '../drivers/server-error.ts';
import { RowferryError } from '../errors.ts';
import type { ValueOptions } from '../model/value-types.ts';
import { ControlSession } from './control-session.ts';
import type { ControlSql } from './control-sql.ts';
import { unparkedRefs } from './parked-record.ts';
import { describePostgres } from './postgres-catalog.ts';
import { preparePostgresTables } from './postgres-control-tables.ts';
import { MISSED_ROWS, POSTGRES_ROWS, PostgresTableSql, quote } from './postgres-sql.ts';
import { otherOrigin } from './row-refusal.ts';
import type { Session } from './session.ts';
import type { KeyValues, RowWrite, TableWriter, TargetTable, WriteBatch } from './target.ts';

export const POSTGRES_SESSION = [
  "SET TimeZone = 'UTC'",
  "SET DateStyle = 'ISO, YMD'",
  "SET IntervalStyle = 'postgres'",
  'SET standard_conforming_strings = on',
  "SET default_transaction_isolation = 'read committed'",
  'SET client_min_messages = warning',
  "SET lock_timeout = '5s'",
  "SET statement_timeout = '110s'",
  // A forgotten transaction of a process that vanished must not hold its locks for long.
  "SET idle_in_transaction_session_timeout = '120s'",
  // A move between shards relies on the first commit when it makes the second: a crash must not take the first one back.
  "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
];

const DIVISION_BY_ZERO = '22012';

interface Sent {
  readonly statement: PostgresStatement;
  /** The table whose rows it writes. */
  readonly writer?: TableWriter;
}

export class PostgresSession extends ControlSession implements Session {
  readonly #connection: PostgresConnection;
  readonly #options: ValueOptions;
  readonly #plans: WeakMap<TableWriter, PostgresTableSql>;
  #isCommitPending = false;

  constructor(
    connection: PostgresConnection,
    control: ControlSql,
    options: ValueOptions,
    plans: WeakMap<TableWriter, PostgresTableSql>,
  ) {
    super(control);
    this.#connection = connection;
    this.#options = options;
    this.#plans = plans;
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
    await this.#connection.freeStatements();
    // Rows are isolated one by one: a deferred unique constraint would only speak at COMMIT.
    await this.run('BEGIN; SET CONSTRAINTS ALL IMMEDIATE');
  }

  async commit(): Promise<void> {
    this.#isCommitPending = true;
    try {
      const { command } = await this.run('COMMIT');
      this.#isCommitPending = false;
      if (command !== 'COMMIT') throw rolledBack();
    } catch (error) {
      // An answered COMMIT that failed has rolled back.
      if (this.isUsable) this.#isCommitPending = false;
      throw error;
    }
  }

  async rollback(): Promise<void> {
    await this.run('ROLLBACK');
  }

  async atomically(work: () => Promise<void>): Promise<void> {
    await this.run('SAVEPOINT rowferry');
    try {
      await work();
      await this.run('RELEASE SAVEPOINT rowferry');
    } catch (error) {
      if (this.isUsable) await this.run('ROLLBACK TO SAVEPOINT rowferry; RELEASE SAVEPOINT rowferry');
      throw error;
    }
  }

  /** One round trip: every statement is sent at once, COMMIT too. A failed one turns those after it, and COMMIT, away. */
  async writeAll(batch: WriteBatch, writeId: string): Promise<'committed' | 'stale'> {
    // All texts are made before the first is sent: a value that does not fit must not leave half a transaction behind.
    const statements = this.#batchStatements(batch);
    await this.#connection.freeStatements();
    const guard = `WITH saved AS (${this.control.saveWatermark(batch, writeId)} RETURNING 1) SELECT 1 / count(*) FROM saved`;
    this.#isCommitPending = true;
    const [begun, saved, ...others] = await Promise.allSettled(
      [
        { statement: { text: 'BEGIN' } },
        { statement: { text: guard } },
        ...statements,
        { statement: { text: 'COMMIT' } },
      ].map((sent) => this.#send(sent)),
    );
    const outcomes = [begun!, saved!, ...others];
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    // With the link gone nobody knows whether COMMIT was carried out.
    if (!this.isUsable) throw failed?.reason ?? rolledBack();
    this.#isCommitPending = false;
    if (saved?.status === 'rejected' && serverErrorOf(saved.reason)?.code === DIVISION_BY_ZERO)
      return 'stale';
    if (failed !== undefined) throw failed.reason;
    const commit = outcomes.at(-1);
    if (commit?.status !== 'fulfilled' || commit.value.command !== 'COMMIT') throw rolledBack();
    return 'committed';
  }

  async deleteRows(writer: TableWriter, keys: readonly KeyValues[]): Promise<void> {
    await this.#sendAll(writer, (plan) => plan.deletes(keys));
  }

  async upsertRows(writer: TableWriter, rows: readonly RowWrite[]): Promise<void> {
    await this.#sendAll(writer, (plan) => plan.upserts(rows));
  }

  async insertRows(writer: TableWriter, rows: readonly RowWrite[]): Promise<void> {
    await this.#sendAll(writer, (plan) => plan.inserts(rows));
  }

  async holdsOtherOrigin(writer: TableWriter, keys: readonly KeyValues[]): Promise<boolean> {
    for (const key of keys) {
      const statement = this.#plan(writer).otherOrigin(key);
      if (statement !== undefined && (await this.#send({ statement, writer })).rows.length > 0) return true;
    }
    return false;
  }

  async rowsInTheWay(
    writer: TableWriter,
    row: RowWrite,
  ): Promise<{ readonly key: readonly string[]; readonly columns: readonly string[] }[]> {
    const found: { readonly key: readonly string[]; readonly columns: readonly string[] }[] = [];
    for (const { statement, columns } of this.#plan(writer).holders(row)) {
      const { rows } = await this.#send({ statement, writer });
      for (const values of rows) found.push({ key: Object.values(values).map(String), columns });
    }
    return found;
  }

  async isInTheWay(writer: TableWriter, row: RowWrite, key: KeyValues): Promise<boolean> {
    for (const { statement } of this.#plan(writer).holders(row, key)) {
      if ((await this.#send({ statement, writer })).rows.length > 0) return true;
    }
    return false;
  }

  describe(tables: readonly string[]): Promise<ReadonlyMap<string, TargetTable>> {
    return describePostgres((text) => this.run(text), tables);
  }

  prepareControlTables(): Promise<void> {
    return preparePostgresTables((text) => this.run(text), this.control);
  }

  protected override readonly truncateDialect = POSTGRES_ROWS;

  /** One transaction: whatever ends the session takes all of it back, the lock too. */
  protected override async withTruncateLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
    await this.begin();
    await this.run(`SELECT pg_advisory_xact_lock(hashtextextended(${quote(lock)}, 0))`);
    const answer = await work();
    await this.commit();
    return answer;
  }

  /** One transaction would end with the first statement that fails. */
  protected override async withChangeLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
    const held = `hashtextextended(${quote(lock)}, 0)`;
    await this.run(`SELECT pg_advisory_lock(${held})`);
    try {
      return await work();
    } finally {
      if (this.isUsable) await this.run(`SELECT pg_advisory_unlock(${held})`);
    }
  }

  protected override run(text: string): Promise<PostgresResult> {
    return this.#connection.query({ text });
  }

  #batchStatements(batch: WriteBatch): Sent[] {
    const { tables } = batch;
    const sent: Sent[] = [];
    const refs = unparkedRefs(batch);
    if (refs.length > 0) sent.push({ statement: { text: this.control.deleteParked(refs) } });
    for (const { writer, deletes } of tables) {
      for (const statement of this.#made(writer, (plan) => plan.deletes(deletes)))
        sent.push({ statement, writer });
    }
    for (const { writer, upserts } of tables) {
      // Also with secondary unique keys: ON CONFLICT names the key, any other conflict is an error, and rows that others
      // refer to need not be deleted.
      const rows = (plan: PostgresTableSql): PostgresStatement[] =>
        writer.key.length === 0 ? plan.inserts(upserts) : plan.upserts(upserts);
      for (const statement of this.#made(writer, rows)) sent.push({ statement, writer });
    }
    return sent;
  }

  async #sendAll(writer: TableWriter, make: (plan: PostgresTableSql) => PostgresStatement[]): Promise<void> {
    for (const statement of this.#made(writer, make)) await this.#send({ statement, writer });
  }

  #made(writer: TableWriter, make: (plan: PostgresTableSql) => PostgresStatement[]): PostgresStatement[] {
    try {
      return make(this.#plan(writer));
    } catch (error) {
      throw blaming(error, writer);
    }
  }

  async #send({ statement, writer }: Sent): Promise<PostgresResult> {
    try {
      return await this.#connection.query(statement);
    } catch (error) {
      if (writer === undefined) throw error;
      const isOther = writer.origin !== undefined && serverErrorOf(error)?.code === MISSED_ROWS;
      throw isOther ? otherOrigin(writer) : blaming(error, writer);
    }
  }

  #plan(writer: TableWriter): PostgresTableSql {
    let plan = this.#plans.get(writer);
    if (plan === undefined) this.#plans.set(writer, (plan = new PostgresTableSql(writer, this.#options)));
    return plan;
  }
}

/** Adds table and column to what went wrong. */
function blaming(error: unknown, writer: TableWriter): unknown {
  if (!(error instanceof RowferryError)) return error;
  const column = serverErrorOf(error)?.column;
  return error.at({ table: writer.table.name, ...(column === undefined ? {} : { column }) });
}

function rolledBack(): RowferryError {
  return new RowferryError('ROWFERRY_INVARIANT', 'PostgreSQL rolled a transaction back without an error');
}
