/** Reads the rows of WRITE, UPDATE and DELETE_ROWS events. */
import { inflateSync } from 'node:zlib';
import type { Row, WireValue } from '../model/table.ts';
import { Cursor, DecodeFault, UnsupportedFault } from './binlog-cursor.ts';
import { EVENT } from './binlog-event.ts';
import type { TableShape } from './binlog-table-map.ts';

export interface RowsKind {
  readonly op: 'insert' | 'update' | 'delete';
  /** Version 2 events have room for extra data. */
  readonly extra: boolean;
  /** MariaDB's `log_bin_compress`. */
  readonly compressed: boolean;
}

const kind = (op: RowsKind['op'], extra: boolean, compressed: boolean): RowsKind => ({
  op,
  extra,
  compressed,
});

const KINDS: ReadonlyMap<number, RowsKind> = new Map([
  [EVENT.WRITE_ROWS, kind('insert', true, false)],
  [EVENT.UPDATE_ROWS, kind('update', true, false)],
  [EVENT.DELETE_ROWS, kind('delete', true, false)],
  [EVENT.WRITE_ROWS_V1, kind('insert', false, false)],
  [EVENT.UPDATE_ROWS_V1, kind('update', false, false)],
  [EVENT.DELETE_ROWS_V1, kind('delete', false, false)],
  [EVENT.WRITE_ROWS_COMPRESSED, kind('insert', true, true)],
  [EVENT.UPDATE_ROWS_COMPRESSED, kind('update', true, true)],
  [EVENT.DELETE_ROWS_COMPRESSED, kind('delete', true, true)],
  [EVENT.WRITE_ROWS_COMPRESSED_V1, kind('insert', false, true)],
  [EVENT.UPDATE_ROWS_COMPRESSED_V1, kind('update', false, true)],
  [EVENT.DELETE_ROWS_COMPRESSED_V1, kind('delete', false, true)],
]);

/** What a type code says about its rows; undefined for every other event. */
export function rowsKind(code: number): RowsKind | undefined {
  return KINDS.get(code);
}

/**
 * The row images in an event's body from behind the table id and flags on; of updates before and after in turn. Every reader
 * throws rather than read past the body's end, so the last row ends exactly there.
 */
export function readRows(cursor: Cursor, { op, extra, compressed }: RowsKind, shape: TableShape): Row[] {
  if (extra) cursor.skip(cursor.u16() - 2);
  const width = cursor.lenenc();
  if (width !== shape.readers.length) {
    throw new DecodeFault(`rows of ${width} columns for a table of ${shape.readers.length}`);
  }
  for (let images = op === 'update' ? 2 : 1; images > 0; images -= 1) requireAllColumns(cursor, width);
  const body = compressed ? new Cursor(inflateRows(cursor.bytes(cursor.left))) : cursor;
  const rows: Row[] = [];
  try {
    while (body.left > 0) rows.push(readRow(body, shape, width));
  } finally {
    cursor.column = body.column;
  }
  cursor.column = -1;
  if (op === 'update' && rows.length % 2 !== 0) throw new DecodeFault('an update without its image after');
  return rows;
}

function readRow(cursor: Cursor, { readers }: TableShape, width: number): Row {
  const { buf } = cursor;
  let nullByte = cursor.pos;
  cursor.pos += (width + 7) >> 3;
  const row: WireValue[] = [];
  let bits = 0;
  for (let index = 0; index < width; index += 1) {
    if ((index & 7) === 0) bits = buf.readUInt8(nullByte++);
    if ((bits & 1) === 1) {
      row.push(null);
    } else {
      cursor.column = index;
      row.push(readers[index]!(cursor));
    }
    bits >>= 1;
  }
  return row;
}

function requireAllColumns(cursor: Cursor, width: number): void {
  const present = cursor.bytes((width + 7) >> 3);
  for (let index = 0; index < width; index += 1) {
    if ((present.readUInt8(index >> 3) & (1 << (index & 7))) === 0) {
      throw new UnsupportedFault('rows with columns missing', {
        hint: 'set binlog_row_image = FULL for every session, copy the rows by hand and start behind them',
      });
    }
  }
}

/**
 * MariaDB's envelope of a compressed event's end: bit 7 set, bits 4 to 6 the algorithm (0 is zlib), then the number of bytes
 * of the original length, big-endian.
 */
export function inflateRows(bytes: Buffer): Buffer {
  const header = bytes.readUInt8(0);
  const lengthBytes = header & 7;
  if ((header & 0xf0) !== 0x80 || lengthBytes < 1 || lengthBytes > 4) {
    throw new DecodeFault('a compressed event of an unknown kind');
  }
  const original = inflateSync(bytes.subarray(1 + lengthBytes));
  if (original.length !== bytes.readUIntBE(1, lengthBytes)) {
    throw new DecodeFault('a compressed event of another length than it says');
  }
  return original;
}
