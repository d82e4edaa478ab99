/** Row statements for PostgreSQL: one prepared statement for any number of rows, its parameters arrays of columns. Pure. */
import { createHash } from 'node:crypto';
import type { PostgresStatement } from '../drivers/postgres.ts';
import { RowferryError } from '../errors.ts';
import { arrayElement, parsePostgresType } from '../model/postgres-texts.ts';
import type { WireValue } from '../model/table.ts';
import type { ValueOptions } from '../model/value-types.ts';
import type { PostgresColumn } from '../model/values.ts';
import { postgresColumn } from '../model/values.ts';
import type { ControlDialect } from './control-sql.ts';
import type { KeyValues, RowWrite, TableWriter } from './target.ts';
import type { TruncateDialect } from './truncation.ts';

/** Rows of one statement, and about how many characters. */
const STATEMENT_ROWS = 2_000;
const STATEMENT_UNITS = 4_000_000;

export function name(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** `schema.table` or `table`, quoted. */
export function tablePath(table: string): string {
  const dot = table.indexOf('.');
  return dot < 0 ? name(table) : `${name(table.slice(0, dot))}.${name(table.slice(dot + 1))}`;
}

/** A string literal; the session has standard_conforming_strings. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export const postgresControl: ControlDialect = {
  name,
  text: quote,
  onExisting: (key, columns) => {
    const sets = columns.map((column) => `${name(column)} = EXCLUDED.${name(column)}`);
    const action = sets.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${sets.join(', ')}`;
    return `ON CONFLICT (${key.map(name).join(', ')}) ${action}`;
  },
};

/** Types whose keys are equal only when they are spelt the same: an update never changes them. */
const PLAIN_KEYS = new Set(['integer', 'numeric', 'uuid', 'date', 'timestamp', 'timestamptz', 'bytea']);

/** One writer's statements: what does not depend on values is put together once. */
export class PostgresTableSql {
  readonly #writer: TableWriter;
  readonly #table: string;
  readonly #columns: readonly (PostgresColumn & { readonly index: number })[];
  readonly #names: readonly string[];
  readonly #insert: string;
  readonly #upsert: string;
  readonly #delete: string;

  constructor(writer: TableWriter, options: ValueOptions) {
    this.#writer = writer;
    this.#table = tablePath(writer.table.name);
    this.#columns = writer.columns.map(({ index, type, target }) => {
      const column = postgresColumn(type, target, options);
      if (column === undefined) throw new RowferryError('ROWFERRY_INVARIANT', `no way to write a ${type}`);
      return { index, ...column };
    });
    this.#names = writer.columns.map(({ target }) => name(target.name));
    const all = this.#columns.map((_, position) => position);
    // An identity column that is GENERATED ALWAYS takes the source's number only with this clause.
    this.#insert = `INSERT INTO ${this.#table} (${this.#names.join(', ')}) OVERRIDING SYSTEM VALUE SELECT ${this.#selected(all)} FROM ${this.#unnest(all)}`;
    const keyNames = writer.key.map((position) => this.#names[position]!);
    const sets = all
      .filter((position) => !this.#isPlainKey(position))
      .map((position) => {
        return `${this.#names[position]!} = EXCLUDED.${this.#names[position]!}`;
      });
    const action = sets.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${sets.join(', ')}`;
    const upsert = `${this.#insert} ON CONFLICT (${keyNames.join(', ')}) ${action}`;
    this.#upsert = writer.origin === undefined ? upsert : this.#guarded(upsert, writer.origin.position);
    const equal = writer.key.map((position, i) => `t.${keyNames[i]!} = ${this.#element(position, i)}`);
    this.#delete = `DELETE FROM ${this.#table} t USING ${this.#unnest(writer.key)} WHERE ${equal.join(' AND ')}`;
    if (writer.origin !== undefined) {
      const stored = exactText(`t.${this.#names[writer.origin.position]!}`);
      this.#delete += ` AND ${stored} = $${writer.key.length + 1}::text`;
    }
  }

  inserts(rows: readonly RowWrite[]): PostgresStatement[] {
    return this.#statements(this.#insert, rows);
  }

  upserts(rows: readonly RowWrite[]): PostgresStatement[] {
    return this.#statements(this.#upsert, rows);
  }

  /** Keys that the columns cannot hold are left out: no row has them. */
  deletes(keys: readonly KeyValues[]): PostgresStatement[] {
    const columns = this.#writer.key.map((position) => this.#columns[position]!);
    const texts: string[][] = [];
    for (const key of keys) {
      const text = keyTexts(columns, key);
      if (text !== undefined) texts.push(text);
    }
    const statements: PostgresStatement[] = [];
    for (let start = 0; start < texts.length; start += STATEMENT_ROWS) {
      const part = texts.slice(start, start + STATEMENT_ROWS);
      const values = columns.map(
        ({ plain }, i) => `{${part.map((key) => (plain ? key[i]! : arrayElement(key[i]!))).join(',')}}`,
      );
      if (this.#writer.origin !== undefined) values.push(this.#writer.origin.value);
      statements.push(named(this.#delete, values));
    }
    return statements;
  }

  /** Finds a row of another origin that has this key; undefined for a key that no row can have. */
  otherOrigin(key: KeyValues): PostgresStatement | undefined {
    const values: string[] = [];
    const conditions = this.#keyEquals(key, values);
    if (conditions === undefined) return undefined;
    const { position, value } = this.#writer.origin!;
    values.push(value);
    conditions.push(`${exactText(this.#names[position]!)} IS DISTINCT FROM $${values.length}::text`);
    return { text: `SELECT 1 FROM ${this.#table} WHERE ${conditions.join(' AND ')} LIMIT 1`, values };
  }

  /** Finds who holds a unique value of the row: one query for each unique key that can be compared. */
  holders(
    row: RowWrite,
    only?: KeyValues,
  ): { readonly statement: PostgresStatement; readonly columns: readonly string[] }[] {
    const { table, columns, key, origin } = this.#writer;
    const selected = key.map(
      (position, i) => `${keyText(columns[position]!.target.type, this.#names[position]!)} AS k${i}`,
    );
    return [...table.uniqueKeys, table.primaryKey].flatMap((unique) => {
      const values: string[] = [];
      const conditions: string[] = [];
      for (const column of unique) {
        const position = columns.findIndex(({ target }) => target.name === column);
        const written = this.#columns[position];
        const text = written?.text(row.row[written.index] ?? null) ?? null;
        // What is not written or is NULL collides with nothing that could be found here.
        if (text === null) return [];
        conditions.push(this.#equals(position, values, text));
      }
      if (conditions.length === 0) return [];
      if (only !== undefined) {
        const isKey = this.#keyEquals(only, values);
        if (isKey === undefined) return [];
        conditions.push(...isKey);
        if (origin !== undefined) {
          values.push(origin.value);
          conditions.push(`${exactText(this.#names[origin.position]!)} = $${values.length}::text`);
        }
      }
      const text = `SELECT ${selected.join(', ')} FROM ${this.#table} WHERE ${conditions.join(' AND ')} LIMIT 2`;
      return [{ statement: { text, values }, columns: unique }];
    });
  }

  #equals(position: number, values: string[], text: string): string {
    values.push(text);
    const { parameterType, cast } = this.#columns[position]!;
    return `${this.#names[position]!} = $${values.length}::${parameterType.slice(0, -2)}${cast}`;
  }

  /** Undefined when part of the key is NULL at the target, and so equal to nothing. */
  #keyEquals(key: KeyValues, values: string[]): string[] | undefined {
    const conditions: string[] = [];
    for (const [i, position] of this.#writer.key.entries()) {
      const text = this.#columns[position]!.text(key[i] ?? null);
      if (text === null) return undefined;
      conditions.push(this.#equals(position, values, text));
    }
    return conditions;
  }

  /**
   * Updates rows of the same origin only, and fails with 2201W (a negative LIMIT, which nothing else here can cause) when that
   * has left a row out. The check is part of the statement, since COMMIT follows it unseen.
   */
  #guarded(upsert: string, position: number): string {
    const column = this.#names[position]!;
    const same = `${exactText(`${this.#table}.${column}`)} = ${exactText(`EXCLUDED.${column}`)}`;
    const given = `cardinality($1::${this.#columns[0]!.parameterType})`;
    return `WITH written AS (${upsert} WHERE ${same} RETURNING 1) SELECT 1 LIMIT (SELECT count(*) FROM written) - ${given}`;
  }

  #statements(text: string, rows: readonly RowWrite[]): PostgresStatement[] {
    const statements: PostgresStatement[] = [];
    for (let start = 0; start < rows.length;) {
      const end = partEnd(rows, start);
      statements.push(
        named(
          text,
          this.#columns.map((column) => columnArray(column, rows, start, end)),
        ),
      );
      start = end;
    }
    return statements;
  }

  #selected(positions: readonly number[]): string {
    return positions.map((position, i) => this.#element(position, i)).join(', ');
  }

  #element(position: number, i: number): string {
    return `u.c${i}${this.#columns[position]!.cast}`;
  }

  #unnest(positions: readonly number[]): string {
    const parameters = positions.map((position, i) => `$${i + 1}::${this.#columns[position]!.parameterType}`);
    return `unnest(${parameters.join(', ')}) AS u(${positions.map((_, i) => `c${i}`).join(', ')})`;
  }

  #isPlainKey(position: number): boolean {
    const type = this.#writer.columns[position]!.target.type;
    return this.#writer.key.includes(position) && PLAIN_KEYS.has(parsePostgresType(type).kind);
  }
}

/** What the guarded upsert answers when a row of another origin has the key of one of its rows. */
export const MISSED_ROWS = '2201W';

/** Text by its bytes, whatever the column's collation. */
function exactText(column: string): string {
  return `${column}::text COLLATE "C"`;
}

/** One name for one text, for ever and in every process. */
function named(text: string, values: readonly string[]): PostgresStatement {
  let id = names.get(text);
  if (id === undefined) {
    id = `rowferry_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
    names.set(text, id);
  }
  return { name: id, text, values };
}

const names = new Map<string, string>();

function partEnd(rows: readonly RowWrite[], start: number): number {
  let units = 0;
  let end = start;
  while (end < rows.length && end - start < STATEMENT_ROWS) {
    for (const value of rows[end]!.row) units += typeof value === 'string' ? value.length : 8;
    if (units > STATEMENT_UNITS && end > start) break;
    end++;
  }
  return end;
}

/** The text of an array of one column's values. */
function columnArray(
  column: PostgresColumn & { readonly index: number },
  rows: readonly RowWrite[],
  start: number,
  end: number,
): string {
  const { index, plain } = column;
  let text = '{';
  for (let i = start; i < end; i++) {
    const value = column.text(rows[i]!.row[index] ?? null);
    if (i > start) text += ',';
    text += value === null ? 'NULL' : plain ? value : arrayElement(value);
  }
  return `${text}}`;
}

function keyTexts(columns: readonly PostgresColumn[], key: readonly WireValue[]): string[] | undefined {
  try {
    const texts: string[] = [];
    for (const [i, column] of columns.entries()) {
      const text = column.text(key[i] ?? null);
      if (text === null) return undefined;
      texts.push(text);
    }
    return texts;
  } catch (error) {
    if (error instanceof RowferryError && error.action === 'data') return undefined;
    throw error;
  }
}

/** A key column as text that resembles the wire form. */
function keyText(type: string, column: string): string {
  return type === 'bytea' ? `encode(${column}, 'base64')` : `${column}::text`;
}

export const POSTGRES_ROWS: TruncateDialect = {
  path: tablePath,
  exactColumn: (column, length) =>
    exactText(length === null ? name(column) : `left(${name(column)}::text, ${length})`),
  exactText: quote,
};
