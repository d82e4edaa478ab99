/**
 * A member of a consumer group that stays one: it joins, is told its partitions, delivers from the offsets that it is told,
 * and after every failure that can pass it begins again with a new client.
 *
 * Offsets come from the targets' watermarks (I-4), so after every join each partition waits for `seek`. The offset that is
 * committed to Kafka is a hint for lag tools.
 */
import { randomBytes } from 'node:crypto';
import { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { DOUBTFUL_TRIES, findGoneTopic, topicGone, topicOffsets } from './kafka-admin.ts';
import { pauseFor, retryDelayMs, type KafkaLink, type LinkWatch } from './kafka-client.ts';
import { faultOf, isDoubtful, kafkaError } from './kafka-errors.ts';
import {
  ConsumerSession,
  type AssignedPartition,
  type PartitionBounds,
  type PartitionEnd,
  type RecordBatch,
} from './kafka-session.ts';

export type {
  AssignedPartition,
  ConsumedRecord,
  PartitionBounds,
  PartitionEnd,
  RecordBatch,
} from './kafka-session.ts';

export interface GroupConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Default: the link's. */
  readonly log?: Log;
  /** How long a dead member keeps its partitions. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs?: number;
  /** Bytes of one fetch, and of one partition in it; a single larger record still arrives. */
  readonly maxBytes?: number;
  readonly maxPartitionBytes?: number;
  /**
   * Longest wait of a fetch on an idle topic, and so the longest time that a `seek` or `resume` may take to show while the
   * other partitions are idle. New records end the wait at once.
   */
  readonly maxWaitMs?: number;
  /** No fetch and no heartbeat for so long: the client is thrown away. */
  readonly stallMs?: number;
  /** For topics that a transactional writer fills: offsets may be missing between records. Default false. */
  readonly allowOffsetHoles?: boolean;
  /**
   * Called at every join, also when nothing changed and with no partitions. What was assigned before is over: someone else
   * may have owned it in between. Must not throw; nothing arrives before `seek`.
   */
  readonly onAssign: (partitions: readonly AssignedPartition[]) => void;
  /** Contiguous from the offset of `seek`. Must return at once: keep the records and `pause` when they are too many. */
  readonly onRecords: (batch: RecordBatch) => void;
}

export class GroupConsumer {
  readonly #link: KafkaLink;
  readonly #options: GroupConsumerOptions;
  readonly #reporter: LinkWatch;
  #session: ConsumerSession | undefined;
  #rejoin: AbortController | undefined;
  #failures = 0;
  #breaks = 0;
  readonly #instance = randomBytes(6).toString('hex');
  #hasGhosts = false;
  /** Topics whose records somebody wanted of this membership. */
  readonly #asked = new Set<string>();

  constructor(link: KafkaLink, options: GroupConsumerOptions) {
    this.#link = link;
    this.#options = options;
    this.#reporter = link.reporter(`consumer ${options.groupId}`, options.log);
  }

  /**
   * Resolves when the signal has aborted and the group was left. Rejects when it can never go on:
   * ROWFERRY_KAFKA_OFFSET_LOST, ROWFERRY_KAFKA_TOPIC_GONE, ROWFERRY_KAFKA_REFUSED, or an error of a callback.
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(signal);
    } finally {
      this.#reporter.ended();
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#failures = 0;
    while (!signal.aborted) {
      try {
        await this.#runOnce(signal);
      } catch (thrown) {
        const error = this.#link.error(thrown, this.#doing, {}, this.#neededFor(thrown));
        if (error.action !== 'retry' && !(isDoubtful(error) && this.#failures < DOUBTFUL_TRIES)) throw error;
        if (signal.aborted) return;
        this.#breaks += 1;
        this.#reporter.failed(error);
        await pauseFor(retryDelayMs(this.#failures++), signal);
        await this.#checkTopics(signal);
      }
    }
  }

  get #doing(): string {
    return `consuming as group ${this.#options.groupId}`;
  }

  get #joining(): string {
    return `joining group ${this.#options.groupId}`;
  }

  /** Whoever may join the group and look at its topics need not be allowed to read each of them. */
  #neededFor(thrown: unknown): string[] {
    const isOfTopic = faultOf(thrown).type === 'TOPIC_AUTHORIZATION_FAILED';
    return isOfTopic && this.#asked.size > 0 ? [...this.#asked].map(readingOf) : [this.#joining];
  }

  /** Times that a membership broke and was begun again. */
  get breaks(): number {
    return this.#breaks;
  }

  /** Delivers `topic/partition` from `offset` on; ends a pause. Ignored for partitions that are not assigned. */
  seek(topic: string, partition: number, offset: number): void {
    this.#asked.add(topic);
    this.#session?.seek(topic, partition, offset);
  }

  pause(topic: string, partition: number): void {
    this.#session?.pause(topic, partition);
  }

  resume(topic: string, partition: number): void {
    this.#session?.resume(topic, partition);
  }

  /** `nextOffset` is committed soon, as a hint: nobody starts from it. */
  commitHint(topic: string, partition: number, nextOffset: number): void {
    this.#session?.commitHint(topic, partition, nextOffset);
  }

  /** Offset that is fetched next: all before it was handed over, or was no record. Undefined while it waits for `seek`. */
  position(topic: string, partition: number): number | undefined {
    return this.#session?.position(topic, partition);
  }

  /** The next offset of each partition's log now; none while Kafka does not answer. */
  async ends(partitions: readonly AssignedPartition[]): Promise<readonly PartitionEnd[]> {
    try {
      return (await this.#session?.offsets(partitions, false)) ?? [];
    } catch (thrown) {
      // What ails the link ends the session, too, and is told there.
      this.#link.log.debug(
        { code: kafkaError(thrown, 'reading offsets').code },
        'the ends of partitions are not known',
      );
      return [];
    }
  }

  /** First and next offset of a partition's log now; tries until the signal aborts. */
  async bounds(topic: string, partition: number, signal: AbortSignal): Promise<PartitionBounds> {
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted();
      try {
        return (await this.#session?.bounds(topic, partition)) ?? (await this.#boundsOf(topic, partition));
      } catch (thrown) {
        const error = this.#link.error(thrown, `reading offsets of ${topic}`, { topic, partition });
        if (error.action !== 'retry') throw error;
        await pauseFor(retryDelayMs(tries), signal);
      }
    }
  }

  /** Leaves the group and joins again; `onAssign` follows. */
  rejoin(): void {
    this.#rejoin?.abort();
  }

  async #boundsOf(topic: string, partition: number): Promise<PartitionBounds> {
    const range = (await topicOffsets(this.#link, topic)).find((each) => each.partition === partition);
    if (range !== undefined) return range;
    throw new RowferryError('ROWFERRY_KAFKA_PARTITIONS', `topic ${topic} has no partition ${partition}`);
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    this.#asked.clear();
    const { sessionTimeoutMs } = this.#options;
    const rebalanceTimeoutMs = Math.max(2 * sessionTimeoutMs, 15_000);
    const session = await ConsumerSession.open(this.#link, {
      log: this.#link.log,
      instance: this.#instance,
      hasGhosts: this.#hasGhosts,
      rebalanceTimeoutMs,
      heartbeatMs: Math.min(1_000, Math.floor(sessionTimeoutMs / 4)),
      maxBytes: 16 * 1024 * 1024,
      maxPartitionBytes: 2 * 1024 * 1024,
      maxWaitMs: 100,
      stallMs: rebalanceTimeoutMs + 15_000,
      allowOffsetHoles: false,
      ...this.#options,
      onHealthy: () => {
        this.#failures = 0;
        this.#link.worked(this.#joining);
        this.#reporter.recovered();
      },
      onRecords: (batch) => {
        this.#link.worked(readingOf(batch.topic));
        this.#options.onRecords(batch);
      },
    });
    const rejoin = new AbortController();
    this.#session = session;
    this.#rejoin = rejoin;
    try {
      await session.run(AbortSignal.any([signal, rejoin.signal]));
      this.#hasGhosts = false;
    } catch (error) {
      this.#hasGhosts = true;
      throw error;
    } finally {
      this.#session = undefined;
      this.#rejoin = undefined;
    }
  }

  /** A consumer whose topic was deleted fails like one whose broker is away. */
  async #checkTopics(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    let gone: string | undefined;
    try {
      gone = await findGoneTopic(this.#link, this.#options.topics, signal);
    } catch (thrown) {
      const error = this.#link.error(thrown, 'looking for topics');
      if (error.action !== 'retry' && !isDoubtful(error)) throw error;
      this.#reporter.failed(error);
    }
    if (gone !== undefined) throw topicGone(gone);
  }
}

function readingOf(topic: string): string {
  return `reading records of ${topic}`;
}
