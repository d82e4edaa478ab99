/** What the parts of a copy give each other: settings, the source, chunks, and the host that sees their marks come by. */
import type { Log } from '../model/log.ts';
import type { Row, Table } from '../model/table.ts';
import type { Outages } from '../runtime/outages.ts';
import type { ChunkLedger } from './chunk-ledger.ts';
import type { CopyPace } from './copy-throttle.ts';
import type { Mark, MarkWriter } from './mark.ts';
import type { CopyKey, TableCopy } from './snapshot-state.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import type { TableFlow } from './table-flow.ts';

/** In what pieces a table is copied, and how fast; when it rests (hours) the wiring decides. */
export interface SnapshotSettings extends CopyPace {
  /** A chunk should take so long to read, milliseconds. */
  readonly chunkMs: number;
  readonly leastRows: number;
  readonly mostRows: number;
  /** Copied rows should be at the targets after so long, milliseconds: live changes wait behind them. */
  readonly lagMs: number;
}

export interface SnapshotOptions extends SnapshotSettings {
  readonly source: string;
  readonly partitions: number;
  /** Who writes this copy's marks. */
  readonly writer: MarkWriter;
  readonly captures: (schema: string, table: string) => boolean;
  /** A table whose changes are left out cannot be copied. */
  readonly flow: TableFlow;
  readonly epoch: number;
  /** Bytes that may wait for Kafka. */
  readonly queueBytes: number;
  readonly outages: Outages;
  readonly log: Log;
}

/** The source as a copy uses it: marks, plans and reads, over connections of its own. */
export interface CopySource {
  /** Creates the mark table when it is not there. */
  prepare(): Promise<void>;
  /** Resolves when the mark is committed. */
  mark(mark: Mark, reader: number): Promise<void>;
  describe(table: string): Promise<SnapshotTable>;
  /** The greatest key; null when there are no rows. */
  upper(table: SnapshotTable): Promise<CopyKey | null>;
  /** The key of the n-th row after `after`, or `upper` when fewer are left. */
  boundary(table: SnapshotTable, after: CopyKey | null, upper: CopyKey, rows: number): Promise<CopyKey>;
  /** The rows in (after, to]; fewer, and then up to `last`, when they are too large for the memory. */
  read(
    reader: number,
    table: SnapshotTable,
    after: CopyKey | null,
    to: CopyKey,
  ): Promise<{ readonly rows: readonly Row[]; readonly last: CopyKey | null }>;
  /**
   * Locks a table against writers for a moment: `mark` writes the mark of the cut, before which all rows and behind which none
   * are read. Resolves when the mark is committed and the lock given back.
   */
  readAtCut(table: SnapshotTable, mark: () => Promise<void>): Promise<AsyncGenerator<Row, void, undefined>>;
  close(): Promise<void>;
  /** Cuts every connection at once. */
  destroy(): void;
}

/** How a chunk's marks came by: its rows are queued, its low mark is missing, or what changed between the two was too much. */
export type Passing = 'queued' | 'lost' | 'overrun' | 'changed';

/** A chunk that is being read or waits for its high mark. */
export interface Chunk {
  readonly copy: TableCopy;
  readonly table: SnapshotTable;
  readonly ledger: ChunkLedger;
  readonly partitionOf: (row: Row) => number;
  /** Rows for which it was begun. */
  readonly size: number;
  rows: readonly Row[];
  /** Of a table without a key, which has no ranges; its marks stand alone. */
  readonly part?: 'cut' | 'piece' | 'last';
  /** Ends the reader's wait. */
  readonly passed: (how: Passing) => void;
}

/** Rows of a chunk that the binlog's high mark lets go. */
export interface CopiedRows {
  readonly table: Table;
  readonly rows: readonly Row[];
  readonly partitionOf: (row: Row) => number;
  /** To be called when the rows are handed to the publisher: from then on the state counts them. */
  readonly finish: () => void;
  /** No rows, but the cut of a table without a key: from here on its rows flow. */
  readonly cut?: { readonly empties: boolean };
}

/** What the copy of a table shares with those before and after it. */
export interface CopyHost {
  readonly keyless: { isOurs(table: string): boolean };
  /** Tables of the targets that hold rows, of those that the table's rows go to. */
  occupied(table: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The copy as it stands; undefined when it was cancelled or begun anew. */
  now(copy: TableCopy): TableCopy | undefined;
  change(copy: TableCopy, change: (copy: TableCopy) => TableCopy): void;
  nextChunk(): number;
  /** The capture is so far behind that marks take long to come by. */
  isBehind(): boolean;
  /** From here on the chunk's marks are looked for. */
  begin(id: number, chunk: Chunk): void;
  /** Waits while nothing should be read. */
  gate(isWanted: () => boolean, signal: AbortSignal): Promise<void>;
  /** The pause of a reader after a chunk. */
  rest(
    chunk: { readonly rows: number; readonly readMs: number },
    isWanted: () => boolean,
    signal: AbortSignal,
  ): Promise<void>;
  /** Readers that may be at work now. */
  readonly readers: number;
  /** Rows of the largest chunk that may be begun now. */
  readonly largestChunk: number;
}

export interface TableCopierParts {
  readonly copy: TableCopy;
  readonly source: CopySource;
  readonly host: CopyHost;
  readonly options: SnapshotOptions;
}
