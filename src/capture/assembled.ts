/** What the assembler tells of: changes, marks, statements and ends of transactions, in the binlog's order. */
import type { Change } from '../model/change.ts';
import type { Table } from '../model/table.ts';
import type { TouchedTable } from './captured-statements.ts';
import type { Mark } from './mark.ts';
import type { TableEffect } from './table-effect.ts';

/** The end of a transaction: from here capture can go on. */
export interface TransactionEnd {
  readonly file: string;
  readonly offset: number;
  readonly gtid: string | null;
  readonly commitMs: number;
  /** Time of our heartbeat row, when that is what the transaction wrote. */
  readonly rowMs?: number;
}

/** Where in the binlog a mark stands: the end position of its rows event names the rows of its chunk (I-3). */
export interface MarkPlace {
  readonly file: number;
  readonly end: number;
  readonly timeMs: number;
}

/** A statement at one captured table that flows. */
export interface TableStatement extends TouchedTable {
  readonly verb: string;
  readonly effect: TableEffect;
  /** The table's shape in its last rows before the statement, when no other statement stands between. */
  readonly former: Table | undefined;
  /** `file:end position`, by which an operator names it. */
  readonly name: string;
  readonly gtid: string | null;
  /** An operator has dealt with it. */
  readonly isAccepted: boolean;
  /** The table waited for it already and was let go: it is read once more. */
  readonly hasPassed: boolean;
  /** It is no statement but rows of a table without a key that no target can follow. */
  readonly isKeyless?: true;
  /** Commit time at the source, milliseconds. */
  readonly timeMs: number;
}

export interface AssemblerSink {
  change(partition: number, change: Change): void;
  mark(mark: Mark, place: MarkPlace): void;
  /** Rows that wait for `resume` are the first of their table: that has to be saved before they are published. */
  waits(): void;
  /** Told before the statement's transaction ends. */
  statement(statement: TableStatement): void;
  transactionEnd(end: TransactionEnd): void;
}
