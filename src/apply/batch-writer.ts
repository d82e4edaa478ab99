/**
 * Writes one folded batch to its targets in the order of `stages.ts`. Knows nothing of Kafka.
 *
 * A batch is repeated as a whole after an error: what already committed is known by each target's `next` and is not written
 * again; a phase one that committed is idempotent.
 */
import { RowferryError } from '../errors.ts';
import { compareSequence } from '../model/position.ts';
import { keyOf } from '../model/row-key.ts';
import type { Table } from '../model/table.ts';
import { tableName } from '../model/table.ts';
import { killPoint } from '../runtime/kill-points.ts';
import type {
  KeyValues,
  ParkedEntry,
  PartitionId,
  PartitionSequence,
  TableBatch,
  TableWriter,
  Target,
  WriteBatch,
} from '../targets/target.ts';
import type { ApplyCounters } from './apply-counters.ts';
import type { Batch } from './batch.ts';
import type { FoldedRow, TableWork, TargetWork } from './fold.ts';
import { workByTarget } from './fold.ts';
import type { RouterPlace } from '../routing/router.ts';
import { NOWHERE } from '../routing/router.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { parkedName } from './parked-keys.ts';
import type { StageStep } from './stages.ts';
import { planStages } from './stages.ts';
import type { TableLocks } from './table-locks.ts';
import { lockName } from './table-locks.ts';

/** What a partition's owner knows of one target. */
export interface TargetState {
  readonly target: Target;
  /** The target's watermark as this owner last committed or read it. */
  next: number;
  /** Commit time at the source up to which the target has what this partition brought; null when its watermark tells none. */
  sourceTimeMs: number | null;
}

interface BatchWriterOptions {
  readonly id: PartitionId;
  readonly owner: number;
  readonly states: readonly TargetState[];
  readonly parked: ParkedKeys;
  readonly onBadRow: 'stop' | 'park';
  readonly locks: TableLocks;
  readonly counters: ApplyCounters;
}

export interface WrittenBatch {
  /** `stale` when another owner was met: nothing more may be written. */
  readonly kind: 'done' | 'stale';
  readonly upserts: number;
  readonly deletes: number;
  readonly moves: number;
}

export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #writers = new Map<string, TableWriter>();

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  /**
   * Commits the batch everywhere or throws what stopped it; `idle` targets write their watermark only when `touchIdle`.
   * The signal is honoured between stages: a transaction that has begun is finished.
   */
  async write(
    batch: Batch,
    { rows, places }: { readonly rows: readonly FoldedRow[]; readonly places: readonly RouterPlace[] },
    touchIdle: boolean,
    signal: AbortSignal,
  ): Promise<WrittenBatch> {
    const { states } = this.#options;
    const work = workByTarget(rows, places);
    const behind = [...states.keys()].filter((target) => states[target]!.next < batch.end);
    const stages = planStages(work, behind, touchIdle);
    await this.#prepareWriters(work);
    for (const [index, stage] of stages.entries()) {
      signal.throwIfAborted();
      if (index > 0) killPoint('apply.between-phases');
      const results = await settle(
        stage.map((step) => this.#runStep(step, batch, work.get(step.target), signal)),
      );
      if (results.includes('stale')) return { kind: 'stale', ...count(rows) };
    }
    return { kind: 'done', ...count(rows) };
  }

  /** Tables are described anew: a writer goes by what its table was, and a shape may look the same behind a change as before. */
  forgetTables(): void {
    this.#writers.clear();
  }

  async #runStep(
    step: StageStep,
    batch: Batch,
    work: TargetWork | undefined,
    signal: AbortSignal,
  ): Promise<'done' | 'stale'> {
    const { id, owner, states, onBadRow, counters } = this.#options;
    const state = states[step.target]!;
    const { target, next } = state;
    const tables = (work?.tables ?? []).map((table) => this.#tableBatch(step, table, batch.sequence, next));
    const write: WriteBatch = {
      id,
      owner,
      expectNext: next,
      onBadRow,
      tables: tables.filter((table) => table.deletes.length + table.upserts.length > 0),
      save:
        step.kind === 'arrive'
          ? { kind: 'planned', plannedEnd: batch.end }
          : { kind: 'next', next: batch.end, sequence: batch.sequence, sourceTimeMs: sourceTimeMs(batch) },
    };
    const unique = write.tables.filter(({ writer }) => writer.hasUniqueKeys);
    const names = unique.map(({ writer }) => lockName(target.name, writer.table.name));
    const commit = async () => await target.write(write, signal);
    // Those that move a watermark alone are quick, and would hide how long rows take.
    const timed = write.tables.length === 0 ? commit : async () => await counters.timed(target.name, commit);
    const result = await this.#options.locks.hold(names, timed);
    if (result.kind === 'stale') return 'stale';
    // Noted here and not when the whole stage is through: a sibling may fail, and what this target committed stays committed.
    if (step.kind !== 'arrive') {
      state.next = batch.end;
      state.sourceTimeMs = sourceTimeMs(batch) ?? state.sourceTimeMs;
    }
    counters.committed(target.name, write.tables, result.parked);
    this.#noteParked(step.target, write.tables, result.parked);
    return 'done';
  }

  #noteParked(target: number, tables: readonly TableBatch[], entries: readonly ParkedEntry[]): void {
    const { parked } = this.#options;
    for (const { writer, unpark } of tables) {
      for (const key of unpark) parked.delete(target, parkedName(writer, key));
    }
    for (const entry of entries) parked.add(target, entry);
  }

  #tableBatch(
    { target, kind }: StageStep,
    work: TableWork,
    sequence: PartitionSequence,
    next: number,
  ): TableBatch {
    const writer = this.#writers.get(writerKey(target, work))!;
    const arriving = kind === 'full' || kind === 'arrive';
    const leaving = kind === 'full' || kind === 'leave';
    const deleted = [...(arriving ? work.deletes : []), ...(leaving ? work.moveDeletes : [])].map((row) =>
      keyOfRow(row),
    );
    // What is added and not replaced goes with the transaction that saves `next`, and not to a target that has it already:
    // a first phase may be repeated, and a batch begins where the target that is furthest behind stands.
    const upserted = work.upserts.filter(({ addedAt }) =>
      addedAt === undefined ? arriving : leaving && addedAt >= next,
    );
    // Deletes come before inserts; where secondary unique keys exist, inserts follow the order of the source's last changes,
    // so that of two rows that held one unique value in turn the later holder comes last.
    const ordered = writer.hasUniqueKeys ? upserted.toSorted(byLastChange) : upserted;
    const { epoch } = sequence;
    const upserts = ordered.map((row) => {
      const { file, end, half } = row.last.sequence;
      return { key: keyOfRow(row), row: row.image, sequence: { epoch, file, end, half } };
    });
    const unpark: KeyValues[] = [];
    const { parked } = this.#options;
    if (parked.hasAny(target, work.to)) {
      for (const key of deleted) if (parked.has(target, parkedName(writer, key))) unpark.push(key);
      for (const { key } of upserts) if (parked.has(target, parkedName(writer, key))) unpark.push(key);
    }
    return { writer, deletes: deleted, upserts, unpark };
  }

  /** Writers of tables that this batch needs for the first time; all that is missing at a target is reported together. */
  async #prepareWriters(work: ReadonlyMap<number, TargetWork>): Promise<void> {
    for (const [index, { tables }] of work) {
      const missing = tables.filter((table) => !this.#writers.has(writerKey(index, table)));
      if (missing.length === 0) continue;
      const { target } = this.#options.states[index]!;
      const described = await target.describe([...new Set(missing.map((table) => table.to))]);
      for (const table of missing) {
        const found = described.get(table.to);
        if (found === undefined) throw noTable(target.name, table);
        this.#writers.set(writerKey(index, table), target.writer(table.table, found));
      }
    }
  }
}

const shapeNumbers = new WeakMap<Table, number>();
let shapeCount = 0;

function writerKey(target: number, work: TableWork): string {
  let shape = shapeNumbers.get(work.table);
  if (shape === undefined) shapeNumbers.set(work.table, (shape = shapeCount++));
  return `${target}/${shape}/${work.to}`;
}

function keyOfRow(row: FoldedRow): KeyValues {
  return keyOf(row.table, row.image);
}

function byLastChange(a: FoldedRow, b: FoldedRow): number {
  return compareSequence(a.last.sequence, b.last.sequence);
}

function sourceTimeMs(batch: Batch): number | null {
  return batch.marker?.horizonMs ?? batch.newestMs;
}

/** Rows of layouts: one that moves counts as an upsert and as a move, not as a delete. */
function count(rows: readonly FoldedRow[]): { upserts: number; deletes: number; moves: number } {
  let upserts = 0;
  let moves = 0;
  for (const { place, touched } of rows) {
    if (place === NOWHERE) continue;
    upserts++;
    if (touched.length > 1) moves++;
  }
  return { upserts, deletes: rows.length - upserts, moves };
}

/** Waits for all, then throws the first error: no transaction of a failed stage is left running unseen. */
async function settle<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  if (tasks.length === 1) return [await tasks[0]!];
  const settled = await Promise.allSettled(tasks);
  return settled.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

function noTable(target: string, work: TableWork): RowferryError {
  const name = tableName(work.table);
  return new RowferryError('ROWFERRY_TARGET_SCHEMA', `target ${target} has no table ${work.to} for ${name}`, {
    where: { target, table: work.to },
    hint: 'create it there (or correct the route); the partition goes on by itself once it exists',
  });
}
