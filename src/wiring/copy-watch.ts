/** How copies of tables get on: their speed, and which of them stand still. Pure but for what it remembers. */
import type { CaptureStatus, ShownCopy } from '../capture/capture-progress.ts';

/** Speed is told of so much time, and of no less. */
const WINDOW_MS = 60_000;

interface Source {
  /** Rows that were copied up to a time, since copies went on without a break. */
  readonly marks: readonly { readonly timeMs: number; readonly rows: number }[];
  readonly tables: ReadonlyMap<string, { readonly rows: number; readonly movedMs: number }>;
}

interface CopyPace {
  /** Null unless copies have gone on for a minute. */
  readonly rowsPerSecond: number | null;
  /** For how long each copy that is at work has brought nothing. */
  readonly stalledMs: ReadonlyMap<string, number>;
}

export class CopyWatch {
  readonly #sources = new Map<string, Source>();

  look(capture: CaptureStatus, nowMs: number): CopyPace {
    const { source, state, copies, copyIsSpared, held } = capture;
    const isHeld = new Set(held.map(({ table }) => table));
    const open = copies.filter(({ table, paused }) => !paused && !isHeld.has(table));
    const goesOn =
      state === 'reading' &&
      !copyIsSpared &&
      open.some(({ state }) => state === 'copying' || state === 'waiting');
    if (!goesOn) {
      this.#sources.delete(source);
      return { rowsPerSecond: null, stalledMs: new Map() };
    }
    const before = this.#sources.get(source);
    const tables = new Map<string, { rows: number; movedMs: number }>();
    const stalledMs = new Map<string, number>();
    let copied = 0;
    for (const copy of copies) {
      const last = before?.tables.get(nameOf(copy));
      const moved = last === undefined || copy.rows !== last.rows;
      if (last !== undefined || before !== undefined) copied += Math.max(0, copy.rows - (last?.rows ?? 0));
      const isAtWork = copy.state === 'copying' && open.includes(copy);
      const movedMs = moved || !isAtWork ? nowMs : last.movedMs;
      tables.set(nameOf(copy), { rows: copy.rows, movedMs });
      if (isAtWork) stalledMs.set(copy.table, nowMs - movedMs);
    }
    const rows = (before?.marks.at(-1)?.rows ?? 0) + copied;
    const all = [...(before?.marks ?? []), { timeMs: nowMs, rows }];
    // The newest mark that is a window old, and all after it.
    const from = all.findLastIndex(({ timeMs }) => nowMs - timeMs >= WINDOW_MS);
    const marks = all.slice(Math.max(0, from));
    this.#sources.set(source, { marks, tables });
    const first = marks[0];
    const rowsPerSecond =
      from < 0 || first === undefined ? null : ((rows - first.rows) * 1000) / (nowMs - first.timeMs);
    return { rowsPerSecond, stalledMs };
  }
}

/** A table that is copied again is another copy. */
function nameOf({ table, id }: ShownCopy): string {
  return `${id} ${table}`;
}
