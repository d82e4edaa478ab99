/**
 * Folds a batch to what each target must hold at its end (docs/architecture.md, Apply). Pure.
 *
 * For each row (layout and primary key) the fold keeps the image at the batch's end and *every* place named by any before or
 * after image: a table that held the row at some time inside the batch gets a delete unless it is the final place. An insert
 * and a delete in one batch are not cancelled, nor is only the first old place kept: a target may already stand inside the
 * batch, so both shortcuts leave rows behind. For the same reason a row is left alone only when *no* change of the batch
 * touched a column that the layout writes; a value that went and came back is written, and so is an update that a row of a
 * snapshot gave way to.
 *
 * Rows of tables without a key are kept one by one: nothing tells two of them apart, and each is to be added.
 */
import { RowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import { exactRowKey } from '../model/row-key.ts';
import type { Row, Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import type { Placement, RouterPlace, SourceRouter } from '../routing/router.ts';
import { NOWHERE } from '../routing/router.ts';

/** One row of one layout at the end of the batch, as the layout writes it. */
export interface FoldedRow {
  readonly placement: Placement;
  /** Shape of `image`. */
  readonly table: Table;
  /** The image at the end; when the row is gone, the last one that names its key. */
  readonly image: Row;
  /** The place where the row ends, or NOWHERE. */
  readonly place: number;
  /** Every place that any image of the batch named, without repetition. */
  readonly touched: readonly number[];
  /** The row's last change in the batch. */
  readonly last: Change;
  /**
   * Of a row without a key: the offset of its record. It is added, so that it may be written once only: to targets whose
   * `next` is not past it, and in the transaction that moves `next` past it.
   */
  readonly addedAt?: number;
}

interface OpenRow {
  placement: Placement;
  /** In the source's shape. */
  image: Row;
  place: number;
  readonly touched: number[];
  last: Change;
  differs: boolean;
}

/**
 * Folds changes (already filtered by sequence, in order); `offsets` are those of their records. Throws the router's errors, with
 * table and column.
 */
export function foldChanges(
  changes: readonly Change[],
  router: SourceRouter,
  offsets: readonly number[] = [],
): FoldedRow[] {
  const rows = new Map<string, OpenRow>();
  const added: FoldedRow[] = [];
  for (const [index, change] of changes.entries()) {
    if (change.table.key.length === 0) {
      added.push(...addedRows(change, router, offsets[index]));
      continue;
    }
    const { table, before, after, snapshot } = change;
    const isCounted = before === null || after === null || snapshot !== undefined;
    const image = (after ?? before)!;
    const key = exactRowKey(table, image);
    for (const placement of router.placements(table)) {
      const name = `${placement.id}|${key}`;
      const from = before === null ? NOWHERE : placement.place(before);
      const to = after === null ? NOWHERE : after === before ? from : placement.place(after);
      const differs = isCounted || from !== to || placement.differ(before, after);
      let row = rows.get(name);
      if (row === undefined) {
        row = { placement, image, place: to, touched: [], last: change, differs };
        rows.set(name, row);
      } else {
        row.placement = placement;
        row.image = image;
        row.place = to;
        row.last = change;
        row.differs ||= differs;
      }
      touch(row.touched, from);
      touch(row.touched, to);
    }
  }
  const folded: FoldedRow[] = added;
  for (const { placement, image, place, touched, last, differs } of rows.values()) {
    if (!differs || touched.length === 0) continue;
    folded.push({ placement, table: placement.table, image: placement.image(image), place, touched, last });
  }
  return folded;
}

function addedRows(change: Change, router: SourceRouter, addedAt: number | undefined): FoldedRow[] {
  const { table, before, after } = change;
  if (addedAt === undefined) throw new RowferryError('ROWFERRY_INVARIANT', 'a row to be added has no offset');
  if (before !== null || after === null) {
    throw new RowferryError('ROWFERRY_WIRE_CORRUPT', 'a row without a key is changed', {
      where: { table: tableName(table) },
      hint: 'find out who wrote the record; rowferry changes nothing and waits here',
    });
  }
  return router.placements(table).flatMap((placement): FoldedRow[] => {
    const place = placement.place(after);
    if (place === NOWHERE) return [];
    const image = placement.image(after);
    return [{ placement, table: placement.table, image, place, touched: [place], last: change, addedAt }];
  });
}

function touch(touched: number[], place: number): void {
  if (place !== NOWHERE && !touched.includes(place)) touched.push(place);
}

/** What one target must do for one batch, per physical table and shape. */
export interface TargetWork {
  readonly tables: readonly TableWork[];
  /** It gains a row that another target loses in this batch. */
  readonly gains: boolean;
  /** It loses a row that another target gains in this batch. */
  readonly loses: boolean;
}

export interface TableWork {
  readonly table: Table;
  readonly to: string;
  readonly upserts: FoldedRow[];
  /** The row is gone from the layout, or stands in another table of this target by the same transaction. */
  readonly deletes: FoldedRow[];
  /** The row lives on at another target, which must have it before it is removed here (I-6). */
  readonly moveDeletes: FoldedRow[];
}

interface OpenWork {
  readonly tables: Map<Table, Map<string, TableWork>>;
  gains: boolean;
  loses: boolean;
}

/** Splits folded rows by target. Targets without work are absent. */
export function workByTarget(
  rows: readonly FoldedRow[],
  places: readonly RouterPlace[],
): Map<number, TargetWork> {
  const targets = new Map<number, OpenWork>();
  for (const row of rows) {
    const home = row.place === NOWHERE ? NOWHERE : places[row.place]!.target;
    for (const index of row.touched) {
      const place = places[index]!;
      let work = targets.get(place.target);
      if (work === undefined) {
        targets.set(place.target, (work = { tables: new Map(), gains: false, loses: false }));
      }
      const table = tableWorkOf(work.tables, row, place.table);
      if (index === row.place) {
        table.upserts.push(row);
        if (row.touched.some((other) => places[other]!.target !== home)) work.gains = true;
      } else if (home === NOWHERE || home === place.target) {
        table.deletes.push(row);
      } else {
        table.moveDeletes.push(row);
        work.loses = true;
      }
    }
  }
  const answer = new Map<number, TargetWork>();
  for (const [target, { tables, gains, loses }] of targets) {
    answer.set(target, {
      tables: [...tables.values()].flatMap((byName) => [...byName.values()]),
      gains,
      loses,
    });
  }
  return answer;
}

function tableWorkOf(tables: OpenWork['tables'], row: FoldedRow, to: string): TableWork {
  let byName = tables.get(row.table);
  if (byName === undefined) tables.set(row.table, (byName = new Map()));
  let work = byName.get(to);
  if (work === undefined) {
    byName.set(to, (work = { table: row.table, to, upserts: [], deletes: [], moveDeletes: [] }));
  }
  return work;
}
