/** Topics, offsets and groups of a Kafka cluster. */
import kafkajs from 'kafkajs';
import { RowferryError } from '../errors.ts';
import { configuredClientId, pauseFor, retryDelayMs, settleWithin, type KafkaLink } from './kafka-client.ts';
import { groupMembers, openCluster, removeMember } from './kafka-cluster.ts';
import { faultOf, isDoubtful, isTopicUnknown } from './kafka-errors.ts';

interface TopicWish {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Topic settings such as `retention.ms`, used when the topic is created. */
  readonly config: Readonly<Record<string, string>>;
}

interface TopicFacts {
  readonly created: boolean;
  readonly partitions: number;
  readonly maxMessageBytes: number;
  /** `delete`, `compact` or `compact,delete`. */
  readonly cleanupPolicy: string;
  /** -1: for ever. */
  readonly retentionMs: number;
  /** -1: no limit. */
  readonly retentionBytes: number;
}

export interface PartitionRange {
  readonly partition: number;
  /** Offset of the oldest record that is still there. */
  readonly low: number;
  /** Offset that the next record will get. */
  readonly high: number;
}

/** Refusals that kafkajs cannot tell from a broken link are believed after so many tries. */
export const DOUBTFUL_TRIES = 4;

async function withAdmin<T>(
  link: KafkaLink,
  doing: string,
  work: (admin: kafkajs.Admin) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const client = await link.open();
  const admin = client.kafka.admin();
  // A broker that is frozen answers nothing: its requests end with their connections.
  const onAbort = (): void => client.abandon();
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  try {
    await admin.connect();
    const done = await work(admin);
    link.worked(doing);
    return done;
  } catch (error) {
    throw link.error(error, doing);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await settleWithin(admin.disconnect(), 1_000);
    client.abandon();
  }
}

/** Resolves when Kafka answers; one try, broken off when the signal aborts. */
export async function reachKafka(link: KafkaLink, signal?: AbortSignal): Promise<void> {
  await withAdmin(link, 'reaching Kafka', (admin) => admin.describeCluster(), signal);
}

/** Whether trying again may help; `tries` have failed before. */
export function mayPass(error: RowferryError, tries: number): boolean {
  return error.action === 'retry' || (isDoubtful(error) && tries < DOUBTFUL_TRIES);
}

/**
 * Resolves when Kafka answers, trying until the signal aborts; `onWaiting` is told of every failed try. Rejects at once with
 * ROWFERRY_KAFKA_REFUSED when waiting cannot help.
 */
export async function waitForKafka(
  link: KafkaLink,
  signal: AbortSignal,
  onWaiting: (error: RowferryError) => void,
): Promise<void> {
  await retrying(link, 'reaching Kafka', signal, onWaiting, (admin) => admin.describeCluster());
}

async function retrying<T>(
  link: KafkaLink,
  doing: string,
  signal: AbortSignal,
  onWaiting: (error: RowferryError) => void,
  work: (admin: kafkajs.Admin) => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted();
    try {
      return await withAdmin(link, doing, work, signal);
    } catch (thrown) {
      const error = link.error(thrown, doing);
      if (!mayPass(error, tries)) throw error;
      onWaiting(error);
      await pauseFor(retryDelayMs(tries), signal);
    }
  }
}

/**
 * Creates the topic when it is absent, else checks its partition count: rows are spread by it (I-2), so another count is
 * ROWFERRY_KAFKA_PARTITIONS. Resolves with the settings in effect, which may differ from the wish on an existing topic. Link
 * failures are tried again until the signal aborts.
 */
export async function ensureTopic(
  link: KafkaLink,
  wish: TopicWish,
  signal: AbortSignal = new AbortController().signal,
): Promise<TopicFacts> {
  const doing = `preparing topic ${wish.name}`;
  const reporter = link.reporter(doing);
  try {
    const facts = await retrying(
      link,
      doing,
      signal,
      (error) => reporter.failed(error),
      async (admin) => await makeTopic(admin, wish),
    );
    reporter.recovered();
    return facts;
  } finally {
    reporter.ended();
  }
}

async function makeTopic(admin: kafkajs.Admin, wish: TopicWish): Promise<TopicFacts> {
  const created = (await partitionCount(admin, wish.name)) === undefined && (await create(admin, wish));
  const partitions = await settledPartitionCount(admin, wish.name);
  if (partitions !== wish.partitions) {
    throw new RowferryError(
      'ROWFERRY_KAFKA_PARTITIONS',
      `topic ${wish.name} has ${partitions} partitions, the configuration says ${wish.partitions}`,
      {
        where: { topic: wish.name },
        hint: `set kafka.partitions to ${partitions}; to change the count, fill emptied targets by a pipeline with a new "name"`,
      },
    );
  }
  return { created, partitions, ...(await settings(admin, wish.name)) };
}

async function create(admin: kafkajs.Admin, wish: TopicWish): Promise<boolean> {
  try {
    return await admin.createTopics({
      // It asks for the topic at once and takes a broker that has not heard of it yet for a failure.
      waitForLeaders: false,
      topics: [
        {
          topic: wish.name,
          numPartitions: wish.partitions,
          replicationFactor: wish.replicationFactor,
          configEntries: Object.entries(wish.config).map(([name, value]) => ({ name, value })),
        },
      ],
    });
  } catch (error) {
    // Another process was faster; its partition count is checked next.
    if (createdByOther(error)) return false;
    throw error;
  }
}

/** kafkajs gathers the errors of topics in an aggregate without a type of its own. */
function createdByOther(error: unknown): boolean {
  const errors: unknown = error instanceof Error ? Reflect.get(error, 'errors') : undefined;
  const each: readonly unknown[] = Array.isArray(errors) ? errors : [error];
  const types = each.map((one) => faultOf(one).type);
  const failure = types.findIndex((type) => type !== 'TOPIC_ALREADY_EXISTS');
  if (failure >= 0 && Array.isArray(errors)) throw each[failure];
  return failure < 0;
}

async function partitionCount(admin: kafkajs.Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics.find(({ name }) => name === topic)?.partitions.length;
  } catch (error) {
    if (isTopicUnknown(faultOf(error)) && faultOf(error).type !== 'INVALID_TOPIC_EXCEPTION') return undefined;
    throw error;
  }
}

/** A topic created a moment ago may be unknown to the broker that is asked. */
async function settledPartitionCount(admin: kafkajs.Admin, topic: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    const count = await partitionCount(admin, topic);
    if (count !== undefined) return count;
    if (tries === 20) {
      throw new RowferryError('ROWFERRY_KAFKA_TOPIC_GONE', `topic ${topic} does not appear`, {
        where: { topic },
      });
    }
    await pauseFor(100, new AbortController().signal);
  }
}

async function settings(
  admin: kafkajs.Admin,
  topic: string,
): Promise<Omit<TopicFacts, 'created' | 'partitions'>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  });
  const entries = new Map(
    resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]) ?? [],
  );
  const value = (name: string): string => {
    const found = entries.get(name);
    if (found === undefined) {
      throw new RowferryError('ROWFERRY_KAFKA_REFUSED', `Kafka does not tell ${name} of topic ${topic}`, {
        where: { topic },
        hint: 'grant this Kafka user DESCRIBE_CONFIGS on the topic',
      });
    }
    return found;
  };
  return {
    maxMessageBytes: Number(value('max.message.bytes')),
    cleanupPolicy: value('cleanup.policy'),
    retentionMs: Number(value('retention.ms')),
    retentionBytes: Number(value('retention.bytes')),
  };
}

/** Brokers that are up now. */
export async function countBrokers(link: KafkaLink): Promise<number> {
  return withAdmin(link, 'counting brokers', async (admin) => (await admin.describeCluster()).brokers.length);
}

/** Names of all topics that this user may see. */
export async function listTopics(link: KafkaLink): Promise<readonly string[]> {
  return withAdmin(link, 'listing topics', (admin) => admin.listTopics());
}

/** The first of `topics` that Kafka compacts, or undefined. */
export async function findCompactedTopic(
  link: KafkaLink,
  topics: readonly string[],
): Promise<string | undefined> {
  return withAdmin(link, 'reading settings of topics', async (admin) => {
    for (const topic of topics) {
      if ((await settings(admin, topic)).cleanupPolicy.includes('compact')) return topic;
    }
    return undefined;
  });
}

/** First and next offset of every partition, in order of partitions. Rejects with ROWFERRY_KAFKA_TOPIC_GONE. */
export async function topicOffsets(link: KafkaLink, topic: string): Promise<PartitionRange[]> {
  return withAdmin(link, `reading offsets of ${topic}`, async (admin) => {
    if ((await partitionCount(admin, topic)) === undefined) throw topicGone(topic);
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets
      .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
      .toSorted((a, b) => a.partition - b.partition);
  });
}

export function topicGone(topic: string): RowferryError {
  return new RowferryError('ROWFERRY_KAFKA_TOPIC_GONE', `topic ${topic} does not exist any more`, {
    where: { topic },
    hint: 'someone deleted it: restore the topic, or fill emptied targets by a pipeline with a new "name"',
  });
}

/**
 * The first of `topics` that is gone, or undefined. A broker that has just started may not know its topics yet, so absence is
 * believed when it is seen three times in a row.
 */
export async function findGoneTopic(
  link: KafkaLink,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  return withAdmin(link, 'looking for topics', async (admin) => {
    for (const topic of topics) {
      let absences = 0;
      while ((await partitionCount(admin, topic)) === undefined) {
        absences += 1;
        if (absences === 3) return topic;
        if (signal.aborted) return undefined;
        await pauseFor(400, signal);
      }
    }
    return undefined;
  });
}

/** Number of partitions of a topic, undefined when there is no such topic. */
export async function topicPartitions(
  link: KafkaLink,
  topic: string,
  signal?: AbortSignal,
): Promise<number | undefined> {
  return withAdmin(link, `looking for topic ${topic}`, (admin) => partitionCount(admin, topic), signal);
}

/**
 * Removes members of a group whose process is dead, so that the group need not wait for their session to end; resolves with
 * their client ids. `isDead` judges by client id, and must be certain: a living member that is removed has to rejoin, which
 * costs time but no row (claims and watermarks keep stale members harmless). Client ids are those of `KafkaOptions`.
 */
export async function evictDeadMembers(
  link: KafkaLink,
  groupId: string,
  isDead: (clientId: string) => boolean,
): Promise<string[]> {
  const doing = `removing dead members of group ${groupId}`;
  const client = await link.open();
  const cluster = openCluster(client.kafka);
  try {
    await cluster.connect();
    // Fills the broker pool in which the coordinator is then found.
    await cluster.refreshMetadata();
    const evicted: string[] = [];
    for (const { memberId, clientId } of await groupMembers(cluster, groupId)) {
      const name = configuredClientId(clientId);
      if (isDead(name) && (await removeMember(cluster, groupId, memberId))) evicted.push(name);
    }
    return evicted;
  } catch (error) {
    throw link.error(error, doing);
  } finally {
    await settleWithin(cluster.disconnect(), 1_000);
    client.abandon();
  }
}
