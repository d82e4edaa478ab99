/** The queue of one partition: what waits, what is on its way, and who waits for the acknowledgement. */
import type kafkajs from 'kafkajs';
import type { RowferryError } from '../errors.ts';
import { Fifo } from '../model/fifo.ts';
import {
  BATCH_OVERHEAD_BYTES,
  encodeRecord,
  MAX_BATCH_RECORDS,
  recordBytes,
  recordsThatFit,
  type EncodedRecord,
  type OutgoingRecord,
} from './kafka-batch.ts';

/** Where the first record of a send lies in the partition's log. */
export interface SendResult {
  readonly baseOffset: number;
}

interface Waiter {
  remaining: number;
  baseOffset: number | undefined;
  readonly resolve: (result: SendResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting {
  readonly record: EncodedRecord;
  readonly bytes: number;
  readonly waiter: Waiter;
}

/** The head of a lane's queue, on its way to Kafka. */
export interface LaneBatch {
  readonly lane: PartitionLane;
  readonly records: readonly EncodedRecord[];
  readonly bytes: number;
}

/**
 * Records leave the queue only when they are acknowledged: `take` looks at the head, `acknowledge` removes it. Between the
 * two the lane is busy and `take` is not called again, so at most one batch of a partition is in flight and a failed batch is
 * simply taken again (I-1, I-3).
 */
export class PartitionLane {
  readonly topic: string;
  readonly partition: number;
  busy = false;
  /** Its next batch travels alone, so that a refusal can only mean this partition. */
  alone = false;
  #limitBytes: number;
  readonly #queue = new Fifo<Waiting>();

  constructor(topic: string, partition: number, limitBytes: number) {
    this.topic = topic;
    this.partition = partition;
    this.#limitBytes = limitBytes;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** Returns the bytes that were added. */
  add(records: readonly OutgoingRecord[], waiter: Pick<Waiter, 'resolve' | 'reject'>): number {
    const shared: Waiter = { ...waiter, remaining: records.length, baseOffset: undefined };
    let bytes = 0;
    for (const each of records) {
      const record = encodeRecord(this.partition, each);
      const size = recordBytes(record);
      this.#queue.push({ record, bytes: size, waiter: shared });
      bytes += size;
    }
    return bytes;
  }

  take(roomBytes: number): LaneBatch {
    const waiting = this.#queue.first(MAX_BATCH_RECORDS);
    const limit = Math.min(this.#limitBytes, roomBytes);
    const count = recordsThatFit(sizes(waiting), limit, MAX_BATCH_RECORDS);
    const taken = waiting.slice(0, count);
    return {
      lane: this,
      records: taken.map(({ record }) => record),
      bytes: taken.reduce((sum, each) => sum + each.bytes, 0),
    };
  }

  /** The broker refused `batch` as too large: cut smaller from now on. False when it cannot be cut. */
  shrink(batch: LaneBatch): boolean {
    if (batch.records.length < 2) return false;
    this.#limitBytes = BATCH_OVERHEAD_BYTES + Math.ceil(batch.bytes / 2);
    return true;
  }

  acknowledge(batch: LaneBatch, baseOffset: number): void {
    for (let index = 0; index < batch.records.length; index++) {
      const { waiter } = this.#queue.shift()!;
      waiter.baseOffset ??= baseOffset + index;
      waiter.remaining -= 1;
      if (waiter.remaining === 0) waiter.resolve({ baseOffset: waiter.baseOffset });
    }
  }

  /** Nothing of it will be sent any more. */
  fail(error: RowferryError | Error): void {
    const waiters = new Set([...this.#queue].map(({ waiter }) => waiter));
    this.#queue.clear();
    for (const waiter of waiters) waiter.reject(error);
  }
}

function* sizes(waiting: readonly Waiting[]): Generator<number> {
  for (const { bytes } of waiting) yield bytes;
}

/** The batches of one request, as kafkajs takes them. */
export function byTopic(batches: readonly LaneBatch[]): kafkajs.TopicMessages[] {
  const topics = new Map<string, kafkajs.Message[]>();
  for (const { lane, records } of batches) {
    const messages = topics.get(lane.topic);
    if (messages === undefined) topics.set(lane.topic, [...records]);
    else for (const record of records) messages.push(record);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}

/** Where the batches of one request go, as far as all go there. */
export function placeOf(batches: readonly LaneBatch[]): { topic?: string; partition?: number } {
  const [first] = batches;
  if (first === undefined) return {};
  const { topic, partition } = first.lane;
  return batches.length === 1 ? { topic, partition } : { topic };
}
