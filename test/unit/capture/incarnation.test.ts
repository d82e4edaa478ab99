import { describe, expect, it } from 'vitest';
import { waitUntil } from '../../../scripts/lib/wait-until.ts';
import { Assembler } from '../../../src/capture/assembler.ts';
import { Acknowledgements } from '../../../src/capture/acknowledgements.ts';
import { CaptureLag } from '../../../src/capture/capture-lag.ts';
import { CaptureProgress } from '../../../src/capture/capture-progress.ts';
import type { LogEntry } from '../../../src/capture/checkpoint-log.ts';
import { CheckpointWriter, encodeRecord, readCheckpointLog } from '../../../src/capture/checkpoint-log.ts';
import { Incarnation } from '../../../src/capture/incarnation.ts';
import { Snapshot } from '../../../src/capture/snapshot.ts';
import type { SnapshotState } from '../../../src/capture/snapshot-state.ts';
import { newCopy, NO_SNAPSHOT } from '../../../src/capture/snapshot-state.ts';
import { ALL_FLOW, TableFlow } from '../../../src/capture/table-flow.ts';
import { RowferryError } from '../../../src/errors.ts';
import type { BinlogEvent } from '../../../src/drivers/binlog-event.ts';
import type { Position } from '../../../src/model/position.ts';
import type { Table } from '../../../src/model/table.ts';
import { captureOptions, factsAt, NO_COPYING } from './capture-fixture.ts';

const START: Position = { server: 's1', file: 'binlog.000001', offset: 4 };
const table = (name: string): Table => ({
  schema: 'shop',
  name,
  columns: [{ name: 'id', type: 'int' }],
  key: [0],
});
const [orders, items] = [table('orders'), table('items')];
const insert = (of: Table, end: number): BinlogEvent => ({
  kind: 'rows',
  table: of,
  op: 'insert',
  rows: [[end]],
  end,
  timeMs: 1,
  bytes: 1,
});
const begin = (end: number): BinlogEvent => ({ kind: 'begin', gtid: null, commitTimeMs: 1, end });
const commit = (end: number): BinlogEvent => ({ kind: 'commit', gtid: null, end, timeMs: 1 });

interface Circumstances {
  readonly isSuperseded?: boolean;
  /** Kafka does not tell where its partitions end. */
  readonly isDeaf?: boolean;
  readonly copies?: SnapshotState;
  /** A heartbeat row is written; its only value is its time. */
  readonly heartbeatRow?: boolean;
  readonly start?: Position;
}

/** A capture whose binlog ends after these events; resolves with the checkpoint log when the last one is handled. */
async function captured(events: readonly BinlogEvent[], circumstances: Circumstances = {}) {
  const { isSuperseded = false, isDeaf = false, copies = NO_SNAPSHOT } = circumstances;
  const { heartbeatRow = false, start = START } = circumstances;
  const signal = new AbortController();
  const entries: LogEntry[] = [];
  const store = {
    readAll: async () => [...entries],
    append: async (key: string, value: string) => entries.push({ offset: entries.length, key, value }) - 1,
  };
  const claim = { epoch: 1, start, by: 'test', timeMs: 1 };
  const { writer } = await CheckpointWriter.claim(store, () => claim, signal.signal);
  if (isSuperseded) {
    const replay = { kind: 'claim', id: 'replay', after: 0, by: 'operator', timeMs: 2 } as const;
    await store.append('claim/replay', encodeRecord({ ...replay, epoch: 2, start: START }));
  }
  const flow = new TableFlow(ALL_FLOW);
  /** What the log said when each record was sent. */
  const sent: { readonly held: number }[] = [];
  const options = captureOptions({ heartbeatRow, start: { kind: 'now' } });
  const mine = { pipeline: 'p', source: 'main', lineage: 'l', claim: 'c', incarnation: 0 };
  const snapshot = new Snapshot(
    { ...options, ...options.snapshot, writer: mine, epoch: 1, flow },
    NO_COPYING,
    copies,
  );
  const incarnation = new Incarnation(options, {
    sender: {
      send: async (_partition, records) => {
        for (const _ of records) sent.push({ held: readCheckpointLog(entries).flow.held.length });
        return sent.length;
      },
    },
    progress: new CaptureProgress('main', new CaptureLag(1_000)),
    checkpoints: writer,
    epoch: 1,
    position: start,
    facts: factsAt(START),
    snapshot,
    flow,
    accepted: new Acknowledgements([]),
    published: async () => {
      if (isDeaf) throw new RowferryError('ROWFERRY_KAFKA_LINK', 'no answer');
      return [sent.length];
    },
    applied: async () => [0],
  });
  const assembler = new Assembler(
    {
      ...options,
      ...START,
      dialect: 'mariadb',
      tableNames: 'exact',
      flow,
      isAccepted: () => false,
      hasPassed: () => false,
      heartbeatMs: ({ rows }) => Number(rows[0]?.[0]),
      keyless: (event) => snapshot.keyless.judge(event),
    },
    {
      change: (partition, change) => incarnation.change(partition, change),
      mark: () => {},
      statement: (statement) => incarnation.statement(statement),
      waits: () => incarnation.waits(),
      transactionEnd: (end) => incarnation.transactionEnd(end),
    },
  );
  let reads = 0;
  const link = {
    stats: { bytes: 0 },
    read: async (): Promise<readonly BinlogEvent[]> => {
      reads += 1;
      if (reads === 1) return events;
      await new Promise((resolve) => signal.signal.addEventListener('abort', resolve));
      return [];
    },
    close: async () => {},
  };
  const done = incarnation.pump(link, assembler, signal.signal);
  if (isSuperseded) expect(await done).toBe('superseded');
  else if (isDeaf) await expect(done).rejects.toThrow('no answer');
  else await waitUntil(() => reads === 2, { what: 'all events to be read', intervalMs: 5 });
  const state = readCheckpointLog(entries);
  signal.abort();
  await done.catch(() => {});
  return { state, sent, saved: readCheckpointLog(entries) };
}

describe('a column that a statement changed without naming its character set', () => {
  it('is saved with the one it had, until a row shows that it has it still', async () => {
    const room = { nullable: true, unsigned: false, bytes: 40, charset: 'latin1', labels: null };
    const notes: Table = { ...orders, columns: [...orders.columns, { name: 'note', type: 'varchar', room }] };
    const modify: BinlogEvent = {
      kind: 'statement',
      schema: 'shop',
      sql: 'ALTER TABLE orders MODIFY note VARCHAR(60)',
      standalone: true,
      gtid: null,
      commitTimeMs: 1,
      end: 50,
      timeMs: 1,
    };
    const before = [begin(10), insert(notes, 20), commit(30), modify];
    const { saved } = await captured(before);
    expect(saved.flow.charsets).toEqual({ 'shop.orders': { note: 'latin1' } });
    const shape = { ...notes, columns: [...notes.columns] };
    const after = await captured([...before, begin(60), insert(shape, 70), commit(80)]);
    expect(after.saved.flow.charsets).toBeUndefined();
  });
});

describe('a table that is held', () => {
  it('is saved as held before anything behind it is published, also in the middle of a transaction', async () => {
    // MariaDB: CREATE OR REPLACE TABLE … SELECT and its rows are one transaction.
    const statement: BinlogEvent = {
      kind: 'statement',
      schema: 'shop',
      sql: 'CREATE OR REPLACE TABLE orders (id int)',
      standalone: false,
      gtid: null,
      commitTimeMs: 1,
      end: 20,
      timeMs: 1,
    };
    const { state, sent } = await captured([
      begin(10),
      statement,
      insert(orders, 30),
      commit(40),
      begin(50),
      insert(items, 60),
      commit(70),
    ]);
    expect(sent).toEqual([{ held: 1 }]);
    // From the beginning of its transaction on.
    expect(state.flow.held).toMatchObject([
      { table: 'shop.orders', statement: 'binlog.000001:20', from: START },
    ]);
    expect(state.position).toEqual(START);
  });
});

describe('the first rows of a table without a key', () => {
  const visits: Table = { ...table('visits'), key: [] };
  const events = [begin(10), insert(visits, 20), commit(30)];

  it('are published once it is saved that they are', async () => {
    const { saved, sent } = await captured(events);
    expect(sent).toHaveLength(1);
    expect(saved.flow.keyless).toEqual({ 'shop.visits': { epoch: 1, isOurs: false } });
  });

  it('are not published where another claim keeps that from being saved: its epoch brings them, and nothing would tell', async () => {
    const { saved, sent } = await captured(events, { isSuperseded: true });
    expect(saved.flow.keyless).toBeUndefined();
    expect(sent).toEqual([]);
  });
});

describe('a heartbeat row that comes at once', () => {
  const heartbeats: Table = { schema: 'rowferry', name: 'heartbeat', columns: [], key: [] };
  const row = (end: number, writtenMs: number): BinlogEvent[] => {
    const event = {
      kind: 'rows',
      table: heartbeats,
      op: 'insert',
      end: end + 5,
      timeMs: 1,
      bytes: 1,
    } as const;
    return [begin(end), { ...event, rows: [[writtenMs]] }, commit(end + 10)];
  };
  const recordsOf = async (events: readonly BinlogEvent[], heartbeatRow = true): Promise<number> => {
    const { sent } = await captured(events, { heartbeatRow });
    return sent.length;
  };

  it('is told of by a marker at once when nothing is behind it, and is no record itself', async () => {
    expect(await recordsOf(row(10, Date.now()))).toBe(1);
    expect(await recordsOf(row(10, Date.now() - 60_000))).toBe(0);
  });

  it('shows nothing while more was read behind it, be it no more than the beginning of a transaction', async () => {
    expect(await recordsOf([...row(10, Date.now()), begin(30), insert(orders, 40), commit(50)])).toBe(1);
    expect(await recordsOf([...row(10, Date.now()), begin(30)])).toBe(0);
  });

  it('is all that shows it: heartbeats of the binlog do where no row is written', async () => {
    const heartbeat: BinlogEvent = { kind: 'heartbeat', file: START.file, offset: 100 };
    expect(await recordsOf([heartbeat], false)).toBe(1);
    expect(await recordsOf([heartbeat])).toBe(0);
  });
});

describe('a start that only GTIDs name', () => {
  const uuid = '3da747c4-e569-11f1-8f8a-02fc00000001';
  const start = { ...START, gtid: `${uuid}:1-9` };
  const heartbeat: BinlogEvent = { kind: 'heartbeat', file: 'binlog.000007', offset: 100 };

  it('has a place as soon as the source is known to be idle: it may write nothing for long', async () => {
    const { saved } = await captured([heartbeat], { start });
    expect(saved.position).toEqual({ ...start, file: 'binlog.000007', offset: 100 });
  });

  it('has none while something that was read waits to be saved, nor in the middle of a transaction', async () => {
    const read: BinlogEvent[] = [
      begin(10),
      insert(orders, 20),
      { kind: 'commit', gtid: `${uuid}:10`, end: 30, timeMs: 1 },
    ];
    const { saved } = await captured([...read, heartbeat], { start });
    expect(saved.position).toEqual({ ...start, offset: 30, gtid: `${uuid}:1-10` });
    expect((await captured([begin(10), insert(orders, 20), heartbeat], { start })).saved.position).toEqual(
      start,
    );
  });
});

describe('a TRUNCATE that could not be sent', () => {
  it('takes nothing into the saved point that rests on it', async () => {
    const visits: Table = { ...table('visits'), key: [] };
    const truncate: BinlogEvent = {
      kind: 'statement',
      schema: 'shop',
      sql: 'TRUNCATE TABLE orders',
      standalone: true,
      gtid: null,
      commitTimeMs: 1,
      end: 50,
      timeMs: 1,
    };
    // That its rows are left out is noted.
    const copies = { requests: 0, tables: [newCopy('shop.visits', 0)] };
    const events = [begin(10), insert(orders, 20), insert(visits, 25), commit(30), truncate];
    const { saved, sent } = await captured(events, { isDeaf: true, copies });
    // The row, and what closes the partition behind it.
    expect(sent).toHaveLength(2);
    expect(saved.position).toEqual(START);
    expect(saved.snapshot.tables[0]?.cut).toBeUndefined();
  });
});
