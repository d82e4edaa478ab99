/**
 * The statements that walk a table in the order of its key. All comparison is the server's own, so that collation,
 * padding and direction are those of the index; each statement reads that index from one key to another and nothing else.
 */
import { RowferryError } from '../errors.ts';
import { quoteName } from '../model/mysql-literals.ts';
import { tableName } from '../model/table.ts';
import type { WireValue } from '../model/table.ts';
import type { KeyPart, SnapshotTable } from './snapshot-table.ts';

/** A key in key order, as `KeyPart.read` gives it: fit for JSON, of use only in the statements here. */
export type KeyValues = readonly WireValue[];

/** The rows past `after` (all from the first one on when null) up to `to` and with it. */
export interface KeyRange {
  readonly after: KeyValues | null;
  readonly to: KeyValues;
}

/** The last key in the index's order: no row when the table is empty. */
export function lastKeySql(table: SnapshotTable): string {
  return `SELECT ${keyList(table)} ${fromSql(table)} ORDER BY ${orderSql(table, true)} LIMIT 1`;
}

/** The key of the range's `rows`-th row; no row when the range has fewer. The filter does not count: the index alone is read. */
export function boundaryKeySql(table: SnapshotTable, range: KeyRange, rows: number): string {
  if (!Number.isSafeInteger(rows) || rows < 1) {
    throw new RowferryError('ROWFERRY_INVARIANT', `a chunk of ${rows} rows`);
  }
  return `SELECT ${keyList(table)} ${fromSql(table)} WHERE ${rangeSql(table, range)} ORDER BY ${orderSql(table)} LIMIT 1 OFFSET ${rows - 1}`;
}

/**
 * The range's rows in order: the table's columns and behind them `extraKeys(table)`. `where` is SQL of the operator, about the
 * table's columns.
 */
export function chunkSql(table: SnapshotTable, range: KeyRange, where?: string): string {
  const list = [...table.plans, ...extraKeys(table)].map(({ select }) => select).join(', ');
  // On a line of its own, so that a comment at its end does not swallow what follows.
  const filter = where === undefined ? '' : ` AND (${where}\n)`;
  return `SELECT ${list} ${fromSql(table)} WHERE ${rangeSql(table, range)}${filter} ORDER BY ${orderSql(table)}`;
}

/** Parts of the key that a row's own values do not tell. */
export function extraKeys(table: SnapshotTable): readonly KeyPart[] {
  return table.key.filter((part) => part.select !== table.plans[part.column]?.select);
}

function keyList({ key }: SnapshotTable): string {
  return key.map(({ select }) => select).join(', ');
}

/** The order of the key needs no sorting as long as it is its index that is read. */
function fromSql({ table, index }: SnapshotTable): string {
  return `FROM ${quoteName(table.schema)}.${quoteName(table.name)} FORCE INDEX (${quoteName(index)})`;
}

function orderSql({ key }: SnapshotTable, backward = false): string {
  return key.map(({ name, descending }) => (descending === backward ? name : `${name} DESC`)).join(', ');
}

function rangeSql(table: SnapshotTable, { after, to }: KeyRange): string {
  const { key } = table;
  const end = literals(table, to);
  if (after === null) return boundSql(key, end, 'to').join(' AND ');
  const start = literals(table, after);
  // Where both keys begin alike so do all rows between them.
  const same = key.findIndex((_, index) => start[index] !== end[index]);
  const shared = same < 0 ? key.length : same;
  return [
    ...key.slice(0, shared).map(({ name }, index) => `${name} = ${start[index]}`),
    ...boundSql(key.slice(shared), start.slice(shared), 'after'),
    ...boundSql(key.slice(shared), end.slice(shared), 'to'),
    ...(shared === key.length ? ['FALSE'] : []),
  ].join(' AND ');
}

function literals(table: SnapshotTable, values: KeyValues): string[] {
  if (values.length !== table.key.length) {
    throw new RowferryError('ROWFERRY_INVARIANT', 'a key of another length than its table has', {
      where: { table: tableName(table.table) },
      hint: 'the key was changed since the snapshot began: begin the snapshot of this table anew',
    });
  }
  return table.key.map((part, index) => part.literal(values[index] ?? null));
}

/**
 * One side of a range as `a > x OR (a = x AND b > y)`: servers read that as index ranges, the row form `(a, b) > (x, y)` as a
 * filter. The first column's own bound is implied, and keeps the reading short where a server gives up on the rest.
 */
function boundSql(key: readonly KeyPart[], bound: readonly string[], side: 'after' | 'to'): string[] {
  const [first] = key;
  if (first === undefined) return [];
  const last = key.length - 1;
  const terms = key.map((part, index) => {
    const equals = key.slice(0, index).map(({ name }, at) => `${name} = ${bound[at]}`);
    const inclusive = side === 'to' && index === last;
    return [...equals, `${part.name} ${operator(part, side, inclusive)} ${bound[index]}`].join(' AND ');
  });
  if (last === 0) return terms;
  return [
    `${first.name} ${operator(first, side, true)} ${bound[0]}`,
    `(${terms.map((term, index) => (index === 0 ? term : `(${term})`)).join(' OR ')})`,
  ];
}

function operator({ descending }: KeyPart, side: 'after' | 'to', inclusive: boolean): string {
  const greater = (side === 'after') !== descending;
  return `${greater ? '>' : '<'}${inclusive ? '=' : ''}`;
}
