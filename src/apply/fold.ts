/**
 * Folds a batch to what each target must hold at its end (DESIGN section 5, rule Fold). Pure.
 *
 * For each row (layout and primary key) the fold keeps the image at the batch's end and *every* target named by any before or
 * after image: a target that held the row at some time inside the batch gets a delete unless it is the final place. An insert
 * and a delete in one batch are not cancelled, nor is only the first old place kept: a target may already stand inside the
 * batch, so both shortcuts leave rows behind.
 */
import type { Change } from '../model/change.ts';
import { exactRowKey } from '../model/row-key.ts';
import type { Row, Table } from '../model/table.ts';
import type { Placement, Router } from '../routing/router.ts';

const NOWHERE = -1;

/** One row of one layout at the end of the batch. */
export interface FoldedRow {
  readonly placement: Placement;
  /** Shape of `image`, or of the last image when the row is gone. */
  table: Table;
  /** The image at the end; when the row is gone, the last one that names its key. */
  image: Row;
  /** The target where the row ends, or -1. */
  place: number;
  /** Every target that any image of the batch named, without repetition. */
  readonly touched: number[];
  /** The row's last change in the batch. */
  last: Change;
}

/** Folds changes (already filtered by sequence, in order). Throws the router's errors, with table and column. */
export function foldChanges(changes: readonly Change[], router: Router): FoldedRow[] {
  const rows = new Map<string, FoldedRow>();
  for (const change of changes) {
    const { table, before, after } = change;
    const image = (after ?? before)!;
    const key = exactRowKey(table, image);
    for (const placement of router.placements(table)) {
      const name = `${placement.id}|${key}`;
      const from = before === null ? NOWHERE : placement.place(before);
      const to = after === null ? NOWHERE : after === before ? from : placement.place(after);
      const row = rows.get(name);
      if (row === undefined) {
        const touched = from === NOWHERE || from === to ? [to] : to === NOWHERE ? [from] : [from, to];
        rows.set(name, { placement, table, image, place: to, touched, last: change });
      } else {
        row.table = table;
        row.image = image;
        row.place = to;
        row.last = change;
        if (from !== NOWHERE && !row.touched.includes(from)) row.touched.push(from);
        if (to !== NOWHERE && !row.touched.includes(to)) row.touched.push(to);
      }
    }
  }
  return [...rows.values()];
}

/** What one target must do for one batch, per layout and shape. */
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
  /** The row is gone from the layout. */
  readonly deletes: FoldedRow[];
  /** The row lives on at another target, which must have it before it is removed here (I-6). */
  readonly moveDeletes: FoldedRow[];
}

/** Splits folded rows by target. Targets without work are absent. */
export function workByTarget(rows: readonly FoldedRow[]): Map<number, TargetWork> {
  const targets = new Map<
    number,
    { tables: Map<Table, Map<number, TableWork>>; gains: boolean; loses: boolean }
  >();
  for (const row of rows) {
    const moved = row.place !== NOWHERE && row.touched.length > 1;
    for (const target of row.touched) {
      let work = targets.get(target);
      if (work === undefined) targets.set(target, (work = { tables: new Map(), gains: false, loses: false }));
      const tableWork = tableWorkOf(work.tables, row);
      if (target === row.place) {
        tableWork.upserts.push(row);
        if (moved) work.gains = true;
      } else if (row.place === NOWHERE) {
        tableWork.deletes.push(row);
      } else {
        tableWork.moveDeletes.push(row);
        work.loses = true;
      }
    }
  }
  const answer = new Map<number, TargetWork>();
  for (const [target, { tables, gains, loses }] of targets) {
    answer.set(target, {
      tables: [...tables.values()].flatMap((layouts) => [...layouts.values()]),
      gains,
      loses,
    });
  }
  return answer;
}

function tableWorkOf(tables: Map<Table, Map<number, TableWork>>, row: FoldedRow): TableWork {
  let layouts = tables.get(row.table);
  if (layouts === undefined) tables.set(row.table, (layouts = new Map()));
  let work = layouts.get(row.placement.id);
  if (work === undefined) {
    work = { table: row.table, to: row.placement.to, upserts: [], deletes: [], moveDeletes: [] };
    layouts.set(row.placement.id, work);
  }
  return work;
}
