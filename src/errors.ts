/**
 * The one error type of rowferry and the list of its codes.
 *
 * A code is `ROWFERRY_<AREA>_<WHAT>` and never changes its meaning. `message` says what happened, `where` names the place
 * (source, position, table, topic, partition, offset, target), `hint` says what the operator can do. None of them ever holds
 * a row value or a secret.
 */

/** What the part that meets an error does about it; the table that decides is `error-policy.ts`. */
type ErrorAction =
  /** Try the same work again with backoff: the cause goes away by itself. */
  | 'retry'
  /** Find the row that fails: run the batch row by row, park what conflicts. */
  | 'isolate'
  /** This row can never be written as it is: stop or park by configuration. */
  | 'data'
  /** Stop the part that met it and show the position; an operator must act. */
  | 'stop';

export const ERROR_CODES = {
  /** The configuration is wrong; the message lists every problem with file:line:column. */
  ROWFERRY_CONFIG_INVALID: 'stop',
  /** Stored state (topic, checkpoint, watermark) belongs to another configuration. */
  ROWFERRY_CONFIG_STATE_MISMATCH: 'stop',
  /** A server setting, grant or table makes the source unusable; the message lists every finding with its mend. */
  ROWFERRY_SOURCE_PREFLIGHT: 'stop',
  /** The saved position is no longer in the source's binlog. */
  ROWFERRY_SOURCE_POSITION_LOST: 'stop',
  /** Another replica client uses the same server id. */
  ROWFERRY_SOURCE_SERVER_ID_TAKEN: 'stop',
  /** The link to the source failed or fell silent. */
  ROWFERRY_SOURCE_LINK: 'retry',
  /** The source refused the user name or password. It passes for a process that was let in before, as at targets. */
  ROWFERRY_SOURCE_ACCESS: 'stop',
  /** The source refused a statement of rowferry for a reason that it does not know. */
  ROWFERRY_SOURCE_QUERY: 'stop',
  /** A table or column of the source is not as it was described: it has changed meanwhile. */
  ROWFERRY_SOURCE_SCHEMA: 'stop',
  /** A statement changed or emptied a captured table (DDL, TRUNCATE). */
  ROWFERRY_SOURCE_DDL: 'stop',
  /** The binlog holds something that cannot be ferried exactly (XA, statement DML, incident, unknown or partial event). */
  ROWFERRY_SOURCE_UNSUPPORTED: 'stop',
  /** A binlog event could not be decoded. */
  ROWFERRY_SOURCE_DECODE: 'stop',
  /** Kafka cannot be reached or does not answer. */
  ROWFERRY_KAFKA_LINK: 'retry',
  /** The topic has another partition count than configured. */
  ROWFERRY_KAFKA_PARTITIONS: 'stop',
  /** A topic of the pipeline is gone. */
  ROWFERRY_KAFKA_TOPIC_GONE: 'stop',
  /** The topic's log starts after the offset that a target needs next. */
  ROWFERRY_KAFKA_OFFSET_LOST: 'stop',
  /** One row is larger than the topic accepts. */
  ROWFERRY_KAFKA_RECORD_TOO_LARGE: 'stop',
  /** Kafka refuses access, or a setting makes it unusable. */
  ROWFERRY_KAFKA_REFUSED: 'stop',
  /** A record of a topic cannot be read. */
  ROWFERRY_WIRE_CORRUPT: 'stop',
  /** The sharding column is missing, empty or of the wrong type. */
  ROWFERRY_ROUTE_KEY: 'data',
  /** A table arrives for which no route exists. */
  ROWFERRY_ROUTE_MISSING: 'stop',
  /** The column mapping of a route does not fit the table. */
  ROWFERRY_ROUTE_COLUMNS: 'stop',
  /** The target cannot be reached, restarted, or gives no session. */
  ROWFERRY_TARGET_LINK: 'retry',
  /** The target answers, but asked us to try again: a lock that somebody holds, a deadlock, a serialisation, a statement cut off. */
  ROWFERRY_TARGET_BUSY: 'retry',
  /** The target is read-only or its disk is full: it may be mended without us. */
  ROWFERRY_TARGET_REFUSES: 'retry',
  /** The target refused user name, password or a grant. */
  ROWFERRY_TARGET_ACCESS: 'stop',
  /** A table or column is missing at the target. */
  ROWFERRY_TARGET_SCHEMA: 'stop',
  /** Another row holds a unique value at the target, or a row of another source table the key. */
  ROWFERRY_TARGET_CONFLICT: 'isolate',
  /** A value does not fit: too long, out of range, NOT NULL, NUL character, foreign key or check. */
  ROWFERRY_TARGET_DATA: 'data',
  /** Another applier owns this partition at a target. */
  ROWFERRY_TARGET_OWNER: 'stop',
  /** The target reports an error that rowferry does not know. */
  ROWFERRY_TARGET_UNKNOWN: 'stop',
  /** A file of the target's schema holds a statement that must not run unattended. */
  ROWFERRY_SCHEMA_REFUSED: 'stop',
  /** The files of a target's schema do not go with what was applied or planned: one changed, is missing or comes too late. */
  ROWFERRY_SCHEMA_HISTORY: 'stop',
  /** Another process is applying a schema to this target. */
  ROWFERRY_SCHEMA_LOCKED: 'retry',
  /** A daemon did not answer the command line in time. */
  ROWFERRY_DAEMON_LINK: 'retry',
  /** A daemon refused what the command line asked of it. */
  ROWFERRY_DAEMON_REFUSED: 'stop',
  /** A rule of the protocol was broken: a bug of rowferry. */
  ROWFERRY_INVARIANT: 'stop',
} as const satisfies Record<string, ErrorAction>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Names of places; all optional, printed in this order. */
export interface ErrorWhere {
  readonly source?: string;
  readonly position?: string;
  readonly target?: string;
  readonly table?: string;
  readonly column?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: string;
}

const PLACES = 'source|position|target|table|column|topic|partition|offset';
const WITH_PLACES = new RegExp(`^(.*) \\[((?:${PLACES}) .*?)\\](?: -> (.*))?$`, 's');
const NEXT_PLACE = new RegExp(`, (?=(?:${PLACES}) )`);

/** What `describe` put into one text. */
export interface Described {
  /** Code and message. */
  readonly what: string;
  /** `target east`, in the order of `ErrorWhere`. */
  readonly where: readonly string[];
  readonly hint: string | null;
}

/** Takes apart what `describe` wrote, for screens that have more than one line; any other text is all `what`. */
export function readDescribed(text: string): Described {
  const [, placed, places, hint = null] = WITH_PLACES.exec(text) ?? [];
  if (placed !== undefined && places !== undefined)
    return { what: placed, where: places.split(NEXT_PLACE), hint };
  const [, what = text, told = null] = /^(.*?) -> (.*)$/s.exec(text) ?? [];
  return { what, where: [], hint: told };
}

interface RowferryErrorOptions {
  readonly where?: ErrorWhere;
  readonly hint?: string;
  readonly cause?: unknown;
  /** It can go away without a change of rowferry's configuration, whatever its code says: it is tried again. */
  readonly passes?: boolean;
}

export class RowferryError extends Error {
  readonly code: ErrorCode;
  readonly where: ErrorWhere;
  readonly hint: string | undefined;
  override readonly name = 'RowferryError';
  readonly #passes: boolean;

  constructor(code: ErrorCode, message: string, options: RowferryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.where = options.where ?? {};
    this.hint = options.hint;
    this.#passes = options.passes ?? false;
  }

  get action(): ErrorAction {
    return this.#passes ? 'retry' : ERROR_CODES[this.code];
  }

  /** The same error with more of the place filled in; what is already named stays. */
  at(where: ErrorWhere): RowferryError {
    return this.#with({ where: { ...where, ...this.where } });
  }

  /** The same error of a server that let this process in before: whoever took the way away can give it back. */
  passing(): RowferryError {
    if (this.#passes) return this;
    const again = 'it worked before: rowferry tries again by itself';
    return this.#with({ passes: true, hint: this.hint === undefined ? again : `${this.hint}; ${again}` });
  }

  #with(changes: RowferryErrorOptions): RowferryError {
    const error = new RowferryError(this.code, this.message, {
      where: this.where,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      cause: this.cause,
      passes: this.#passes,
      ...changes,
    });
    if (this.stack !== undefined) error.stack = this.stack;
    return error;
  }

  /** One line for people: code, what, where, what to do. */
  describe(): string {
    const places = Object.entries(this.where).map(([name, value]) => `${name} ${value}`);
    const where = places.length > 0 ? ` [${places.join(', ')}]` : '';
    return `${this.code}: ${this.message}${where}${this.hint === undefined ? '' : ` -> ${this.hint}`}`;
  }
}

/**
 * Wraps whatever was thrown; an unknown throw is a broken invariant and stops the part that it hit. Its own text is told only
 * where it cannot hold a value: that of a parser quotes what it was given.
 */
export function toRowferryError(thrown: unknown, context: string): RowferryError {
  if (thrown instanceof RowferryError) return thrown;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  const place = framesOf(thrown).find((frame) => !frame.includes('<anonymous>'));
  const text = isSafe(thrown) ? `: ${thrown.message}` : place === undefined ? '' : ` ${place}`;
  return new RowferryError('ROWFERRY_INVARIANT', `${context}: unexpected ${name}${text}`, {
    cause: thrown,
    hint: 'this is a bug of rowferry: keep the log and report it',
  });
}

/** Where an error was thrown, without its text: `at read (file:///…/rows.js:10:5)`. */
export function framesOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error) || thrown.stack === undefined) return [];
  // The text comes first, and may have lines that look like frames.
  const { message, stack } = thrown;
  const at = stack.indexOf(message);
  if (at < 0) return [];
  return stack
    .slice(at + message.length)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
}

/** The system's own errors name calls and files, and those of a wrong type or name what is in the code. */
function isSafe(thrown: unknown): thrown is Error {
  if (!(thrown instanceof Error)) return false;
  const isSystem = typeof Reflect.get(thrown, 'syscall') === 'string';
  return isSystem || thrown instanceof TypeError || thrown instanceof ReferenceError;
}
