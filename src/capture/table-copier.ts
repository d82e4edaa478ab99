/**
 * Copies one table: plans chunks in key order, and reads several at a time, each between two marks. What becomes of the rows
 * is for its host, which sees the marks come by in the binlog.
 */
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Row } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { killPoint } from '../runtime/kill-points.ts';
import { partitioner } from '../wire/partition.ts';
import { ChunkLedger } from './chunk-ledger.ts';
import { KeylessCopier } from './keyless-copier.ts';
import { lostMarks, settled } from './copy-marks.ts';
import { nextChunkRows } from './copy-window.ts';
import type { Chunk, Passing, TableCopierParts } from './copy-parts.ts';
import type { CopyKey } from './snapshot-state.ts';
import type { SnapshotTable } from './snapshot-table.ts';

/** The number of marks that belong to no chunk. */
const NO_CHUNK = 0;

export class TableCopier {
  readonly #parts: TableCopierParts;

  constructor(parts: TableCopierParts) {
    this.#parts = parts;
  }

  /** Plans chunks in key order and reads several at a time; resolves when the table is done, paused or cancelled. */
  async run(signal: AbortSignal): Promise<void> {
    const { copy, source, host, options } = this.#parts;
    const table = await source.describe(copy.table);
    if (table.table.key.length === 0) return await new KeylessCopier(this.#parts).run(table, signal);
    if (options.flow.holds(copy.table)) await new KeylessCopier(this.#parts).cutFor(table, signal);
    const begun = await this.#begin(table);
    if (begun === undefined) return;
    const { upper } = begun;
    const ledger = new ChunkLedger();
    const partitionOf = partitioner(table.table, options.partitions);
    const idle = Array.from({ length: options.readers }, (_, i) => i + 1);
    const running = new Set<Promise<void>>();
    let failure: RowferryError | undefined;
    let { after } = begun;
    let rows = options.leastRows;
    /** Every chunk is on its way: nobody needs to be spared for those that follow. */
    let isPlanned = false;
    const isWanted = (): boolean => {
      return host.now(copy)?.paused === false && failure === undefined && !signal.aborted;
    };
    while (after === null || !sameKey(after, upper)) {
      await host.gate(isWanted, signal);
      while (running.size >= Math.min(options.readers, host.readers)) await Promise.race(running);
      if (!isWanted()) break;
      const size = Math.min(rows, host.largestChunk);
      const to = await source.boundary(table, after, upper, size);
      const id = host.nextChunk();
      ledger.open(id, to);
      const reader = idle.pop()!;
      const job = { reader, table, ledger, partitionOf, id, size, from: after, to };
      const done = (async (): Promise<void> => {
        try {
          const elapsedMs = await this.#readChunk(job, signal);
          rows = nextChunkRows({ rows: size, elapsedMs }, this.#limits);
          const goesOn = (): boolean => isWanted() && !isPlanned;
          await host.rest({ rows: size, readMs: elapsedMs }, goesOn, signal);
        } catch (error) {
          failure ??= toRowferryError(error, 'reading a chunk');
        }
        idle.push(reader);
      })();
      void done.finally(() => running.delete(done));
      running.add(done);
      after = to;
    }
    isPlanned = true;
    await Promise.all(running);
    if (failure !== undefined) throw failure;
  }

  get #limits() {
    const { chunkMs, leastRows, mostRows } = this.#parts.options;
    return { targetMs: chunkMs, least: leastRows, most: mostRows };
  }

  /** Fixes the upper key at the very start; undefined when there is nothing to copy. */
  async #begin(
    table: SnapshotTable,
  ): Promise<{ readonly upper: CopyKey; readonly after: CopyKey | null } | undefined> {
    const { copy, source, host, options } = this.#parts;
    const known = host.now(copy);
    if (known === undefined) return undefined;
    const isBegun = known.state === 'copying' && known.upper !== null && known.keyForm === table.keyForm;
    if (known.keyForm !== null && known.keyForm !== table.keyForm) {
      options.log.warn({ table: copy.table }, 'its key has changed: the copy begins anew');
    }
    // What stands before this mark in the binlog can be read now: the upper key must not miss a row that no change brings.
    await source.mark({ ...options.writer, chunk: NO_CHUNK, edge: 'low' }, 0);
    const upper = isBegun ? known.upper : await source.upper(table);
    const nowMs = Date.now();
    host.change(copy, (before) => ({
      ...before,
      state: upper === null ? 'done' : 'copying',
      upper,
      after: isBegun ? before.after : null,
      rows: isBegun ? before.rows : 0,
      keyForm: table.keyForm,
      estimate: table.estimatedRows,
      startedMs: before.startedMs ?? nowMs,
      finishedMs: upper === null ? nowMs : null,
    }));
    options.log.info(
      { table: copy.table, estimatedRows: table.estimatedRows },
      upper === null ? 'nothing to copy' : 'copying',
    );
    return upper === null ? undefined : { upper, after: isBegun ? known.after : null };
  }

  /**
   * Between marks; a chunk too large for the memory goes in parts. Resolves when its rows are queued, with the
   * milliseconds that reading took.
   */
  async #readChunk(
    job: {
      readonly reader: number;
      readonly table: SnapshotTable;
      readonly ledger: ChunkLedger;
      readonly partitionOf: (row: Row) => number;
      readonly id: number;
      readonly size: number;
      readonly from: CopyKey | null;
      readonly to: CopyKey;
    },
    signal: AbortSignal,
  ): Promise<number> {
    const { copy, source, host, options } = this.#parts;
    const { reader, table, ledger, partitionOf, to } = job;
    let { id, size, from } = job;
    let readMs = 0;
    for (;;) {
      const mark = { ...options.writer, chunk: id };
      let passed: (how: Passing) => void = () => {};
      const passing = new Promise<Passing>((resolve) => (passed = resolve));
      const chunk: Chunk = { copy, table, ledger, partitionOf, size, rows: [], passed };
      host.begin(id, chunk);
      await source.mark({ ...mark, edge: 'low' }, reader);
      killPoint('snapshot.after-low');
      const startedMs = performance.now();
      const { rows, last } = await source.read(reader, table, from, to);
      readMs += performance.now() - startedMs;
      chunk.rows = rows;
      // The rest of a chunk that was cut short is a chunk of its own, right behind it.
      const rest = last === null ? undefined : host.nextChunk();
      if (rest !== undefined) ledger.split(id, last!, rest);
      killPoint('snapshot.after-read');
      await source.mark({ ...mark, edge: 'high' }, reader);
      const how = await settled(passing, host, signal);
      if (how === 'lost') throw lostMarks(options.source, tableName(table.table));
      if (how === 'overrun' || how === 'changed') throw outdated(how, options.source, tableName(table.table));
      if (rest === undefined || signal.aborted) return readMs;
      [id, size, from] = [rest, Math.max(1, size - rows.length), last];
    }
  }
}

/** Keys as the source gives them; of use for nothing but to go on from. */
export function sameKey(a: CopyKey, b: CopyKey): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function outdated(how: 'overrun' | 'changed', source: string, table: string): RowferryError {
  const what = how === 'overrun' ? 'too many rows changed' : 'a statement changed the table';
  return new RowferryError('ROWFERRY_SOURCE_LINK', `${what} while a chunk was read`, {
    where: { source, table },
    hint: 'nothing: it is read again',
  });
}
