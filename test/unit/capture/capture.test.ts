import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import type { CapturePorts, SourceLink } from '../../../src/capture/capture.ts';
import { Capture } from '../../../src/capture/capture.ts';
import type { CheckpointRecord, LogEntry } from '../../../src/capture/checkpoint-log.ts';
import { encodeRecord, readCheckpointLog, recordKey } from '../../../src/capture/checkpoint-log.ts';
import type { HeldTable } from '../../../src/capture/table-flow.ts';
import { rewind } from '../../../src/capture/table-flow.ts';
import type { BinlogEvent } from '../../../src/drivers/binlog-event.ts';
import type { Position } from '../../../src/model/position.ts';
import type { Table } from '../../../src/model/table.ts';
import { sleep } from '../../../src/runtime/backoff.ts';
import { isMarker } from '../../../src/wire/marker.ts';
import { captureOptions, factsAt, NO_COPYING } from './capture-fixture.ts';

const FILE = 'binlog.000001';
const at = (offset: number): Position => ({ server: 's1', file: FILE, offset });
const orders: Table = {
  schema: 'shop',
  name: 'orders',
  columns: [{ name: 'id', type: 'int' }],
  key: [0],
};
/** One row in a transaction that ends there. */
const transaction = (end: number): BinlogEvent[] => [
  { kind: 'begin', gtid: null, commitTimeMs: 1, end: end - 10 },
  { kind: 'rows', table: orders, op: 'insert', rows: [[end]], end: end - 5, timeMs: 1, bytes: 1 },
  { kind: 'commit', gtid: null, end, timeMs: 1 },
];

/** A checkpoint topic, and who sent each row. */
class Kafka {
  readonly entries: LogEntry[] = [];
  readonly sentBy: string[] = [];
  /** Up to which offset the appliers have come. */
  applied = Infinity;

  readonly store = {
    readAll: async () => [...this.entries],
    append: async (key: string, value: string) =>
      this.entries.push({ offset: this.entries.length, key, value }) - 1,
  };

  async append(record: CheckpointRecord): Promise<void> {
    await this.store.append(recordKey(record), encodeRecord(record));
  }

  get state() {
    return readCheckpointLog(this.entries);
  }
}

function captureOf(
  kafka: Kafka,
  by: string,
  link: () => SourceLink,
  ends: { inspected: number; now: number },
) {
  const facts = factsAt({ file: FILE, offset: ends.inspected });
  const ports: CapturePorts = {
    store: kafka.store,
    sender: {
      send: async (_partition, records) => {
        const rows = records.filter(({ value }) => !isMarker(JSON.parse(value.toString())));
        for (const _ of rows) kafka.sentBy.push(by);
        return kafka.sentBy.length;
      },
    },
    inspect: async () => facts,
    hasPublished: async () => false,
    published: async () => [kafka.sentBy.length],
    tables: async () => [],
    copying: { ...NO_COPYING, applied: async () => [kafka.applied] },
    link,
    current: async () => ({ file: FILE, offset: ends.now }),
  };
  return new Capture(captureOptions({ by }), ports);
}

/** A link that brings these events, pull by pull, and then heartbeats that tell nothing new. */
function linkOf(pulls: readonly (readonly BinlogEvent[])[], open: () => Promise<void> = async () => {}) {
  let reads = 0;
  const closed = new AbortController();
  const link = {
    stats: { bytes: 0 },
    open,
    get reads() {
      return reads;
    },
    read: async () => {
      const pull = pulls[reads++];
      if (pull === undefined) await sleep(20, closed.signal);
      return pull ?? [];
    },
    close: async () => closed.abort(),
  };
  return link;
}

describe('a capture that is suspended between its claim and its first read', () => {
  it('publishes nothing once another one has claimed: its names are those of an epoch that may be over', async () => {
    const kafka = new Kafka();
    const stop = new AbortController();
    let wake: () => void = () => {};
    const suspended = new Promise<void>((resolve) => (wake = resolve));
    const ends = { inspected: 4, now: 4 };
    const first = captureOf(
      kafka,
      'first',
      () => linkOf([transaction(100)], async () => await suspended),
      ends,
    );
    const ofFirst = first.run(stop.signal);
    await waitUntil(() => kafka.entries.length === 1, { what: 'the first claim', intervalMs: 5 });
    const second = captureOf(kafka, 'second', () => linkOf([transaction(100)]), ends);
    const ofSecond = second.run(stop.signal);
    await waitUntil(() => kafka.sentBy.includes('second'), { what: 'the second one to read', intervalMs: 5 });
    wake();
    const ended = await Promise.race([
      ofFirst,
      waitUntil(() => kafka.sentBy.includes('first'), { what: 'x' }),
    ]);
    stop.abort();
    await Promise.allSettled([ofFirst, ofSecond]);
    expect(kafka.sentBy).not.toContain('first');
    expect(ended).toBe('superseded');
  });
});

describe('a table that is acknowledged', () => {
  it('goes on only behind all that the binlog held when the link was open: a suspended capture may have read so far', async () => {
    const kafka = new Kafka();
    const stop = new AbortController();
    const held: HeldTable = {
      table: 'shop.items',
      statement: `${FILE}:50`,
      gtid: null,
      why: 'ALTER TABLE drops a column',
      from: at(40),
      sinceMs: 1,
    };
    const point = { position: at(60), commitMs: null, flow: { held: [held], catchUp: null, passed: [] } };
    await kafka.append({ kind: 'claim', id: 'former', epoch: 1, start: at(4), by: 'former', timeMs: 1 });
    await kafka.append({ kind: 'checkpoint', incarnation: 0, epoch: 1, ...point, timeMs: 1 });
    const accept = { kind: 'accept', statement: held.statement, server: 's1', gtid: null } as const;
    await kafka.append({ ...accept, waits: false, by: 'operator', timeMs: 2 });
    const links = [
      linkOf([transaction(100), transaction(200), transaction(300)]),
      linkOf([], async () => stop.abort()),
    ];
    const ends = { inspected: 100, now: 300 };
    await captureOf(kafka, 'capture', () => links.shift()!, ends)
      .run(stop.signal)
      .catch(() => {});
    expect(kafka.state.flow.catchUp?.until).toMatchObject({ offset: 300 });
  });
});

describe('a statement that an operator acknowledged before it is read', () => {
  const alter: BinlogEvent = {
    kind: 'statement',
    schema: 'shop',
    sql: 'ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, region)',
    standalone: true,
    gtid: null,
    commitTimeMs: 1,
    end: 150,
    timeMs: 1,
  };
  const accept = { kind: 'accept', statement: `${FILE}:150`, server: 's1', gtid: null } as const;
  const binlog = [...transaction(100), alter, ...transaction(200)];

  async function read(kafka: Kafka) {
    const stop = new AbortController();
    const links = [linkOf([binlog]), linkOf([binlog.slice(3)])];
    const [first] = links;
    const link = (): SourceLink => links.shift()!;
    const done = captureOf(kafka, 'capture', link, { inspected: 200, now: 200 }).run(stop.signal);
    await waitUntil(() => first!.reads > 1, { what: 'all to be read', intervalMs: 5 });
    const early = kafka.sentBy.length;
    const { held } = kafka.state.flow;
    kafka.applied = Infinity;
    await waitUntil(() => kafka.sentBy.length === 2, { what: 'the table to go on', intervalMs: 5 });
    stop.abort();
    await done;
    return { early, held };
  }

  it('--ahead: the rows behind it wait for those before it, which have another key and go by other partitions', async () => {
    const kafka = new Kafka();
    await kafka.append({ kind: 'claim', id: 'former', epoch: 1, start: at(4), by: 'former', timeMs: 1 });
    await kafka.append({ ...accept, by: 'operator', timeMs: 2 });
    kafka.applied = 0;
    const { early, held } = await read(kafka);
    expect(early).toBe(1);
    expect(held).toMatchObject([{ table: 'shop.orders', statement: accept.statement }]);
    expect(kafka.state.epoch).toBe(2);
  });

  it('a replay from before it: they do so once more', async () => {
    const kafka = new Kafka();
    const flow = { held: [], catchUp: null, passed: [`s1 ${accept.statement}`] };
    await kafka.append({ kind: 'claim', id: 'former', epoch: 1, start: at(4), by: 'former', timeMs: 1 });
    await kafka.append({ ...accept, by: 'operator', timeMs: 2 });
    const replay = { kind: 'claim', id: 'replay', after: 0, epoch: 2, start: at(4), timeMs: 3 } as const;
    await kafka.append({ ...replay, flow: rewind(flow, at(4)), by: 'operator' });
    kafka.applied = 0;
    const { early, held } = await read(kafka);
    expect(early).toBe(1);
    expect(held).toMatchObject([{ table: 'shop.orders', statement: accept.statement }]);
    expect(kafka.state.epoch).toBe(3);
  });
});
