import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { ensureTopic } from '../../src/drivers/kafka-admin.ts';
import { KafkaLink } from '../../src/drivers/kafka-client.ts';
import type { PartitionProducer } from '../../src/drivers/kafka-producer.ts';
import { uniqueName } from '../support/servers.ts';
import { memoryLog, newProducer, TestMember } from './kafka-fixture.ts';

let sandbox: Sandbox;
let kafka: SandboxServer;

beforeAll(async () => {
  sandbox = await startSandbox({ kafka: true, ownServers: true });
  if (sandbox.kafka === undefined) throw new Error('the sandbox has no Kafka');
  kafka = sandbox.kafka;
}, 120_000);

afterAll(async () => {
  await sandbox.stop();
});

function ownLink(): KafkaLink {
  return new KafkaLink({
    clientId: 'restart',
    brokers: sandbox.brokers,
    tls: null,
    sasl: null,
    log: memoryLog().log,
    requestTimeoutMs: 2_000,
    connectTimeoutMs: 1_000,
  });
}

/** Sends numbers to the partitions in turn until `stop`, and remembers them. */
class Stream {
  readonly sent: number[][];
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  #next = 0;

  constructor(producer: PartitionProducer, topic: string, partitions: number) {
    this.sent = Array.from({ length: partitions }, () => []);
    this.#running = this.#run(producer, topic, partitions);
  }

  get count(): number {
    return this.#next;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(producer: PartitionProducer, topic: string, partitions: number): Promise<void> {
    const sends: Promise<unknown>[] = [];
    while (!this.#abort.signal.aborted) {
      const number = ++this.#next;
      const partition = number % partitions;
      this.sent[partition]?.push(number);
      sends.push(producer.send({ topic, partition, records: [{ value: String(number) }] }));
      await sleep(2);
    }
    await Promise.all(sends);
  }
}

/** What a reader applies: nothing that is not newer than the partition's running maximum. */
function deduplicated(values: readonly string[]): number[] {
  let maximum = 0;
  return values.map(Number).filter((number) => {
    if (number <= maximum) return false;
    maximum = number;
    return true;
  });
}

test.each([
  ['is restarted in order', async () => kafka.restart()],
  [
    'is killed and stays away for a while',
    async () => {
      await kafka.kill();
      await sleep(5_000);
      await kafka.start();
    },
  ],
  [
    'freezes for longer than a request may take',
    async () => {
      await kafka.pause();
      await sleep(6_000);
      await kafka.resume();
    },
  ],
] as const)(
  'sending and consuming hold and go on by themselves when Kafka %s',
  async (_, disturb) => {
    const partitions = 3;
    const topic = uniqueName('restart');
    await ensureTopic(ownLink(), { name: topic, partitions, replicationFactor: 1, config: {} });
    const member = new TestMember(
      ownLink(),
      { groupId: uniqueName('g'), topics: [topic] },
      (consumer, topic, partition) => {
        const next = member.batches
          .filter((batch) => batch.partition === partition)
          .at(-1)
          ?.records.at(-1);
        consumer.seek(topic, partition, next === undefined ? 0 : next.offset + 1);
      },
    );
    const stream = new Stream(newProducer(ownLink()), topic, partitions);
    await waitUntil(() => member.arrivals.length > 100, { what: 'the first records' });
    await disturb();
    const before = stream.count;
    await waitUntil(() => stream.count > before + 200, { what: 'more records' });
    await stream.stop();
    await waitUntil(
      () =>
        stream.sent.every((list, partition) => deduplicated(member.values(partition)).length >= list.length),
      { what: 'all records', timeoutMs: 60_000 },
    );
    for (const [partition, list] of stream.sent.entries()) {
      expect(deduplicated(member.values(partition))).toEqual(list);
      const offsets = member.arrivals.filter((arrival) => arrival.startsWith(`${partition}:`));
      expect(offsets).toEqual(offsets.map((_, index) => `${partition}:${index}`));
    }
  },
  120_000,
);
