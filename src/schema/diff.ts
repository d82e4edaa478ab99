/** What a target lacks, or has otherwise, than the source asks for by way of the routes. Pure. */
import type { ActualColumn, ActualTable } from './actual.ts';
import { findByName } from './catalog.ts';
import { collationDifferences } from './collation.ts';
import type { PlannedColumn, PlannedPart, PlannedTable } from './planned.ts';
import { partsText } from './planned.ts';
import { fitOf } from './type-room.ts';

export interface Difference {
  readonly table: string;
  readonly column: string | null;
  readonly kind:
    | 'missing-table'
    | 'missing-column'
    | 'type'
    | 'narrow'
    | 'null'
    /** It is NOT NULL without a default: no row can be written. */
    | 'extra-column'
    /** No source brings it, and rows can do without: see `isNote`. */
    | 'unwritten-column'
    | 'primary-key'
    | 'missing-unique'
    | 'extra-unique'
    | 'missing-index'
    | 'collation';
  readonly what: string;
}

/** Worth knowing, and nothing that anybody must mend. */
export function isNote({ kind }: Difference): boolean {
  return kind === 'unwritten-column';
}

export function schemaDifferences(
  engine: 'mysql' | 'postgres',
  planned: readonly PlannedTable[],
  actual: ReadonlyMap<string, ActualTable>,
): Difference[] {
  return planned.flatMap((table) => {
    const found = actual.get(table.path);
    if (found !== undefined) return tableDifferences(engine, table, found);
    return [{ table: table.path, column: null, kind: 'missing-table', what: 'is missing' }];
  });
}

function tableDifferences(
  engine: 'mysql' | 'postgres',
  planned: PlannedTable,
  actual: ActualTable,
): Difference[] {
  const differences: Difference[] = [];
  const add = (kind: Difference['kind'], column: string | null, what: string): void => {
    differences.push({ table: planned.path, column, kind, what });
  };
  const sameName = (name: string): ActualColumn | undefined =>
    engine === 'mysql'
      ? findByName(actual.columns, name)
      : actual.columns.find((column) => column.name === name);
  for (const column of planned.columns) {
    const found = sameName(column.name);
    if (found === undefined) add('missing-column', column.name, `(${column.type}) is missing`);
    else compareColumns(engine, column, found, inKeys(planned, column.name), add);
  }
  for (const column of actual.columns) {
    const isPlanned = planned.columns.some(({ name }) => sameName(name) === column);
    if (isPlanned || column.generated) continue;
    if (column.nullable || column.hasDefault) {
      const value = column.hasDefault ? 'its default' : 'NULL';
      add('unwritten-column', column.name, `is brought by no source: new rows get ${value} there`);
    } else {
      add('extra-column', column.name, 'is NOT NULL without a default, and no source brings it: no row fits');
    }
  }
  compareKeys(planned, actual, add);
  return differences;
}

type Add = (kind: Difference['kind'], column: string | null, what: string) => void;

function compareColumns(
  engine: 'mysql' | 'postgres',
  planned: PlannedColumn,
  actual: ActualColumn,
  isKey: boolean,
  add: Add,
): void {
  const { name, from } = planned;
  if (actual.generated) {
    if (planned.generated === null) add('type', name, 'is generated at the target: rowferry cannot write it');
    return;
  }
  const fit = actual.type === planned.type ? 'fits' : fitOf(engine, from, actual.type);
  if (fit === 'cannot') add('type', name, `is ${actual.type}, which cannot take ${from} exactly`);
  if (fit === 'narrow') add('narrow', name, `is ${actual.type}, which does not hold every ${from}`);
  const missing = (planned.labels ?? []).filter((label) => actual.labels?.includes(label) === false);
  if (missing.length > 0) add('narrow', name, `has a check that does not know ${missing.join(', ')}`);
  if (planned.generated === null && planned.nullable !== actual.nullable)
    add(
      'null',
      name,
      actual.nullable ? 'may be NULL and is not at the source' : 'is NOT NULL and may be NULL at the source',
    );
  if (isKey) compareCollations(engine, planned, actual, add);
}

function compareCollations(
  engine: 'mysql' | 'postgres',
  planned: PlannedColumn,
  actual: ActualColumn,
  add: Add,
): void {
  const { name, collation } = planned;
  if (collation === actual.collation) return;
  const words = (text: string | null): string => text ?? 'an exact one';
  if (engine === 'mysql') {
    if (collation === null || actual.collation === null) return;
    const differ = collationDifferences(collation, actual.collation);
    if (differ.length > 0)
      add(
        'collation',
        name,
        `has collation ${actual.collation} where ${collation} is asked for: differs in ${differ.join(', ')}`,
      );
    return;
  }
  // Of a loose one by another name it cannot be known what it takes for equal.
  if (actual.collation === 'citext' && (collation !== null || planned.type === 'citext')) return;
  add('collation', name, `has collation ${words(actual.collation)} where ${words(collation)} is asked for`);
}

function inKeys(table: PlannedTable, column: string): boolean {
  return (
    table.primaryKey.includes(column) ||
    table.uniqueKeys.some(({ parts }) => parts.some((part) => part.column === column))
  );
}

function compareKeys(planned: PlannedTable, actual: ActualTable, add: Add): void {
  const [wanted, found] = [planned.primaryKey.join(', '), actual.primaryKey.join(', ')];
  if (wanted.toLowerCase() !== found.toLowerCase())
    add('primary-key', null, `has primary key (${found}) where (${wanted}) is asked for`);
  const text = (parts: readonly PlannedPart[]): string => partsText(parts).toLowerCase();
  const uniques = new Set(actual.uniqueKeys.map(text));
  const wantedUniques = new Set(planned.uniqueKeys.map(({ parts }) => text(parts)));
  for (const { parts } of planned.uniqueKeys)
    if (!uniques.has(text(parts))) add('missing-unique', null, `lacks the unique key (${partsText(parts)})`);
  for (const parts of actual.uniqueKeys) {
    if (wantedUniques.has(text(parts))) continue;
    add(
      'extra-unique',
      null,
      `has a unique key (${partsText(parts)}) that the source does not have: rows may collide`,
    );
  }
  const paths = [
    actual.primaryKey.join(', ').toLowerCase(),
    ...[...actual.uniqueKeys, ...actual.indexes].map(text),
  ];
  for (const { parts } of planned.indexes) {
    const isThere = paths.some((path) => path === text(parts) || path.startsWith(`${text(parts)}, `));
    if (!isThere) add('missing-index', null, `lacks an index (${partsText(parts)})`);
  }
}
