/** Describes a table for a snapshot: the shape that the binlog's table maps will give it, and how to read its rows in order. */
import { BINARY_COLLATION, charsetOfCollation } from '../drivers/binlog-collations.ts';
import { compileColumn, TYPE } from '../drivers/binlog-columns.ts';
import { UnsupportedFault } from '../drivers/binlog-cursor.ts';
import type { MysqlRow } from '../drivers/mysql.ts';
import { RowferryError } from '../errors.ts';
import { keyPositions, sameKeyColumns } from '../model/declared-key.ts';
import { quote, quoteName } from '../model/mysql-literals.ts';
import type { Column, Table, WireValue } from '../model/table.ts';
import { mysqlColumn, parseSourceType } from '../model/values.ts';
import { type ColumnFacts, type ColumnPlan, planColumn } from './snapshot-columns.ts';

/** Runs one statement; every value is the server's text, or null. */
type SnapshotQuery = (sql: string) => Promise<readonly MysqlRow[]>;

/** A column of the key, primary or declared. */
export interface KeyPart extends ColumnPlan {
  /** Into the table's columns. */
  readonly column: number;
  /** The quoted name. */
  readonly name: string;
  /** The index holds it from the greatest value to the smallest. */
  readonly descending: boolean;
  /** The SQL literal that compares with the column like the value itself; of what `read` gives. */
  literal(value: WireValue): string;
}

export interface SnapshotTable {
  readonly table: Table;
  /** For each of the table's columns. */
  readonly plans: readonly ColumnPlan[];
  /** The index that holds the key. */
  readonly index: string;
  /** In the order of the index, which a declared key need not share with `table.key`; empty for a table without a key. */
  readonly key: readonly KeyPart[];
  /** Tells the key from what it was before a change: its columns, their types, collations and directions. */
  readonly keyForm: string;
  /** The server's own guess; may be far off. */
  readonly estimatedRows: number;
}

const CODES: Readonly<Record<string, number>> = {
  tinyint: TYPE.TINY, smallint: TYPE.SHORT, mediumint: TYPE.INT24, int: TYPE.LONG, bigint: TYPE.LONGLONG,
  decimal: TYPE.NEWDECIMAL, float: TYPE.FLOAT, double: TYPE.DOUBLE, bit: TYPE.BIT, year: TYPE.YEAR,
  date: TYPE.DATE, datetime: TYPE.DATETIME2, timestamp: TYPE.TIMESTAMP2, time: TYPE.TIME2,
  char: TYPE.STRING, varchar: TYPE.VARCHAR, tinytext: TYPE.BLOB, text: TYPE.BLOB, mediumtext: TYPE.BLOB, longtext: TYPE.BLOB,
  binary: TYPE.STRING, varbinary: TYPE.VARCHAR, tinyblob: TYPE.BLOB, blob: TYPE.BLOB, mediumblob: TYPE.BLOB, longblob: TYPE.BLOB,
  enum: TYPE.ENUM, set: TYPE.SET, json: TYPE.JSON,
}; // prettier-ignore

/**
 * Families whose values order themselves by a literal alone. ENUM and SET order by number but compare with a literal by text,
 * and their numbers stand for labels that the catalog may show wrongly; FLOAT and DOUBLE compare after conversions that differ
 * with their declared digits and hold two zeros that are one key.
 */
const ORDERED: ReadonlySet<string> = new Set([
  'integer', 'bigint', 'decimal', 'bit', 'text', 'bytes', 'date', 'datetime', 'timestamp', 'time', 'year',
]); // prettier-ignore

/** Text in these sets is the same whether it comes as characters or as bytes; others have letters with two codes. */
const ONE_CODE_SETS: ReadonlySet<string> = new Set(['utf8mb4', 'utf8mb3', 'ascii']);

/**
 * The table as it is now, for a session made by `SNAPSHOT_SESSION`. Throws ROWFERRY_SOURCE_UNSUPPORTED for a table that is not
 * there, has a column that the binlog cannot be read for, or has no key whose ranges can be named exactly. `declared` names the
 * columns of the key that it has instead of its primary key.
 */
export async function describeSnapshotTable(
  query: SnapshotQuery,
  schema: string,
  name: string,
  declared?: readonly string[],
  keyless: 'refuse' | 'append' = 'refuse',
): Promise<SnapshotTable> {
  const within = `TABLE_SCHEMA = ${quote(schema)} AND TABLE_NAME = ${quote(name)}`;
  const [found] = await query(
    `SELECT TABLE_SCHEMA AS \`schema\`, TABLE_NAME AS name, TABLE_TYPE AS kind, TABLE_ROWS AS estimate
      FROM information_schema.TABLES WHERE ${within}`,
  );
  const refuse = refusalsOf(`${schema}.${name}`);
  if (found === undefined) {
    throw refuse('it does not exist', {
      hint: 'create it, take it out of the snapshot, or grant SELECT on it',
    });
  }
  if (found['schema'] !== schema || found['name'] !== name) {
    // Changes come under the server's own spelling: another one would be another table to everybody.
    throw refuse(`the source calls it ${found['schema'] ?? ''}.${found['name'] ?? ''}`, {
      hint: 'ask for it by that name',
    });
  }
  if (found['kind'] !== 'BASE TABLE') {
    throw refuse('it is not an ordinary table', { hint: 'take it out of the snapshot' });
  }
  const rows = await query(
    `SELECT COLUMN_NAME AS name, DATA_TYPE AS data_type, COLUMN_TYPE AS column_type, COLLATION_NAME AS \`collation\`,
        NUMERIC_PRECISION AS numeric_precision, NUMERIC_SCALE AS scale, DATETIME_PRECISION AS digits,
        CHARACTER_MAXIMUM_LENGTH AS length
      FROM information_schema.COLUMNS WHERE ${within} ORDER BY ORDINAL_POSITION`,
  );
  const indexes = await query(
    `SELECT INDEX_NAME AS index_name, COLUMN_NAME AS name, SUB_PART AS prefix, COLLATION AS direction, INDEX_TYPE AS type,
        NON_UNIQUE AS non_unique /*!80000 , IS_VISIBLE AS visible */ /*M!100600 , IGNORED AS ignored */
      FROM information_schema.STATISTICS WHERE ${within} ORDER BY SEQ_IN_INDEX`,
  );
  const hashed = indexes.find(({ type }) => type === 'HASH');
  if (hashed !== undefined) {
    throw refuse('it has a unique key by hash, whose hidden column is in the binlog but cannot be selected', {
      column: hashed['name'] ?? '',
      hint: 'make the unique key one over a length, UNIQUE (column(100)), or take the table out of the snapshot',
    });
  }
  const keyRows =
    declared === undefined
      ? indexes.filter((row) => row['index_name'] === 'PRIMARY')
      : indexOf(declared, indexes, refuse);
  const collations = await readCollations(query, rows);
  const columns: Column[] = [];
  const facts: ColumnFacts[] = [];
  for (const row of rows) {
    const collation = collationOf(row, collations);
    const column = columnOf(row, collation, refuse);
    columns.push(column);
    facts.push({ name: column.name, type: column.type, columnType: row['column_type'] ?? '', collation });
  }
  for (const row of rows) refuseCharWithoutPadding(row, keyRows, refuse);
  const key = keyRows.length === 0 && keyless === 'append' ? [] : keyOf(keyRows, facts, refuse);
  const order =
    declared === undefined
      ? key.map(({ column }) => column)
      : keyPositions(
          declared,
          facts.map((column) => column.name),
        );
  return {
    table: { schema, name, columns, key: order },
    index: keyRows[0]?.['index_name'] ?? '',
    plans: facts.map(planColumn),
    key,
    keyForm: JSON.stringify(
      keyRows.map(({ name: column, direction }) => {
        const row = rows.find((found) => found['name'] === column);
        return [column, row?.['column_type'], row?.['collation'], direction];
      }),
    ),
    estimatedRows: Number(found['estimate'] ?? 0),
  };
}

interface RefusalPlace {
  readonly column?: string;
  readonly hint: string;
}
type Refuse = (why: string, place: RefusalPlace) => RowferryError;

function refusalsOf(table: string): Refuse {
  return (why, { column, hint }) =>
    new RowferryError('ROWFERRY_SOURCE_UNSUPPORTED', `the table cannot be snapshot: ${why}`, {
      where: { table, ...(column === undefined ? {} : { column }) },
      hint,
    });
}

/** Ids by name. MariaDB lists its newer collations once for each character set, and their ids there alone. */
async function readCollations(
  query: SnapshotQuery,
  columns: readonly MysqlRow[],
): Promise<ReadonlyMap<string, number>> {
  const names = new Set(columns.flatMap((row) => row['collation'] ?? []));
  if (names.size === 0) return new Map();
  const ids = new Map<string, number>();
  for (const row of [
    ...(await query('SELECT * FROM information_schema.COLLATIONS')),
    ...(await query('SELECT * FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY')),
  ]) {
    const name = row['FULL_COLLATION_NAME'] ?? row['COLLATION_NAME'] ?? '';
    const id = Number(row['ID'] ?? row['Id'] ?? 0);
    if (names.has(name) && id > 0) ids.set(name, id);
  }
  return ids;
}

function collationOf(row: MysqlRow, ids: ReadonlyMap<string, number>): number | undefined {
  if (/binary$|blob$/.test(row['data_type'] ?? '')) return BINARY_COLLATION;
  return ids.get(row['collation'] ?? '');
}

/** What `compileColumn` makes of the same column in a table map: one place decides about types and their names. */
function columnOf(row: MysqlRow, collation: number | undefined, refuse: Refuse): Column {
  const name = row['name'] ?? '';
  const dataType = (row['data_type'] ?? '').toLowerCase();
  const columnType = row['column_type'] ?? '';
  const type = CODES[dataType];
  const odd = (why: string, hint?: string): RowferryError =>
    refuse(`${why}, whose values the binlog does not show exactly`, {
      column: name,
      hint: hint ?? 'exclude the table, or move the column to a table of its own that is not captured',
    });
  // A comment within the type marks a storage form; of those only MariaDB's COMPRESSED is one that can be read.
  const storage = columnType.replaceAll(/'(?:[^'\\]|''|\\.)*'/gs, '').replace(/\/\*M!\d+ COMPRESSED\*\//, '');
  if (type === undefined || storage.includes('/*')) throw odd(`a column of type ${storage}`);
  if (row['collation'] !== null && collation === undefined) throw odd('text of an unknown collation');
  try {
    return compileColumn({
      name,
      type,
      meta: metaOf(dataType, row),
      nullable: undefined,
      unsigned: storage.includes(' unsigned'),
      collation,
      labels: [],
    }).column;
  } catch (error) {
    if (error instanceof UnsupportedFault) throw odd(error.message, error.hint);
    throw error;
  }
}

/** The metadata that a table map has for the type. */
function metaOf(dataType: string, row: MysqlRow): number {
  const number = (field: string): number => Number(row[field] ?? 0);
  switch (dataType) {
    case 'decimal':
      return (number('numeric_precision') << 8) | number('scale');
    case 'bit':
      return number('numeric_precision');
    case 'datetime':
    case 'timestamp':
    case 'time':
      return number('digits');
    case 'binary':
      return number('length');
    default:
      return 1;
  }
}

/** The rows of an index that holds exactly the declared columns and that statements may name. */
function indexOf(declared: readonly string[], rows: readonly MysqlRow[], refuse: Refuse): MysqlRow[] {
  const names = new Set(rows.map((row) => row['index_name']));
  const candidates = [...names]
    .map((name) => rows.filter((row) => row['index_name'] === name))
    .filter((parts) => parts.every((row) => row['non_unique'] === '0' && row['prefix'] === null))
    .filter((parts) =>
      sameKeyColumns(
        declared,
        parts.map(({ name }) => name ?? ''),
      ),
    );
  const usable = candidates.find(([part]) => part?.['visible'] !== 'NO' && part?.['ignored'] !== 'YES');
  if (usable !== undefined) return usable;
  throw refuse(
    candidates.length > 0
      ? 'the index of its declared key is hidden from statements'
      : `it has no unique key of exactly the columns of its declared key: ${declared.join(', ')}`,
    {
      hint:
        candidates.length > 0
          ? 'make the index visible (MySQL) or not ignored (MariaDB), or take the table out of the snapshot'
          : 'give it that unique key, or take the table out of the snapshot',
    },
  );
}

function keyOf(rows: readonly MysqlRow[], facts: readonly ColumnFacts[], refuse: Refuse): KeyPart[] {
  if (rows.length === 0) {
    throw refuse('it has no primary key, so its rows have no order to read them in', {
      hint: 'add a primary key, declare a unique key under `keys` of the source, or take the table out of the snapshot',
    });
  }
  return rows.map((row) => {
    const index = facts.findIndex(({ name }) => name === row['name']);
    const column = facts[index];
    if (column === undefined || row['prefix'] !== null) {
      throw refuse('its key holds only the beginning of a column', {
        column: row['name'] ?? '',
        hint: 'make the key cover the whole column, or take the table out of the snapshot',
      });
    }
    if (!ORDERED.has(parseSourceType(column.type)?.family ?? '')) {
      throw refuse(`its key holds a column of type ${column.type}, whose ranges have no exact literals`, {
        column: column.name,
        hint: 'give the table a key of numbers, text, bytes or dates, or take it out of the snapshot',
      });
    }
    return {
      column: index,
      name: quoteName(column.name),
      descending: row['direction'] === 'D',
      ...keyLiterals(column),
    };
  });
}

/**
 * MariaDB's index holds CHAR with its padding though a collation without padding compares it without: the index's order is not
 * that of comparison ("a" and "a\t"), and a range would miss rows.
 */
function refuseCharWithoutPadding(row: MysqlRow, keyRows: readonly MysqlRow[], refuse: Refuse): void {
  const isKey = keyRows.some(({ name }) => name === row['name']);
  if (!isKey || row['data_type'] !== 'char' || !/_nopad(?:_|$)/.test(row['collation'] ?? '')) return;
  throw refuse('its key holds a CHAR with a collation of MariaDB that does not pad', {
    column: row['name'] ?? '',
    hint: 'make the column VARCHAR or choose a collation that pads, or take the table out of the snapshot',
  });
}

/**
 * A key's values are in wire form, but text of a set that has letters with two codes is the hexadecimal digits of its bytes:
 * through Unicode the one would become the other and a range would begin at another row.
 */
function keyLiterals(column: ColumnFacts): ColumnPlan & Pick<KeyPart, 'literal'> {
  const charset = column.collation === undefined ? undefined : charsetOfCollation(column.collation);
  const isText = parseSourceType(column.type)?.family === 'text';
  if (isText && charset !== undefined && !ONE_CODE_SETS.has(charset)) {
    return {
      select: `HEX(${quoteName(column.name)})`,
      read: (sent) => sent.string('latin1'),
      literal: (value) => {
        if (typeof value === 'string' && /^(?:[0-9A-F]{2})*$/.test(value)) return `_${charset} x'${value}'`;
        throw badKey(column.name);
      },
    };
  }
  const place = { name: column.name, type: column.columnType, nullable: false };
  const encoder = mysqlColumn(column.type, place);
  if (encoder === undefined) throw badKey(column.name);
  return {
    ...planColumn(column),
    literal: (value) => {
      if (value === null || value === undefined) throw badKey(column.name);
      return encoder.literal(value);
    },
  };
}

function badKey(column: string): RowferryError {
  return new RowferryError('ROWFERRY_INVARIANT', 'a saved key of a snapshot is none of its table', {
    where: { column },
    hint: 'the table was changed since the snapshot began: begin the snapshot of this table anew',
  });
}
