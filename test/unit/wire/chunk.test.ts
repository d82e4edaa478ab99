import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowferryError } from '../../../src/errors.ts';
import type { Change } from '../../../src/model/change.ts';
import type { Row, Table, WireValue } from '../../../src/model/table.ts';
import { ChunkBuilder, TableShapes } from '../../../src/wire/chunk.ts';
import { decodeRecord } from '../../../src/wire/record.ts';
import { RowRecordEncoder } from '../../../src/wire/row-record.ts';

const writer = { epoch: 3, incarnation: 17 };
const value: fc.Arbitrary<WireValue> = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme' }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((d) => (Object.is(d, -0) ? '-0' : d)),
  fc.bigInt().map(String),
);
const tables: readonly Table[] = [1, 3, 12].map((width) => ({
  schema: 'shop',
  name: `t${width}`,
  columns: Array.from({ length: width }, (_, i) => ({
    name: `c"${i}`,
    type: 'varchar',
    ...(i === 0 ? { compares: 'loose' as const } : {}),
  })),
  key: [0],
}));

const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.constantFrom(...tables).chain((table) => {
    const row: fc.Arbitrary<Row> = fc.array(value, {
      minLength: table.columns.length,
      maxLength: table.columns.length,
    });
    return fc
      .record({
        before: fc.option(row),
        after: fc.option(row),
        timeMs: fc.integer({ min: 0, max: 2 ** 42 }),
        end: fc.nat(),
        half: fc.nat(),
        ofSnapshot: fc.boolean(),
      })
      .filter(({ before, after }) => before !== null || after !== null)
      .map(({ before, after, timeMs, end, half, ofSnapshot }): Change => {
        const change = { table, before, after, timeMs, sequence: { file: 7, end, half } };
        if (!ofSnapshot || after === null) return change;
        return { ...change, snapshot: before === null ? 'row' : 'window' };
      });
  }),
  { minLength: 1, maxLength: 20 },
);
const record = (part: { value: Buffer | null; headers?: Readonly<Record<string, Buffer>> }) => ({
  offset: 5,
  key: null,
  headers: {},
  ...part,
});

describe('chunk and row records', () => {
  it('chunks give back what went in, in order', () => {
    fc.assert(
      fc.property(changes, (input) => {
        const builder = new ChunkBuilder(writer);
        for (const change of input) builder.add(change);
        const decoded = decodeRecord(record({ value: builder.take() }), new TableShapes());
        expect(decoded).toEqual({ kind: 'changes', chunk: { ...writer, changes: input } });
        expect(builder.isEmpty).toBe(true);
      }),
    );
  });

  it('row records give back what went in, in an envelope that others can read', () => {
    fc.assert(
      fc.property(changes, (input) => {
        const encoder = new RowRecordEncoder(writer, 'main');
        const shapes = new TableShapes();
        for (const change of input) {
          const decoded = decodeRecord(record(encoder.encode(change, 1)), shapes);
          expect(decoded).toEqual({ kind: 'changes', chunk: { ...writer, changes: [change] } });
        }
      }),
    );
  });

  it('keeps one table object a shape, over records', () => {
    const shapes = new TableShapes();
    const seen = [1, 2].map((end) => {
      const builder = new ChunkBuilder(writer);
      builder.add({
        table: tables[0]!,
        before: null,
        after: ['x'],
        timeMs: 1,
        sequence: { file: 1, end, half: 0 },
      });
      const decoded = decodeRecord(record({ value: builder.take() }), shapes);
      return decoded.kind === 'changes' ? decoded.chunk.changes[0]!.table : undefined;
    });
    expect(seen[0]).toBe(seen[1]);
  });

  it('asks for a new chunk when the binlog file changes, because a chunk names one file', () => {
    const builder = new ChunkBuilder(writer);
    builder.add({
      table: tables[0]!,
      before: null,
      after: ['x'],
      timeMs: 1,
      sequence: { file: 1, end: 9, half: 0 },
    });
    expect(builder.mustFlushBefore({ file: 1, end: 10, half: 0 })).toBe(false);
    expect(builder.mustFlushBefore({ file: 2, end: 4, half: 0 })).toBe(true);
  });

  it('an update with an equal image still carries both images', () => {
    const builder = new ChunkBuilder(writer);
    builder.add({
      table: tables[0]!,
      before: ['x'],
      after: ['x'],
      timeMs: 1,
      sequence: { file: 1, end: 9, half: 0 },
    });
    const decoded = decodeRecord(record({ value: builder.take() }), new TableShapes());
    expect(decoded).toMatchObject({ chunk: { changes: [{ before: ['x'], after: ['x'] }] } });
  });

  it('refuses what is not a record of this version, without quoting it', () => {
    const bad = [
      'secret',
      '{"v":2,"secret":1}',
      '[]',
      '7',
      'null',
      '{"v":1,"m":"secret"}',
      '{"v":1,"e":1,"i":1,"f":1,"b":1,"t":[],"r":[[0,0,1,0,0,["secret"]]]}',
    ];
    for (const text of bad) {
      const read = (): unknown => decodeRecord(record({ value: Buffer.from(text) }), new TableShapes());
      expect(read).toThrow(RowferryError);
      expect(read).toThrow(/^(?!.*secret)/s);
    }
  });
});
