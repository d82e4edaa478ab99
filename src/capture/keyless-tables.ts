/**
 * Tables without a key (`keyless: append`): rows that are only ever added, and that nothing names. Consumers know a row that
 * comes again by its sequence alone, so that each row may be published in one epoch only, and once.
 *
 *     to be copied ──cut passed──> flows ──an update or a delete──> held ──snapshot add──> to be copied
 *          ^                         │
 *          └── the copy broke off, or another epoch shows rows again whose place cannot be compared
 *
 * While a table is to be copied its rows are left out: the cut is a place in the binlog before which all rows, and behind which
 * none, are in what the copy reads. What the targets hold of it by then, and whatever is still on its way, is emptied there by a
 * TRUNCATE of our own that stands at the cut.
 */
import type { RowsEvent } from '../drivers/binlog-event.ts';
import type { Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import type { TableCopy } from './snapshot-state.ts';
import { newCopy, withRows } from './snapshot-state.ts';
import type { Chunk, CopiedRows } from './copy-parts.ts';
import type { TableFlow } from './table-flow.ts';

/** What becomes of a rows event: it is published, left out, or its table is held; `first`: published once that is saved. */
export type AppendVerdict = 'passes' | 'left out' | 'first' | { readonly why: string };

interface KeylessHost {
  copyOf(table: string): TableCopy | undefined;
  change(copy: TableCopy, change: (copy: TableCopy) => TableCopy): void;
}

export class KeylessTables {
  readonly #epoch: number;
  readonly #flow: TableFlow;
  readonly #host: KeylessHost;

  constructor(epoch: number, flow: TableFlow, host: KeylessHost) {
    this.#epoch = epoch;
    this.#flow = flow;
    this.#host = host;
  }

  judge({ table, op }: Pick<RowsEvent, 'table' | 'op'>): AppendVerdict {
    const name = tableName(table);
    const copy = this.#host.copyOf(name);
    if (copy !== undefined && copy.state !== 'done' && copy.cut !== true) {
      if (copy.cut === undefined) this.#host.change(copy, (before) => ({ ...before, cut: false }));
      return 'left out';
    }
    const known = this.#flow.state.keyless?.[name];
    if (known !== undefined && known.epoch !== this.#epoch) {
      if (copy === undefined || !known.isOurs) return { why: AGAIN };
      this.#host.change(copy, ({ id }) => ({ ...newCopy(name, id), cut: false }));
      return 'left out';
    }
    if (op !== 'insert') {
      // Half of a copy is of no use any more.
      if (copy !== undefined && copy.state !== 'done')
        this.#host.change(copy, (before) => ({ ...before, state: 'failed', cut: false, error: CHANGED[op] }));
      return { why: CHANGED[op] };
    }
    if (known !== undefined) return 'passes';
    this.#flow.admit(name, { epoch: this.#epoch, isOurs: false });
    return 'first';
  }

  /** Its rows at the targets are those of an earlier copy and what followed it. */
  isOurs(table: string): boolean {
    return this.#flow.state.keyless?.[table]?.isOurs === true;
  }

  /** A part of its copy goes by; `settle` is told how many of its rows are queued, or null when nobody wants it any more. */
  passed(
    { copy, table: { table }, part, partitionOf, rows, passed }: Chunk,
    now: TableCopy | undefined,
    settle: (rows: number | null) => void,
  ): CopiedRows | undefined {
    const isWanted = part === 'cut' ? now?.paused === false : now?.cut === true && now.state === 'copying';
    if (!isWanted) {
      settle(null);
      passed('changed');
      return undefined;
    }
    if (part === 'cut') {
      settle(null);
      passed('queued');
      return { table, rows: [], partitionOf, finish: () => {}, cut: { empties: this.#cut(copy, table) } };
    }
    const finish = (): void => {
      this.#host.change(copy, (before) => withRows(before, rows.length, part === 'last'));
      settle(rows.length);
      passed('queued');
    };
    return { table, rows, partitionOf, finish };
  }

  /** Whether the targets' tables are emptied here. The table may have got a key meanwhile. */
  #cut(copy: TableCopy, table: Table): boolean {
    const name = tableName(table);
    const empties = this.#flow.state.keyless?.[name] !== undefined || copy.empties === true;
    this.#flow.letGo(name);
    if (table.key.length > 0) this.#flow.forget(name);
    else {
      this.#flow.admit(name, { epoch: this.#epoch, isOurs: true });
      this.#host.change(copy, (before) => ({ ...before, cut: true }));
    }
    return empties;
  }
}

/** A copy that was cut and broke off, as a new incarnation finds it or a statement leaves it: nobody can read the rest of it. */
export function begunAnew(copy: TableCopy): TableCopy {
  return copy.cut === true && copy.state !== 'done' ? { ...copy, cut: false } : copy;
}

const NO_NAMES = 'and no key tells which row of the targets that is';
const CHANGED = {
  update: `a row of it was changed, ${NO_NAMES}`,
  delete: `a row of it was deleted, ${NO_NAMES}`,
} as const;
/** Such a table goes on by a copy only: an acknowledgement would be met by the next of these rows. */
export const AGAIN =
  'its rows come again (a replay, or another server), and without a key the targets would hold them twice';
