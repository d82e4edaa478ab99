/**
 * Sends records to partitions, in order and without a gap, for as long as it takes.
 *
 * Why no record is lost and none overtakes another (I-1, I-2, I-3): the next batch of a partition is handed to kafkajs only
 * after the previous one was acknowledged by all replicas in sync. Whatever becomes of requests whose answer was lost (the
 * broker may carry them out at once, much later, or never), every copy of batch k+1 is made when batch k already lies in the
 * log. So the first copies lie in order, and any further copy of k comes after the first one: readers that drop what is not
 * newer than the partition's running maximum see each record once and in order. A batch is appended whole or not at all, and
 * a failed one is sent again from the same head of the queue; where it is cut may differ, its order does not.
 *
 * Why not kafkajs' idempotent mode (2.2.4): its sequence numbers make a false acknowledgement possible. When a request to
 * one broker fails, the whole `sendBatch` is repeated while the request to another broker may still be under way. If a
 * partition moves between the two brokers meanwhile, its batch goes out twice with different sequence numbers, and the late
 * failure of the first then takes back the numbers of both. The next batch gets numbers that the broker has seen; it answers
 * "duplicate", which counts as an acknowledgement, and the records were never written. The repetition alone also loses:
 * `sendBatch` skips brokers that have answered before, so a partition that moved to one of them is left out without an
 * error. Therefore: no repetition inside kafkajs (`retries: 0`), no sequence numbers that could be mistaken, every partition
 * is looked up in the answer, and a client that failed once is thrown away. Without sequences there is also nothing to wrap
 * around after 2^31 records, nothing to expire, and no lock that lets a broker have one request at a time.
 */
import type kafkajs from 'kafkajs';
import { RowferryError } from '../errors.ts';
import { DOUBTFUL_TRIES, findGoneTopic, topicGone, topicPartitions } from './kafka-admin.ts';
import { MAX_REQUEST_BYTES, type OutgoingRecord } from './kafka-batch.ts';
import {
  retryDelayMs,
  settleWithin,
  type KafkaClient,
  type KafkaLink,
  type LinkWatch,
} from './kafka-client.ts';
import { compressionType, type Compression } from './kafka-codecs.ts';
import { faultOf, isDoubtful, isTooLarge, isTopicUnknown } from './kafka-errors.ts';
import { byTopic, PartitionLane, placeOf, type LaneBatch, type SendResult } from './kafka-lane.ts';

export interface ProducerOptions {
  readonly compression: Compression;
  /** Largest record batch that the topics take (`max.message.bytes`); counted before compression. */
  readonly maxMessageBytes: number;
  /** Bytes of one request, all its partitions together. */
  readonly maxRequestBytes?: number;
  /** Requests under way at once, each with other partitions: one is encoded while the broker works on another. */
  readonly maxRequests?: number;
  /** Ends everything: what waits is rejected with the signal's reason. */
  readonly signal: AbortSignal;
}

interface SendRequest {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutgoingRecord[];
}

/** A kafkajs producer that has not failed yet. */
interface Connected {
  readonly client: KafkaClient;
  readonly producer: kafkajs.Producer;
}

type State = 'running' | 'failed' | 'closed';

export class PartitionProducer {
  readonly #link: KafkaLink;
  readonly #options: ProducerOptions;
  readonly #reporter: LinkWatch;
  readonly #lanes = new Map<string, PartitionLane>();
  #state: State = 'running';
  #failure: unknown;
  #connected: Promise<Connected> | undefined;
  #turn = 0;
  #requests = 0;
  #pendingBytes = 0;
  #failures = 0;
  #topicFailures = 0;
  #holdTimer: NodeJS.Timeout | undefined;
  #pumpTimer: NodeJS.Immediate | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(link: KafkaLink, options: ProducerOptions) {
    this.#link = link;
    this.#options = options;
    this.#reporter = link.reporter('producer');
    const onAbort = (): void => this.#end('closed', options.signal.reason);
    if (options.signal.aborted) onAbort();
    else options.signal.addEventListener('abort', onAbort, { once: true });
  }

  /** Bytes of records that are not acknowledged yet; the caller bounds them (I-10). */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Resolves when all replicas in sync have the records, however long that takes. Rejects when they can never be sent, and
   * then every later send rejects with the same error; also when the signal aborts or the producer is closed.
   *
   * Calls for one partition keep their order.
   */
  async send({ topic, partition, records }: SendRequest): Promise<SendResult> {
    if (this.#state !== 'running') throw this.#failure;
    if (records.length === 0) {
      throw new RowferryError('ROWFERRY_INVARIANT', 'a send without records', {
        where: { topic, partition },
      });
    }
    return new Promise((resolve, reject) => {
      const lane = this.#lane(topic, partition);
      this.#pendingBytes += lane.add(records, { resolve, reject });
      this.#schedulePump();
    });
  }

  /** Resolves when nothing is pending; rejects when the producer has failed or was closed with records pending. */
  async flush(): Promise<void> {
    while (this.#state === 'running' && this.#pendingBytes > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
    if (this.#state === 'failed') throw this.#failure;
  }

  /** Rejects what is pending and disconnects. Idempotent; flush first to send everything. */
  async close(): Promise<void> {
    const connected = this.#connected;
    this.#connected = undefined;
    this.#end('closed', new RowferryError('ROWFERRY_KAFKA_LINK', 'the producer was closed'));
    if (connected !== undefined) await settleWithin(disconnect(connected), 3_000);
  }

  #lane(topic: string, partition: number): PartitionLane {
    const name = `${topic}/${partition}`;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new PartitionLane(topic, partition, this.#options.maxMessageBytes);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  /** Not at once: sends of the same turn of the event loop share a request. */
  #schedulePump(): void {
    this.#pumpTimer ??= setImmediate(() => {
      this.#pumpTimer = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    while (
      this.#state === 'running' &&
      this.#holdTimer === undefined &&
      this.#requests < (this.#options.maxRequests ?? 2)
    ) {
      const batches = this.#gather();
      if (batches.length === 0) return;
      void this.#request(batches);
    }
  }

  /** One batch of every partition that waits and has none under way, up to the size of a request; in turns. */
  #gather(): LaneBatch[] {
    const ready = [...this.#lanes.values()].filter((lane) => !lane.busy && lane.length > 0);
    const loner = ready.find((lane) => lane.alone);
    if (loner !== undefined) return [occupy(loner.take(Infinity))];
    const start = ready.length === 0 ? 0 : this.#turn++ % ready.length;
    const batches: LaneBatch[] = [];
    let room = this.#options.maxRequestBytes ?? MAX_REQUEST_BYTES;
    for (const lane of [...ready.slice(start), ...ready.slice(0, start)]) {
      if (room <= 0 && batches.length > 0) break;
      const batch = occupy(lane.take(room));
      batches.push(batch);
      room -= batch.bytes;
    }
    return batches;
  }

  /** Never rejects. */
  async #request(batches: readonly LaneBatch[]): Promise<void> {
    this.#requests += 1;
    let used: Promise<Connected> | undefined;
    try {
      used = this.#connected ??= this.#connect();
      const { producer } = await used;
      const answer = await producer.sendBatch({
        acks: -1,
        compression: await compressionType(this.#options.compression),
        topicMessages: byTopic(batches),
      });
      this.#acknowledge(batches, answer);
    } catch (error) {
      await this.#failed(error, batches, used);
    } finally {
      this.#requests -= 1;
      for (const { lane } of batches) lane.busy = false;
      this.#schedulePump();
    }
  }

  async #connect(): Promise<Connected> {
    const client = await this.#link.open();
    const producer = client.kafka.producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
      createPartitioner: () => partitionOf,
    });
    try {
      await producer.connect();
    } catch (error) {
      client.abandon();
      throw error;
    }
    return { client, producer };
  }

  #acknowledge(batches: readonly LaneBatch[], answer: readonly kafkajs.RecordMetadata[]): void {
    if (this.#state !== 'running') return;
    const offsets = new Map(
      answer.map(({ topicName, partition, baseOffset }) => [`${topicName}/${partition}`, baseOffset]),
    );
    const missing: LaneBatch[] = [];
    for (const batch of batches) {
      const { lane } = batch;
      const baseOffset = offsets.get(`${lane.topic}/${lane.partition}`);
      if (baseOffset === undefined) {
        missing.push(batch);
        continue;
      }
      lane.acknowledge(batch, Number(baseOffset));
      lane.alone = false;
      this.#link.worked(sendingTo(lane.topic));
      this.#pendingBytes -= batch.bytes;
    }
    this.#wakeIdle();
    const { lane } = missing[0] ?? {};
    if (lane !== undefined) throw new UnansweredError(lane.topic, lane.partition);
    this.#failures = 0;
    this.#topicFailures = 0;
    this.#reporter.recovered();
  }

  /** Decides what a failed request means; its records stay at the heads of their queues. */
  async #failed(
    thrown: unknown,
    batches: readonly LaneBatch[],
    used: Promise<Connected> | undefined,
  ): Promise<void> {
    if (this.#state !== 'running') return;
    const fault = faultOf(thrown);
    if (isTooLarge(fault)) {
      this.#tooLarge(thrown, batches);
      return;
    }
    // The first of several requests that fail together throws their client away; for the others that is done.
    if (used === this.#connected) {
      this.#connected = undefined;
      if (used !== undefined) void used.then(({ client }) => client.abandon(), ignore);
      this.#hold();
    }
    try {
      if (isTopicUnknown(fault) || thrown instanceof UnansweredError) await this.#checkTopics(batches);
    } catch (error) {
      this.#stopOrGoOn(this.#link.error(error, 'looking for topics'));
      return;
    }
    // Whoever may write to one topic of the request need not be allowed to write to the other.
    const needed = batches.map(({ lane }) => sendingTo(lane.topic));
    this.#stopOrGoOn(this.#link.error(thrown, 'sending records', placeOf(batches), needed));
  }

  #stopOrGoOn(error: RowferryError): void {
    if (this.#state !== 'running') return;
    const final = error.action !== 'retry' && !(isDoubtful(error) && this.#failures <= DOUBTFUL_TRIES);
    if (final) this.#end('failed', error);
    else this.#reporter.failed(error);
  }

  /** Lets a while pass before the next request. */
  #hold(): void {
    this.#holdTimer = setTimeout(() => {
      this.#holdTimer = undefined;
      this.#pump();
    }, retryDelayMs(this.#failures++));
  }

  /**
   * The answer names no partition and counts for the whole request, so each of them is tried alone; one that is too large
   * alone is halved until a single record remains.
   */
  #tooLarge(thrown: unknown, batches: readonly LaneBatch[]): void {
    if (batches.length > 1) {
      for (const { lane } of batches) lane.alone = true;
      return;
    }
    const [batch] = batches;
    if (batch === undefined || batch.lane.shrink(batch)) return;
    const { topic, partition } = batch.lane;
    this.#end(
      'failed',
      new RowferryError(
        'ROWFERRY_KAFKA_RECORD_TOO_LARGE',
        `a record of about ${batch.bytes} bytes is larger than topic ${topic} accepts`,
        {
          where: { topic, partition },
          hint: "raise the topic's max.message.bytes (and the brokers' replica.fetch.max.bytes), and kafka.maxMessageBytes with it",
          cause: thrown,
        },
      ),
    );
  }

  /** One deleted topic makes a kafkajs client fail for all topics; tells a deleted one from stale metadata. */
  async #checkTopics(batches: readonly LaneBatch[]): Promise<void> {
    this.#topicFailures += 1;
    if (this.#topicFailures < 3) return;
    const topics = [...new Set(batches.map(({ lane }) => lane.topic))];
    const gone = await findGoneTopic(this.#link, topics, this.#options.signal);
    if (gone !== undefined) throw topicGone(gone);
    for (const { lane } of batches) {
      const { topic, partition } = lane;
      const count = (await topicPartitions(this.#link, topic)) ?? 0;
      if (partition < count) continue;
      throw new RowferryError(
        'ROWFERRY_KAFKA_PARTITIONS',
        `topic ${topic} has ${count} partitions, a record belongs to partition ${partition}`,
        {
          where: { topic, partition },
          hint: `set kafka.partitions to ${count} with a new topic and snapshot`,
        },
      );
    }
  }

  #end(state: 'failed' | 'closed', reason: unknown): void {
    if (this.#state !== 'running') return;
    this.#state = state;
    this.#failure = reason;
    clearTimeout(this.#holdTimer);
    this.#holdTimer = undefined;
    clearImmediate(this.#pumpTimer);
    this.#reporter.ended();
    const error = reason instanceof Error ? reason : new Error('the producer ended', { cause: reason });
    for (const lane of this.#lanes.values()) lane.fail(error);
    this.#pendingBytes = 0;
    this.#wakeIdle();
    void this.#connected?.then(({ client }) => client.abandon(), ignore);
    this.#connected = undefined;
  }

  #wakeIdle(): void {
    if (this.#pendingBytes > 0) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}

/** kafkajs resolved, but its answer lacks a partition: it leaves out what its metadata does not list. */
class UnansweredError extends Error {
  override readonly name = 'UnansweredError';

  constructor(topic: string, partition: number) {
    super(`the answer lacks partition ${partition} of ${topic}`);
  }
}

function occupy(batch: LaneBatch): LaneBatch {
  batch.lane.busy = true;
  return batch;
}

function partitionOf({ message }: kafkajs.PartitionerArgs): number {
  if (message.partition === undefined) throw new TypeError('a record without a partition');
  return message.partition;
}

function sendingTo(topic: string): string {
  return `sending records to ${topic}`;
}

async function disconnect(connected: Promise<Connected>): Promise<void> {
  const { client, producer } = await connected;
  await settleWithin(producer.disconnect(), 2_000);
  client.abandon();
}

function ignore(): void {
  // The failure was seen by the request that met it.
}
