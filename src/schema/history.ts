/** `rowferry_schema_history` at a target: which files were applied, how far, by whom, and the lock of whoever applies. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RowferryError } from '../errors.ts';
import { quote as mysqlQuote } from '../model/mysql-literals.ts';
import { quote as postgresQuote } from '../targets/postgres-sql.ts';
import type { CatalogRow } from './parse-catalog.ts';

/** One connection to a target, autocommit on. */
export interface SchemaSession {
  readonly engine: 'mysql' | 'postgres';
  query(sql: string): Promise<readonly CatalogRow[]>;
}

const HISTORY_TABLE = 'rowferry_schema_history';

export interface HistoryEntry {
  readonly version: number;
  readonly file: string;
  readonly sha256: string;
  readonly state: 'applying' | 'failed' | 'applied';
  /** Statements that are done, from the first. */
  readonly done: number;
  /** Of the texts of these statements. */
  readonly doneSha256: string;
  /** Of the statement that was sent last, when it cannot be undone and its end is not known; empty otherwise. */
  readonly sentSha256: string;
  readonly appliedBy: string;
}

/** A process that has just ended may hold its lock for a moment more: servers notice a closed link in their own time. */
const LOCK_PATIENCE_MS = 2_000;
const LOCK_PAUSE_MS = 100;

const LOCK = 'rowferry schema';
/** PostgreSQL names advisory locks by numbers: "rowferry" as bytes. */
const LOCK_NUMBER = '8245940724411036281';

export class History {
  readonly #session: SchemaSession;
  readonly #pipeline: string;

  constructor(session: SchemaSession, pipeline: string) {
    this.#session = session;
    this.#pipeline = pipeline;
  }

  #text(value: string): string {
    return this.#session.engine === 'mysql' ? mysqlQuote(value) : postgresQuote(value);
  }

  /** Throws ROWFERRY_SCHEMA_LOCKED. The lock ends with the connection. */
  async lock(): Promise<void> {
    const sql =
      this.#session.engine === 'mysql'
        ? // Locks are the server's: the name tells the database, by its digest since it may be long.
          `SELECT GET_LOCK(CONCAT('${LOCK} ', LEFT(SHA2(DATABASE(), 256), 32)), 0) AS locked`
        : `SELECT CASE WHEN pg_try_advisory_lock(${LOCK_NUMBER}) THEN '1' ELSE '0' END AS locked`;
    const giveUpAt = Date.now() + LOCK_PATIENCE_MS;
    for (;;) {
      const [row] = await this.#session.query(sql);
      if (row?.['locked'] === '1') return;
      if (Date.now() >= giveUpAt) break;
      await sleep(LOCK_PAUSE_MS);
    }
    throw new RowferryError(
      'ROWFERRY_SCHEMA_LOCKED',
      'another process is applying a schema to this database',
      { hint: 'wait for it; when it was killed, its lock ends as soon as the server has noticed' },
    );
  }

  async unlock(): Promise<void> {
    await this.#session.query(
      this.#session.engine === 'mysql'
        ? `SELECT RELEASE_LOCK(CONCAT('${LOCK} ', LEFT(SHA2(DATABASE(), 256), 32)))`
        : `SELECT pg_advisory_unlock(${LOCK_NUMBER})`,
    );
  }

  async prepare(): Promise<void> {
    const isMysql = this.#session.engine === 'mysql';
    const name = isMysql ? 'varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : 'varchar(200)';
    const time = isMysql ? 'datetime(3)' : 'timestamptz(3)';
    await this.#session.query(
      `CREATE TABLE IF NOT EXISTS ${HISTORY_TABLE} (
        pipeline ${name} NOT NULL, version int NOT NULL, file ${name} NOT NULL, sha256 char(64) NOT NULL,
        state varchar(10) NOT NULL, done int NOT NULL, done_sha256 char(64) NOT NULL, sent_sha256 char(64) NOT NULL,
        applied_by ${name} NOT NULL, rowferry varchar(50) NOT NULL, started_at ${time} NOT NULL, ended_at ${time} NULL,
        PRIMARY KEY (pipeline, version))${isMysql ? ' ENGINE=InnoDB' : ''}`,
    );
  }

  /** In order. Without a table nothing was applied. */
  async entries(): Promise<HistoryEntry[]> {
    const { engine } = this.#session;
    const [found] = await this.#session.query(
      engine === 'mysql'
        ? `SELECT 1 AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '${HISTORY_TABLE}'`
        : `SELECT 1 AS found WHERE to_regclass('${HISTORY_TABLE}') IS NOT NULL`,
    );
    if (found === undefined) return [];
    const rows = await this.#session.query(
      `SELECT version, file, sha256, state, done, done_sha256, sent_sha256, applied_by FROM ${HISTORY_TABLE}
       WHERE pipeline = ${this.#text(this.#pipeline)} ORDER BY version`,
    );
    return rows.map((row) => ({
      version: Number(row['version']),
      file: row['file'] ?? '',
      sha256: row['sha256'] ?? '',
      state: row['state'] as HistoryEntry['state'],
      done: Number(row['done']),
      doneSha256: row['done_sha256'] ?? '',
      sentSha256: (row['sent_sha256'] ?? '').trim(),
      appliedBy: row['applied_by'] ?? '',
    }));
  }

  async insert(entry: HistoryEntry, rowferry: string): Promise<void> {
    const { version, file, sha256, state, done, doneSha256, sentSha256, appliedBy } = entry;
    const texts = [file, sha256, state].map((text) => this.#text(text)).join(', ');
    await this.#session.query(
      `INSERT INTO ${HISTORY_TABLE} (version, pipeline, file, sha256, state, done, done_sha256, sent_sha256, applied_by,
         rowferry, started_at)
       VALUES (${version}, ${this.#text(this.#pipeline)}, ${texts}, ${done}, ${this.#text(doneSha256)},
         ${this.#text(sentSha256)}, ${this.#text(appliedBy.slice(0, 200))}, ${this.#text(rowferry)}, ${this.#now()})`,
    );
  }

  /** What of an entry changes while its file is applied. */
  async update(
    version: number,
    change: Partial<
      Pick<HistoryEntry, 'sha256' | 'state' | 'done' | 'doneSha256' | 'sentSha256' | 'appliedBy'>
    >,
  ): Promise<void> {
    const columns = {
      doneSha256: 'done_sha256',
      sentSha256: 'sent_sha256',
      appliedBy: 'applied_by',
    } as const;
    const sets = Object.entries(change).map(([key, value]) => {
      const column = key in columns ? columns[key as keyof typeof columns] : key;
      return `${column} = ${typeof value === 'number' ? value : this.#text(value)}`;
    });
    if (change.state === 'applied') sets.push(`ended_at = ${this.#now()}`);
    await this.#session.query(
      `UPDATE ${HISTORY_TABLE} SET ${sets.join(', ')}
       WHERE pipeline = ${this.#text(this.#pipeline)} AND version = ${version}`,
    );
  }

  #now(): string {
    return this.#session.engine === 'mysql' ? 'UTC_TIMESTAMP(3)' : 'CURRENT_TIMESTAMP';
  }
}
