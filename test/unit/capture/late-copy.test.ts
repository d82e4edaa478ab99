import { afterEach, describe, expect, it } from 'vitest';
import { BatchCutter } from '../../../src/apply/batch.ts';
import { EmptiedTables } from '../../../src/apply/emptied-tables.ts';
import { RecordQueue } from '../../../src/apply/record-queue.ts';
import { ownReader } from '../../../src/apply/topic-reader.ts';
import type { CapturePorts } from '../../../src/capture/capture.ts';
import { Capture } from '../../../src/capture/capture.ts';
import type { LogEntry } from '../../../src/capture/checkpoint-log.ts';
import { encodeRecord, readCheckpointLog } from '../../../src/capture/checkpoint-log.ts';
import type { CopySource } from '../../../src/capture/copy-parts.ts';
import type { Mark } from '../../../src/capture/mark.ts';
import type { OutgoingRecord } from '../../../src/capture/publisher.ts';
import type { BinlogEvent } from '../../../src/drivers/binlog-event.ts';
import type { Change } from '../../../src/model/change.ts';
import type { Row, Table } from '../../../src/model/table.ts';
import { sleep } from '../../../src/runtime/backoff.ts';
import { partitioner } from '../../../src/wire/partition.ts';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { captureOptions, factsAt } from './capture-fixture.ts';

const FILE = 'binlog.000001';
const column = (name: string) => ({ name, type: 'varchar' });
const goods: Table = { schema: 'shop', name: 'goods', columns: ['id', 'code', 'name'].map(column), key: [0] };
/** The same behind a statement that makes `code` its key. */
const coded: Table = { ...goods, key: [1] };
const MARK_COLUMNS = ['pipeline', 'source', 'lineage', 'claim', 'incarnation', 'chunk', 'edge'] as const;
const marks: Table = { schema: 'rowferry', name: 'mark', columns: MARK_COLUMNS.map(column), key: [0] };

/** A source whose binlog anybody reads from anywhere. */
class Source {
  readonly events: (BinlogEvent & { readonly end: number })[] = [];
  rows: readonly Row[] = [];
  end = 4;

  write(table: Table, op: 'insert' | 'update', rows: readonly Row[]): void {
    const [start, timeMs] = [this.end, Date.now()];
    this.end += 100;
    this.events.push(
      { kind: 'begin', gtid: null, commitTimeMs: timeMs, end: start + 10 },
      { kind: 'rows', table, op, rows, end: start + 50, timeMs, bytes: 1 },
      { kind: 'commit', gtid: null, end: this.end, timeMs },
    );
  }

  /** Answers how the statement is named. */
  alter(sql: string): string {
    this.end += 100;
    const timeMs = Date.now();
    const of = { kind: 'statement', schema: 'shop', standalone: true, gtid: null } as const;
    this.events.push({ ...of, sql, commitTimeMs: timeMs, end: this.end, timeMs });
    return `${FILE}:${this.end}`;
  }

  link(start: number) {
    const closed = new AbortController();
    let next = this.events.findIndex(({ end }) => end > start);
    if (next < 0) next = this.events.length;
    return {
      stats: { bytes: 0 },
      open: async () => {},
      read: async (): Promise<readonly BinlogEvent[]> => {
        if (next === this.events.length) await sleep(5, closed.signal);
        closed.signal.throwIfAborted();
        const events = this.events.slice(next);
        next += events.length;
        return events;
      },
      close: async () => closed.abort(),
    };
  }

  copies(): CopySource {
    return {
      prepare: async () => {},
      mark: async (mark: Mark) =>
        this.write(marks, 'insert', [MARK_COLUMNS.map((name) => String(mark[name]))]),
      describe: async () => {
        const plan = { plans: [], index: 'PRIMARY', key: [], keyForm: 'id', estimatedRows: 1 };
        return { table: goods, ...plan };
      },
      upper: async () => ['9'],
      boundary: async (_table, _after, upper) => upper,
      read: async () => ({ rows: this.rows, last: null }),
      readAtCut: () => Promise.reject(new Error('the goods have a key')),
      close: async () => {},
      destroy: () => {},
    };
  }
}

const PARTITIONS = 4;

class Kafka {
  readonly entries: LogEntry[] = [];
  /** So many that `taken` has met. */
  truncates = 0;
  readonly partitions = Array.from({ length: PARTITIONS }, (): Buffer[] => []);
  readonly store = {
    readAll: async () => [...this.entries],
    append: async (key: string, value: string) =>
      this.entries.push({ offset: this.entries.length, key, value }) - 1,
  };

  send = async (partition: number, records: readonly OutgoingRecord[]): Promise<number> =>
    this.partitions[partition]!.push(...records.map(({ value }) => value));

  /** What appliers take of a partition, in order. */
  taken(partition: number): readonly Change[] {
    const queue = new RecordQueue(1e9, () => {});
    const records = this.partitions[partition]!;
    queue.push(records.map((value, offset) => ({ offset, key: null, value, headers: {} })));
    const reader = ownReader();
    const cutter = new BatchCutter({
      id: { topic: 'changes', partition },
      queue,
      reader,
      filter: reader.filterFrom({ epoch: 0, file: 0, end: 0, half: 0 }),
      limits: { rows: 1e6, bytes: 1e9 },
      emptied: new EmptiedTables(),
      start: 0,
    });
    const changes: Change[] = [];
    for (let batch = cutter.cut(0); batch !== undefined; batch = cutter.cut(0)) {
      changes.push(...batch.changes);
      if (batch.truncate !== undefined) this.truncates += 1;
    }
    return changes;
  }
}

const running: { readonly stop: AbortController; readonly done: Promise<unknown> }[] = [];
afterEach(async () => {
  for (const { stop } of running) stop.abort();
  await Promise.allSettled(running.splice(0).map(({ done }) => done));
});

function capture(
  kafka: Kafka,
  source: Source,
  send: Kafka['send'],
  connect: CapturePorts['copying']['connect'],
  beforeEndsAreTold = async (): Promise<void> => {},
): void {
  const options = captureOptions({
    partitions: PARTITIONS,
    format: 'chunk',
    chunkBytes: 1e6,
    checkpointMs: 20,
    heartbeatMs: 1e9,
    start: { kind: 'snapshot' },
    snapshot: {
      readers: 1,
      chunkMs: 500,
      leastRows: 1,
      mostRows: 10,
      lagMs: 1_000,
      leastPercent: 5,
      rowsPerSecond: null,
    },
  });
  const ports: CapturePorts = {
    store: kafka.store,
    sender: { send },
    inspect: async () => ({ ...factsAt({ file: FILE, offset: source.end }), files: [] }),
    hasPublished: async () => false,
    published: async () => {
      const ends = kafka.partitions.map((records) => records.length);
      await beforeEndsAreTold();
      return ends;
    },
    tables: async () => ['shop.goods'],
    copying: {
      connect,
      applied: async () => kafka.partitions.map((records) => records.length),
      signals: async () => [],
      closed: () => null,
      occupied: async () => [],
    },
    link: (start) => source.link(start.offset),
    current: async () => ({ file: FILE, offset: source.end }),
  };
  const stop = new AbortController();
  running.push({ stop, done: new Capture(options, ports).run(stop.signal) });
}

/** A capture whose copied row is queued, and not sent before the test says so. */
async function suspendedWith(row: Row) {
  const [kafka, source] = [new Kafka(), new Source()];
  source.rows = [row];
  const waiting: (() => void)[] = [];
  const send: Kafka['send'] = async (partition, records) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return await kafka.send(partition, records);
  };
  capture(kafka, source, send, async () => source.copies());
  await waitUntil(() => waiting.length > 0, { what: 'the copied row to be sent', intervalMs: 5 });
  const partition = partitioner(goods, PARTITIONS)(row);
  const wake = async (): Promise<void> => {
    const before = kafka.partitions[partition]!.length;
    for (const resolve of waiting.splice(0)) resolve();
    await waitUntil(() => kafka.partitions[partition]!.length > before, { what: 'its row', intervalMs: 5 });
  };
  return { kafka, source, partition, wake };
}

const nothingCopied = async (signal: AbortSignal): Promise<never> => {
  await sleep(1e6, signal);
  throw new Error('nothing is copied');
};

describe('copied rows that a suspended capture sends, another one having gone on,', () => {
  const row = ['1', 'a', 'before'];

  /** The order of events: see `ReleaseWatchOptions.published`. */
  it('count for nothing behind an acknowledged change of their key', async () => {
    const { kafka, source, partition, wake } = await suspendedWith(row);
    const ofCode = partitioner(coded, PARTITIONS)(row);
    expect(partition, 'a row whose keys share a partition shows nothing').not.toBe(ofCode);
    const statement = source.alter('ALTER TABLE goods DROP PRIMARY KEY, ADD PRIMARY KEY (code)');
    source.write(coded, 'update', [row, ['1', 'a', 'now']]);
    const by = { by: 'operator', timeMs: 1 };
    const accept = { kind: 'accept', statement, server: 's1', gtid: null, ...by } as const;
    await kafka.store.append('accept', encodeRecord(accept));
    capture(kafka, source, kafka.send, nothingCopied);
    await waitUntil(() => kafka.taken(ofCode).length > 0, { what: 'the table to go on', intervalMs: 5 });
    expect(readCheckpointLog(kafka.entries).epoch).toBe(2);
    await wake();
    const taken = kafka.partitions.flatMap((_, number) => kafka.taken(number));
    expect(taken.map(({ after }) => after)).toEqual([['1', 'a', 'now']]);
  });

  it('are not back behind a TRUNCATE', async () => {
    const { kafka, source, partition, wake } = await suspendedWith(row);
    source.alter('TRUNCATE TABLE goods');
    capture(kafka, source, kafka.send, nothingCopied);
    await waitUntil(() => kafka.taken(partition).length + kafka.truncates > 0, {
      what: 'the TRUNCATE to be sent',
      intervalMs: 5,
    });
    await wake();
    expect(kafka.taken(partition)).toEqual([]);
  });

  it('are not back either where they come when the ends before the TRUNCATE are known, which nobody waits for', async () => {
    const { kafka, source, partition, wake } = await suspendedWith(row);
    source.alter('TRUNCATE TABLE goods');
    capture(kafka, source, kafka.send, nothingCopied, wake);
    await waitUntil(() => kafka.taken(partition).length + kafka.truncates > 0, {
      what: 'the TRUNCATE to be sent',
      intervalMs: 5,
    });
    expect(kafka.taken(partition)).toEqual([]);
  });
});
