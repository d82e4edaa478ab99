import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { ensureTopic, topicOffsets, waitForKafka } from '../../src/drivers/kafka-admin.ts';
import { readLog, type LogRecord } from '../../src/drivers/kafka-log.ts';
import { uniqueName } from '../support/servers.ts';
import { expireBefore, kafkaLink, newProducer, newTopic, plainKafka, proxiedLink } from './kafka-fixture.ts';

const never = new AbortController().signal;

async function read(topic: string, link = kafkaLink()): Promise<{ end: number; records: LogRecord[] }> {
  const records: LogRecord[] = [];
  const end = await readLog(link, topic, (record) => records.push(record), never);
  return { end, records };
}

describe('readLog', () => {
  test('reads an empty topic', async () => {
    const topic = await newTopic('empty', 1);
    expect(await read(topic)).toEqual({ end: 0, records: [] });
  });

  test('reads every record once, with tombstones, over several fetches', async () => {
    const topic = await newTopic('whole', 1);
    const producer = newProducer(kafkaLink(), { compression: 'lz4' });
    const big = 'x'.repeat(100_000);
    const records = Array.from({ length: 150 }, (_, index) => ({
      key: `k${index}`,
      value: index % 10 === 0 ? null : `${index} ${big}`,
    }));
    await producer.send({ topic, partition: 0, records });
    const startMs = performance.now();
    const { end, records: found } = await read(topic);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(end).toBe(150);
    expect(found.map(({ offset }) => offset)).toEqual(records.map((_, index) => index));
    expect(found.map(({ key, value }) => [String(key), value === null ? null : String(value)])).toEqual(
      records.map(({ key, value }) => [key, value]),
    );
  });

  test('ends where the log ended, although records at its end were compacted or deleted away', async () => {
    const topic = await newTopic('compacted', 1, {
      'cleanup.policy': 'compact,delete',
      'segment.ms': '200',
      'min.cleanable.dirty.ratio': '0.01',
      'max.compaction.lag.ms': '200',
      'delete.retention.ms': '100',
    });
    const producer = newProducer(kafkaLink());
    for (let index = 0; index < 10; index++) {
      await producer.send({ topic, partition: 0, records: [{ key: `k${index % 2}`, value: `${index}` }] });
    }
    await waitUntil(
      async () => {
        // Segments roll when something is written.
        await producer.send({ topic, partition: 0, records: [{ key: 'k0', value: 'last' }] });
        return (await read(topic)).records.length < 6;
      },
      { what: 'the compaction', timeoutMs: 60_000, intervalMs: 500 },
    );
    const { end, records } = await read(topic);
    const [range] = await topicOffsets(kafkaLink(), topic);
    expect(end).toBe(range?.high);
    expect(records.map(({ key, value }) => `${String(key)}=${String(value)}`)).toEqual(
      expect.arrayContaining(['k1=9', 'k0=last']),
    );
    await expireBefore(topic, 0, end);
    expect(await read(topic)).toEqual({ end, records: [] });
  }, 90_000);

  test("passes over the markers of another writer's transactions, also the last one", async () => {
    const topic = await newTopic('transactions', 1);
    const writer = plainKafka().producer({
      transactionalId: uniqueName('tx'),
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await writer.connect();
    for (const value of ['a', 'b']) {
      const transaction = await writer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction.commit();
    }
    await writer.disconnect();
    await waitUntil(async () => (await topicOffsets(kafkaLink(), topic))[0]?.high === 4, {
      what: 'the markers',
    });
    const { end, records } = await read(topic);
    expect(end).toBe(4);
    expect(records.map(({ offset, value }) => `${offset}=${String(value)}`)).toEqual(['0=a', '2=b']);
  });

  test('goes on where it stood when its link breaks', async () => {
    const topic = await newTopic('broken', 1);
    const producer = newProducer(kafkaLink());
    const value = 'x'.repeat(90_000);
    for (let index = 0; index < 100; index++) {
      await producer.send({ topic, partition: 0, records: [{ value: `${index} ${value}` }] });
    }
    const { link, proxy } = await proxiedLink();
    let cuts = 0;
    const offsets: number[] = [];
    await readLog(
      link,
      topic,
      ({ offset }) => {
        offsets.push(offset);
        if (offset % 40 === 39 && ++cuts) proxy.cut();
      },
      never,
    );
    expect(cuts).toBe(2);
    expect(offsets).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test('an error of the callback is passed on, not tried again', async () => {
    const topic = await newTopic('callback', 1);
    await newProducer(kafkaLink()).send({ topic, partition: 0, records: [{ value: 'a' }] });
    const reading = readLog(
      kafkaLink(),
      topic,
      () => {
        throw new RangeError('mine');
      },
      never,
    );
    await expect(reading).rejects.toMatchObject({ code: 'ROWFERRY_INVARIANT' });
  });

  test('names a topic that does not exist, and ends when its signal aborts', async () => {
    await expect(read(uniqueName('absent'))).rejects.toMatchObject({ code: 'ROWFERRY_KAFKA_TOPIC_GONE' });
    const { link, proxy } = await proxiedLink();
    proxy.faults.blackHole = true;
    const abort = new AbortController();
    const reading = readLog(link, uniqueName('x'), () => undefined, abort.signal);
    const reason = new Error('stopping');
    abort.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });
});

describe('topics', () => {
  const wish = { partitions: 3, replicationFactor: 1, config: { 'retention.ms': '12345000' } };

  test('ensureTopic creates once, then verifies and tells the settings in effect', async () => {
    const name = uniqueName('ensure');
    const facts = { partitions: 3, cleanupPolicy: 'delete', retentionMs: 12_345_000, retentionBytes: -1 };
    expect(await ensureTopic(kafkaLink(), { name, ...wish })).toMatchObject({ created: true, ...facts });
    const again = { name, ...wish, config: { 'retention.ms': '1' } };
    expect(await ensureTopic(kafkaLink(), again)).toMatchObject({ created: false, ...facts });
  });

  test('two that create one topic at once both succeed', async () => {
    const name = uniqueName('race');
    const made = await Promise.all([1, 2, 3, 4].map(() => ensureTopic(kafkaLink(), { name, ...wish })));
    expect(made.filter(({ created }) => created)).toHaveLength(1);
  });

  test('refuses another partition count with both numbers and a way out', async () => {
    const name = await newTopic('count', 2);
    await expect(ensureTopic(kafkaLink(), { name, ...wish })).rejects.toMatchObject({
      code: 'ROWFERRY_KAFKA_PARTITIONS',
      message: `topic ${name} has 2 partitions, the configuration says 3`,
      hint: expect.stringContaining('set kafka.partitions to 2') as string,
    });
  });

  test('refuses what the brokers cannot do, saying what', async () => {
    const name = uniqueName('replicas');
    await expect(ensureTopic(kafkaLink(), { name, ...wish, replicationFactor: 7 })).rejects.toMatchObject({
      code: 'ROWFERRY_KAFKA_REFUSED',
      hint: expect.stringContaining('replication factor') as string,
    });
    await expect(
      ensureTopic(kafkaLink(), { name, ...wish, config: { 'no.such.setting': '1' } }),
    ).rejects.toMatchObject({ code: 'ROWFERRY_KAFKA_REFUSED' });
  });

  test('waitForKafka tells of each failed try and resolves when Kafka answers', async () => {
    const { link, proxy } = await proxiedLink();
    proxy.faults.refuse = true;
    const codes: string[] = [];
    const waiting = waitForKafka(link, never, (error) => codes.push(error.code));
    await waitUntil(() => codes.length >= 2, { what: 'two failed tries' });
    proxy.heal();
    await waiting;
    expect(new Set(codes)).toEqual(new Set(['ROWFERRY_KAFKA_LINK']));
  });
});
