/**
 * Copies a table without a key, by one read of all of it.
 *
 *     one connection:      LOCK TABLES … READ ──────────────────────────────> UNLOCK TABLES
 *     another one:             └─> START TRANSACTION WITH CONSISTENT SNAPSHOT      └─> reads all rows, piece by piece
 *     the marks':                                       └─> mark of the cut COMMITTED
 *
 * The lock waits until every transaction that wrote to the table has ended and lets no other one begin. So what stands before
 * the mark in the binlog is in the snapshot, and what stands behind it is not. Each piece is queued where a mark of its own
 * stands, by which its rows are named. Nothing of this outlives its connection: a copy that breaks off begins anew.
 */
import { RowferryError } from '../errors.ts';
import type { Row } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { killPoint } from '../runtime/kill-points.ts';
import { partitioner } from '../wire/partition.ts';
import { ChunkLedger } from './chunk-ledger.ts';
import { lostMarks, settled } from './copy-marks.ts';
import { sizeOf } from './snapshot-reader.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import type { Passing, TableCopierParts } from './copy-parts.ts';

/** The row of the mark table that is not a reader's. */
const CUT_MARK = 0;
const PIECE_MARK = 1;

/** A promise within, so that waiting for the mark's COMMIT does not wait for the mark to come by. */
interface Underway {
  readonly passing: Promise<Passing>;
}

interface Part {
  readonly part: 'cut' | 'piece' | 'last';
  readonly size: number;
  readonly rows: readonly Row[];
}

export class KeylessCopier {
  readonly #parts: TableCopierParts;

  constructor(parts: TableCopierParts) {
    this.#parts = parts;
  }

  /** Resolves when the table is done, or nobody wants it any more. */
  async run(table: SnapshotTable, signal: AbortSignal): Promise<void> {
    const { copy, source, host, options } = this.#parts;
    const isWanted = (): boolean => host.now(copy)?.paused === false && !signal.aborted;
    host.change(copy, (before) => ({
      ...before,
      state: 'copying',
      cut: false,
      rows: 0,
      estimate: table.estimatedRows,
      startedMs: before.startedMs ?? Date.now(),
    }));
    await this.#refuseOccupied(signal);
    await host.gate(isWanted, signal);
    if (!isWanted()) return;
    let cut: Underway | undefined;
    const rows = await source.readAtCut(table, async () => {
      cut = await this.#mark(table, { part: 'cut', size: 0, rows: [] });
    });
    options.log.info(
      { table: copy.table, estimatedRows: table.estimatedRows },
      'copying a table without a key',
    );
    killPoint('snapshot.after-cut');
    try {
      if (!(await this.#settled(table, cut!, signal))) return;
      for (;;) {
        await host.gate(isWanted, signal);
        if (!isWanted()) return;
        const size = Math.min(options.mostRows, Math.max(options.leastRows, host.largestChunk));
        const startedMs = performance.now();
        const { piece, isLast } = await take(rows, size, options.queueBytes);
        const readMs = performance.now() - startedMs;
        killPoint('snapshot.after-read');
        const part = isLast ? 'last' : 'piece';
        const queued = await this.#mark(table, { part, size, rows: piece });
        if (!(await this.#settled(table, queued, signal))) return;
        if (isLast) {
          options.log.info({ table: copy.table, rows: host.now(copy)?.rows ?? 0 }, 'copied');
          return;
        }
        await host.rest({ rows: piece.length, readMs }, isWanted, signal);
      }
    } finally {
      await rows.return();
    }
  }

  /** The table has a key now: a mark alone is the cut, since the key tells what is copied twice. */
  async cutFor(table: SnapshotTable, signal: AbortSignal): Promise<void> {
    await this.#refuseOccupied(signal);
    await this.#settled(table, await this.#mark(table, { part: 'cut', size: 0, rows: [] }), signal);
  }

  /** What others wrote is never emptied unasked, and rows that nothing names cannot be told from theirs. */
  async #refuseOccupied(signal: AbortSignal): Promise<void> {
    const { copy, host, options } = this.#parts;
    if (host.keyless.isOurs(copy.table) || copy.empties === true) return;
    const tables = await host.occupied(copy.table, signal);
    if (tables.length === 0) return;
    throw new RowferryError(
      'ROWFERRY_TARGET_SCHEMA',
      `it has no key, and its target tables hold rows already: ${tables.join(', ')}`,
      {
        where: { source: options.source, table: copy.table },
        hint: `empty them and resume, or let rowferry empty them: rowferry snapshot add ${copy.table} --source ${options.source} --empty`,
      },
    );
  }

  /** Resolves when the mark is committed, with how it comes by. */
  async #mark(table: SnapshotTable, { part, size, rows }: Part): Promise<Underway> {
    const { copy, source, host, options } = this.#parts;
    const id = host.nextChunk();
    let passed: (how: Passing) => void = () => {};
    const passing = new Promise<Passing>((resolve) => (passed = resolve));
    const partitionOf = partitioner(table.table, options.partitions);
    host.begin(id, { copy, table, ledger: new ChunkLedger(), partitionOf, size, rows, part, passed });
    await source.mark({ ...options.writer, chunk: id, edge: 'high' }, part === 'cut' ? CUT_MARK : PIECE_MARK);
    return { passing };
  }

  /** False when nobody wants the table any more. */
  async #settled(table: SnapshotTable, { passing }: Underway, signal: AbortSignal): Promise<boolean> {
    const { copy, host, options } = this.#parts;
    const how = await settled(passing, host, signal);
    if (how === 'lost') throw lostMarks(options.source, tableName(table.table));
    return how === 'queued' && !signal.aborted && host.now(copy)?.paused === false;
  }
}

/** No row is begun once the piece has so many bytes. */
async function take(
  rows: AsyncGenerator<Row, void, undefined>,
  size: number,
  limitBytes: number,
): Promise<{ readonly piece: readonly Row[]; readonly isLast: boolean }> {
  const piece: Row[] = [];
  let bytes = 0;
  while (piece.length < size && bytes < limitBytes) {
    const next = await rows.next();
    if (next.done === true) return { piece, isLast: true };
    piece.push(next.value);
    bytes += sizeOf(next.value);
  }
  return { piece, isLast: false };
}
