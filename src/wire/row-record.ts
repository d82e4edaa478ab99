/**
 * The `row` record format: one record a row in Debezium's JSON envelope, so that other consumers can read the topic.
 *
 * - Key: JSON object of the primary key columns; null for a table without a key. Value: every field that Debezium writes, in its order. Of `source` `pos` is
 *   where the rows event ends and `file` the number of the binlog file; server, GTID, thread and query are not told.
 * - Values are in rowferry's wire form (`model/table.ts`): 64-bit integers, decimals and temporals are exact strings.
 * - A row of a snapshot has the operation `r`.
 * - The header `rowferry` carries what the envelope has no place for: epoch, incarnation, sequence, whether an update made a
 *   row of a snapshot give way (`w`), and the table's shape.
 */
import { RowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import type { Row, Table, WireValue } from '../model/table.ts';
import type { Chunk, TableShapes, Writer } from './chunk.ts';
import { wireTableOf } from './chunk.ts';
import type { RawRecord } from './raw-record.ts';

const HEADER = 'rowferry';

interface RowRecord {
  /** Absent where the table has none. */
  readonly key?: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer>>;
}

interface Header {
  readonly e: number;
  readonly i: number;
  readonly f: number;
  readonly p: number;
  readonly h: number;
  readonly w?: 1;
  readonly t: unknown;
}

/** Encodes changes of one source, one record each. Keeps the text of each shape, which every record repeats. */
export class RowRecordEncoder {
  readonly #writer: Writer;
  readonly #name: string;
  readonly #shapes = new WeakMap<Table, string>();

  constructor(writer: Writer, source: string) {
    this.#writer = writer;
    this.#name = JSON.stringify(source);
  }

  encode(change: Change, nowMs: number): RowRecord {
    const { table, before, after, sequence, timeMs, snapshot } = change;
    const image = (after ?? before)!;
    const key: Record<string, WireValue> = {};
    for (const index of table.key) key[table.columns[index]!.name] = image[index] ?? null;
    const images = [before, after].map((row) => JSON.stringify(row && asObject(table, row)));
    const source = [
      `"version":"1","connector":"rowferry","name":${this.#name},"ts_ms":${timeMs},"snapshot":"${snapshot === 'row'}"`,
      `"db":${JSON.stringify(table.schema)},"sequence":null,${finerTimes(timeMs)},"table":${JSON.stringify(table.name)}`,
      `"server_id":0,"gtid":null,"file":"${String(sequence.file).padStart(6, '0')}","pos":${sequence.end}`,
      `"row":${sequence.half >> 1},"thread":null,"query":null`,
    ].join(',');
    const value =
      `{"before":${images[0]},"after":${images[1]},"source":{${source}},"transaction":null,` +
      `"op":"${operationOf(change)}","ts_ms":${nowMs},${finerTimes(nowMs)}}`;
    const { epoch, incarnation } = this.#writer;
    const head = `{"e":${epoch},"i":${incarnation},"f":${sequence.file},"p":${sequence.end},"h":${sequence.half},${snapshot === 'window' ? '"w":1,' : ''}"t":`;
    return {
      ...(table.key.length === 0 ? {} : { key: Buffer.from(JSON.stringify(key)) }),
      value: Buffer.from(value),
      headers: { [HEADER]: Buffer.from(`${head}${this.#shapeText(table)}}`) },
    };
  }

  #shapeText(table: Table): string {
    let text = this.#shapes.get(table);
    if (text === undefined) this.#shapes.set(table, (text = JSON.stringify(wireTableOf(table))));
    return text;
  }
}

export function isRowRecord(record: RawRecord): boolean {
  return record.headers[HEADER] !== undefined;
}

/** Reads a row record as a chunk of one change. Throws ROWFERRY_WIRE_CORRUPT. */
export function decodeRowRecord(record: RawRecord, parsed: unknown, shapes: TableShapes): Chunk {
  const header = readHeader(record.headers[HEADER]!);
  const table = shapes.parse(header.t);
  const envelope = parsed as {
    before?: unknown;
    after?: unknown;
    op?: unknown;
    source?: { ts_ms?: unknown };
  } | null;
  const timeMs = envelope?.source?.ts_ms;
  if (envelope === null || typeof timeMs !== 'number') throw corrupt();
  const before = fromObject(table, envelope.before);
  const after = fromObject(table, envelope.after);
  if (before === null && after === null) throw corrupt();
  const change: Change = {
    table,
    sequence: { file: header.f, end: header.p, half: header.h },
    timeMs,
    before,
    after,
    ...(envelope.op === 'r' ? { snapshot: 'row' as const } : {}),
    ...(header.w === 1 ? { snapshot: 'window' as const } : {}),
  };
  return { epoch: header.e, incarnation: header.i, changes: [change] };
}

function operationOf({ before, after, snapshot }: Change): 'c' | 'r' | 'u' | 'd' {
  if (before === null) return snapshot === 'row' ? 'r' : 'c';
  return after === null ? 'd' : 'u';
}

/** A time as Debezium repeats it. As text: nanoseconds are too long for a number. */
function finerTimes(ms: number): string {
  const whole = Math.floor(ms);
  return whole === 0 ? '"ts_us":0,"ts_ns":0' : `"ts_us":${whole}000,"ts_ns":${whole}000000`;
}

function readHeader(bytes: Buffer): Header {
  try {
    const header = JSON.parse(bytes.toString()) as Header;
    if ([header.e, header.i, header.f, header.p, header.h].every((part) => Number.isSafeInteger(part)))
      return header;
  } catch {
    // Told below: what the parser says would quote the bytes.
  }
  throw corrupt();
}

function asObject(table: Table, row: Row): Record<string, WireValue> {
  const image: Record<string, WireValue> = {};
  for (let i = 0; i < row.length; i++) image[table.columns[i]!.name] = row[i]!;
  return image;
}

function fromObject(table: Table, image: unknown): Row | null {
  if (image === null || image === undefined) return null;
  if (typeof image !== 'object') throw corrupt();
  const values = image as Readonly<Record<string, WireValue>>;
  return table.columns.map(({ name }) => {
    const value = values[name];
    if (value === undefined) throw corrupt();
    return value;
  });
}

function corrupt(): RowferryError {
  return new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    'the record carries a rowferry header but is not a rowferry row record',
    {
      hint: 'find out who wrote it; rowferry changes nothing and waits here',
    },
  );
}
