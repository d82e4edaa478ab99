/** What a grant that was never given means where others were: a wrong configuration, which trying again does not cure. */
import type kafkajs from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import type { KafkaClient } from '../../../src/drivers/kafka-client.ts';
import { KafkaLink } from '../../../src/drivers/kafka-client.ts';
import { PartitionProducer } from '../../../src/drivers/kafka-producer.ts';
import { silentLog } from '../../../src/wiring/silent-log.ts';

/** Stands for a Kafka that lets this user write to some topics only. */
class GuardedLink extends KafkaLink {
  readonly granted = new Set<string>();

  constructor() {
    super({ clientId: 'c', brokers: [], tls: null, sasl: null, log: silentLog });
  }

  override open(): Promise<KafkaClient> {
    const sendBatch = ({ topicMessages }: kafkajs.ProducerBatch): Promise<kafkajs.RecordMetadata[]> => {
      const topics = (topicMessages ?? []).map(({ topic }) => topic);
      if (topics.every((topic) => this.granted.has(topic)))
        return Promise.resolve(
          topics.map((topicName) => ({ topicName, partition: 0, errorCode: 0, baseOffset: '0' })),
        );
      const refusal = Object.assign(new Error('refused'), { type: 'TOPIC_AUTHORIZATION_FAILED' });
      return Promise.reject(refusal);
    };
    const producer = { connect: () => Promise.resolve(), disconnect: () => Promise.resolve(), sendBatch };
    const kafka = { producer: () => producer } as unknown as kafkajs.Kafka;
    return Promise.resolve({ kafka, abandon: () => undefined });
  }
}

function setUp() {
  const link = new GuardedLink();
  const producer = new PartitionProducer(link, {
    compression: 'none',
    maxMessageBytes: 1_000,
    signal: new AbortController().signal,
  });
  onTestFinished(() => producer.close());
  const send = async (topic: string): Promise<unknown> =>
    await producer.send({ topic, partition: 0, records: [{ value: 'x' }] });
  return { link, send };
}

test('a topic that was never written to stops the producer, although it wrote to another one', async () => {
  const { link, send } = setUp();
  link.granted.add('checkpoints');
  await send('checkpoints');
  await expect(send('changes')).rejects.toMatchObject({ code: 'ROWFERRY_KAFKA_REFUSED', action: 'stop' });
});

test('a topic that was written to before is waited for', async () => {
  const { link, send } = setUp();
  link.granted.add('changes');
  await send('changes');
  link.granted.delete('changes');
  const sent = send('changes');
  expect(await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 500, 'waits'))])).toBe(
    'waits',
  );
  link.granted.add('changes');
  await sent;
});
