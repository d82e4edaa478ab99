import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../scripts/lib/wait-until.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';
import { testServers } from '../support/servers.ts';

const BROKEN = 1;
const ROWS = 200;

async function produce(topic: string, partition: number, value: string): Promise<string> {
  const kafka = new Kafka({ clientId: 'vandal', brokers: testServers().brokers, logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    const [answer] = await producer.send({ topic, messages: [{ partition, value }] });
    return answer?.baseOffset ?? '';
  } finally {
    await producer.disconnect();
  }
}

describe('a record that cannot be read', () => {
  it('stops its partition with topic, partition and offset in the status, and no other partition', async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.write("INSERT INTO items (id, owner, code) VALUES (0, 0, 'before')");
    await pipeline.untilEqual();
    const topic = daemon.status?.partitions[0]?.topic ?? '';
    const offset = await produce(topic, BROKEN, '{"v":1,"e":"broken"');

    const status = await daemon.untilStatus('the partition to stop', ({ partitions }) =>
      partitions.some(({ state }) => state === 'stopped'),
    );
    const stopped = status.partitions.filter(({ state }) => state === 'stopped');
    expect(stopped).toHaveLength(1);
    expect(stopped[0]).toMatchObject({ topic, partition: BROKEN, errorCode: 'ROWFERRY_WIRE_CORRUPT' });
    expect(stopped[0]?.error).toContain(`topic ${topic}, partition ${BROKEN}, offset ${offset}`);

    const rows = Array.from({ length: ROWS }, (_, i) => [i + 1, i, `code ${i}`]);
    await pipeline.write('INSERT INTO items (id, owner, code) VALUES ?', [rows]);
    const arrived = await waitUntil(
      async () => {
        const counts = [
          await pipeline.count('east', 'SELECT COUNT(*) FROM items'),
          await pipeline.count('west', 'SELECT COUNT(*) FROM items'),
        ];
        const sum = counts.reduce((all, count) => all + count, 0);
        return sum > ROWS / 2 ? sum : undefined;
      },
      { what: 'the rows of the other partitions', timeoutMs: 20_000 },
    );
    expect(arrived).toBeLessThan(ROWS);
    expect(daemon.exit).toBeUndefined();
  });
});
