/**
 * MySQL and MariaDB for targets and preflight: text queries over connections with a known session. The only
 * importer of mysql2; errors leave as `RowferryError`s without statement or values.
 */
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createConnection } from 'mysql2';
import type { Connection, QueryError, ResultSetHeader } from 'mysql2';
import type { DatabaseUrl, TlsSettings } from '../config/config.ts';
import type { ErrorWhere, RowferryError } from '../errors.ts';
import { mysqlFault, socketFault } from '../error-policy.ts';
import type { DatabaseSide } from '../error-policy.ts';
import type { PooledConnection } from './connection-pool.ts';
import { refusal, ServerError } from './server-error.ts';

export interface MysqlOptions {
  readonly url: DatabaseUrl;
  readonly side: DatabaseSide;
  /** Named in every error, for example `{ target: 'shard-1' }`. */
  readonly where: ErrorWhere;
  /** Statements that shape a new session before it is used. */
  readonly session: readonly string[];
  /** Allows `script`. */
  readonly scripts?: boolean;
  readonly connectTimeoutMs?: number;
  /** A statement without an answer for so long counts as a lost link: the connection is cut. */
  readonly queryTimeoutMs?: number;
}

/** A row by column name; every value is the text that the server prints (select bytes through HEX or TO_BASE64). */
export type MysqlRow = Readonly<Record<string, string | null>>;

export interface MysqlResult {
  readonly rows: readonly MysqlRow[];
  /** Rows that the statement matched, changed or not. */
  readonly affectedRows: number;
  readonly warnings: number;
}

/** One value of a row as the server sent it; null for SQL NULL. Read by one of the two, once. */
export interface SentValue {
  string(encoding: 'utf8' | 'latin1'): string | null;
  /** A view that is good only until the reader returns. */
  buffer(): Buffer | null;
}

const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 120_000;
const KEEPALIVE_MS = 15_000;

/**
 * Errors after which a link is of no use although the server answered: shutdown, killed, idle too long, packet too big; or
 * another server may do better behind the same address (a node that is not ready, offline mode, a proxy without a server).
 */
const CLOSING = new Set([1047, 1053, 1152, 1153, 1927, 2006, 2013, 3032, 3169, 4031, 9001, 9002, 9004, 9005]);

export class MysqlConnection implements PooledConnection {
  readonly #raw: Connection;
  readonly #options: MysqlOptions;
  readonly #queryTimeoutMs: number;
  /** Those who wait for an answer: mysql2 never calls them when their connection is destroyed. */
  readonly #waiting = new Set<(error: RowferryError) => void>();
  #isUsable = true;

  private constructor(raw: Connection, options: MysqlOptions) {
    this.#raw = raw;
    this.#options = options;
    this.#queryTimeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS;
    // An idle connection that breaks says so here; the next user then finds it unusable.
    raw.on('error', () => (this.#isUsable = false));
    raw.on('end', () => (this.#isUsable = false));
  }

  static async connect(options: MysqlOptions): Promise<MysqlConnection> {
    const { url } = options;
    const tls = tlsOptions(url.tls);
    const raw = createConnection({
      host: url.host,
      port: url.port,
      user: url.user,
      password: url.password.reveal(),
      ...(url.database === '' ? {} : { database: url.database }),
      ...(tls === undefined ? {} : { ssl: tls }),
      charset: 'utf8mb4',
      connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      enableKeepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
      multipleStatements: options.scripts === true,
      // No stack trace kept for each statement: it costs more than the statement's text.
      trace: false,
      // Statements come with their values in them: mysql2 would look through each of them for placeholders.
      queryFormat: (sql) => sql,
      typeCast: (field) => field.string('utf8'),
      connectAttributes: { program_name: 'rowferry' },
    });
    const connection = new MysqlConnection(raw, options);
    try {
      await new Promise<void>((resolve, reject) => {
        raw.connect((error) => {
          if (error === null || error === undefined) resolve();
          else reject(connection.#classify(error));
        });
      });
      for (const statement of options.session) await connection.query(statement);
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return connection;
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Runs one statement. */
  async query(sql: string): Promise<MysqlResult> {
    return toResult(await this.#send(sql));
  }

  /** Runs statements in one round trip, each only when those before it succeeded; which one failed is not told. */
  async script(statements: readonly string[]): Promise<void> {
    await this.#send(statements.join(';'));
  }

  /**
   * Runs one query and hands its rows out as they arrive: the server waits when the reader does, and however long it takes.
   * Whoever leaves before the last row, also by the signal, cuts the connection: what the server still sends is of no use.
   */
  async *stream(sql: string, signal: AbortSignal): AsyncGenerator<MysqlRow, void, undefined> {
    try {
      for await (const row of this.#rowsOf(this.#raw.query({ sql }).stream(), signal)) yield row as MysqlRow;
    } catch (error) {
      if (!signal.aborted) throw this.#classify(error as QueryError);
    }
  }

  /**
   * As `stream`, each row's values made by the `readers` of their columns. What a reader throws ends it, as does the signal,
   * whose reason is thrown.
   */
  async *streamRows<T>(
    sql: string,
    readers: readonly ((sent: SentValue) => T)[],
    signal: AbortSignal,
  ): AsyncGenerator<T[], void, undefined> {
    let column = 0;
    let failure: Error | undefined;
    const read = (field: SentValue): T | null => {
      const reader = readers[column]!;
      column = column + 1 === readers.length ? 0 : column + 1;
      if (failure !== undefined) return null;
      try {
        return reader(field);
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        return null;
      }
    };
    const rows = this.#raw.query({ sql, rowsAsArray: true, typeCast: read }).stream({ highWaterMark: 100 });
    try {
      for await (const row of this.#rowsOf(rows, signal)) {
        if (failure !== undefined) throw failure;
        yield row as T[];
      }
      if (!rows.readableEnded) signal.throwIfAborted();
    } catch (error) {
      if (failure !== undefined) throw failure;
      signal.throwIfAborted();
      throw this.#classify(error as QueryError);
    }
  }

  /** The rows of a running query; whoever leaves before the last one, also by the signal, cuts the connection. */
  async *#rowsOf(rows: Readable, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
    const stop = (): void => void rows.destroy();
    // A query without callback is not told that the link broke: only the connection is.
    const lose = (error: Error): void => void rows.destroy(error);
    this.#raw.on('error', lose);
    signal.addEventListener('abort', stop, { once: true });
    let isComplete = false;
    try {
      yield* rows;
      isComplete = rows.readableEnded;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#raw.off('error', lose);
      if (!isComplete) this.destroy();
    }
  }

  /**
   * Runs one query and hands each row to `take` as it arrives, its values made by the `readers` of their columns, which read
   * every value once. When `take` answers false this resolves to false and the connection is cut, so that the server does not
   * send the rest; otherwise it resolves to true after the last row. What a reader or `take` throws rejects, with the
   * connection cut, and so does the signal.
   */
  readRows<T>(
    sql: string,
    readers: readonly ((sent: SentValue) => T)[],
    take: (row: T[]) => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      let isOver = false;
      let column = 0;
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.#raw.off('error', lose);
        settle();
      };
      const cut = (settle: () => void): void =>
        end(() => {
          this.destroy();
          settle();
        });
      const abort = (): void => cut(() => reject(signal.reason as Error));
      // A query without callback is not told that the link broke: only the connection is.
      const lose = (error: QueryError): void => end(() => reject(this.#classify(error)));
      const timer = setTimeout(
        () => cut(() => reject(this.#timedOut(this.#queryTimeoutMs))),
        this.#queryTimeoutMs,
      );
      signal.addEventListener('abort', abort, { once: true });
      this.#raw.on('error', lose);
      const read = (field: SentValue): T | null => {
        const reader = readers[column]!;
        column = column + 1 === readers.length ? 0 : column + 1;
        try {
          return reader(field);
        } catch (error) {
          cut(() => reject(error));
          return null;
        }
      };
      const query = this.#raw.query({ sql, rowsAsArray: true, typeCast: read });
      query.on('result', (row: unknown) => {
        if (isOver) return;
        timer.refresh();
        try {
          if (!take(row as T[])) cut(() => resolve(false));
        } catch (error) {
          cut(() => reject(error));
        }
      });
      query.on('error', lose);
      query.on('end', () => end(() => resolve(true)));
    });
  }

  #send(sql: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        lose(this.#timedOut(this.#queryTimeoutMs));
        this.destroy();
      }, this.#queryTimeoutMs);
      const lose = (error: RowferryError): void => {
        clearTimeout(timer);
        this.#waiting.delete(lose);
        reject(error);
      };
      this.#waiting.add(lose);
      this.#raw.query({ sql }, (error, result) => {
        clearTimeout(timer);
        this.#waiting.delete(lose);
        if (error !== null) reject(this.#classify(error));
        else resolve(result);
      });
    });
  }

  async close(): Promise<void> {
    if (!this.#isUsable) return this.destroy();
    this.#isUsable = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.destroy();
        resolve();
      }, 1_000);
      this.#raw.end(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * Ends the socket at once: after mysql2's own goodbye the server would send a running result to its end, and one that is
   * silent would keep the socket. Whoever waits for an answer is told that the link is lost.
   */
  destroy(): void {
    this.#isUsable = false;
    this.#raw.destroy();
    (this.#raw as Connection & { readonly stream: Socket }).stream.destroy();
    for (const lose of this.#waiting) lose(this.#lost('the connection to MySQL was given up'));
  }

  #classify(error: QueryError): RowferryError {
    const errno = typeof error.errno === 'number' && error.errno > 0 ? error.errno : undefined;
    if (errno === undefined || error.fatal || CLOSING.has(errno)) this.#isUsable = false;
    const answered = errno !== undefined && error.sqlState !== undefined;
    return refusal(
      new ServerError({
        title: answered
          ? `MySQL error ${errno} (${error.code})`
          : `the connection to MySQL failed (${error.code ?? 'closed'})`,
        // Without a code mysql2 means a connection that is already closed.
        fault: answered ? mysqlFault(errno) : error.code === undefined ? 'link' : socketFault(error.code),
        code: answered ? String(errno) : undefined,
        text: error.message,
      }),
      this.#options.side,
      this.#options.where,
    );
  }

  #timedOut(ms: number): RowferryError {
    return this.#lost(`MySQL did not answer within ${ms} ms`);
  }

  #lost(title: string): RowferryError {
    return refusal(
      new ServerError({ title, fault: 'link', text: '' }),
      this.#options.side,
      this.#options.where,
    );
  }
}

function toResult(result: unknown): MysqlResult {
  if (Array.isArray(result)) return { rows: result as MysqlRow[], affectedRows: 0, warnings: 0 };
  const { affectedRows, warningStatus } = result as ResultSetHeader;
  return { rows: [], affectedRows, warnings: warningStatus };
}

interface MysqlTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
  readonly verifyIdentity: boolean;
}

function tlsOptions(tls: TlsSettings | null): MysqlTls | undefined {
  if (tls === null) return undefined;
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key.reveal() }),
    rejectUnauthorized: tls.rejectUnauthorized,
    // mysql2 checks the chain but not the host name unless told.
    verifyIdentity: tls.rejectUnauthorized,
  };
}
