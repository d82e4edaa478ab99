/** Reading a compacted one-partition topic from its start to its end, without a consumer group. */
import type kafkajs from 'kafkajs';
import { RowferryError, toRowferryError } from '../errors.ts';
import { DOUBTFUL_TRIES, findGoneTopic, topicGone } from './kafka-admin.ts';
import { pauseFor, retryDelayMs, settleWithin, type KafkaLink, type LinkWatch } from './kafka-client.ts';
import { openCluster } from './kafka-cluster.ts';
import { isDoubtful } from './kafka-errors.ts';

export interface LogRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly timestampMs: number;
}

const FETCH_BYTES = 4 * 1024 * 1024;

/**
 * Reads partition 0 of `topic` from its first record to the end that it has when the reading begins, each record once and in
 * order, and resolves with that end (the offset that the next record would have got). Link failures are retried from where
 * the reading stood until the signal aborts; then it rejects with the signal's reason.
 */
export async function readLog(
  link: KafkaLink,
  topic: string,
  onRecord: (record: LogRecord) => void,
  signal: AbortSignal,
): Promise<number> {
  const reporter = link.reporter(`reader of ${topic}`);
  try {
    return await tryOn(link, topic, onRecord, reporter, signal);
  } finally {
    reporter.ended();
  }
}

async function tryOn(
  link: KafkaLink,
  topic: string,
  onRecord: (record: LogRecord) => void,
  reporter: LinkWatch,
  signal: AbortSignal,
): Promise<number> {
  const doing = `reading topic ${topic}`;
  const reading: Reading = { next: undefined, end: undefined };
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted();
    try {
      const end = await readOn(link, topic, reading, onRecord, signal);
      link.worked(doing);
      reporter.recovered();
      return end;
    } catch (thrown) {
      signal.throwIfAborted();
      const error = link.error(thrown, doing, { topic });
      if (error.action !== 'retry' && !(isDoubtful(error) && tries < DOUBTFUL_TRIES)) throw error;
      reporter.failed(error);
      await pauseFor(retryDelayMs(tries), signal);
      await refuseGoneTopic(link, topic, signal);
    }
  }
}

/** How far the reading is; survives a broken link. */
interface Reading {
  next: number | undefined;
  end: number | undefined;
}

async function readOn(
  link: KafkaLink,
  topic: string,
  reading: Reading,
  onRecord: (record: LogRecord) => void,
  signal: AbortSignal,
): Promise<number> {
  const client = await link.open();
  const cluster = openCluster(client.kafka);
  const onAbort = (): void => client.abandon();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    reading.end ??= await offsetOf(cluster, topic, false);
    const start = await offsetOf(cluster, topic, true);
    if (reading.next !== undefined && reading.next < start) throw overtaken(topic, reading.next, start);
    reading.next ??= start;
    const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [0]));
    if (nodeId === undefined) throw new TypeError('partition 0 has no leader');
    const leader = await cluster.findBroker({ nodeId });
    while (reading.next < reading.end) {
      const { records, last, highWatermark } = await fetchFrom(leader, topic, reading.next);
      if (highWatermark < reading.end) throw behindLeader(topic);
      // Compaction leaves holes: when nothing follows, what was there is gone.
      if (last === undefined) break;
      for (const record of records) {
        if (record.offset >= reading.end) return reading.end;
        handOver(record, onRecord);
        reading.next = record.offset + 1;
      }
      reading.next = last + 1;
    }
    return reading.end;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await settleWithin(cluster.disconnect(), 1_000);
    client.abandon();
  }
}

/** An error of the callback is the caller's own, not one of the link. */
function handOver(record: LogRecord, onRecord: (record: LogRecord) => void): void {
  try {
    onRecord(record);
  } catch (error) {
    throw toRowferryError(error, 'taking a record');
  }
}

async function offsetOf(cluster: kafkajs.Cluster, topic: string, fromBeginning: boolean): Promise<number> {
  const [answer] = await cluster.fetchTopicsOffset([
    { topic, partitions: [{ partition: 0 }], fromBeginning },
  ]);
  const offset = answer?.partitions[0]?.offset;
  if (offset === undefined) throw new TypeError('the answer lacks partition 0');
  return Number(offset);
}

/** The shape of kafkajs' fetch answer, which its types leave open. */
interface FetchAnswer {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly highWatermark: string;
      readonly messages: readonly {
        readonly offset: string;
        readonly key: Buffer | null;
        readonly value: Buffer | null;
        readonly timestamp: string;
        readonly isControlRecord?: boolean;
      }[];
    }[];
  }[];
}

interface Fetched {
  readonly records: readonly LogRecord[];
  /** Offset of the last record, also one that is not handed out (a transaction's marker); undefined when there was none. */
  readonly last: number | undefined;
  readonly highWatermark: number;
}

async function fetchFrom(leader: kafkajs.Broker, topic: string, offset: number): Promise<Fetched> {
  const request = {
    maxWaitTime: 0,
    minBytes: 0,
    maxBytes: FETCH_BYTES,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset: String(offset), maxBytes: FETCH_BYTES }] }],
  };
  const answer = (await leader.fetch(request)) as FetchAnswer;
  const partition = answer.responses[0]?.partitions[0];
  if (partition === undefined) throw new TypeError('the answer lacks partition 0');
  // A compressed batch arrives whole, with records before the offset that was asked for.
  const messages = partition.messages.filter((message) => Number(message.offset) >= offset);
  const last = messages.at(-1)?.offset;
  return {
    records: messages
      .filter(({ isControlRecord }) => isControlRecord !== true)
      .map(({ offset, key, value, timestamp }) => ({
        offset: Number(offset),
        key,
        value,
        timestampMs: Number(timestamp),
      })),
    last: last === undefined ? undefined : Number(last),
    highWatermark: Number(partition.highWatermark),
  };
}

function overtaken(topic: string, next: number, start: number): RowferryError {
  return new RowferryError(
    'ROWFERRY_KAFKA_OFFSET_LOST',
    `the log now starts at ${start}, ${next} was to be read`,
    {
      where: { topic, partition: 0, offset: String(next) },
    },
  );
}

function behindLeader(topic: string): RowferryError {
  return new RowferryError('ROWFERRY_KAFKA_LINK', 'the new leader does not know the whole log yet', {
    where: { topic, partition: 0 },
  });
}

async function refuseGoneTopic(link: KafkaLink, topic: string, signal: AbortSignal): Promise<void> {
  let gone: string | undefined;
  try {
    gone = await findGoneTopic(link, [topic], signal);
  } catch (error) {
    if (link.error(error, 'looking for topics').action !== 'retry') throw error;
  }
  if (gone !== undefined) throw topicGone(gone);
}
