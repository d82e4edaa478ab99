/**
 * PostgreSQL for targets and preflight. The only importer of pg; errors leave as `RowferryError`s without statement or
 * values. Statements may be sent without waiting for the one before (a pipeline): the server runs them in order.
 */
import { Client, DatabaseError } from 'pg';
import type { ConnectionOptions } from 'node:tls';
import type { DatabaseUrl, TlsSettings } from '../config/config.ts';
import type { ErrorWhere, RowferryError } from '../errors.ts';
import { socketFault, sqlStateFault } from '../error-policy.ts';
import type { DatabaseSide } from '../error-policy.ts';
import type { PooledConnection } from './connection-pool.ts';
import { refusal, ServerError } from './server-error.ts';
import { StatementCache } from './statement-cache.ts';

export interface PostgresOptions {
  readonly url: DatabaseUrl;
  readonly side: DatabaseSide;
  /** Named in every error, for example `{ target: 'shard-1' }`. */
  readonly where: ErrorWhere;
  /** Statements that shape a new session before it is used. */
  readonly session: readonly string[];
  readonly connectTimeoutMs?: number;
  /** A statement without an answer for so long counts as a lost link: the connection is cut. */
  readonly queryTimeoutMs?: number;
}

export interface PostgresStatement {
  readonly text: string;
  readonly values?: readonly (string | null)[];
  /**
   * A named statement that is used often is parsed once for each connection; one name always means one text, and the text is
   * one statement.
   */
  readonly name?: string;
}

/** A row by column name; every value is the text that the server prints. */
export type PostgresRow = Readonly<Record<string, string | null>>;

export interface PostgresResult {
  /** The command tag's first word: a COMMIT of a failed transaction answers `ROLLBACK`. */
  readonly command: string;
  readonly rows: readonly PostgresRow[];
  readonly affectedRows: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 120_000;
const KEEPALIVE_MS = 15_000;

/** The server holds some 100 kB for each, as long as the connection lives. */
const PREPARED_STATEMENTS = 200;

const asText = (value: string): string => value;

/** SQLSTATEs after which a connection is of no use although it answered: the server closes it, or has lost its statements. */
const CLOSING = /^(08...|57P0[1-5]|25P03|25P04|26000)$/;

export class PostgresConnection implements PooledConnection {
  readonly #raw: Client;
  readonly #options: PostgresOptions;
  readonly #queryTimeoutMs: number;
  readonly #statements = new StatementCache(PREPARED_STATEMENTS);
  #isUsable = true;

  private constructor(raw: Client, options: PostgresOptions) {
    this.#raw = raw;
    this.#options = options;
    this.#queryTimeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS;
    // An idle connection that breaks says so here; the next user then finds it unusable.
    raw.on('error', () => (this.#isUsable = false));
    raw.on('end', () => (this.#isUsable = false));
  }

  static async connect(options: PostgresOptions): Promise<PostgresConnection> {
    const { url } = options;
    const raw = new Client({
      host: url.host,
      port: url.port,
      user: url.user,
      password: url.password.reveal(),
      database: url.database,
      ssl: tlsOptions(url.tls),
      application_name: 'rowferry',
      client_encoding: 'UTF8',
      connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_MS,
      pipeline: true,
      types: { getTypeParser: () => asText },
    });
    const connection = new PostgresConnection(raw, options);
    try {
      await raw.connect().catch((error: unknown) => {
        throw connection.#classify(error);
      });
      if (options.session.length > 0) await connection.query({ text: options.session.join('; ') });
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return connection;
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  async query(statement: PostgresStatement): Promise<PostgresResult> {
    const { text, values, name } = statement;
    const timer = setTimeout(() => this.destroy(), this.#queryTimeoutMs);
    try {
      const answer = await this.#raw.query({
        text,
        ...(values === undefined ? {} : { values: values as (string | null)[] }),
        // Prepared or not, a statement with a name is one: nothing can be hung on behind it.
        ...(name === undefined ? {} : { queryMode: 'extended' }),
        ...(name !== undefined && this.#statements.use(name) ? { name } : {}),
      });
      // Several statements in one text answer with several results; the last one counts.
      const result = Array.isArray(answer) ? (answer.at(-1) as typeof answer) : answer;
      return {
        command: result.command,
        rows: result.rows as PostgresRow[],
        affectedRows: result.rowCount ?? 0,
      };
    } catch (error) {
      throw this.#classify(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Frees prepared statements that are out of use. Only without a transaction, where the server has every one that pg believes
   * it has, and while no other statement is under way.
   */
  async freeStatements(): Promise<void> {
    const { parsedStatements } = this.#raw.connection as Client['connection'] & PreparedStatements;
    const dropped = this.#statements.takeDropped(Object.keys(parsedStatements));
    if (dropped.length === 0) return;
    await this.query({ text: dropped.map((name) => `DEALLOCATE "${name}"`).join('; ') });
    // What pg believes to be parsed is not parsed again.
    for (const name of dropped) delete parsedStatements[name];
  }

  async close(): Promise<void> {
    if (!this.#isUsable) return this.destroy();
    this.#isUsable = false;
    const timer = setTimeout(() => this.destroy(), 1_000);
    await this.#raw.end().catch(() => this.destroy());
    clearTimeout(timer);
  }

  destroy(): void {
    this.#isUsable = false;
    this.#raw.connection.stream.destroy();
  }

  #classify(error: unknown): RowferryError {
    const { side, where } = this.#options;
    if (error instanceof DatabaseError && error.code !== undefined) {
      if (CLOSING.test(error.code)) this.#isUsable = false;
      const { column, constraint } = error;
      return refusal(
        new ServerError({
          title: `PostgreSQL error ${error.code}${constraint === undefined ? '' : ` (constraint ${constraint})`}`,
          fault: sqlStateFault(error.code),
          code: error.code,
          text: '',
          column,
          constraint,
        }),
        side,
        where,
      );
    }
    this.#isUsable = false;
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    const title = `the connection to PostgreSQL failed (${code ?? 'closed'})`;
    // pg raises errors without a code for a link that ended or could not be opened in time.
    const fault = code === undefined ? 'link' : socketFault(code);
    return refusal(new ServerError({ title, fault, text: '' }), side, where);
  }
}

/** pg's own list, which its types do not tell of. */
interface PreparedStatements {
  readonly parsedStatements: Record<string, string>;
}

function tlsOptions(tls: TlsSettings | null): ConnectionOptions | false {
  if (tls === null) return false;
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key.reveal() }),
    rejectUnauthorized: tls.rejectUnauthorized,
  };
}
