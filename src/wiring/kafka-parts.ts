/** Kafka as the parts need it: topics made or checked, the checkpoint store, the record sender. */
import type { CheckpointStore, LogEntry } from '../capture/checkpoint-log.ts';
import type { RecordSender } from '../capture/publisher.ts';
import type { Config, KafkaSettings } from '../config/config.ts';
import {
  ensureTopic,
  findGoneTopic,
  mayPass,
  reachKafka,
  topicGone,
  topicPartitions,
} from '../drivers/kafka-admin.ts';
import type { LinkWatch } from '../drivers/kafka-client.ts';
import { KafkaLink } from '../drivers/kafka-client.ts';
import { readLog } from '../drivers/kafka-log.ts';
import type { PartitionProducer } from '../drivers/kafka-producer.ts';
import { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { Outages } from '../runtime/outages.ts';
import { memberId } from './member-id.ts';
import { changeTopicConfig, compactedTopicConfig, layoutTopic, sourceTopics } from './names.ts';

/** `outages`: where consumers and producers are shown that wait for Kafka. */
export function connectKafka(config: Config, role: string, log: Log, outages?: Outages): KafkaLink {
  const { brokers, tls, sasl } = config.kafka;
  return new KafkaLink({
    clientId: memberId(config.name, role),
    brokers,
    tls,
    sasl,
    log,
    ...(outages === undefined ? {} : { watch: (part) => watchIn(outages, part) }),
  });
}

/**
 * Clients of Kafka try more often than an outage does. A try before the next one of its schedule was due counts for nothing, so
 * that three tries mean as much here as elsewhere.
 */
function watchIn(outages: Outages, part: string): LinkWatch {
  const outage = outages.of(part);
  return {
    failed: (error) => {
      const { status } = outage;
      if (status === null || outages.options.now() >= status.nextTryMs) outage.failed(error);
    },
    recovered: () => outage.over(),
    ended: () => outage.close(),
  };
}

/** Makes the topics of the sources or checks that they are as configured; waits for Kafka for as long as that takes. */
export async function prepareTopics(
  link: KafkaLink,
  config: Config,
  outages: Outages,
  signal: AbortSignal,
): Promise<void> {
  const prepare = async (): Promise<void> => await makeTopics(link, config, signal);
  await outages.retrying('kafka', prepare, signal, { passes: mayPass });
}

async function makeTopics(link: KafkaLink, config: Config, signal: AbortSignal): Promise<void> {
  // One try, whose failure is shown as that of Kafka; what follows tries by itself and is shown by its topic.
  await reachKafka(link, signal);
  const { kafka } = config;
  const { partitions, replicationFactor } = kafka;
  for (const { name } of config.sources) {
    const { changes, checkpoints } = sourceTopics(config, name);
    await prepareCompacted(link, checkpoints, kafka, signal);
    // Made anew, the topic would begin at offset 0 while targets wait for a later one: rows in between would be skipped.
    if (
      (await topicPartitions(link, changes, signal)) === undefined &&
      (await readTopic(link, checkpoints, signal)).length > 0 &&
      (await findGoneTopic(link, [changes], signal)) !== undefined
    ) {
      throw topicGone(changes);
    }
    const wish = { name: changes, partitions, replicationFactor, config: changeTopicConfig(kafka) };
    const { maxMessageBytes, cleanupPolicy } = await ensureTopic(link, wish, signal);
    if (cleanupPolicy.includes('compact'))
      throw refused(changes, 'is compacted: changes of a row would vanish from it');
    if (maxMessageBytes < kafka.maxMessageBytes) {
      throw refused(
        changes,
        `takes ${maxMessageBytes} bytes a message, kafka.maxMessageBytes is ${kafka.maxMessageBytes}`,
      );
    }
  }
  await prepareCompacted(link, layoutTopic(config), kafka, signal);
}

/** A topic whose newest records must never go: a retention time would delete the only position after a long stop. */
async function prepareCompacted(
  link: KafkaLink,
  name: string,
  kafka: KafkaSettings,
  signal: AbortSignal,
): Promise<void> {
  const { replicationFactor } = kafka;
  const wish = { name, partitions: 1, replicationFactor, config: compactedTopicConfig(kafka) };
  const { cleanupPolicy } = await ensureTopic(link, wish, signal);
  if (cleanupPolicy !== 'compact')
    throw refused(name, `has cleanup.policy=${cleanupPolicy}, it must be compact`);
}

function refused(topic: string, what: string): RowferryError {
  return new RowferryError('ROWFERRY_KAFKA_REFUSED', `topic ${topic} ${what}`, {
    where: { topic },
    hint: 'change the topic with your Kafka tools, or the setting',
  });
}

/** A one-partition compacted topic as a log that is read whole and appended to. */
export class TopicStore implements CheckpointStore {
  readonly #link: KafkaLink;
  readonly #producer: PartitionProducer;
  readonly #topic: string;

  constructor(link: KafkaLink, producer: PartitionProducer, topic: string) {
    this.#link = link;
    this.#producer = producer;
    this.#topic = topic;
  }

  async readAll(signal: AbortSignal): Promise<readonly LogEntry[]> {
    return await readTopic(this.#link, this.#topic, signal);
  }

  async append(key: string, value: string): Promise<number> {
    const records = [{ key: Buffer.from(key), value: Buffer.from(value) }];
    const { baseOffset } = await this.#producer.send({ topic: this.#topic, partition: 0, records });
    return baseOffset;
  }
}

export async function readTopic(
  link: KafkaLink,
  topic: string,
  signal: AbortSignal,
): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  await readLog(
    link,
    topic,
    ({ offset, key, value }) => {
      if (value !== null) entries.push({ offset, key: key?.toString() ?? '', value: value.toString() });
    },
    signal,
  );
  return entries;
}

export function senderOf(producer: PartitionProducer, topic: string): RecordSender {
  return {
    send: async (partition, records) => {
      const { baseOffset } = await producer.send({ topic, partition, records });
      return baseOffset + records.length;
    },
  };
}
