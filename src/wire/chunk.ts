/**
 * The `chunk` record format, version 1: one Kafka record holds many rows of one partition in sequence order, of one or
 * several tables. JSON, one object:
 *
 *     v  1
 *     e  epoch                                  i  incarnation of the capture that wrote it
 *     f  binlog file number                     b  base time, milliseconds since 1970
 *     t  tables: [schema, name, [[column, type] or [column, type, 1 when compared loosely], …], [key column index, …]]
 *     r  rows:   [table index, operation, end position, half, time minus b, image]      insert (0), delete (2), snapshot (3)
 *                [table index, 1, end position, half, time minus b, after, [index, old, …]]    update: changed columns only
 *                [table index, 4, …]     the same, which a row of a snapshot gave way to
 *
 * Rows of one table are never gathered past rows of another: that would step back in sequence (I-3).
 */
import { RowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import type { Sequence } from '../model/position.ts';
import type { Column, Row, Table, WireValue } from '../model/table.ts';

const CHUNK_VERSION = 1;

/** Who wrote a record: the epoch (I-3) and the incarnation, the offset of the writer's claim (C1). */
export interface Writer {
  readonly epoch: number;
  readonly incarnation: number;
}

/** A decoded chunk: its writer and its changes in sequence order. */
export interface Chunk extends Writer {
  readonly changes: readonly Change[];
}

/** Gathers rows of one partition into a chunk. One builder serves one partition for ever: `take` empties it. */
export class ChunkBuilder {
  readonly #writer: Writer;
  readonly #tables: Table[] = [];
  #file = -1;
  #baseMs = 0;
  #rows: string[] = [];
  #bytes = 0;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** True when a row of this binlog file must not join what is already here: a chunk names one file. */
  mustFlushBefore(sequence: Sequence): boolean {
    return this.#rows.length > 0 && this.#file !== sequence.file;
  }

  add(change: Change): void {
    if (this.#rows.length === 0) {
      this.#file = change.sequence.file;
      this.#baseMs = change.timeMs;
    }
    const row = encodeRow(change, this.#tableIndex(change.table), this.#baseMs);
    this.#rows.push(row);
    this.#bytes += Buffer.byteLength(row) + 1;
  }

  /** The record value; the builder is empty afterwards. */
  take(): Buffer {
    const head = JSON.stringify({
      v: CHUNK_VERSION,
      e: this.#writer.epoch,
      i: this.#writer.incarnation,
      f: this.#file,
      b: this.#baseMs,
      t: this.#tables.map(wireTableOf),
    });
    const value = Buffer.from(`${head.slice(0, -1)},"r":[${this.#rows.join(',')}]}`);
    this.#rows = [];
    this.#tables.length = 0;
    this.#bytes = 0;
    return value;
  }

  #tableIndex(table: Table): number {
    const known = this.#tables.indexOf(table);
    if (known >= 0) return known;
    this.#bytes += 32 * (table.columns.length + 2);
    return this.#tables.push(table) - 1;
  }
}

/** A table shape as it travels: `[schema, name, columns, key]`. */
export function wireTableOf(table: Table): WireTable {
  const columns = table.columns.map(({ name, type, compares }): WireTable[2][number] =>
    compares === 'loose' ? [name, type, 1] : [name, type],
  );
  return [table.schema, table.name, columns, table.key];
}

function encodeRow(change: Change, table: number, baseMs: number): string {
  const { before, after, sequence } = change;
  const operation = operationOf(change);
  const head = `[${table},${operation},${sequence.end},${sequence.half},${change.timeMs - baseMs},`;
  if (before === null) return `${head}${JSON.stringify(after)}]`;
  if (after === null) return `${head}${JSON.stringify(before)}]`;
  return `${head}${JSON.stringify(after)},${JSON.stringify(oldValues(before, after))}]`;
}

function operationOf({ before, after, snapshot }: Change): WireRow[1] {
  if (before === null) return snapshot === undefined ? INSERT : SNAPSHOT_ROW;
  if (after === null) return DELETE;
  return snapshot === undefined ? UPDATE : WINDOW_UPDATE;
}

function oldValues(before: Row, after: Row): WireValue[] {
  const old: WireValue[] = [];
  for (let i = 0; i < before.length; i++) {
    const value = before[i]!;
    if (value !== after[i]) old.push(i, value);
  }
  return old;
}

type WireTable = readonly [string, string, readonly (readonly [string, string, 1?])[], readonly number[]];
type WireRow = readonly [number, 0 | 1 | 2 | 3 | 4, number, number, number, WireValue[], WireValue[]?];

const INSERT = 0;
const UPDATE = 1;
const DELETE = 2;
const SNAPSHOT_ROW = 3;
const WINDOW_UPDATE = 4;

interface WireChunk {
  readonly v: number;
  readonly e: number;
  readonly i: number;
  readonly f: number;
  readonly b: number;
  readonly t: readonly WireTable[];
  readonly r: readonly WireRow[];
}

/** Keeps one Table object per shape, so that whoever reads chunks can key caches by identity. */
export class TableShapes {
  readonly #known = new Map<string, Table>();

  /** Reads a shape of unknown origin. Throws ROWFERRY_WIRE_CORRUPT. */
  parse(wire: unknown): Table {
    if (!isWireTable(wire)) throw corrupt('a table has no proper shape');
    return this.intern(wire);
  }

  intern(wire: WireTable): Table {
    const text = JSON.stringify(wire);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const [schema, name, columns, key] = wire;
    const table: Table = {
      schema,
      name,
      columns: columns.map(([column, type, loose]): Column => ({
        name: column,
        type,
        ...(loose === 1 ? { compares: 'loose' as const } : {}),
      })),
      key,
    };
    this.#known.set(text, table);
    return table;
  }
}

/** Reads a parsed record of version 1. Throws ROWFERRY_WIRE_CORRUPT when it is not one; the caller adds the place. */
export function decodeChunk(parsed: unknown, shapes: TableShapes): Chunk {
  if (!isWireChunk(parsed)) throw corrupt('its fields are not those of a chunk');
  const tables = parsed.t.map((table) => shapes.parse(table));
  const changes = parsed.r.map(([index, operation, end, half, offsetMs, image, old]): Change => {
    const table = tables[index];
    if (table === undefined || image.length !== table.columns.length)
      throw corrupt('a row does not match its table');
    const sequence = { file: parsed.f, end, half };
    const timeMs = parsed.b + offsetMs;
    if (operation === INSERT) return { table, sequence, timeMs, before: null, after: image };
    if (operation === DELETE) return { table, sequence, timeMs, before: image, after: null };
    if (operation === SNAPSHOT_ROW)
      return { table, sequence, timeMs, before: null, after: image, snapshot: 'row' };
    if (operation !== UPDATE && operation !== WINDOW_UPDATE) throw corrupt('a row has an unknown operation');
    if (old === undefined) throw corrupt('an update has no old values');
    const before = restore(image, old);
    return operation === UPDATE
      ? { table, sequence, timeMs, before, after: image }
      : { table, sequence, timeMs, before, after: image, snapshot: 'window' };
  });
  return { epoch: parsed.e, incarnation: parsed.i, changes };
}

function restore(after: Row, old: readonly WireValue[]): Row {
  if (old.length === 0) return after;
  const before = after.slice();
  for (let i = 0; i < old.length; i += 2) before[old[i] as number] = old[i + 1]!;
  return before;
}

function isWireChunk(value: unknown): value is WireChunk {
  if (typeof value !== 'object' || value === null) return false;
  const chunk = value as Partial<WireChunk>;
  return (
    chunk.v === CHUNK_VERSION &&
    Number.isSafeInteger(chunk.e) &&
    Number.isSafeInteger(chunk.i) &&
    Number.isSafeInteger(chunk.f) &&
    Number.isSafeInteger(chunk.b) &&
    Array.isArray(chunk.t) &&
    Array.isArray(chunk.r)
  );
}

function isWireTable(value: unknown): value is WireTable {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [schema, name, columns, key] = value as readonly unknown[];
  return (
    typeof schema === 'string' &&
    typeof name === 'string' &&
    Array.isArray(columns) &&
    columns.every(
      (column) => Array.isArray(column) && typeof column[0] === 'string' && typeof column[1] === 'string',
    ) &&
    Array.isArray(key) &&
    key.every((index) => Number.isInteger(index) && index >= 0 && index < columns.length)
  );
}

function corrupt(what: string): RowferryError {
  return new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    `the record is not a rowferry chunk of version ${CHUNK_VERSION}: ${what}`,
    {
      hint: 'find out who wrote it; rowferry changes nothing and waits here',
    },
  );
}
