import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { evictDeadMembers } from '../../src/drivers/kafka-admin.ts';
import { uniqueName } from '../support/servers.ts';
import {
  asAdmin,
  expireBefore,
  kafkaLink,
  memoryLog,
  newProducer,
  newTopic,
  plainKafka,
  proxiedLink,
  TestMember,
} from './kafka-fixture.ts';

async function filledTopic(label: string, partitions: number, values: readonly string[]): Promise<string> {
  const topic = await newTopic(label, partitions);
  const producer = newProducer(kafkaLink());
  for (let partition = 0; partition < partitions; partition++) {
    await producer.send({ topic, partition, records: values.map((value) => ({ value })) });
  }
  return topic;
}

/** A link whose consumers are refused what they ask of a topic while `isRefused`, as by Kafka for a user who may not read it. */
function guardedLink() {
  const link = kafkaLink();
  const guard = { link, isRefused: true };
  const open = link.open.bind(link);
  link.open = async (instance) => {
    const client = await open(instance);
    const consumerOf = client.kafka.consumer.bind(client.kafka);
    client.kafka.consumer = (options) => {
      const consumer = consumerOf(options);
      const { CRASH } = consumer.events;
      const on = consumer.on.bind(consumer) as (
        event: string,
        listener: (event: object) => void,
      ) => () => void;
      let crash: (event: object) => void = () => undefined;
      const listen: typeof on = (event, listener) => {
        if (event === CRASH) crash = listener;
        return on(event, listener);
      };
      const seek = consumer.seek.bind(consumer);
      const error = Object.assign(new Error('refused'), { type: 'TOPIC_AUTHORIZATION_FAILED' });
      return Object.assign(consumer, {
        on: listen,
        seek: (place: Parameters<typeof seek>[0]): void => {
          if (guard.isRefused) setImmediate(() => crash({ payload: { error } }));
          else seek(place);
        },
      });
    };
    return client;
  };
  return guard;
}

describe('GroupConsumer', () => {
  test('that may join its group and was never let read its topic says so and ends', async () => {
    const topic = await filledTopic('unreadable', 1, ['a']);
    const { link } = guardedLink();
    const member = new TestMember(link, { groupId: uniqueName('g'), topics: [topic] });
    expect(await member.ended).toMatchObject({ code: 'ROWFERRY_KAFKA_REFUSED', action: 'stop' });
  });

  test('that read its topic before waits until it may again', async () => {
    const topic = await filledTopic('unreadable later', 1, ['a']);
    const guard = guardedLink();
    guard.isRefused = false;
    const member = new TestMember(guard.link, { groupId: uniqueName('g'), topics: [topic] });
    await waitUntil(() => member.arrivals.length === 1, { what: 'the record' });
    guard.isRefused = true;
    member.consumer.rejoin();
    await waitUntil(() => member.consumer.breaks >= 2, { what: 'two refusals' });
    guard.isRefused = false;
    await waitUntil(() => member.arrivals.length === 2, { what: 'the record again' });
  });

  test('delivers nothing before seek, then every record from there with key, headers and time', async () => {
    const topic = await newTopic('from seek', 1);
    const producer = newProducer(kafkaLink());
    await producer.send({ topic, partition: 0, records: [{ value: 'a' }, { value: 'b' }] });
    const member = new TestMember(
      kafkaLink(),
      { groupId: uniqueName('g'), topics: [topic] },
      () => undefined,
    );
    await waitUntil(() => member.assignments.length > 0, { what: 'the assignment' });
    await producer.send({
      topic,
      partition: 0,
      records: [{ key: 'k', value: 'c', headers: { h: 'v' }, timestampMs: 1_700_000_000_000 }],
    });
    await sleep(400);
    expect(member.batches).toEqual([]);
    member.consumer.seek(topic, 0, 1);
    await waitUntil(() => member.arrivals.length >= 2, { what: 'two records' });
    const records = member.batches.flatMap((batch) => batch.records);
    expect(records).toMatchObject([
      { offset: 1, key: null, value: Buffer.from('b'), headers: {} },
      {
        offset: 2,
        key: Buffer.from('k'),
        value: Buffer.from('c'),
        headers: { h: Buffer.from('v') },
        timestampMs: 1_700_000_000_000,
      },
    ]);
    expect(member.batches.at(-1)?.highWatermark).toBe(3);
  });

  test('a paused partition waits while the others go on, and resumes where it stopped', async () => {
    const topic = await filledTopic('pause', 2, ['a', 'b']);
    const member = new TestMember(kafkaLink(), { groupId: uniqueName('g'), topics: [topic] });
    await waitUntil(() => member.arrivals.length === 4, { what: 'the first records' });
    member.consumer.pause(topic, 0);
    const producer = newProducer(kafkaLink());
    for (const partition of [0, 1]) await producer.send({ topic, partition, records: [{ value: 'c' }] });
    await waitUntil(() => member.arrivals.includes('1:2'), { what: 'the other partition' });
    await sleep(300);
    expect(member.arrivals).not.toContain('0:2');
    member.consumer.resume(topic, 0);
    await waitUntil(() => member.arrivals.includes('0:2'), { what: 'the resumed partition' });
    expect(member.values(0)).toEqual(['a', 'b', 'c']);
  });

  test('seek goes back and delivers again from there', async () => {
    const topic = await filledTopic('back', 1, ['a', 'b', 'c']);
    const member = new TestMember(kafkaLink(), { groupId: uniqueName('g'), topics: [topic] });
    await waitUntil(() => member.arrivals.length === 3, { what: 'all records' });
    member.consumer.seek(topic, 0, 1);
    await waitUntil(() => member.arrivals.length === 5, { what: 'the records again' });
    expect(member.values(0)).toEqual(['a', 'b', 'c', 'b', 'c']);
  });

  test('stays in its group while everything is paused for longer than its session', async () => {
    const topic = await filledTopic('all paused', 2, ['a']);
    const member = new TestMember(
      kafkaLink(),
      { groupId: uniqueName('g'), topics: [topic], sessionTimeoutMs: 1_500 },
      () => undefined,
    );
    await waitUntil(() => member.assignments.length > 0, { what: 'the assignment' });
    await sleep(5_000);
    expect(member.assignments).toHaveLength(1);
  });

  test('two members share the partitions; when one leaves, the other is assigned all again', async () => {
    const topic = await filledTopic('share', 4, ['a']);
    const groupId = uniqueName('g');
    const first = new TestMember(kafkaLink(), { groupId, topics: [topic] });
    await waitUntil(() => first.assignments.at(-1)?.length === 4, { what: 'all partitions' });
    const second = new TestMember(kafkaLink(), { groupId, topics: [topic] });
    const halves = () => [first, second].every(({ assignments }) => assignments.at(-1)?.length === 2);
    await waitUntil(halves, { what: 'half of the partitions at each' });
    const both = [...(first.assignments.at(-1) ?? []), ...(second.assignments.at(-1) ?? [])];
    expect(new Set(both).size).toBe(4);
    await second.stop();
    await waitUntil(() => first.assignments.at(-1)?.length === 4, { what: 'all partitions again' });
  });

  test('rejoin leaves and joins: the assignment is told again and records start at the new seek', async () => {
    const topic = await filledTopic('rejoin', 1, ['a', 'b']);
    const member = new TestMember(kafkaLink(), { groupId: uniqueName('g'), topics: [topic] });
    await waitUntil(() => member.arrivals.length === 2, { what: 'the records' });
    member.consumer.rejoin();
    await waitUntil(() => member.arrivals.length === 4, { what: 'the records again' });
    expect(member.assignments).toHaveLength(2);
  });

  test('reports an offset that was deleted from the log instead of going on elsewhere', async () => {
    const topic = await filledTopic('expired', 1, ['a', 'b', 'c']);
    await expireBefore(topic, 0, 2);
    const member = new TestMember(kafkaLink(), { groupId: uniqueName('g'), topics: [topic] });
    expect(await member.ended).toMatchObject({
      code: 'ROWFERRY_KAFKA_OFFSET_LOST',
      where: { topic, partition: 0, offset: '0' },
    });
    expect(member.batches).toEqual([]);
  });

  test('reports a log that was made anew and is shorter than what was applied', async () => {
    const topic = await filledTopic('anew', 1, ['a', 'b']);
    const member = new TestMember(
      kafkaLink(),
      { groupId: uniqueName('g'), topics: [topic] },
      (consumer, topic, partition) => consumer.seek(topic, partition, 1_000),
    );
    expect(await member.ended).toMatchObject({
      code: 'ROWFERRY_KAFKA_OFFSET_LOST',
      where: { topic, partition: 0, offset: '1000' },
    });
    expect(member.batches).toEqual([]);
  });

  test("reads past the markers of another writer's transactions when offsets may have holes", async () => {
    const topic = await newTopic('transactions', 1);
    const writer = plainKafka().producer({
      transactionalId: uniqueName('tx'),
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await writer.connect();
    const groupId = uniqueName('g');
    const member = new TestMember(kafkaLink(), { groupId, topics: [topic], allowOffsetHoles: true });
    for (const value of ['a', 'b', 'c']) {
      const transaction = await writer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction.commit();
      if (value === 'a') await waitUntil(() => member.arrivals.length === 1, { what: 'the first record' });
    }
    await writer.disconnect();
    await waitUntil(() => member.arrivals.length === 3, { what: 'all records' });
    expect(member.arrivals).toEqual(['0:0', '0:2', '0:4']);
  });

  test('names a topic that is deleted while it is consumed', async () => {
    const topic = await filledTopic('deleted', 2, ['a']);
    const member = new TestMember(kafkaLink(), { groupId: uniqueName('g'), topics: [topic] });
    await waitUntil(() => member.arrivals.length === 2, { what: 'the records' });
    await asAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    expect(await member.ended).toMatchObject({ code: 'ROWFERRY_KAFKA_TOPIC_GONE', where: { topic } });
  }, 60_000);

  test('an error of the callback ends it as it is', async () => {
    const topic = await filledTopic('callback', 1, ['a']);
    const member = new TestMember(kafkaLink(), {
      groupId: uniqueName('g'),
      topics: [topic],
      onRecords: () => {
        throw new RangeError('mine');
      },
    });
    expect(await member.ended).toMatchObject({ code: 'ROWFERRY_INVARIANT', cause: new RangeError('mine') });
  });

  test('commits the hint for lag tools and asks for the bounds of a partition', async () => {
    const topic = await filledTopic('hint', 1, ['a', 'b', 'c']);
    const groupId = uniqueName('g');
    const member = new TestMember(kafkaLink(), { groupId, topics: [topic] });
    await waitUntil(() => member.arrivals.length === 3, { what: 'the records' });
    expect(await member.consumer.bounds(topic, 0, new AbortController().signal)).toEqual({ low: 0, high: 3 });
    member.consumer.commitHint(topic, 0, 2);
    await waitUntil(
      () =>
        asAdmin(async (admin) => {
          const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
          return offsets?.partitions[0]?.offset === '2';
        }),
      { what: 'the committed offset' },
    );
  });

  test('delivers each record once per seek, in order, while its links break at random', async () => {
    const partitions = 3;
    const topic = await newTopic('consumer faults', partitions);
    const { link, proxy } = await proxiedLink({ requestTimeoutMs: 800, connectTimeoutMs: 800 });
    const applied = Array.from({ length: partitions }, (): string[] => []);
    const member = new TestMember(
      link,
      {
        groupId: uniqueName('g'),
        topics: [topic],
        maxPartitionBytes: 20_000,
        onRecords: ({ partition, records }) => {
          const list = applied[partition];
          for (const { offset, value } of records) {
            expect(offset).toBe(list?.length);
            list?.push(String(value));
          }
        },
      },
      (consumer, topic, partition) => consumer.seek(topic, partition, applied[partition]?.length ?? 0),
    );
    const producer = newProducer(kafkaLink());
    const sent = Array.from({ length: partitions }, (): string[] => []);
    let broken = 0;
    const endMs = Date.now() + 12_000;
    for (let round = 0; Date.now() < endMs; round++) {
      const partition = round % partitions;
      const records = Array.from({ length: 20 }, (_, index) => ({
        value: `${round}.${index} ${'x'.repeat(500)}`,
      }));
      sent[partition]?.push(...records.map(({ value }) => value));
      await producer.send({ topic, partition, records });
      if (round % 40 === 0) {
        broken++;
        if (Math.random() < 0.3) proxy.faults.blackHole = true;
        else if (Math.random() < 0.5) proxy.faults.cutAfterBytes = 5_000;
        else proxy.cut();
      } else if (round % 40 === 20) proxy.heal();
      await sleep(5);
    }
    proxy.heal();
    await waitUntil(() => applied.every((list, partition) => list.length === sent[partition]?.length), {
      what: 'all records',
      timeoutMs: 20_000,
    });
    expect(broken).toBeGreaterThan(10);
    expect(applied).toEqual(sent);
    expect(member.assignments.length).toBeGreaterThan(1);
  }, 60_000);

  test('a client that shows no sign of life is replaced', async () => {
    const topic = await filledTopic('stall', 1, ['a']);
    const { link, proxy } = await proxiedLink({ requestTimeoutMs: 60_000, connectTimeoutMs: 500 });
    const member = new TestMember(link, { groupId: uniqueName('g'), topics: [topic], stallMs: 1_500 });
    await waitUntil(() => member.arrivals.length === 1, { what: 'the record' });
    proxy.faults.blackHole = true;
    await sleep(2_500);
    // New links work; the old ones, with a request timeout of a minute, would be waited for.
    Object.assign(proxy.faults, { blackHole: false });
    const producer = newProducer(kafkaLink());
    await producer.send({ topic, partition: 0, records: [{ value: 'b' }] });
    await waitUntil(() => member.values(0).includes('b'), {
      what: 'the record after the stall',
      timeoutMs: 15_000,
    });
  }, 40_000);

  test('comes back soon after a broken link, although its session of a minute has not ended', async () => {
    const topic = await filledTopic('comes back', 1, ['a']);
    const { log, lines } = memoryLog();
    const { link, proxy } = await proxiedLink({ log });
    const member = new TestMember(link, {
      groupId: uniqueName('g'),
      topics: [topic],
      sessionTimeoutMs: 60_000,
    });
    await waitUntil(() => member.arrivals.length === 1, { what: 'the record' });
    // A Kafka that has just started makes the first join wait, too.
    lines.length = 0;
    proxy.faults.refuse = true;
    proxy.cut();
    await waitUntil(() => lines.some(({ level }) => level === 'warn'), { what: 'the broken session' });
    proxy.heal();
    await waitUntil(() => member.assignments.length === 2, { what: 'the next session', timeoutMs: 10_000 });
  });

  test('a dead member can be removed before its session ends', async () => {
    const topic = await filledTopic('evict', 1, ['a']);
    const groupId = uniqueName('g');
    const { link, proxy } = await proxiedLink({ clientId: 'dead-one' });
    const dead = new TestMember(link, { groupId, topics: [topic], sessionTimeoutMs: 60_000 });
    await waitUntil(() => dead.arrivals.length === 1, { what: 'the first member' });
    // As after kill -9: its link ends and nobody says goodbye.
    proxy.faults.refuse = true;
    proxy.cut();
    const evicted = await evictDeadMembers(kafkaLink(), groupId, (clientId) => clientId === 'dead-one');
    expect(evicted).toEqual(['dead-one']);
    const startMs = performance.now();
    const next = new TestMember(kafkaLink(), { groupId, topics: [topic] });
    await waitUntil(() => next.arrivals.length === 1, { what: 'the next member' });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(await evictDeadMembers(kafkaLink(), groupId, (clientId) => clientId === 'dead-one')).toEqual([]);
  });
});
