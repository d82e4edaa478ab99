/**
 * A database's refusal as far as it may be shown: the server's message and the statement may hold row values, so neither is
 * kept where a log, an inspection or a stack trace would print it.
 */
import { RowferryError } from '../errors.ts';
import type { ErrorWhere } from '../errors.ts';
import { policyOf } from '../error-policy.ts';
import type { DatabaseFault, DatabaseSide } from '../error-policy.ts';

/** Those that rowferry may need anywhere. */
const PRIVILEGES: ReadonlySet<string> = new Set(
  (
    'SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|INDEX|DROP|LOCK TABLES|PROCESS|RELOAD|SUPER|REPLICATION SLAVE|REPLICATION CLIENT|' +
    'BINLOG MONITOR|REPLICA MONITOR|SLAVE MONITOR|REPLICATION SLAVE ADMIN|SYSTEM_VARIABLES_ADMIN'
  ).split('|'),
);

export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly fault: DatabaseFault;
  /** The server's errno or SQLSTATE; undefined when it did not answer. */
  readonly code: string | undefined;
  /** Names that the server reports apart from its message; PostgreSQL only. */
  readonly column: string | undefined;
  readonly constraint: string | undefined;
  readonly #text: string;

  constructor(options: {
    /** `MySQL error 1406 (ER_DATA_TOO_LONG)`. */
    readonly title: string;
    readonly fault: DatabaseFault;
    readonly code?: string | undefined;
    readonly text: string;
    readonly column?: string | undefined;
    readonly constraint?: string | undefined;
  }) {
    super(options.title);
    this.fault = options.fault;
    this.code = options.code;
    this.column = options.column;
    this.constraint = options.constraint;
    this.#text = options.text;
  }

  /** The privileges that the server says the account lacks; empty where it does not say, or in words that are not English. */
  get lacking(): readonly string[] {
    const { 1: command, 2: global } =
      /^([A-Z ,]+) command denied to user|at least one of\) the ([A-Z ,]+) privilege/.exec(this.#text) ?? [];
    const named = (command ?? global ?? '').split(',').map((name) => name.trim());
    // Only known names are ever taken out of the text, so that nothing else can come along.
    return named.filter((name) => PRIVILEGES.has(name));
  }

  /** Which of these columns the server blames, for display; undefined when it does not say. */
  columnAmong(names: readonly string[]): string | undefined {
    if (this.column !== undefined) return names.includes(this.column) ? this.column : undefined;
    const text = this.#text.toLowerCase();
    // Only a known name is ever taken out of the text, so that no value can come along.
    const blamed = names.filter((name) => {
      const quoted = name.toLowerCase();
      return (
        text.includes(`column '${quoted}'`) ||
        text.includes(`.\`${quoted}\``) ||
        text.includes(`field '${quoted}'`)
      );
    });
    return blamed.length === 1 ? blamed[0] : undefined;
  }
}

/** The error that leaves a driver: code and hint by the policy table, the server's own words left behind. */
export function refusal(error: ServerError, side: DatabaseSide, where: ErrorWhere): RowferryError {
  const { code, hint } = policyOf(error.fault, side, error.code, error.lacking);
  return new RowferryError(code, error.message, { where, hint, cause: error });
}

/** The server's refusal inside an error, when there is one. */
export function serverErrorOf(error: unknown): ServerError | undefined {
  return error instanceof RowferryError && error.cause instanceof ServerError ? error.cause : undefined;
}
