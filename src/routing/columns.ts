/**
 * Column mapping: which columns of a source row a target table gets, under which names, and what is done to their values.
 * Pure. Everything behind it, parked rows and errors included, only ever sees the mapped row, so that what is
 * dropped, masked or hashed stays on this side.
 */
import { createHmac } from 'node:crypto';
import { RowferryError } from '../errors.ts';
import type { Column, Row, Table, WireValue } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { parseSourceType } from '../model/values.ts';

/** All names are of the source, compared without case, but for those of `add`, `key` and `origin`. */
export interface ColumnSpec {
  /** Only these are written; default all. */
  readonly only?: readonly string[];
  /** All but these are written. */
  readonly drop?: readonly string[];
  /** Source name -> target name. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Written as HMAC-SHA-256 of the wire text, 64 hexadecimal digits. NULL stays NULL. */
  readonly hash?: readonly string[];
  readonly hashKey?: string;
  /** Text columns: all but so many characters at the end become `*`; a text that is not longer becomes stars altogether. */
  readonly mask?: Readonly<Record<string, number>>;
  /** A text that is put before the value, which becomes text. */
  readonly prefix?: Readonly<Record<string, string>>;
  /** Target column -> the same value in each row. Texts may hold the names of `Names` in braces. */
  readonly add?: Readonly<Record<string, string | number>>;
  /** The target's key, in names of the target; default what becomes of the source's key. */
  readonly key?: readonly string[];
  /** Target column that gets `source:schema.table`; a row of another origin is never changed. */
  readonly origin?: string;
}

/** What `{source}`, `{schema}`, `{table}`, `{1}`… stand for in `to`, `add` and `prefix`. */
export interface Names {
  readonly source: string;
  readonly schema: string;
  readonly table: string;
  /** Groups of the regular expression or wildcards of `from`. */
  readonly groups: readonly string[];
}

/** A source shape as one route writes it. */
export interface MappedTable {
  readonly table: Table;
  /** The row in the shape of `table`. */
  readonly image: (row: Row) => Row;
  /** Whether two source rows differ in any column that is written. */
  readonly differ: (before: Row, after: Row) => boolean;
}

/**
 * Fills in `{source}` and the like. Texts of different names must not become one text where they keep tables or keys apart,
 * so that a name may not hold the separator that ends it. With `ends` something follows the text, which must be told from it.
 * Throws ROWFERRY_ROUTE_COLUMNS.
 */
export function fillNames(text: string, names: Names, { ends = false } = {}): string {
  return replaceNames(text, names, (value, rest) => {
    const separator = separatorIn(rest, ends);
    if (separator !== undefined && value.includes(separator)) throw holdsSeparator(text, separator, names);
  });
}

export const NAME_IN_BRACES = /\{(source|schema|table|[1-9])\}/g;

/** What ordinary names do not hold. */
const SEPARATOR = /[^\p{L}\p{N}_${}]/u;

/** What tells a name in braces from the next one; `rest` is the text behind it. Undefined where nothing has to, or nothing does. */
export function separatorIn(rest: string, ends: boolean): string | undefined {
  const next = rest.search(NAME_IN_BRACES);
  if (next < 0) return ends ? SEPARATOR.exec(rest)?.[0] : undefined;
  return SEPARATOR.exec(rest.slice(0, next))?.[0];
}

function replaceNames(
  text: string,
  names: Names,
  check: (value: string, rest: string) => void = () => {},
): string {
  return text.replace(NAME_IN_BRACES, (whole, name: string, at: number) => {
    // Names of sources are all known: the configuration was checked for those that meet.
    if (name === 'source') return names.source;
    const value = name === 'schema' || name === 'table' ? names[name] : names.groups[Number(name) - 1];
    if (value !== undefined) check(value, text.slice(at + whole.length));
    return value ?? whole;
  });
}

function holdsSeparator(text: string, separator: string, { schema, table }: Names): RowferryError {
  const where = `${schema}.${table}`;
  return new RowferryError(
    'ROWFERRY_ROUTE_COLUMNS',
    `the name ${where} holds "${separator}", by which "${text}" tells names apart`,
    { where: { table: where }, hint: 'take another character between the names of that text' },
  );
}

/** Without a mapping: every column as it is. */
export function unmapped(table: Table): MappedTable {
  return { table, image: (row) => row, differ: () => true };
}

/** Throws ROWFERRY_ROUTE_COLUMNS, naming everything that does not fit this shape. */
export function mapTable(table: Table, spec: ColumnSpec, names: Names): MappedTable {
  const problems: string[] = [];
  if (table.key.length === 0 && spec.key !== undefined)
    problems.push('it has no primary key, so that `key` cannot tell its rows apart');
  checkNamed(table, spec, problems);
  const cells: { readonly column: Column; readonly index: number; readonly value: Cell }[] = [];
  for (const [index, column] of table.columns.entries()) {
    if (spec.only !== undefined && !has(spec.only, column.name)) continue;
    if (has(spec.drop ?? [], column.name)) continue;
    cells.push({ index, ...mappedColumn(table, column, index, spec, names, problems) });
  }
  const constants = constantsOf(spec, names);
  const columns = [...cells.map(({ column }) => column), ...constants.map(({ column }) => column)];
  for (const { name } of columns.filter(({ name }, i) => indexOfName(columns, name) !== i)) {
    problems.push(`two columns would be written to ${name}`);
  }
  const inherited = inheritedKey(table, cells, problems);
  const key = spec.key === undefined ? inherited : namedKey(spec.key, columns, problems);
  if (spec.key !== undefined) checkKey(key, inherited, cells.length, columns, problems);
  if (problems.length > 0) throw doesNotFit(table, problems);
  const values = [
    ...cells.map(({ value }) => value),
    ...constants.map(
      ({ value }) =>
        () =>
          value,
    ),
  ];
  const used = cells.map(({ index }) => index);
  const mapped: Table = { schema: table.schema, name: table.name, columns, key };
  const origin = constants.find(({ column }) => column.name === spec.origin);
  return {
    table:
      origin === undefined
        ? mapped
        : { ...mapped, origin: { column: columns.indexOf(origin.column), value: String(origin.value) } },
    image: (row) => values.map((value) => value(row)),
    differ: (before, after) => used.some((index) => before[index] !== after[index]),
  };
}

type Cell = (row: Row) => WireValue;

function mappedColumn(
  table: Table,
  column: Column,
  index: number,
  spec: ColumnSpec,
  names: Names,
  problems: string[],
): { readonly column: Column; readonly value: Cell } {
  const name = valueOf(spec.rename, column.name) ?? column.name;
  const raw: Cell = (row) => row[index] ?? null;
  const keep = valueOf(spec.mask, column.name);
  const prefix = valueOf(spec.prefix, column.name);
  if (has(spec.hash ?? [], column.name)) {
    const { hashKey = '' } = spec;
    return { column: { name, type: 'char' }, value: (row) => hashed(raw(row), hashKey) };
  }
  if (keep !== undefined) {
    if (parseSourceType(column.type)?.family !== 'text')
      problems.push(
        `${column.name} (${column.type}) is no text, so that it cannot be masked: hash or drop it`,
      );
    if (table.key.includes(index))
      problems.push(`${column.name} is part of the key, and different keys may look the same when masked`);
    return { column: { ...column, name }, value: (row) => masked(raw(row), keep) };
  }
  if (prefix !== undefined) {
    const text = fillNames(prefix, names, { ends: true });
    const compares = column.compares === undefined ? {} : { compares: column.compares };
    return { column: { name, type: 'varchar', ...compares }, value: (row) => prefixed(raw(row), text) };
  }
  return { column: { ...column, name }, value: raw };
}

function hashed(value: WireValue, key: string): WireValue {
  return value === null ? null : createHmac('sha256', key).update(String(value)).digest('hex');
}

function masked(value: WireValue, keep: number): WireValue {
  if (value === null) return null;
  const letters = Array.from(String(value));
  const hidden = letters.length <= keep ? letters.length : letters.length - keep;
  return '*'.repeat(hidden) + letters.slice(hidden).join('');
}

function prefixed(value: WireValue, prefix: string): WireValue {
  return value === null ? null : prefix + String(value);
}

interface Constant {
  readonly column: Column;
  readonly value: WireValue;
}

function constantsOf({ add = {}, key = [], origin }: ColumnSpec, names: Names): Constant[] {
  const constants = Object.entries(add).map(([name, value]): Constant => {
    if (typeof value === 'number') return { column: { name, type: 'bigint' }, value: String(value) };
    const fill = has(key, name) ? fillNames : replaceNames;
    return { column: { name, type: 'varchar' }, value: fill(value, names) };
  });
  if (origin === undefined) return constants;
  return [...constants, { column: { name: origin, type: 'varchar' }, value: originOf(names) }];
}

/** Where a row came from, as it stands in the `origin` column. */
export function originOf({ source, schema, table }: Names): string {
  return `${source}:${schema}.${table}`;
}

function inheritedKey(
  table: Table,
  cells: readonly { readonly index: number }[],
  problems: string[],
): number[] {
  return table.key.map((index) => {
    const position = cells.findIndex((cell) => cell.index === index);
    if (position < 0) problems.push(`the key column ${table.columns[index]?.name ?? ''} is not written`);
    return position;
  });
}

/**
 * Rows are told apart by the source's key, so that the target's key must be that key and no more than constants beside it:
 * with less two rows fall together, with a column that may change the row under its old key would stay behind.
 */
function checkKey(
  key: readonly number[],
  inherited: readonly number[],
  constantsFrom: number,
  columns: readonly Column[],
  problems: string[],
): void {
  for (const position of inherited) {
    if (position >= 0 && !key.includes(position))
      problems.push(
        `the key must hold ${columns[position]?.name ?? ''}, which tells the source's rows apart`,
      );
  }
  for (const position of key) {
    if (position < 0 || position >= constantsFrom || inherited.includes(position)) continue;
    problems.push(`${columns[position]?.name ?? ''} may change and is no part of the source's key`);
  }
}

function namedKey(names: readonly string[], columns: readonly Column[], problems: string[]): number[] {
  return names.map((name) => {
    const index = indexOfName(columns, name);
    if (index < 0) problems.push(`the key's column ${name} is not among the columns that are written`);
    return index;
  });
}

/** A name that is not there may be a slip of the pen, and a column that was to be hidden would be copied as it is. */
function checkNamed(table: Table, spec: ColumnSpec, problems: string[]): void {
  const named = [
    ...(spec.only ?? []),
    ...(spec.drop ?? []),
    ...(spec.hash ?? []),
    ...[spec.rename, spec.mask, spec.prefix].flatMap((map) => Object.keys(map ?? {})),
  ];
  for (const name of new Set(named)) {
    if (indexOfName(table.columns, name) < 0) problems.push(`there is no column ${name}`);
  }
}

function indexOfName(columns: readonly Column[], name: string): number {
  return columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
}

function has(names: readonly string[], name: string): boolean {
  return names.some((candidate) => candidate.toLowerCase() === name.toLowerCase());
}

function valueOf<T>(map: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  if (map === undefined) return undefined;
  return Object.entries(map).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

function doesNotFit(table: Table, problems: readonly string[]): RowferryError {
  const name = tableName(table);
  return new RowferryError(
    'ROWFERRY_ROUTE_COLUMNS',
    `the columns of the route do not fit ${name}: ${problems.join('; ')}`,
    {
      where: { table: name },
      hint: 'correct "columns" of the route, under another pipeline "name" where its rows have flowed',
    },
  );
}
