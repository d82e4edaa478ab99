/** One membership of a consumer group, from joining to leaving or breaking. It never repairs itself. */
import type kafkajs from 'kafkajs';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { RawRecord } from '../wire/raw-record.ts';
import { instanceOf, settleWithin, type KafkaClient, type KafkaLink } from './kafka-client.ts';
import { catchCluster, groupMembers, removeMember } from './kafka-cluster.ts';
import { kafkaError } from './kafka-errors.ts';
import { PartitionFlow } from './kafka-flow.ts';

export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Records of one partition in offset order. Keys and values are views of the fetched bytes: copy what is kept for long. */
export interface RecordBatch extends AssignedPartition {
  readonly records: readonly ConsumedRecord[];
  /** Offset that the partition's next record would get when this was fetched. */
  readonly highWatermark: number;
}

export interface ConsumedRecord extends RawRecord {
  readonly timestampMs: number;
}

export interface PartitionEnd extends AssignedPartition {
  readonly offset: number;
}

export interface PartitionBounds {
  readonly low: number;
  readonly high: number;
}

interface SessionOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly maxBytes: number;
  readonly maxPartitionBytes: number;
  readonly maxWaitMs: number;
  readonly stallMs: number;
  readonly allowOffsetHoles: boolean;
  readonly log: Log;
  /** Hexadecimal, the same for all sessions of one consumer: by it their members are known in the group. */
  readonly instance: string;
  /** A session broke before: what is left of it in the group is removed first, or joining would wait for its end. */
  readonly hasGhosts: boolean;
  readonly onAssign: (partitions: readonly AssignedPartition[]) => void;
  readonly onRecords: (batch: RecordBatch) => void;
  /** A sign of life after which earlier failures do not count any more. */
  readonly onHealthy: () => void;
}

/** A mismatch that comes back so often although the log holds the offset is no passing hiccup. */
const MISMATCH_TRIES = 5;

/** How soon others see how far this member is; a snapshot goes by it. */
const HINT_MS = 250;

export class ConsumerSession {
  readonly #options: SessionOptions;
  readonly #log: Log;
  readonly #client: KafkaClient;
  readonly #consumer: kafkajs.Consumer;
  readonly #cluster: kafkajs.Cluster;
  readonly #flows = new Map<string, PartitionFlow & AssignedPartition>();
  readonly #mismatches = new Map<string, number>();
  readonly #hints = new Map<string, AssignedPartition & { readonly offset: string }>();
  readonly #over: Promise<void>;
  #stop: () => void = () => undefined;
  #break: (error: RowferryError) => void = () => undefined;
  #starting: Promise<unknown> = Promise.resolve();
  #lastSignMs = performance.now();
  #ended = false;

  private constructor(client: KafkaClient, options: SessionOptions) {
    this.#client = client;
    this.#options = options;
    this.#log = options.log;
    this.#over = new Promise((resolve, reject) => {
      this.#stop = resolve;
      this.#break = reject;
    });
    const { assigner, cluster } = catchCluster();
    this.#consumer = client.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [assigner],
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: options.heartbeatMs,
      rebalanceTimeout: options.rebalanceTimeoutMs,
      maxBytes: options.maxBytes,
      maxBytesPerPartition: options.maxPartitionBytes,
      minBytes: 1,
      maxWaitTimeInMs: options.maxWaitMs,
      allowAutoTopicCreation: false,
      // Restarting is done a level above, always with a new client.
      retry: { retries: 2, restartOnFailure: () => Promise.resolve(false) },
    });
    this.#cluster = cluster();
  }

  static async open(link: KafkaLink, options: SessionOptions): Promise<ConsumerSession> {
    return new ConsumerSession(await link.open(options.instance), options);
  }

  /** Joins and consumes; resolves after the signal aborted and the group was left, rejects when anything breaks. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#stop;
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#listen();
    const watch = setInterval(() => this.#watch(), Math.min(1_000, this.#options.stallMs / 4));
    const hints = setInterval(() => void this.#commitHints(), HINT_MS);
    this.#starting = this.#start().catch((error: unknown) => this.#fail(error));
    try {
      await this.#over;
    } finally {
      signal.removeEventListener('abort', stop);
      clearInterval(watch);
      clearInterval(hints);
      await this.#leave();
    }
  }

  seek(topic: string, partition: number, offset: number): void {
    const flow = this.#flows.get(nameOf(topic, partition));
    if (flow === undefined || this.#ended) return;
    flow.seek(offset);
    this.#mismatches.delete(nameOf(topic, partition));
    this.#consumer.seek({ topic, partition, offset: String(offset) });
    this.#consumer.resume([{ topic, partitions: [partition] }]);
  }

  pause(topic: string, partition: number): void {
    const flow = this.#flows.get(nameOf(topic, partition));
    if (flow === undefined || this.#ended) return;
    flow.pause();
    this.#consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume(topic: string, partition: number): void {
    const flow = this.#flows.get(nameOf(topic, partition));
    if (flow === undefined || this.#ended) return;
    flow.resume();
    if (flow.isOpen) this.#consumer.resume([{ topic, partitions: [partition] }]);
  }

  commitHint(topic: string, partition: number, nextOffset: number): void {
    const name = nameOf(topic, partition);
    if (this.#flows.has(name)) this.#hints.set(name, { topic, partition, offset: String(nextOffset) });
  }

  /** Offset from which it would fetch next: behind what was delivered, and behind control records that followed. */
  position(topic: string, partition: number): number | undefined {
    return this.#flows.get(nameOf(topic, partition))?.expected;
  }

  /** First and next offset of a partition now, asked over this member's own connection. */
  async bounds(topic: string, partition: number): Promise<PartitionBounds> {
    const ask = async (fromBeginning: boolean): Promise<number> => {
      const [found] = await this.offsets([{ topic, partition }], fromBeginning);
      if (found === undefined) throw new TypeError('the answer lacks the partition');
      return found.offset;
    };
    return { high: await ask(false), low: await ask(true) };
  }

  /** The first or the next offset of each partition now; those that the answer lacks are left out. */
  async offsets(wanted: readonly AssignedPartition[], fromBeginning: boolean): Promise<PartitionEnd[]> {
    const topics = [...new Set(wanted.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: wanted.filter((each) => each.topic === topic).map(({ partition }) => ({ partition })),
      fromBeginning,
    }));
    const answer = await this.#cluster.fetchTopicsOffset(topics);
    return answer.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    );
  }

  async #start(): Promise<void> {
    await this.#consumer.connect();
    // Out of range, kafkajs goes to the log's start: the next delivery then shows the loss.
    await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
    if (this.#options.hasGhosts) await this.#removeGhosts();
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 256,
      eachBatch: (payload) => this.#deliver(payload),
    });
  }

  /**
   * A link that breaks takes the member's goodbye with it; one that breaks while joining leaves a member whose id was never
   * learned. The group would wait for each until its session ends.
   */
  async #removeGhosts(): Promise<void> {
    const { groupId, instance } = this.#options;
    try {
      const members = await groupMembers(this.#cluster, groupId);
      for (const { memberId, clientId } of members) {
        if (instanceOf(clientId) === instance) await removeMember(this.#cluster, groupId, memberId);
      }
    } catch (error) {
      // Their sessions end by themselves, only later.
      this.#log.debug({ code: kafkaError(error, 'leaving').code }, 'earlier memberships could not be ended');
    }
  }

  #listen(): void {
    const { events } = this.#consumer;
    const alive = (): void => {
      this.#lastSignMs = performance.now();
    };
    for (const event of [events.FETCH_START, events.FETCH, events.HEARTBEAT, events.CONNECT]) {
      this.#consumer.on(event, alive);
    }
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      alive();
      this.#joined(payload.memberAssignment);
    });
    this.#consumer.on(events.REBALANCING, () => this.#revoke());
    this.#consumer.on(events.CRASH, ({ payload }) => this.#fail(payload.error));
    // Fetches of control records alone reach no handler, but move the offset on.
    this.#consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize > 0) return;
      const flow = this.#flows.get(nameOf(payload.topic, payload.partition));
      if (flow?.expected === Number(payload.firstOffset)) flow.advance(Number(payload.lastOffset));
    });
  }

  /** Called by kafkajs before it fetches anything of the new assignment: all of it waits for `seek`. */
  #joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    if (this.#ended) return;
    this.#revoke();
    const partitions = Object.entries(assignment).flatMap(([topic, list]) =>
      list.map((partition) => ({ topic, partition })),
    );
    for (const { topic, partition } of partitions) {
      this.#consumer.pause([{ topic, partitions: [partition] }]);
      const flow = Object.assign(new PartitionFlow(this.#options.allowOffsetHoles), { topic, partition });
      this.#flows.set(nameOf(topic, partition), flow);
    }
    this.#options.onHealthy();
    this.#guarded(() => this.#options.onAssign(partitions));
  }

  #revoke(): void {
    this.#flows.clear();
    this.#mismatches.clear();
    this.#hints.clear();
  }

  async #deliver(payload: kafkajs.EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition, messages } = batch;
    const flow = this.#flows.get(nameOf(topic, partition));
    const first = batch.firstOffset();
    // Stale: a seek is on its way. What is not resolved here is fetched again when it is wanted.
    if (flow === undefined || first === null || payload.isStale() || this.#ended) return;
    const records = messages.map(toRecord);
    const last = Number(batch.lastOffset());
    const verdict = flow.judge({ first: Number(first), last, offsets: records.map(({ offset }) => offset) });
    if (verdict === 'mismatch') {
      void this.#lookInto(flow, Number(first));
    } else if (verdict === 'deliver') {
      flow.advance(last);
      payload.resolveOffset(batch.lastOffset());
      this.#mismatches.delete(nameOf(topic, partition));
      this.#guarded(() =>
        this.#options.onRecords({ topic, partition, records, highWatermark: Number(batch.highWatermark) }),
      );
    }
  }

  /** The wrong offset arrived: either the log no longer holds the right one, or kafkajs lost its place and is put right. */
  async #lookInto(flow: PartitionFlow & AssignedPartition, arrived: number): Promise<void> {
    const { topic, partition } = flow;
    const name = nameOf(topic, partition);
    const expected = flow.expected ?? 0;
    flow.check();
    this.#consumer.pause([{ topic, partitions: [partition] }]);
    const times = (this.#mismatches.get(name) ?? 0) + 1;
    this.#mismatches.set(name, times);
    this.#log.warn(
      { topic, partition, expected, arrived },
      'records arrived from another offset than asked for',
    );
    try {
      const { low, high } = await this.bounds(topic, partition);
      if (!flow.isChecking || this.#flows.get(name) !== flow) return;
      if (expected < low || expected > high || times >= MISMATCH_TRIES) {
        this.#fail(offsetLost({ topic, partition, expected, arrived, low, high }));
        return;
      }
      flow.checked();
      this.#consumer.seek({ topic, partition, offset: String(expected) });
      if (flow.isOpen) this.#consumer.resume([{ topic, partitions: [partition] }]);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #commitHints(): Promise<void> {
    if (this.#hints.size === 0) return;
    const offsets = [...this.#hints.values()];
    this.#hints.clear();
    try {
      await this.#consumer.commitOffsets(offsets);
    } catch (error) {
      // Only a hint for lag tools: the next one mends it.
      this.#log.debug({ code: kafkaError(error, 'committing').code }, 'an offset hint was not taken');
    }
  }

  #watch(): void {
    const silentMs = performance.now() - this.#lastSignMs;
    if (silentMs < this.#options.stallMs) return;
    const text = `the consumer showed no sign of life for ${Math.round(silentMs)} ms`;
    this.#fail(new RowferryError('ROWFERRY_KAFKA_LINK', text));
  }

  /** Errors of the callbacks are the caller's own: they end the session as they are. */
  #guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#break(toRowferryError(error, 'taking what the consumer hands over'));
    }
  }

  #fail(error: unknown): void {
    this.#break(kafkaError(error, `consuming as group ${this.#options.groupId}`));
  }

  async #leave(): Promise<void> {
    await settleWithin(this.#commitHints(), 1_000);
    this.#ended = true;
    this.#revoke();
    // Before it has joined, kafkajs has nothing to leave with and would join behind our back.
    await settleWithin(this.#starting, 2_000);
    await settleWithin(this.#consumer.disconnect(), 3_000);
    this.#client.abandon();
  }
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function toRecord({ offset, key, value, timestamp, headers }: kafkajs.KafkaMessage): ConsumedRecord {
  return {
    offset: Number(offset),
    key,
    value,
    timestampMs: Number(timestamp),
    headers: flatHeaders(headers),
  };
}

const NO_HEADERS: Readonly<Record<string, Buffer>> = {};

/** Kafka allows a header several times: the last one counts. */
function flatHeaders(headers: kafkajs.IHeaders | undefined): Readonly<Record<string, Buffer>> {
  if (headers === undefined) return NO_HEADERS;
  const flat: Record<string, Buffer> = {};
  for (const [name, values] of Object.entries(headers)) {
    const value = Array.isArray(values) ? values.at(-1) : values;
    if (value !== undefined) flat[name] = Buffer.from(value);
  }
  return flat;
}

interface LostOffset extends PartitionBounds {
  readonly topic: string;
  readonly partition: number;
  readonly expected: number;
  readonly arrived: number;
}

function offsetLost({ topic, partition, expected, arrived, low, high }: LostOffset): RowferryError {
  const text =
    expected < low
      ? `offset ${expected} is needed, the log starts at ${low}`
      : expected > high
        ? `offset ${expected} is needed, the log ends at ${high}: it was made anew`
        : `offset ${expected} is needed, the log goes on at ${arrived}`;
  return new RowferryError('ROWFERRY_KAFKA_OFFSET_LOST', text, {
    where: { topic, partition, offset: String(expected) },
    hint: 'records that a target needs are gone: fill emptied targets by a pipeline with a new "name", and raise kafka.retentionMs',
  });
}
