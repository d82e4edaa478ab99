/**
 * How far the snapshot of a source has come: plain data that is saved with each checkpoint, and the pure rules that change it.
 *
 *     waiting ──first chunk planned──> copying ──last chunk acknowledged──> done
 *        any of them ──cancel──> gone        copying ──an error that no retry mends──> failed ──resume──> copying
 *
 * Pausing is apart from the state: a paused table keeps its place and goes on from it.
 */
import type { WireValue } from '../model/table.ts';

/** A primary key in wire form, in key order. */
export type CopyKey = readonly WireValue[];

export interface TableCopy {
  /** `schema.table`. */
  readonly table: string;
  /** Tells a copy from an earlier one of the same table. */
  readonly id: number;
  readonly state: 'waiting' | 'copying' | 'done' | 'failed';
  readonly paused: boolean;
  /** What the key was when it began: ranges of another key mean something else. Null before that. */
  readonly keyForm: string | null;
  /** The greatest key when it began; later ones come through the binlog. Null before that, and for an empty table. */
  readonly upper: CopyKey | null;
  /** Every row up to this key is copied; null at the start. */
  readonly after: CopyKey | null;
  /** Rows copied so far, those that a change took the place of not among them. */
  readonly rows: number;
  /** How many rows the source's catalog guesses. */
  readonly estimate: number;
  /** Milliseconds since 1970. */
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  /** Why it failed, without values. */
  readonly error: string | null;
  /** Only of a table without a key: whether its rows flow, since the copy reads what was there before (keyless-tables.ts). */
  readonly cut?: boolean;
  /** An operator allows that the targets' tables are emptied. */
  readonly empties?: true;
}

export interface SnapshotState {
  /** Offset after the last request (`snapshot` record of the checkpoint topic) that is part of this state. */
  readonly requests: number;
  /** The newest requests of them by id: an append that was sent twice must not count again once its first copy is compacted away. */
  readonly taken?: readonly string[];
  readonly tables: readonly TableCopy[];
}

export type SnapshotAction = 'add' | 'pause' | 'resume' | 'cancel';

/** What an operator asks of a running snapshot. */
export interface SnapshotRequest {
  readonly action: SnapshotAction;
  /** `schema.table`, or null for all. */
  readonly table: string | null;
  /** With `add`: the targets' tables of a table without a key may be emptied, whoever wrote what they hold. */
  readonly empties?: true;
}

/** Requests are remembered by id for longer than a copy of one can be late. */
const REMEMBERED = 100;

export const NO_SNAPSHOT: SnapshotState = { requests: 0, tables: [] };

export function newCopy(table: string, id: number): TableCopy {
  return {
    table,
    id,
    state: 'waiting',
    paused: false,
    keyForm: null,
    upper: null,
    after: null,
    rows: 0,
    estimate: 0,
    startedMs: null,
    finishedMs: null,
    error: null,
  };
}

/** For people: `copying, paused`. */
export function copyState({ state, paused }: { readonly state: string; readonly paused: boolean }): string {
  return paused ? `${state}, paused` : state;
}

/** The state after a request that stands before offset `end` of the checkpoint topic. */
export function applyRequest(
  state: SnapshotState,
  { action, table, empties }: SnapshotRequest,
  end: number,
  id = '',
): SnapshotState {
  const taken = state.taken ?? [];
  if (id !== '' && taken.includes(id)) return { ...state, requests: Math.max(end, state.requests) };
  const concerns = (copy: TableCopy): boolean => table === null || copy.table === table;
  const isOpen = (copy: TableCopy): boolean => concerns(copy) && copy.state !== 'done';
  const tables = ((): readonly TableCopy[] => {
    switch (action) {
      case 'add':
        // A table that is copied already begins anew: that is what adding it again asks for.
        return table === null
          ? state.tables
          : [
              ...state.tables.filter((copy) => !concerns(copy)),
              {
                ...newCopy(table, end),
                ...leftOut(state.tables.find(concerns)),
                ...(empties === true ? { empties } : {}),
              },
            ];
      case 'pause':
        return state.tables.map((copy) => (isOpen(copy) ? { ...copy, paused: true } : copy));
      case 'resume':
        return state.tables.map((copy) => (concerns(copy) ? resumed(copy) : copy));
      case 'cancel':
        return state.tables.flatMap((copy) => (isOpen(copy) ? cancelled(copy) : [copy]));
    }
  })();
  return { requests: end, taken: [...taken, id].slice(-REMEMBERED), tables };
}

/** A copy that begins anew has the same rows to bring that were left out. */
function leftOut(before: TableCopy | undefined): Pick<TableCopy, 'cut'> {
  return before?.cut === false && before.state !== 'done' ? { cut: false } : {};
}

/**
 * Rows of a table without a key were left out until now, or its targets were emptied at the cut and have a part of them: the
 * others cannot flow as if nothing was missing.
 */
function cancelled(copy: TableCopy): readonly TableCopy[] {
  if (copy.cut === undefined) return [];
  return [
    {
      ...copy,
      state: 'failed',
      cut: false,
      error: 'it was given up: its rows are left out until it is copied',
    },
  ];
}

/** The copy with rows more that are queued. */
export function withRows(copy: TableCopy, rows: number, isLast: boolean): TableCopy {
  const next = { ...copy, rows: copy.rows + rows };
  return isLast ? { ...next, state: 'done', finishedMs: Date.now() } : next;
}

function resumed(copy: TableCopy): TableCopy {
  return { ...copy, paused: false, ...(copy.state === 'failed' ? { state: 'copying', error: null } : {}) };
}

/** The state with one copy changed; unchanged when it was cancelled or begun anew meanwhile. */
export function withCopy(
  state: SnapshotState,
  { table, id }: Pick<TableCopy, 'table' | 'id'>,
  change: (copy: TableCopy) => TableCopy,
): SnapshotState {
  const isIt = (copy: TableCopy): boolean => copy.table === table && copy.id === id;
  return { ...state, tables: state.tables.map((copy) => (isIt(copy) ? change(copy) : copy)) };
}
