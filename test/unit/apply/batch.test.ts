import { describe, expect, it } from 'vitest';
import { EmptiedTables } from '../../../src/apply/emptied-tables.ts';
import { BatchCutter } from '../../../src/apply/batch.ts';
import { RecordQueue } from '../../../src/apply/record-queue.ts';
import { ownReader } from '../../../src/apply/topic-reader.ts';
import type { Table } from '../../../src/model/table.ts';
import { ChunkBuilder } from '../../../src/wire/chunk.ts';
import { encodeMarker } from '../../../src/wire/marker.ts';
import type { RawRecord } from '../../../src/wire/raw-record.ts';

const table: Table = { schema: 's', name: 't', columns: [{ name: 'id', type: 'int' }], key: [0] };
const NOTHING = { epoch: 0, file: 0, end: 0, half: 0 };

const record = (offset: number, value: Buffer): RawRecord => ({ offset, key: null, value, headers: {} });
/** A chunk of one insert for each id; the id is also its end position. */
const chunk = (offset: number, ids: readonly number[], epoch = 1, of = table): RawRecord => {
  const builder = new ChunkBuilder({ epoch, incarnation: 0 });
  for (const id of ids)
    builder.add({
      table: of,
      before: null,
      after: [id],
      timeMs: id,
      sequence: { file: 1, end: id, half: 0 },
    });
  return record(offset, builder.take());
};
const marker = (offset: number, epoch: number): RawRecord =>
  record(
    offset,
    encodeMarker({ kind: 'heartbeat', epoch, incarnation: 0, horizonMs: 77, sentMs: 78, position: 'p' }),
  );

function cutterOf(
  records: readonly RawRecord[],
  options: { start?: number; rows?: number; seen?: typeof NOTHING; emptied?: EmptiedTables } = {},
) {
  const queue = new RecordQueue(1e9, () => {});
  queue.push(records);
  return {
    queue,
    cutter: new BatchCutter({
      id: { topic: 'top', partition: 3 },
      queue,
      reader: ownReader(),
      filter: ownReader().filterFrom(options.seen ?? NOTHING),
      limits: { rows: options.rows ?? 1000, bytes: 1e9 },
      emptied: options.emptied ?? new EmptiedTables(),
      start: options.start ?? 0,
    }),
  };
}
const ids = (batch: { changes: readonly { after: unknown }[] } | undefined) =>
  batch?.changes.map(({ after }) => (after as number[])[0]);

describe('BatchCutter', () => {
  it('leaves out rows without a key that were there when their table was emptied, also those that are new to the partition', () => {
    const emptied = new EmptiedTables();
    emptied.add({ topic: 'top', sourceTable: 's.t', epoch: 2, file: 1, end: 5 });
    const visits = { ...table, key: [] };
    const { cutter } = cutterOf([chunk(0, [3], 1, visits), chunk(1, [4, 5, 6], 2, visits)], { emptied });
    expect(cutter.cut(0)).toMatchObject({ changes: [{ after: [6] }], offsets: [1], end: 2 });
  });

  it('takes what waits, up to the row limit, and says where the batch starts and ends', () => {
    const { cutter } = cutterOf([chunk(0, [1, 2]), chunk(1, [3]), chunk(2, [4])], { rows: 3 });
    const first = cutter.cut(0);
    expect([first?.start, first?.end, ids(first)]).toEqual([0, 2, [1, 2, 3]]);
    expect(first).toMatchObject({
      oldestMs: 1,
      newestMs: 3,
      sequence: { epoch: 1, file: 1, end: 3, half: 0 },
    });
    expect(ids(cutter.cut(0))).toEqual([4]);
    expect(cutter.cut(0)).toBeUndefined();
  });

  it('drops row by row what a replay repeats (I-3)', () => {
    const { cutter } = cutterOf([chunk(0, [1, 2, 3]), chunk(1, [2, 3, 4]), chunk(2, [1])]);
    expect(ids(cutter.cut(0))).toEqual([1, 2, 3, 4]);
  });

  it('a newer epoch replays the past; older ones are dropped from then on', () => {
    const { cutter } = cutterOf([chunk(0, [5, 6]), chunk(1, [2], 2), chunk(2, [7], 1), chunk(3, [3], 2)]);
    expect(ids(cutter.cut(0))).toEqual([5, 6, 2, 3]);
  });

  it('a marker does not raise the sequence: rows that it overtook still count (I-3)', () => {
    const { cutter } = cutterOf([chunk(0, [1]), marker(1, 2), chunk(2, [2])]);
    const batch = cutter.cut(0);
    expect(ids(batch)).toEqual([1, 2]);
    expect(batch?.marker?.horizonMs).toBe(77);
    expect(batch?.sequence.epoch).toBe(1);
  });

  it('a marker that closes what lies before it hides rows of older names, and no newer ones', () => {
    const writer = { epoch: 1, incarnation: 0, horizonMs: 0, sentMs: 78 };
    const closing = (offset: number, position: string): RawRecord =>
      record(offset, encodeMarker({ kind: 'heartbeat', ...writer, position, closes: true }));
    const { cutter } = cutterOf([
      chunk(0, [1]),
      closing(1, 'b.000001:5'),
      chunk(2, [4, 5, 6]),
      closing(3, 'b.000001:2'),
      chunk(4, [2, 7]),
      chunk(5, [3], 2),
      closing(6, 'b.000001:9'),
      chunk(7, [4], 2),
    ]);
    const batch = cutter.cut(0);
    expect(ids(batch)).toEqual([1, 6, 7, 3, 4]);
    expect(batch?.marker).toBeUndefined();
    expect(() => cutterOf([closing(0, 'nowhere')]).cutter.cut(0)).toThrow(
      expect.objectContaining({ code: 'ROWFERRY_WIRE_CORRUPT' }),
    );
  });

  it('gathers additive changes beside the heartbeat, and lets a TRUNCATE be a batch of its own', () => {
    const changed = (offset: number, kind: 'additive' | 'truncate', epoch = 1): RawRecord => {
      const of = { schema: 's', table: 't' };
      const change =
        kind === 'additive' ? { kind, ...of, steps: [] } : ({ kind, ...of, ends: [offset] } as const);
      const travelling = { epoch, incarnation: 0, horizonMs: 1, sentMs: 1, position: `b.1:${offset + 10}` };
      return record(offset, encodeMarker({ kind: 'schema', ...travelling, change }));
    };
    const records = [
      chunk(0, [1]),
      changed(1, 'additive'),
      marker(2, 1),
      changed(3, 'additive'),
      changed(4, 'truncate'),
      chunk(5, [9]),
      changed(6, 'truncate', 0),
      changed(7, 'additive', 0),
    ];
    const { cutter } = cutterOf(records);
    const [first, second, third] = [cutter.cut(8), cutter.cut(8), cutter.cut(8)];
    expect([first?.end, ids(first), first?.marker?.horizonMs]).toEqual([4, [1], 77]);
    expect(first?.additive.map(({ position }) => position)).toEqual(['b.1:11', 'b.1:13']);
    expect([second?.start, second?.end, second?.changes, second?.truncate?.position]).toEqual([
      4,
      5,
      [],
      'b.1:14',
    ]);
    expect([third?.end, ids(third), third?.additive, third?.truncate]).toEqual([8, [9], [], undefined]);
  });

  it('takes a change of a table once: one that comes behind later rows is of a capture that is over', () => {
    const added = (offset: number, epoch: number, position: string): RawRecord => {
      const change = { kind: 'additive', schema: 's', table: 't', steps: [] } as const;
      const travelling = { epoch, incarnation: 0, horizonMs: 1, sentMs: 1, position };
      return record(offset, encodeMarker({ kind: 'schema', ...travelling, change }));
    };
    const { cutter } = cutterOf([
      chunk(0, [1]),
      added(1, 1, 'b.000001:5'),
      added(2, 1, 'b.000001:5'),
      chunk(3, [7]),
      added(4, 1, 'b.000001:5'),
      added(5, 1, 'b.000001:9'),
      added(6, 2, 'b.000001:5'),
    ]);
    const batch = cutter.cut(0);
    expect(batch?.additive.map(({ epoch, position }) => `${epoch} ${position}`)).toEqual([
      '1 b.000001:5',
      '1 b.000001:5',
      '1 b.000001:9',
      '2 b.000001:5',
    ]);
  });

  it('ignores the marker of an epoch that is over: a zombie tells of another past', () => {
    const { cutter } = cutterOf([chunk(0, [1], 2), marker(1, 1)]);
    expect(cutter.cut(0)?.marker).toBeUndefined();
  });

  it('starts from the running maximum that the watermark saved', () => {
    const { cutter } = cutterOf([chunk(7, [1, 2, 3])], {
      start: 7,
      seen: { epoch: 1, file: 1, end: 2, half: 0 },
    });
    expect(ids(cutter.cut(0))).toEqual([3]);
  });

  it('waits until a first batch reaches what a target had planned (A2), beyond the row limit', () => {
    const { cutter, queue } = cutterOf([chunk(0, [1]), chunk(1, [2])], { rows: 1 });
    expect(cutter.cut(3)).toBeUndefined();
    queue.push([chunk(2, [3]), chunk(3, [4])]);
    expect(ids(cutter.cut(3))).toEqual([1, 2, 3]);
  });

  it('steps over records that it has, and refuses a gap (I-4)', () => {
    const { cutter, queue } = cutterOf([chunk(4, [1]), chunk(5, [2])], { start: 5 });
    expect(ids(cutter.cut(0))).toEqual([2]);
    queue.push([chunk(8, [3])]);
    expect(() => cutter.cut(0)).toThrow(
      expect.objectContaining({
        code: 'ROWFERRY_KAFKA_OFFSET_LOST',
        where: { topic: 'top', partition: 3, offset: '6' },
      }),
    );
  });

  it('ends a batch before a record that it cannot read, then names topic, partition and offset', () => {
    const { cutter } = cutterOf([chunk(0, [1]), record(1, Buffer.from('{"secret"'))]);
    expect(ids(cutter.cut(0))).toEqual([1]);
    expect(() => cutter.cut(0)).toThrow(
      expect.objectContaining({
        code: 'ROWFERRY_WIRE_CORRUPT',
        where: { topic: 'top', partition: 3, offset: '1' },
      }),
    );
  });

  it('does not wait for ever for a planned end that lies behind an unreadable record', () => {
    const { cutter } = cutterOf([chunk(0, [1]), record(1, Buffer.from('x'))]);
    expect(() => cutter.cut(5)).toThrow(expect.objectContaining({ code: 'ROWFERRY_WIRE_CORRUPT' }));
  });
});

describe('RecordQueue', () => {
  it('is full from its limit on until half is free again, and says so once', () => {
    let room = 0;
    const queue = new RecordQueue(1000, () => room++);
    queue.push([0, 1, 2].map((offset) => record(offset, Buffer.alloc(336))));
    expect(queue.isFull).toBe(true);
    queue.shift();
    expect([queue.isFull, room]).toEqual([true, 0]);
    queue.shift();
    expect([queue.isFull, room, queue.length]).toEqual([false, 1, 1]);
  });

  it('wakes who waits when a record comes, at the timeout, and when the signal aborts', async () => {
    const queue = new RecordQueue(1000, () => {});
    const never = new AbortController();
    const waiting = queue.waitForRecords(60_000, never.signal);
    queue.push([record(0, Buffer.from('x'))]);
    await waiting;
    queue.shift();
    await queue.waitForRecords(1, never.signal);
    const aborted = queue.waitForRecords(60_000, never.signal);
    never.abort();
    await aborted;
    expect(queue.length).toBe(0);
  });
});
