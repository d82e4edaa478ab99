/** Reads every row of a table as texts, from MySQL, MariaDB or PostgreSQL, in one consistent snapshot. */
import mysql from 'mysql2';
import { Client } from 'pg';
import type { ValueKind } from './canonical.ts';

export interface TableColumn {
  readonly name: string;
  /** The engine's own name, as information_schema's `data_type` has it. */
  readonly dataType: string;
}

export interface ReadColumn {
  readonly name: string;
  readonly kind: ValueKind;
}

/** Values in the order of the columns asked for. */
export type TextRow = readonly (string | null)[];

export interface TableReader {
  columns(table: string): Promise<TableColumn[]>;
  /** Streams all rows in pieces of some thousands, in any order. */
  rows(table: string, columns: readonly ReadColumn[]): AsyncGenerator<TextRow[]>;
  close(): Promise<void>;
}

/** Connects to a database by its URL, which names the database. */
export async function openTableReader(url: string): Promise<TableReader> {
  return url.startsWith('postgres') ? await PostgresReader.open(url) : await MysqlReader.open(url);
}

const PIECE = 2_000;

class MysqlReader implements TableReader {
  readonly #connection: mysql.Connection;

  private constructor(connection: mysql.Connection) {
    this.#connection = connection;
  }

  static async open(url: string): Promise<MysqlReader> {
    const connection = mysql.createConnection({ uri: url, charset: 'utf8mb4' });
    const reader = new MysqlReader(connection);
    await reader.#query("SET SESSION time_zone = '+00:00'");
    await reader.#query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await reader.#query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    return reader;
  }

  async columns(table: string): Promise<TableColumn[]> {
    const rows = await this.#query(
      'SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position',
      [table],
    );
    return rows.map(([name, dataType]) => ({ name: name ?? '', dataType: dataType ?? '' }));
  }

  async *rows(table: string, columns: readonly ReadColumn[]): AsyncGenerator<TextRow[]> {
    const list = columns.map(({ name, kind }) => mysqlText(mysql.escapeId(name, true), kind)).join(', ');
    const sql = `SELECT ${list} FROM ${mysql.escapeId(table, true)}`;
    const stream = this.#connection
      .query({ sql, rowsAsArray: true, typeCast: (field) => field.string() })
      .stream({ highWaterMark: PIECE });
    let piece: TextRow[] = [];
    for await (const row of stream) {
      if (piece.push(row as TextRow) < PIECE) continue;
      yield piece;
      piece = [];
    }
    yield piece;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#connection.end(() => resolve());
    });
  }

  #query(sql: string, values: readonly string[] = []): Promise<TextRow[]> {
    return new Promise((resolve, reject) => {
      this.#connection.query(
        { sql, values: [...values], rowsAsArray: true, typeCast: (field) => field.string() },
        (error, rows) => {
          if (error === null) resolve(rows as TextRow[]);
          else reject(error);
        },
      );
    });
  }
}

function mysqlText(column: string, kind: ValueKind): string {
  if (kind === 'bytes') return `HEX(${column})`;
  if (kind === 'bit') return `CONCAT('0b', BIN(${column} + 0))`;
  // A FLOAT prints with six digits; as a DOUBLE it keeps all that it has.
  if (kind === 'float') return `CAST(CAST(${column} AS DOUBLE) AS CHAR)`;
  return `CAST(${column} AS CHAR CHARACTER SET utf8mb4)`;
}

class PostgresReader implements TableReader {
  readonly #client: Client;
  #cursors = 0;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open(url: string): Promise<PostgresReader> {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 1");
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return new PostgresReader(client);
  }

  async columns(table: string): Promise<TableColumn[]> {
    const [schema, name] = splitName(table);
    const { rows } = await this.#client.query<{ column_name: string; data_type: string }>(
      'SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = COALESCE($1, current_schema()) AND table_name = $2 ORDER BY ordinal_position',
      [schema, name],
    );
    return rows.map((row) => ({ name: row.column_name, dataType: row.data_type }));
  }

  async *rows(table: string, columns: readonly ReadColumn[]): AsyncGenerator<TextRow[]> {
    const types = new Map(
      (await this.columns(table)).map(({ name, dataType }) => [name.toLowerCase(), dataType]),
    );
    const list = columns
      .map(({ name }) => postgresText(quote(name), types.get(name.toLowerCase()) ?? ''))
      .join(', ');
    const [schema, name] = splitName(table);
    const from = schema === null ? quote(name) : `${quote(schema)}.${quote(name)}`;
    this.#cursors += 1;
    const cursor = `rows_${this.#cursors}`;
    await this.#client.query(`DECLARE ${cursor} NO SCROLL CURSOR FOR SELECT ${list} FROM ${from}`);
    for (;;) {
      const { rows } = await this.#client.query<(string | null)[]>({
        text: `FETCH ${PIECE} FROM ${cursor}`,
        rowMode: 'array',
      });
      yield rows;
      if (rows.length < PIECE) break;
    }
    await this.#client.query(`CLOSE ${cursor}`);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

/** `schema.table` or `table`. */
function splitName(table: string): readonly [string | null, string] {
  const dot = table.indexOf('.');
  return dot < 0 ? [null, table] : [table.slice(0, dot), table.slice(dot + 1)];
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function postgresText(column: string, dataType: string): string {
  switch (dataType) {
    case 'bytea':
      return `encode(${column}, 'hex')`;
    case 'bit':
    case 'bit varying':
      return `'0b' || ${column}::text`;
    case 'interval':
      return `(EXTRACT(EPOCH FROM ${column}))::text`;
    case 'ARRAY':
      return `array_to_string(${column}, ',')`;
    default:
      return `${column}::text`;
  }
}
