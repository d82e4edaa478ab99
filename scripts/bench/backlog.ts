/** What the benchmark writes: the tables, and the two backlogs that wait for a pipeline that is not running yet. */
import { createConnection, type Connection, type ResultSetHeader } from 'mysql2/promise';
import { Random } from '../lib/random.ts';

export type BacklogKind = 'mixed' | 'inserts';

const COLUMNS = 'id, account, amount, title, body, placed, changed, score, quantity, details, flag, code';

/** Twelve columns of the types that most tables are made of. */
export const BENCH_TABLE = `CREATE TABLE bench (
  id BIGINT NOT NULL PRIMARY KEY,
  account BIGINT NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  title VARCHAR(120) NOT NULL,
  body TEXT NULL,
  placed DATETIME(6) NOT NULL,
  changed TIMESTAMP(6) NOT NULL,
  score DOUBLE NULL,
  quantity INT UNSIGNED NOT NULL,
  details JSON NULL,
  flag TINYINT NOT NULL,
  code CHAR(8) NOT NULL
) DEFAULT CHARSET = utf8mb4`;

/** Rows behind the backlog, in every partition: when all have arrived, so has everything before them. */
export const DONE_TABLE = 'CREATE TABLE done (id INT NOT NULL PRIMARY KEY)';
export const DONE_ROWS = 512;

/** Rows whose way is timed. */
export const PROBE_TABLE = 'CREATE TABLE probe (id INT NOT NULL PRIMARY KEY)';

const WRITERS = 4;
const ROWS_PER_INSERT = 100;

/** Writes about `rows` row changes and then the done rows; answers how many changes of `bench` there were. */
export async function writeBacklog(kind: BacklogKind, url: string, rows: number): Promise<number> {
  const write = kind === 'mixed' ? mixedWriter : insertWriter;
  const counts = await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) =>
      withConnection(url, async (connection) => await write(connection, writer, Math.ceil(rows / WRITERS))),
    ),
  );
  await withConnection(url, async (connection) => {
    await connection.query('INSERT INTO done VALUES ?', [Array.from({ length: DONE_ROWS }, (_, id) => [id])]);
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

export async function withConnection<T>(
  url: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await createConnection({ uri: url, multipleStatements: true, timezone: 'Z' });
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

export function benchRow(random: Random, id: number): readonly unknown[] {
  const time = `2026-0${random.between(1, 9)}-1${random.between(0, 9)} 12:34:${random.between(10, 59)}.${random.between(100_000, 999_999)}`;
  return [
    id,
    random.between(1, 1e12),
    `${random.between(0, 999_999)}.${random.between(10, 99)}`,
    `order number ${id} of a busy day`,
    `A body of text with some words in it, ${random.next()}, as they stand in many a row of many a table.`,
    time,
    time,
    random.next() * 1e6,
    random.between(0, 4_294_967_295),
    `{"color": "red", "size": ${random.between(1, 99)}, "tags": ["a", "b"], "gift": false}`,
    random.between(0, 1),
    `C${id % 1_000_000}`,
  ];
}

/** Transactions of 4 inserts, 2 updates and, every second time, a delete; single-row statements, as applications send them. */
async function mixedWriter(connection: Connection, writer: number, rows: number): Promise<number> {
  const random = new Random(writer + 1);
  const live: number[] = [];
  let next = 0;
  let changes = 0;
  for (let transaction = 0; changes < rows; transaction++) {
    const statements = ['BEGIN'];
    for (let i = 0; i < 4; i++) {
      const id = writer + WRITERS * next++;
      live.push(id);
      statements.push(connection.format(`INSERT INTO bench (${COLUMNS}) VALUES (?)`, [benchRow(random, id)]));
    }
    for (let i = 0; i < 2; i++) {
      const [id, , amount, , body, , changed, score] = benchRow(random, random.pick(live));
      statements.push(
        connection.format('UPDATE bench SET amount = ?, body = ?, changed = ?, score = ? WHERE id = ?', [
          amount,
          body,
          changed,
          score,
          id,
        ]),
      );
    }
    if (transaction % 2 === 1) {
      const [id] = live.splice(random.between(0, live.length - 1), 1);
      statements.push(connection.format('DELETE FROM bench WHERE id = ?', [id]));
    }
    statements.push('COMMIT');
    const [results] = await connection.query<ResultSetHeader[]>(statements.join(';'));
    changes += results.reduce((sum, { affectedRows }) => sum + affectedRows, 0);
  }
  return changes;
}

async function insertWriter(connection: Connection, writer: number, rows: number): Promise<number> {
  const random = new Random(writer + 1);
  for (let done = 0; done < rows; done += ROWS_PER_INSERT) {
    const count = Math.min(ROWS_PER_INSERT, rows - done);
    const values = Array.from({ length: count }, (_, i) => benchRow(random, writer + WRITERS * (done + i)));
    await connection.query(`INSERT INTO bench (${COLUMNS}) VALUES ?`, [values]);
  }
  return rows;
}

/** Inserts `rows` rows a second in transactions of five until the signal aborts. */
export async function steadyInserts(url: string, rowsPerSecond: number, signal: AbortSignal): Promise<void> {
  const random = new Random(1);
  await withConnection(url, async (connection) => {
    const startedMs = performance.now();
    for (let id = 0; !signal.aborted; id += 5) {
      const aheadMs = (id * 1_000) / rowsPerSecond - (performance.now() - startedMs);
      if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      const values = Array.from({ length: 5 }, (_, i) => benchRow(random, id + i));
      await connection.query(`INSERT INTO bench (${COLUMNS}) VALUES ?`, [values]);
    }
  });
}
