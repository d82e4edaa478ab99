import kafkajs from 'kafkajs';
import { onTestFinished } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { ensureTopic } from '../../src/drivers/kafka-admin.ts';
import { KafkaLink, type KafkaOptions } from '../../src/drivers/kafka-client.ts';
import {
  GroupConsumer,
  type GroupConsumerOptions,
  type RecordBatch,
} from '../../src/drivers/kafka-consumer.ts';
import { readLog } from '../../src/drivers/kafka-log.ts';
import { PartitionProducer, type ProducerOptions } from '../../src/drivers/kafka-producer.ts';
import type { Log } from '../../src/model/log.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { testServers, uniqueName } from '../support/servers.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** A log that tests can look into. */
export function memoryLog(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (_: object, message: string): void => {
      lines.push({ level, message });
    };
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

export function kafkaLink(options: Partial<KafkaOptions> = {}): KafkaLink {
  return new KafkaLink({
    clientId: 'rowferry-test',
    brokers: testServers().brokers,
    tls: null,
    sasl: null,
    log: memoryLog().log,
    ...options,
  });
}

/** A link whose every connection goes through a proxy, which is closed after the test. */
export async function proxiedLink(
  options: Partial<KafkaOptions> = {},
): Promise<{ readonly link: KafkaLink; readonly proxy: FaultProxy }> {
  const proxy = await FaultProxy.start(testServers().kafka);
  onTestFinished(() => proxy.close());
  const dial = (): { host: string; port: number } => ({ host: proxy.host, port: proxy.port });
  return { proxy, link: kafkaLink({ dial, ...options }) };
}

/** Every partition of it has a leader that answers. */
export async function newTopic(
  label: string,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = uniqueName(label);
  await ensureTopic(kafkaLink(), { name, partitions, replicationFactor: 1, config });
  await asAdmin((admin) => waitUntil(() => admin.fetchTopicOffsets(name), { what: `leaders of ${name}` }));
  return name;
}

/** Closed after the test. */
export function newProducer(link: KafkaLink, options: Partial<ProducerOptions> = {}): PartitionProducer {
  const producer = new PartitionProducer(link, {
    compression: 'none',
    maxMessageBytes: 1_000_000,
    signal: new AbortController().signal,
    ...options,
  });
  onTestFinished(() => producer.close());
  return producer;
}

/** A running member of a group, with all that it was told. Stopped after the test. */
export class TestMember {
  readonly consumer: GroupConsumer;
  readonly assignments: string[][] = [];
  readonly batches: RecordBatch[] = [];
  readonly #abort = new AbortController();
  /** Resolves with undefined when stopped, or with the error of `run`. */
  readonly ended: Promise<unknown>;

  /** Seeks every partition to 0 at every join unless `onJoin` does something else. */
  constructor(
    link: KafkaLink,
    options: Pick<GroupConsumerOptions, 'groupId' | 'topics'> & Partial<GroupConsumerOptions>,
    onJoin?: (consumer: GroupConsumer, topic: string, partition: number) => void,
  ) {
    this.consumer = new GroupConsumer(link, {
      sessionTimeoutMs: 6_000,
      onAssign: (partitions) => {
        this.assignments.push(partitions.map(({ topic, partition }) => `${topic}/${partition}`));
        for (const { topic, partition } of partitions) {
          if (onJoin === undefined) this.consumer.seek(topic, partition, 0);
          else onJoin(this.consumer, topic, partition);
        }
      },
      onRecords: (batch) => this.batches.push(batch),
      ...options,
    });
    this.ended = this.consumer.run(this.#abort.signal).then(
      () => undefined,
      (error: unknown) => error,
    );
    onTestFinished(() => this.stop());
  }

  /** `partition:offset` of all records in the order of their arrival. */
  get arrivals(): string[] {
    return this.batches.flatMap(({ partition, records }) =>
      records.map(({ offset }) => `${partition}:${offset}`),
    );
  }

  values(partition: number): string[] {
    return this.batches
      .filter((batch) => batch.partition === partition)
      .flatMap(({ records }) => records.map(({ value }) => String(value)));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }
}

/** Values of a partition as its log holds them, read by a plain kafkajs consumer. */
export async function logOf(topic: string, partitions: number): Promise<string[][]> {
  if (partitions === 1) {
    const values: string[] = [];
    await readLog(
      kafkaLink(),
      topic,
      ({ value }) => values.push(String(value)),
      new AbortController().signal,
    );
    return [values];
  }
  const kafka = plainKafka();
  const admin = kafka.admin();
  await admin.connect();
  const highs = new Map(
    (await admin.fetchTopicOffsets(topic)).map((each) => [each.partition, Number(each.high)]),
  );
  await admin.disconnect();
  const values = Array.from({ length: partitions }, (): string[] => []);
  const open = new Set([...highs].filter(([, high]) => high > 0).map(([partition]) => partition));
  if (open.size === 0) return values;
  const consumer = kafka.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: ({ partition, message }) => {
          values[partition]?.push(String(message.value));
          if (Number(message.offset) + 1 >= (highs.get(partition) ?? 0)) open.delete(partition);
          if (open.size === 0) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return values;
}

/** The same as readers take it, values being unique: what a request that was repeated brings once more is dropped (I-3). */
export async function onceOf(topic: string, partitions: number): Promise<string[][]> {
  return (await logOf(topic, partitions)).map((values) => [...new Set(values)]);
}

export function plainKafka(): kafkajs.Kafka {
  return new kafkajs.Kafka({
    brokers: testServers().brokers,
    clientId: 'plain',
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

/** Deletes the records before `offset`, as retention does. */
export async function expireBefore(topic: string, partition: number, offset: number): Promise<void> {
  await asAdmin(async (admin) => {
    // Makes kafkajs load the topic's metadata, which the deletion does not do by itself.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  });
}

/** Runs `work` with a plain kafkajs admin client. */
export async function asAdmin<T>(work: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const admin = plainKafka().admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
