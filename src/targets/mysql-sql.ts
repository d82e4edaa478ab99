/** Row statements for MySQL and MariaDB as text. Pure. */
import { parseMysqlType, quote, quoteName } from '../model/mysql-literals.ts';
import type { MysqlColumn } from '../model/values.ts';
import { mysqlColumn } from '../model/values.ts';
import { RowferryError } from '../errors.ts';
import type { ControlDialect } from './control-sql.ts';
import type { KeyValues, RowWrite, TableWriter, TargetColumn } from './target.ts';
import type { TruncateDialect } from './truncation.ts';

/** How new values are named in ON DUPLICATE KEY UPDATE: by a row alias (MySQL 8.0.19 and newer) or by VALUES(). */
export type UpsertForm = 'alias' | 'values';

export interface StatementLimits {
  /** Rows of one statement. */
  readonly rows: number;
  /** Aim for a statement's length, in UTF-16 units: at most three bytes each. */
  readonly units: number;
  /** `max_allowed_packet`: no statement may reach it. */
  readonly packetBytes: number;
}

/** Fails with ER_SUBQUERY_NO_1_ROW when it is evaluated. */
const TWO_ROWS = '(SELECT 1 UNION ALL SELECT 2)';

/** The server adds some bytes of its own to a statement. */
const PACKET_SLACK = 1024;

/** `schema.table` or `table`, quoted. */
export function tablePath(table: string): string {
  const dot = table.indexOf('.');
  return dot < 0 ? quoteName(table) : `${quoteName(table.slice(0, dot))}.${quoteName(table.slice(dot + 1))}`;
}

export const mysqlControl: ControlDialect = {
  name: quoteName,
  text: quote,
  onExisting: ([first = ''], columns) =>
    columns.length === 0
      ? `ON DUPLICATE KEY UPDATE ${quoteName(first)} = ${quoteName(first)}`
      : // MariaDB has no row alias and MySQL still takes VALUES(), with a warning that nobody reads.
        `ON DUPLICATE KEY UPDATE ${columns.map((column) => `${quoteName(column)} = VALUES(${quoteName(column)})`).join(', ')}`,
};

/** One writer's statements: what does not depend on values is put together once. */
export class MysqlTableSql {
  readonly #writer: TableWriter;
  readonly #table: string;
  readonly #columns: readonly (MysqlColumn & { readonly index: number })[];
  readonly #keyNames: readonly string[];
  readonly #insertHead: string;
  readonly #upsertTail: string;
  readonly #upsertAlias: string;
  /** Of the key's columns, those by which the server takes different texts for equal. */
  readonly #looseKeys: readonly boolean[];
  /** True for rows of the writer's origin, or undefined; NULL for rows without any. */
  readonly #ownOrigin: string | undefined;
  /** Columns whose '' means ENUM index 0, which strict mode refuses. */
  readonly #emptyEnums: readonly number[];

  constructor(writer: TableWriter, form: UpsertForm) {
    this.#writer = writer;
    this.#table = tablePath(writer.table.name);
    this.#columns = writer.columns.map(({ index, type, target }) => {
      const column = mysqlColumn(type, target);
      if (column === undefined) throw new RowferryError('ROWFERRY_INVARIANT', `no way to write a ${type}`);
      return { index, ...column };
    });
    const names = writer.columns.map(({ target }) => quoteName(target.name));
    this.#keyNames = writer.key.map((position) => names[position]!);
    this.#insertHead = `INSERT INTO ${this.#table} (${names.join(',')}) VALUES `;
    const alias = quoteName('rowferry_new');
    const fresh = (column: string): string => (form === 'alias' ? `${alias}.${column}` : `VALUES(${column})`);
    this.#upsertAlias = form === 'alias' ? ` AS ${alias}` : '';
    // The key first: when a unique key that we do not know of leads to another row, nothing of that row may change.
    const sets = writer.columns.map(({ target }, position) => {
      const value = fresh(names[position]!);
      const isGuard = writer.key.includes(position) || position === writer.origin?.position;
      if (!isGuard) return `${names[position]!}=${value}`;
      const bytes = isTextColumn(target) ? exactBytes : (text: string): string => text;
      const same = `${bytes(`${this.#table}.${names[position]!}`)} <=> ${bytes(value)}`;
      // The inner IF only gives the subquery the column's type.
      return `${names[position]!}=IF(${same},${value},IF(${TWO_ROWS},${value},${value}))`;
    });
    const keyFirst = [
      ...writer.key.map((position) => sets[position]!),
      ...sets.filter((_, position) => !writer.key.includes(position)),
    ];
    this.#upsertTail = ` ON DUPLICATE KEY UPDATE ${keyFirst.join(',')}`;
    this.#looseKeys = writer.key.map((position) => {
      const { target } = writer.columns[position]!;
      return isTextColumn(target) && target.compares === 'loose';
    });
    if (writer.origin !== undefined) {
      const { position, value } = writer.origin;
      this.#ownOrigin = `${exactBytes(names[position]!)}=${exactBytes(quote(value))}`;
    }
    this.#emptyEnums = this.#columns.flatMap(({ mayBeEmptyEnum, index }) => (mayBeEmptyEnum ? [index] : []));
  }

  /** How many ENUM columns of the row hold index 0. */
  emptyEnumCount(row: RowWrite): number {
    let count = 0;
    for (const index of this.#emptyEnums) if (row.row[index] === '') count++;
    return count;
  }

  get hasEmptyEnums(): boolean {
    return this.#emptyEnums.length > 0;
  }

  inserts(rows: readonly RowWrite[], limits: StatementLimits): string[] {
    return this.#cut(
      rows.map((row) => this.#tuple(row)),
      this.#insertHead,
      '',
      limits,
    );
  }

  upserts(rows: readonly RowWrite[], limits: StatementLimits): string[] {
    const tail = this.#upsertAlias + this.#upsertTail;
    return this.#cut(
      rows.map((row) => this.#tuple(row)),
      this.#insertHead,
      tail,
      limits,
    );
  }

  /** Rows of a table without a key are added, all others replace what is there. */
  puts(rows: readonly RowWrite[], limits: StatementLimits): string[] {
    return this.#writer.key.length === 0 ? this.inserts(rows, limits) : this.upserts(rows, limits);
  }

  /** Keys that the columns cannot hold are left out: no row has them. */
  deletes(keys: readonly KeyValues[], limits: StatementLimits): string[] {
    const single = this.#isPlainKey;
    const conditions = keys.flatMap((key) => this.#keyCondition(key) ?? []);
    const own = this.#ownOrigin;
    const head = `DELETE FROM ${this.#table} WHERE ${own === undefined ? '' : `${own} AND `}`;
    if (single) return this.#cut(conditions, `${head}${this.#keyNames[0]!} IN (`, ')', limits);
    return own === undefined
      ? this.#cut(conditions, head, '', limits, ' OR ')
      : this.#cut(conditions, `${head}(`, ')', limits, ' OR ');
  }

  /** Find a row of another origin that has one of these keys as the server compares them. */
  otherOrigins(keys: readonly KeyValues[], limits: StatementLimits): string[] {
    const conditions = keys.map(
      (key) =>
        `(${this.#keyNames.map((column, i) => `${column}=${this.#keyLiteral(key, i)}`).join(' AND ')})`,
    );
    const head = `SELECT 1 FROM ${this.#table} WHERE (${this.#ownOrigin}) IS NOT TRUE AND (`;
    return this.#cut(conditions, head, ') LIMIT 1', limits, ' OR ');
  }

  /** Finds who holds a unique value of the row: one query for each unique key that can be compared. */
  holders(row: RowWrite, only?: KeyValues): { readonly sql: string; readonly columns: readonly string[] }[] {
    const { table, columns, key } = this.#writer;
    const selected = key.map(
      (position, i) => `${keyText(columns[position]!.target.type, this.#keyNames[i]!)} AS k${i}`,
    );
    const own = this.#ownOrigin === undefined ? '' : ` AND ${this.#ownOrigin}`;
    const also = only === undefined ? '' : ` AND ${this.#keyEquals(only)}${own}`;
    return [...table.uniqueKeys, table.primaryKey].flatMap((unique) => {
      const equal = this.#uniqueEquals(unique, row);
      if (equal === undefined) return [];
      return [
        {
          sql: `SELECT ${selected.join(',')} FROM ${this.#table} WHERE ${equal}${also} LIMIT 2`,
          columns: unique,
        },
      ];
    });
  }

  #tuple({ row }: RowWrite): string {
    const columns = this.#columns;
    let text = '(';
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      if (i > 0) text += ',';
      text += column.literal(row[column.index] ?? null);
    }
    return `${text})`;
  }

  #keyCondition(key: KeyValues): string | undefined {
    try {
      return this.#isPlainKey ? this.#keyLiteral(key, 0) : `(${this.#keyEquals(key)})`;
    } catch (error) {
      if (error instanceof RowferryError && error.action === 'data') return undefined;
      throw error;
    }
  }

  get #isPlainKey(): boolean {
    return this.#keyNames.length === 1 && this.#looseKeys[0] !== true;
  }

  /** True for the row with this very key: the first half finds it by index, the second compares its bytes. */
  #keyEquals(key: KeyValues): string {
    const conditions = this.#keyNames.map((column, i) => {
      const literal = this.#keyLiteral(key, i);
      if (this.#looseKeys[i] !== true) return `${column}=${literal}`;
      const { type } = this.#writer.columns[this.#writer.key[i]!]!.target;
      // CHAR columns hold no spaces at the end.
      const stored = parseMysqlType(type).base === 'char' ? `TRIM(TRAILING ' ' FROM ${literal})` : literal;
      return `${column}=${literal} AND ${exactBytes(column)}=${exactBytes(stored)}`;
    });
    return conditions.join(' AND ');
  }

  #keyLiteral(key: KeyValues, i: number): string {
    return this.#columns[this.#writer.key[i]!]!.literal(key[i] ?? null);
  }

  /** Undefined when the key cannot be compared (an expression, a prefix, a column that we do not write) or holds a NULL. */
  #uniqueEquals(unique: readonly string[], row: RowWrite): string | undefined {
    if (unique.length === 0) return undefined;
    const conditions: string[] = [];
    for (const column of unique) {
      const position = this.#writer.columns.findIndex(({ target }) => target.name === column);
      const written = this.#columns[position];
      const value = written === undefined ? null : (row.row[written.index] ?? null);
      if (written === undefined || value === null) return undefined;
      conditions.push(`${quoteName(column)}=${written.literal(value)}`);
    }
    return conditions.join(' AND ');
  }

  #cut(
    items: readonly string[],
    head: string,
    tail: string,
    limits: StatementLimits,
    separator = ',',
  ): string[] {
    const statements: string[] = [];
    let body = '';
    let count = 0;
    for (const item of items) {
      if (count > 0 && (count >= limits.rows || body.length + item.length > limits.units)) {
        statements.push(head + body + tail);
        body = '';
        count = 0;
      }
      body = count === 0 ? item : body + separator + item;
      count++;
      if (body.length > limits.units) refuseOversize(head + body + tail, limits.packetBytes);
    }
    if (count > 0) statements.push(head + body + tail);
    return statements;
  }
}

/** Throws a `data`-class error for a statement that the server would answer by closing the link. */
export function refuseOversize(statement: string, packetBytes: number): void {
  if (3 * statement.length + PACKET_SLACK < packetBytes) return;
  if (Buffer.byteLength(statement) + PACKET_SLACK < packetBytes) return;
  throw new RowferryError(
    'ROWFERRY_TARGET_DATA',
    'a row is larger than the target accepts in one statement',
    {
      hint: `raise max_allowed_packet of the target (now ${packetBytes} bytes; binary values travel as two digits a byte)`,
    },
  );
}

/** Text as bytes that do not depend on the column's character set. */
function exactBytes(text: string): string {
  return `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;
}

function isTextColumn({ type }: TargetColumn): boolean {
  return parseMysqlType(type).kind === 'text';
}

/** A key column as text that resembles the wire form. */
function keyText(type: string, column: string): string {
  if (/^(?:tiny|medium|long)?blob|^(?:var)?binary/.test(type)) return `TO_BASE64(${column})`;
  return type.startsWith('bit') ? `BIN(${column})` : column;
}

export const MYSQL_ROWS: TruncateDialect = {
  path: tablePath,
  exactColumn: (column, length) =>
    exactBytes(length === null ? quoteName(column) : `LEFT(${quoteName(column)}, ${length})`),
  exactText: (text) => exactBytes(quote(text)),
};
