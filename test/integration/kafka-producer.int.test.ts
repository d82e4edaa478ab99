import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import {
  asAdmin,
  kafkaLink,
  logOf,
  memoryLog,
  newProducer,
  newTopic,
  onceOf,
  proxiedLink,
} from './kafka-fixture.ts';

describe('PartitionProducer', () => {
  test('resolves each send with the offset of its first record', async () => {
    const topic = await newTopic('base offsets', 2);
    const producer = newProducer(kafkaLink());
    const sends = [
      producer.send({ topic, partition: 0, records: [{ value: 'a' }, { value: 'b' }] }),
      producer.send({ topic, partition: 1, records: [{ value: 'c' }] }),
      producer.send({ topic, partition: 0, records: [{ value: 'd' }] }),
    ];
    expect(producer.pendingBytes).toBeGreaterThan(0);
    expect(await Promise.all(sends)).toEqual([{ baseOffset: 0 }, { baseOffset: 0 }, { baseOffset: 2 }]);
    expect(producer.pendingBytes).toBe(0);
    expect(await logOf(topic, 2)).toEqual([['a', 'b', 'd'], ['c']]);
  });

  test.each(['none', 'gzip', 'lz4'] as const)(
    'writes records that come back whole with %s',
    async (compression) => {
      const topic = await newTopic(`compression ${compression}`, 1);
      const values = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(index * 7)}`);
      const producer = newProducer(kafkaLink(), { compression });
      await producer.send({ topic, partition: 0, records: values.map((value) => ({ key: 'k', value })) });
      expect(await onceOf(topic, 1)).toEqual([values]);
    },
  );

  test('cuts batches below the size that the topic accepts', async () => {
    const topic = await newTopic('cut', 2, { 'max.message.bytes': '20000' });
    const producer = newProducer(kafkaLink(), { maxMessageBytes: 20_000 });
    const values = Array.from({ length: 60 }, (_, index) => `${index} ${'v'.repeat(3_000)}`);
    await Promise.all(
      [0, 1].map((partition) =>
        producer.send({ topic, partition, records: values.map((value) => ({ value })) }),
      ),
    );
    expect(await onceOf(topic, 2)).toEqual([values, values]);
  });

  test('finds a smaller limit of the topic by itself and keeps the order', async () => {
    const topic = await newTopic('smaller', 3, { 'max.message.bytes': '20000' });
    const producer = newProducer(kafkaLink(), { maxMessageBytes: 1_000_000 });
    const values = Array.from({ length: 100 }, (_, index) => `${index} ${'v'.repeat(3_000)}`);
    await Promise.all(
      [0, 1, 2].map((partition) =>
        producer.send({ topic, partition, records: values.map((value) => ({ value })) }),
      ),
    );
    expect(await onceOf(topic, 3)).toEqual([values, values, values]);
  });

  test('stops at a record that is too large alone, naming its place and size but not its value', async () => {
    const topic = await newTopic('too large', 2, { 'max.message.bytes': '20000' });
    const producer = newProducer(kafkaLink());
    const small = producer.send({ topic, partition: 0, records: [{ value: 'small' }] });
    const large = producer.send({ topic, partition: 1, records: [{ value: 'secret'.repeat(10_000) }] });
    await expect(large).rejects.toMatchObject({
      code: 'ROWFERRY_KAFKA_RECORD_TOO_LARGE',
      where: { topic, partition: 1 },
    });
    const error = (await large.catch((thrown: unknown) => thrown)) as { describe(): string };
    expect(error.describe()).toMatch(/about 60\d\d\d bytes/);
    expect(error.describe()).not.toContain('secret');
    await Promise.allSettled([small]);
    await expect(producer.send({ topic, partition: 0, records: [{ value: 'later' }] })).rejects.toBe(error);
    await expect(producer.flush()).rejects.toBe(error);
  });

  test('names a topic that was deleted', async () => {
    const topic = await newTopic('gone', 1);
    const producer = newProducer(kafkaLink());
    await producer.send({ topic, partition: 0, records: [{ value: 'there' }] });
    await asAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    // The broker lets go of the topic after it has answered: a send that comes before finds it still there.
    const refusal = await waitUntil(
      () =>
        producer.send({ topic, partition: 0, records: [{ value: 'gone' }] }).then(
          () => undefined,
          (error: unknown) => error,
        ),
      { what: 'the topic to be gone' },
    );
    expect(refusal).toMatchObject({ code: 'ROWFERRY_KAFKA_TOPIC_GONE', where: { topic } });
  });

  test('refuses a partition that the topic does not have', async () => {
    const topic = await newTopic('no such partition', 2);
    const producer = newProducer(kafkaLink());
    await expect(producer.send({ topic, partition: 5, records: [{ value: 'x' }] })).rejects.toMatchObject({
      code: 'ROWFERRY_KAFKA_PARTITIONS',
      where: { topic, partition: 5 },
    });
  });

  test('waits for a Kafka that is away, says so once, and goes on when it is back', async () => {
    const { log, lines } = memoryLog();
    const topic = await newTopic('away', 1);
    const { link, proxy } = await proxiedLink({ log });
    proxy.faults.refuse = true;
    const producer = newProducer(link);
    const sent = producer.send({ topic, partition: 0, records: [{ value: 'patient' }] });
    const told = (): string[] => lines.filter(({ level }) => level !== 'debug').map(({ message }) => message);
    await waitUntil(() => told().length > 0, { what: 'the first warning' });
    await sleep(1_500);
    proxy.heal();
    await sent;
    expect(told()).toEqual([
      expect.stringContaining('producer waits for Kafka: ROWFERRY_KAFKA_LINK'),
      'producer reached Kafka again',
    ]);
    expect(await logOf(topic, 1)).toEqual([['patient']]);
  });

  test('rejects what waits with the reason of the signal', async () => {
    const topic = await newTopic('abort', 1);
    const { link, proxy } = await proxiedLink();
    proxy.faults.refuse = true;
    const abort = new AbortController();
    const producer = newProducer(link, { signal: abort.signal });
    const sent = producer.send({ topic, partition: 0, records: [{ value: 'x' }] });
    const reason = new Error('stopping');
    abort.abort(reason);
    await expect(sent).rejects.toBe(reason);
    await expect(producer.send({ topic, partition: 0, records: [{ value: 'y' }] })).rejects.toBe(reason);
    expect(producer.pendingBytes).toBe(0);
  });

  test('flush resolves when all is acknowledged, close ends with sends pending', async () => {
    const topic = await newTopic('flush', 4);
    const producer = newProducer(kafkaLink());
    const sends = [0, 1, 2, 3].map((partition) =>
      producer.send({ topic, partition, records: [{ value: randomBytes(100_000) }] }),
    );
    await producer.flush();
    expect(producer.pendingBytes).toBe(0);
    await Promise.all(sends);
    const late = producer.send({ topic, partition: 0, records: [{ value: 'late' }] });
    await Promise.all([
      producer.close(),
      expect(late).rejects.toMatchObject({ code: 'ROWFERRY_KAFKA_LINK' }),
    ]);
  });

  test('loses nothing and reorders nothing while the link is cut, stalls and comes back at random', async () => {
    const partitions = 4;
    const topic = await newTopic('faults', partitions);
    const { link, proxy } = await proxiedLink({ requestTimeoutMs: 600, connectTimeoutMs: 600 });
    const producer = newProducer(link, { maxMessageBytes: 60_000, compression: 'lz4' });
    const sent = Array.from({ length: partitions }, (): number[] => []);
    let faults = 0;
    const calm = new AbortController();
    const vandal = (async () => {
      const deeds = [
        () => proxy.cut(),
        () => (proxy.faults.cutAfterBytes = 200 + Math.floor(Math.random() * 4_000)),
        () => (proxy.faults.blackHole = true),
        () => (proxy.faults.refuse = true),
        () => (proxy.faults.delayMs = 100),
      ];
      while (!calm.signal.aborted) {
        deeds[faults++ % deeds.length]?.();
        await sleep(20 + Math.random() * 250);
        if (Math.random() < 0.5) proxy.cut();
        proxy.heal();
        await sleep(Math.random() * 150);
      }
    })();
    const waiting: Promise<unknown>[] = [];
    const endMs = Date.now() + 12_000;
    let sequence = 0;
    while (Date.now() < endMs) {
      const partition = Math.floor(Math.random() * partitions);
      const records = Array.from({ length: 1 + Math.floor(Math.random() * 8) }, () => {
        sent[partition]?.push(++sequence);
        return { value: `${sequence} ${'x'.repeat(Math.floor(Math.random() * 3_000))}` };
      });
      waiting.push(producer.send({ topic, partition, records }));
      if (producer.pendingBytes > 2_000_000) await sleep(5);
      else if (sequence % 50 === 0) await sleep(1);
    }
    calm.abort();
    await vandal;
    await Promise.all(waiting);

    expect(faults).toBeGreaterThan(20);
    const logs = await logOf(topic, partitions);
    for (const [partition, values] of logs.entries()) {
      let maximum = 0;
      const kept: number[] = [];
      for (const value of values) {
        const number = Number.parseInt(value, 10);
        if (number <= maximum) continue;
        maximum = number;
        kept.push(number);
      }
      expect(kept).toEqual(sent[partition]);
    }
  }, 60_000);
});
