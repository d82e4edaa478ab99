/**
 * The apply side of a pipeline: a member of its consumer group that runs one worker for each partition it is assigned.
 *
 * Every join of the group, also one that changes nothing for this member, ends all workers and starts those of the new
 * assignment: somebody else may have owned a partition in between, and a fresh claim (A2) settles it.
 *
 * A worker that stops with an error leaves the others running. It is tried again after a while, from its watermark:
 * whoever mends the cause (a missing column, a full disk) need not tell rowferry.
 */
import type { ErrorCode, RowferryError } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import type {
  AssignedPartition,
  GroupConsumer,
  PartitionEnd,
  RecordBatch,
} from '../drivers/kafka-consumer.ts';
import type { Log } from '../model/log.ts';
import type { SourceRouter } from '../routing/router.ts';
import { Backoff, sleep } from '../runtime/backoff.ts';
import type { Gate } from '../runtime/gate.ts';
import type { Outages } from '../runtime/outages.ts';
import type { Target } from '../targets/target.ts';
import type { ApplyCounters } from './apply-counters.ts';
import type { BatchLimits } from './batch.ts';
import { PartitionLag } from './partition-lag.ts';
import type { PartitionStatus } from './partition-progress.ts';
import { PartitionWorker } from './partition-worker.ts';
import { TableEvolver } from './table-evolver.ts';
import { TableLocks } from './table-locks.ts';
import type { TargetStatus } from './target-status.ts';
import { targetStatus } from './target-status.ts';
import type { TopicReader } from './topic-reader.ts';

interface ApplierOptions {
  readonly targets: readonly Target[];
  /** The routes as the rows of a topic see them. */
  readonly routerOf: (topic: string) => SourceRouter;
  /** How the records of a topic are read, anew for each worker. */
  readonly readerOf: (topic: string) => TopicReader;
  readonly limits: BatchLimits;
  /** Bytes of records that may wait in memory, all partitions together. */
  readonly queueBytes: number;
  readonly onBadRow: 'stop' | 'park';
  /** How often markers come; where a topic has none, how often its end is asked for. */
  readonly heartbeatMs: number;
  /** Closed while an operator has paused applying. */
  readonly gate: Gate;
  /** Outlives this applier. */
  readonly counters: ApplyCounters;
  readonly outages: Outages;
  readonly log: Log;
}

/** One assigned partition: its worker (a new one after each stop) and the promise that it has ended for good. */
class Slot {
  readonly id: AssignedPartition;
  worker: PartitionWorker;
  done: Promise<void> = Promise.resolve();

  constructor(id: AssignedPartition, worker: PartitionWorker) {
    this.id = id;
    this.worker = worker;
  }
}

/** Offsets do not fit the log: trying again might find that they seem to, when the log has grown past them. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'ROWFERRY_KAFKA_OFFSET_LOST',
  'ROWFERRY_CONFIG_STATE_MISMATCH',
]);

/** How long the ends of partitions are waited for. */
const ANSWER_MS = 10_000;
const STOPPED_RETRY = { firstMs: 2_000, maxMs: 60_000 };

export class Applier {
  readonly #options: ApplierOptions;
  readonly #consumer: GroupConsumer;
  readonly #locks = new TableLocks();
  readonly #evolver: TableEvolver;
  readonly #slots = new Map<string, Slot>();
  /** Commit time up to which each partition was applied when its last worker here ended: lag goes on from there. */
  readonly #basesMs = new Map<string, number | null>();
  readonly #failed = new AbortController();
  #failure: RowferryError | undefined;
  #generation = new AbortController();
  #assigning: Promise<void> = Promise.resolve();

  constructor(options: ApplierOptions, connect: (handlers: ApplierHandlers) => GroupConsumer) {
    this.#options = options;
    this.#evolver = new TableEvolver(options.log);
    this.#consumer = connect({
      onAssign: (partitions) => this.#assign(partitions),
      onRecords: (batch) => this.#deliver(batch),
    });
  }

  /** Resolves when the signal aborted and every worker has ended; rejects when the consumer can never go on. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const asking = this.#askForEnds(ended.signal);
    try {
      await this.#consumer.run(AbortSignal.any([signal, this.#failed.signal]));
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      ended.abort();
      await asking;
      this.#generation.abort();
      await this.#assigning;
      await this.#ended();
    }
  }

  status(nowMs: number): PartitionStatus[] {
    return [...this.#slots.values()].map(({ worker }) => worker.progress.status(worker.id, nowMs));
  }

  /** Each target as the partitions of this process have it. */
  targetStatus(nowMs: number): TargetStatus[] {
    const partitions = [...this.#slots.values()].map(({ worker }) => worker.progress);
    return this.#options.targets.map(({ name }, index) => targetStatus(name, index, partitions, nowMs));
  }

  /** Times that a membership of the group broke and began again. */
  get breaks(): number {
    return this.#consumer.breaks;
  }

  /** One assignment after the other: a second join waits until the first one's workers have ended. */
  #assign(partitions: readonly AssignedPartition[]): void {
    const previous = this.#generation;
    this.#generation = new AbortController();
    const { signal } = this.#generation;
    previous.abort();
    this.#assigning = this.#assigning.then(async () => {
      await this.#ended();
      if (signal.aborted) return;
      this.#options.counters.rebalanced();
      this.#options.log.info(
        { partitions: partitions.map(({ topic, partition }) => `${topic}/${partition}`) },
        'partitions assigned',
      );
      const share = Math.max(1, Math.floor(this.#options.queueBytes / Math.max(1, partitions.length)));
      for (const id of partitions) {
        const slot = new Slot(id, this.#newWorker(id, share));
        this.#slots.set(nameOf(id), slot);
        slot.done = this.#keepRunning(slot, share, signal);
      }
    });
  }

  /** Waits for workers that were told to end. */
  async #ended(): Promise<void> {
    await Promise.all([...this.#slots.values()].map(({ done }) => done));
    for (const [name, { worker }] of this.#slots) this.#basesMs.set(name, worker.progress.lag.basisMs);
    this.#slots.clear();
  }

  async #keepRunning(slot: Slot, queueBytes: number, signal: AbortSignal): Promise<void> {
    const { id } = slot;
    const backoff = new Backoff(STOPPED_RETRY);
    const { outages, counters, log } = this.#options;
    const outage = outages.of(nameOf(id), { fields: { ...id } });
    let told: string | undefined;
    try {
      for (;;) {
        try {
          const end = await slot.worker.run(signal, () => outage.over());
          if (end === 'lost' && !signal.aborted) this.#consumer.rejoin();
          return;
        } catch (thrown) {
          const error = toRowferryError(thrown, 'applying a partition');
          if (FINAL.has(error.code)) {
            this.#fail(error);
            return;
          }
          this.#consumer.pause(id.topic, id.partition);
          counters.retried(error.code);
          let waitMs: number;
          if (error.action === 'retry') {
            waitMs = outage.failed(error);
            slot.worker.progress.waiting(error, Date.now() + waitMs);
          } else {
            outage.close();
            waitMs = backoff.nextMs();
            slot.worker.progress.stopped(error, Date.now() + waitMs);
            const text = error.describe();
            if (text !== told) log.error({ ...id, code: error.code }, `partition stopped: ${text}`);
            told = text;
          }
          await outages.wait(waitMs, signal);
          if (signal.aborted) return;
          this.#basesMs.set(nameOf(id), slot.worker.progress.lag.basisMs);
          slot.worker = this.#newWorker(id, queueBytes);
        }
      }
    } finally {
      outage.close();
    }
  }

  /** Partitions whose writer sends no markers learn from the end of the log that they have all of it. */
  async #askForEnds(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const unmarked = [...this.#slots.values()]
        .filter(({ worker }) => !worker.hasMarkers)
        .map(({ id }) => id);
      const askedMs = Date.now();
      const ends = unmarked.length === 0 ? [] : await this.#endsOf(unmarked, signal);
      for (const end of ends) this.#slots.get(nameOf(end))?.worker.logEnd(end.offset, askedMs);
      await sleep(this.#options.heartbeatMs, signal);
    }
  }

  /** None when Kafka does not answer in time: it holds up nobody who ends. */
  async #endsOf(
    partitions: readonly AssignedPartition[],
    signal: AbortSignal,
  ): Promise<readonly PartitionEnd[]> {
    const answered = new AbortController();
    const none = sleep(ANSWER_MS, AbortSignal.any([signal, answered.signal])).then(() => []);
    try {
      return await Promise.race([this.#consumer.ends(partitions), none]);
    } finally {
      answered.abort();
    }
  }

  #fail(error: RowferryError): void {
    this.#failure ??= error;
    this.#failed.abort();
  }

  #newWorker(id: AssignedPartition, queueBytes: number): PartitionWorker {
    const { targets, routerOf, readerOf, limits, onBadRow, heartbeatMs, gate, counters, outages, log } =
      this.#options;
    const { topic, partition } = id;
    const consumer = this.#consumer;
    return new PartitionWorker({
      id,
      targets,
      router: routerOf(topic),
      reader: readerOf(topic),
      limits,
      queueBytes,
      onBadRow,
      locks: this.#locks,
      evolver: this.#evolver,
      gate,
      counters,
      outages,
      lag: new PartitionLag(heartbeatMs, this.#basesMs.get(nameOf(id))),
      log,
      feed: {
        seek: (offset) => consumer.seek(topic, partition, offset),
        pause: () => consumer.pause(topic, partition),
        resume: () => consumer.resume(topic, partition),
        commitHint: (offset) => consumer.commitHint(topic, partition, offset),
        position: () => consumer.position(topic, partition),
        bounds: async (signal) => await consumer.bounds(topic, partition, signal),
      },
    });
  }

  #deliver({ topic, partition, records }: RecordBatch): void {
    this.#slots.get(nameOf({ topic, partition }))?.worker.push(records);
  }
}

interface ApplierHandlers {
  onAssign(partitions: readonly AssignedPartition[]): void;
  onRecords(batch: RecordBatch): void;
}

function nameOf({ topic, partition }: AssignedPartition): string {
  return `${topic}/${partition}`;
}
