/**
 * How many copied rows may be on their way to the targets at once, so that live changes, which queue behind them, are not held
 * up for longer than asked. Additive increase, multiplicative decrease, by the time that a chunk needed from the source's
 * binlog to the targets. Pure.
 */
interface CopyWindowOptions {
  /** A chunk should be at the targets after so long, milliseconds. */
  readonly lagMs: number;
  /** Fewest rows: the copy never stands still because of it. */
  readonly leastRows: number;
  readonly mostRows: number;
}

const SHRINK = 0.7;
const GROW = 1.1;
/** Between this part of the time and all of it the window stays as it is. */
const CALM = 0.8;

export class CopyWindow {
  readonly #options: CopyWindowOptions;
  #allowed: number;
  #underway = 0;

  constructor(options: CopyWindowOptions) {
    this.#options = options;
    this.#allowed = options.leastRows * 2;
  }

  /** Rows that may be on their way at once. */
  get allowed(): number {
    return Math.floor(this.#allowed);
  }

  get underway(): number {
    return this.#underway;
  }

  /** Whether another chunk may be read now; one always may when nothing is on its way. */
  get isOpen(): boolean {
    return this.#underway === 0 || this.#underway < this.#allowed;
  }

  /** Rows count from when their chunk is begun: several chunks that are read at once would overrun the window otherwise. */
  begun(rows: number): void {
    this.#underway += rows;
  }

  /** A chunk that was begun for so many rows has other ones: fewer are left in the table, or it was given up (none). */
  corrected(begun: number, rows: number): void {
    this.#underway = Math.max(0, this.#underway - begun + rows);
  }

  /** A chunk is at the targets, `elapsedMs` after its rows were queued. */
  arrived(rows: number, elapsedMs: number): void {
    const { lagMs, leastRows, mostRows } = this.#options;
    // Only a window that was used tells whether it could be larger.
    const wasFull = this.#underway >= this.#allowed / 2;
    this.#underway = Math.max(0, this.#underway - rows);
    if (elapsedMs > lagMs) this.#allowed = Math.max(leastRows, this.#allowed * SHRINK);
    else if (wasFull && elapsedMs <= lagMs * CALM) this.#allowed = Math.min(mostRows, this.#allowed * GROW);
  }
}

/** Rows of the next chunk, such that reading it takes about `targetMs`: no more than double or half of the last one. */
export function nextChunkRows(
  last: { readonly rows: number; readonly elapsedMs: number },
  limits: { readonly targetMs: number; readonly least: number; readonly most: number },
): number {
  const factor = Math.min(2, Math.max(0.5, limits.targetMs / Math.max(1, last.elapsedMs)));
  return Math.round(Math.min(limits.most, Math.max(limits.least, last.rows * factor)));
}
