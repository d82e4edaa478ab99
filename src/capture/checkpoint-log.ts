/**
 * The checkpoint topic of a source (C1, C3): one compacted partition of claims, checkpoints and acknowledged statements.
 *
 * - A capture appends a **claim** before it publishes anything; its *incarnation* is that record's offset.
 * - A **checkpoint** counts only if no newer claim precedes it: a late zombie's checkpoint is ignored.
 * - A **claim by an operator** (`rowferry replay`) raises the epoch; the running capture meets it as a newer claim and gives way.
 * - An **accept** record names the place and server of a statement that an operator has dealt with; checkpoints say which tables
 *   wait for one (table-flow.ts).
 * - A **snapshot** record asks for tables to be copied, paused, resumed or cancelled; checkpoints say how far that has come.
 *
 * Compaction keeps the newest checkpoint of each incarnation and ten minutes for ever, so that there is always a position to
 * go on from and a history to go back in.
 */
import { randomUUID } from 'node:crypto';
import { RowferryError } from '../errors.ts';
import type { Position } from '../model/position.ts';
import type { Accept } from './acknowledgements.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { SnapshotRequest, SnapshotState } from './snapshot-state.ts';
import { NO_SNAPSHOT } from './snapshot-state.ts';
import type { FlowState } from './table-flow.ts';
import { ALL_FLOW } from './table-flow.ts';

export interface LogEntry {
  readonly offset: number;
  readonly key: string;
  readonly value: string;
}

interface Claim {
  readonly kind: 'claim';
  /** Made anew for each claim, so that a copy of it (an append whose answer was lost, sent again) is known as one. */
  readonly id: string;
  /**
   * The incarnation that was the newest when it was decided; it counts for nothing where that is not the one before it. Absent in
   * claims of former versions.
   */
  readonly after?: number;
  readonly epoch: number;
  /** Where the claimer starts to read; null where that is what was saved before this record. */
  readonly start: Position | null;
  /** The snapshot to begin with; only in the very first claim of a source. */
  readonly snapshot?: SnapshotState;
  /** Which tables flow from `start` on; absent when that is as it was saved. */
  readonly flow?: FlowState;
  /** Who claimed, for people: host and process, or the operator. */
  readonly by: string;
  /** An operator claims, for whoever captures. */
  readonly asked?: 'replay';
  readonly timeMs: number;
}

/** A place to go on from: everything before it is in Kafka. */
export interface SavePoint {
  readonly position: Position;
  /** Newest commit time at the source that the position covers; null before the first. */
  readonly commitMs: number | null;
  readonly snapshot: SnapshotState;
  readonly flow: FlowState;
}

interface Checkpoint extends Omit<SavePoint, 'snapshot' | 'flow'> {
  readonly kind: 'checkpoint';
  readonly incarnation: number;
  readonly epoch: number;
  /** Absent in checkpoints of versions without snapshots. */
  readonly snapshot?: SnapshotState;
  /** Absent when every table flows. */
  readonly flow?: FlowState;
  readonly timeMs: number;
}

export interface AskSnapshot extends SnapshotRequest {
  readonly kind: 'snapshot';
  /** Made anew for each request, so that a copy of it counts once. */
  readonly id: string;
  readonly by: string;
  readonly timeMs: number;
}

export type CheckpointRecord = Claim | Checkpoint | Accept | AskSnapshot;

/** What an operator asks for; of claims those of a replay. */
export type OperatorRecord = Claim | Accept | AskSnapshot;

/** A request with the offset after its record. */
export interface PendingRequest {
  readonly id: string;
  readonly request: SnapshotRequest;
  readonly end: number;
}

/** What a claimer decides; the rest is added when it is appended. */
export type ClaimWish = Omit<Claim, 'kind' | 'id' | 'after'>;

/** What the log says, read from start to end. */
export interface CheckpointState {
  readonly epoch: number;
  /** Offset of the newest claim, -1 when there is none. */
  readonly incarnation: number;
  /** Id of the very first claim, which compaction keeps: it tells this log from every other; null when there is none. */
  readonly lineage: string | null;
  /** From where capture goes on; null when nothing was ever claimed or saved. */
  readonly position: Position | null;
  readonly commitMs: number | null;
  /** When `position` was saved, milliseconds. */
  readonly savedMs: number | null;
  readonly accepted: Acknowledgements;
  readonly snapshot: SnapshotState;
  readonly flow: FlowState;
  /** Requests that `snapshot` does not hold yet, oldest first. */
  readonly requests: readonly PendingRequest[];
  /** What operators asked for since a capture last claimed or saved: none has met it before. */
  readonly asked: readonly OperatorRecord[];
  /** Every checkpoint that counts, oldest first. */
  readonly history: readonly Checkpoint[];
  /** Offset after the last record. */
  readonly end: number;
}

/** Folds the log's records, in order, to the state that counts. Pure. Throws ROWFERRY_WIRE_CORRUPT with the offset. */
export function readCheckpointLog(entries: readonly LogEntry[]): CheckpointState {
  let lineage: string | null = null;
  let state: Omit<CheckpointState, 'accepted' | 'asked' | 'history' | 'requests' | 'lineage'> = {
    epoch: 0,
    incarnation: -1,
    position: null,
    commitMs: null,
    savedMs: null,
    snapshot: NO_SNAPSHOT,
    flow: ALL_FLOW,
    end: 0,
  };
  const requests = new Map<string, PendingRequest>();
  const accepted: Accept[] = [];
  let asked: OperatorRecord[] = [];
  const history: Checkpoint[] = [];
  const claims = new Set<string>();
  for (const entry of entries) {
    const record = parseRecord(entry);
    const end = entry.offset + 1;
    if (record.kind === 'claim') lineage ??= record.id;
    if (record.kind === 'accept') {
      accepted.push(record);
      asked.push(record);
      state = { ...state, end };
    } else if (record.kind === 'snapshot') {
      const { id, action, table, empties } = record;
      if (!requests.has(id)) {
        const request = { action, table, ...(empties === true ? { empties } : {}) };
        requests.set(id, { id, request, end });
        asked.push(record);
      }
      state = { ...state, end };
    } else if (record.epoch < state.epoch || (record.kind === 'claim' && claims.has(record.id))) {
      // A late copy, or a zombie of an epoch that is over: taking it up would bring that epoch back.
      state = { ...state, end };
    } else if (record.kind === 'claim' && (record.after ?? state.incarnation) !== state.incarnation) {
      // Made from an older reading, it would undo what came in between. Its writer finds out, and decides again.
      state = { ...state, end };
    } else if (record.kind === 'claim') {
      claims.add(record.id);
      asked = record.asked === undefined ? [] : [...asked, record];
      // A claim of the same epoch names no start: it goes on from what is saved here, its writer may have read less of it.
      const { epoch, start, timeMs } = record;
      state = {
        ...state,
        epoch,
        incarnation: entry.offset,
        position: start ?? state.position,
        savedMs: timeMs,
        snapshot: record.snapshot ?? state.snapshot,
        flow: record.flow ?? state.flow,
        end,
      };
    } else if (record.incarnation >= state.incarnation) {
      const { epoch, incarnation, position, commitMs, timeMs, snapshot = state.snapshot } = record;
      const { flow = ALL_FLOW } = record;
      state = { epoch, incarnation, position, commitMs, savedMs: timeMs, snapshot, flow, end };
      history.push(record);
      asked = [];
    } else {
      state = { ...state, end };
    }
  }
  const { snapshot } = state;
  const pending = [...requests.values()].filter(
    ({ id, end }) => end > snapshot.requests && snapshot.taken?.includes(id) !== true,
  );
  return { ...state, lineage, accepted: new Acknowledgements(accepted), asked, requests: pending, history };
}

const KINDS: ReadonlySet<unknown> = new Set(['claim', 'checkpoint', 'accept', 'snapshot']);

function parseRecord({ offset, value }: LogEntry): CheckpointRecord {
  try {
    const parsed = JSON.parse(value) as { readonly v?: unknown; readonly kind?: unknown };
    if (parsed.v === 1 && KINDS.has(parsed.kind)) {
      return parsed as unknown as CheckpointRecord;
    }
  } catch (cause) {
    throw corrupt(offset, cause);
  }
  throw corrupt(offset, undefined);
}

function corrupt(offset: number, cause: unknown): RowferryError {
  return new RowferryError('ROWFERRY_WIRE_CORRUPT', 'a record of the checkpoint topic cannot be read', {
    where: { offset: String(offset) },
    hint: 'a newer rowferry or another program wrote it; run the version that did, or restore the topic',
    cause,
  });
}

const BUCKET_MS = 600_000;

/** The compaction key of a record: an incarnation's checkpoints of ten minutes share one, all else stays. */
export function recordKey(record: CheckpointRecord): string {
  switch (record.kind) {
    case 'claim':
      return `claim/${record.id}`;
    case 'accept':
      return `accept/${record.server === undefined ? '' : `${record.server}/`}${record.statement}`;
    case 'snapshot':
      return `snapshot/${record.id}`;
    case 'checkpoint':
      return `checkpoint/${record.incarnation}/${Math.floor(record.timeMs / BUCKET_MS)}`;
  }
}

export function encodeRecord(record: CheckpointRecord): string {
  return JSON.stringify({ v: 1, ...record });
}

/** Where the log is kept; the Kafka driver stands behind it. */
export interface CheckpointStore {
  readAll(signal: AbortSignal): Promise<readonly LogEntry[]>;
  /** Appends durably (acks=all) and answers the record's offset. */
  append(key: string, value: string, signal: AbortSignal): Promise<number>;
}

/** One capture's hold on the log: it claims once, then saves. */
export class CheckpointWriter {
  readonly #store: CheckpointStore;
  readonly #epoch: number;
  readonly incarnation: number;
  /** Ids of its own claim and of the log's first one. */
  readonly claim: string;
  readonly lineage: string;
  #end: number;

  private constructor(store: CheckpointStore, { id, epoch }: Claim, incarnation: number, lineage: string) {
    this.#store = store;
    this.#epoch = epoch;
    this.incarnation = incarnation;
    this.claim = id;
    this.lineage = lineage;
    this.#end = incarnation + 1;
  }

  /**
   * Reads the log, appends the claim that `decide` makes of it, and only then lets the claimer publish (C1). Where another claim
   * slipped in between reading and appending (another capture, an operator's replay) it counts for nothing, also when its writer
   * ends here, and everything is read and decided again.
   */
  static async claim(
    store: CheckpointStore,
    decide: (state: CheckpointState) => ClaimWish | Promise<ClaimWish>,
    signal: AbortSignal,
  ): Promise<{
    readonly writer: CheckpointWriter;
    readonly claim: ClaimWish;
    readonly state: CheckpointState;
  }> {
    let state = readCheckpointLog(await store.readAll(signal));
    for (;;) {
      const claim = await decide(state);
      const record: Claim = { kind: 'claim', id: randomUUID(), after: state.incarnation, ...claim };
      const offset = await store.append(recordKey(record), encodeRecord(record), signal);
      const writer = (lineage: string | null): CheckpointWriter =>
        new CheckpointWriter(store, record, offset, lineage ?? record.id);
      if (offset === state.end) return { writer: writer(state.lineage), claim, state };
      const entries = await store.readAll(signal);
      const before = readCheckpointLog(entries.filter((entry) => entry.offset < offset));
      if (before.incarnation === state.incarnation)
        return { writer: writer(before.lineage), claim, state: before };
      state = readCheckpointLog(entries);
    }
  }

  /**
   * Saves a point. Answers `superseded` when somebody claimed in between: this writer's checkpoints count no more and it must
   * stop. The check costs nothing while nobody else writes: then each record lands right behind the last. When others wrote
   * but nobody claimed, the answer is what the log says now.
   */
  async save(
    { position, commitMs, snapshot, flow }: SavePoint,
    timeMs: number,
    signal: AbortSignal,
  ): Promise<'saved' | 'superseded' | CheckpointState> {
    const { incarnation } = this;
    const record: Checkpoint = {
      kind: 'checkpoint',
      incarnation,
      epoch: this.#epoch,
      position,
      commitMs,
      snapshot,
      ...(flow === ALL_FLOW ? {} : { flow }),
      timeMs,
    };
    const offset = await this.#store.append(recordKey(record), encodeRecord(record), signal);
    const alone = offset === this.#end;
    this.#end = offset + 1;
    if (alone) return 'saved';
    const entries = await this.#store.readAll(signal);
    const state = readCheckpointLog(entries);
    if (state.incarnation !== incarnation) return 'superseded';
    // What comes behind this checkpoint is met with the next one.
    const { asked } = readCheckpointLog(entries.filter((entry) => entry.offset < offset));
    return { ...state, asked };
  }
}
