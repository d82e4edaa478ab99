/** Real keys by a query of the operator's, for forecasts and plans: streamed, and never able to change anything. */
import type { DatabaseUrl } from '../config/config.ts';
import { MysqlConnection } from '../drivers/mysql.ts';
import { PostgresConnection } from '../drivers/postgres.ts';
import type { ErrorWhere } from '../errors.ts';
import { RowferryError } from '../errors.ts';
import { STAYS } from '../routing/layout.ts';

/** A row by column name, as the server prints it. */
export type QueryRow = Readonly<Record<string, string | null>>;

/** As much of a configuration as names databases. */
export interface Databases {
  readonly sources: readonly NamedDatabase[];
  readonly targets: readonly NamedDatabase[];
}

interface NamedDatabase {
  readonly name: string;
  readonly url: DatabaseUrl;
}

/** A heavy query may think for long before its first row. */
const ANSWER_TIMEOUT_MS = 3_600_000;
const BATCH_ROWS = 10_000;

const MYSQL_SESSION = [
  'SET NAMES utf8mb4',
  "SET SESSION time_zone = '+00:00', wait_timeout = 28800, net_write_timeout = 3600",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  // Whatever the query is, the server itself refuses to change anything.
  'SET SESSION TRANSACTION READ ONLY',
];
const POSTGRES_SESSION = [
  "SET TimeZone = 'UTC'",
  "SET DateStyle = 'ISO, YMD'",
  'SET default_transaction_read_only = on',
];

/**
 * The rows of a query at a source or target (`source:<name>` where both have one name), in batches. Ends early when the signal
 * aborts. Throws ROWFERRY_CONFIG_INVALID for a name that is not there, and what the server says to the query.
 */
export async function* queryRows(
  databases: Databases,
  database: string,
  sql: string,
  signal: AbortSignal,
): AsyncGenerator<readonly QueryRow[], void, undefined> {
  const { side, name, url } = findDatabase(databases, database);
  const link = { url, side, where: { [side]: name } satisfies ErrorWhere, queryTimeoutMs: ANSWER_TIMEOUT_MS };
  if (url.engine === 'mysql') {
    const connection = await MysqlConnection.connect({ ...link, session: MYSQL_SESSION });
    try {
      yield* batches(connection.stream(sql, signal));
    } finally {
      await connection.close();
    }
    return;
  }
  const connection = await PostgresConnection.connect({ ...link, session: POSTGRES_SESSION });
  try {
    yield* cursorRows(connection, sql, signal);
  } finally {
    await connection.close();
  }
}

async function* batches(rows: AsyncIterable<QueryRow>): AsyncGenerator<readonly QueryRow[], void, undefined> {
  let batch: QueryRow[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH_ROWS) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function* cursorRows(
  connection: PostgresConnection,
  sql: string,
  signal: AbortSignal,
): AsyncGenerator<readonly QueryRow[], void, undefined> {
  await connection.query({ text: 'BEGIN READ ONLY' });
  // A named statement is parsed as one: nothing can be hung on behind the query.
  await connection.query({ name: 'declare', text: `DECLARE keys NO SCROLL CURSOR FOR ${sql}` });
  for (;;) {
    const { rows } = await connection.query({ name: 'fetch', text: `FETCH ${BATCH_ROWS} FROM keys` });
    if (rows.length > 0) yield rows;
    if (rows.length < BATCH_ROWS || signal.aborted) break;
  }
  await connection.query({ text: 'ROLLBACK' });
}

interface FoundDatabase extends NamedDatabase {
  readonly side: 'source' | 'target';
}

function findDatabase({ sources, targets }: Databases, wanted: string): FoundDatabase {
  const bare = wanted.startsWith(STAYS) ? wanted.slice(STAYS.length) : wanted;
  const found: FoundDatabase[] = [
    ...(wanted === bare ? targets.map(({ name, url }) => ({ side: 'target' as const, name, url })) : []),
    ...sources.map(({ name, url }) => ({ side: 'source' as const, name, url })),
  ].filter(({ name }) => name === bare);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const names = [...targets.map(({ name }) => name), ...sources.map(({ name }) => `${STAYS}${name}`)];
  throw new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    first === undefined
      ? `there is no source or target ${bare}`
      : `a source and a target are both called ${bare}`,
    {
      hint: first === undefined ? `there are: ${names.join(', ')}` : `say ${STAYS}${bare} for the source`,
    },
  );
}
