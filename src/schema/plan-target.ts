/** All tables that one target is to have, from every source table and route that leads to it. Pure. */
import { RowferryError } from '../errors.ts';
import type { ColumnSpec, Names } from '../routing/columns.ts';
import type { CatalogTable, Flavour } from './catalog.ts';
import { convertTable } from './convert-table.ts';
import type { TableShape } from './convert-table.ts';
import type { Note, PlannedColumn, PlannedTable, TargetTraits, TypeOverride } from './planned.ts';
import { partsText } from './planned.ts';
import { holdsAll } from './type-room.ts';
import { Unfit } from './unfit.ts';

/** One source table by one route. */
export interface Feed {
  readonly sourceFlavour: Flavour;
  readonly table: CatalogTable;
  readonly columns: ColumnSpec | null;
  readonly names: Names;
  /** Physical tables at this target. */
  readonly paths: readonly string[];
  /** The rows are shared out over several tables, now or in time. */
  readonly shared: boolean;
}

export interface TargetPlan {
  readonly tables: readonly PlannedTable[];
  readonly notes: readonly Note[];
}

/** Throws ROWFERRY_ROUTE_COLUMNS, and ROWFERRY_CONFIG_INVALID where source tables that meet do not fit together; all that there is at once. */
export function planTarget(
  feeds: readonly Feed[],
  target: TargetTraits,
  overrides: readonly TypeOverride[],
): TargetPlan {
  const sharing = new Map<string, number>();
  for (const path of feeds.flatMap(({ paths }) => paths)) sharing.set(path, (sharing.get(path) ?? 0) + 1);
  const shapes = new Map<string, TableShape>();
  const notes = new Map<string, Note>();
  const unfit = new Unfit();
  for (const feed of feeds) {
    const byFeeds = new Map<number, TableShape>();
    for (const path of feed.paths) {
      const count = sharing.get(path) ?? 1;
      let shape = byFeeds.get(count);
      if (shape === undefined) {
        const converted = unfit.gather(() =>
          convertTable(feed.table, { ...feed, target, overrides, feeds: count }),
        );
        if (converted === undefined) break;
        shape = converted.shape;
        byFeeds.set(count, shape);
        for (const note of converted.notes) notes.set(`${note.about}\0${note.what}`, note);
      }
      const before = shapes.get(path);
      const mine = shape;
      const both =
        before === undefined ? mine : unfit.gather(() => together(path, before, mine, target.engine));
      if (both !== undefined) shapes.set(path, both);
    }
  }
  unfit.refuse();
  const tables = [...shapes].map(([path, shape]): PlannedTable => ({ path, ...shape }));
  return { tables: tables.toSorted((a, b) => (a.path < b.path ? -1 : 1)), notes: [...notes.values()] };
}

/** A table that takes the rows of both: columns of either, types that hold the values of both. */
function together(
  path: string,
  one: TableShape,
  other: TableShape,
  engine: 'mysql' | 'postgres',
): TableShape {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  if (one.primaryKey.join('\0') !== other.primaryKey.join('\0'))
    throw doNotFit(
      path,
      `their keys differ: (${one.primaryKey.join(', ')}) and (${other.primaryKey.join(', ')})`,
    );
  const columns = one.columns.map((column) => {
    const twin = other.columns.find(({ name }) => same(name, column.name));
    return twin === undefined ? { ...column, nullable: true } : widerOf(path, column, twin, engine);
  });
  const added = other.columns
    .filter(({ name }) => !columns.some((column) => same(column.name, name)))
    .map((column) => ({ ...column, nullable: true }));
  const keys = new Set(other.uniqueKeys.map(({ parts }) => partsText(parts)));
  const indexes = new Map([...one.indexes, ...other.indexes].map((index) => [partsText(index.parts), index]));
  return {
    ...one,
    columns: [...columns, ...added],
    // A key that only one of them keeps could refuse rows of the other.
    uniqueKeys: one.uniqueKeys.filter(({ parts }) => keys.has(partsText(parts))),
    indexes: [...indexes.values()],
    checks: one.checks.filter(({ sql }) => other.checks.some((check) => check.sql === sql)),
  };
}

function widerOf(
  path: string,
  one: PlannedColumn,
  other: PlannedColumn,
  engine: 'mysql' | 'postgres',
): PlannedColumn {
  const nullable = one.nullable || other.nullable;
  const labels =
    one.labels === null || other.labels === null ? null : [...new Set([...one.labels, ...other.labels])];
  if (holdsAll(engine, one.from, other.from, one.type)) return { ...one, nullable, labels };
  if (holdsAll(engine, other.from, one.from, other.type)) return { ...other, nullable, labels };
  throw doNotFit(path, `column ${one.name} is ${one.from} in one and ${other.from} in another`);
}

function doNotFit(path: string, why: string): RowferryError {
  return new RowferryError(
    'ROWFERRY_CONFIG_INVALID',
    `source tables that meet in ${path} do not fit together: ${why}`,
    {
      hint: 'change "columns" of the routes or give the column a type that holds both',
    },
  );
}
