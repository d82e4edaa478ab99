/**
 * Raw binlog events -> what they mean. A pure state machine over the bytes of one link: the file and offset that it stands at,
 * the table maps of that file, the transaction that is open.
 */
import { crc32 } from 'node:zlib';
import { Cursor, DecodeFault, UnsupportedFault } from './binlog-cursor.ts';
import { type BinlogEvent, EVENT } from './binlog-event.ts';
import { describeFault, PlacedFault } from './binlog-faults.ts';
import { readRows, rowsKind, type RowsKind } from './binlog-rows.ts';
import { type KnownTable, type TableChoice, TableMaps } from './binlog-table-maps.ts';
import type { TableShape } from './binlog-table-map.ts';
import {
  readGtid,
  readMariadbGtid,
  readStatement,
  readTaggedGtid,
  type Statement,
  type TransactionId,
} from './binlog-transaction-events.ts';

/** Tables that are not wanted may hold anything. */
export type BinlogDecoderOptions = TableChoice;

const HEADER_BYTES = 19;
const CHECKSUM_BYTES = 4;
const TWO_32 = 0x1_0000_0000;

/** Header flags: the event is made up by the sender and lies in no file; a reader may skip it. */
const ARTIFICIAL = 0x20;
const IGNORABLE = 0x80;

const NO_ID: TransactionId = { gtid: null, commitTimeMs: null };

/** Events that tell nothing about rows: file bookkeeping, texts beside row events, group replication's certificates. */
const SILENT = new Set<number>([
  EVENT.STOP,
  EVENT.IGNORABLE,
  EVENT.ROWS_QUERY,
  EVENT.PREVIOUS_GTIDS,
  EVENT.TRANSACTION_CONTEXT,
  EVENT.VIEW_CHANGE,
  EVENT.ANNOTATE_ROWS,
  EVENT.BINLOG_CHECKPOINT,
  EVENT.MARIADB_GTID_LIST,
  EVENT.START_ENCRYPTION,
  // The surroundings of a statement that comes as one and is judged itself.
  EVENT.INTVAR,
  EVENT.RAND,
  EVENT.USER_VAR,
  EVENT.APPEND_BLOCK,
  EVENT.BEGIN_LOAD_QUERY,
  EVENT.DELETE_FILE,
]);

interface Header {
  readonly type: number;
  readonly timeMs: number;
  readonly serverId: number;
  readonly size: number;
  readonly logPos: number;
  readonly flags: number;
}

interface OpenTransaction {
  readonly id: TransactionId;
  /** Rows of it were yielded: it must not be rolled back any more. */
  yielded: boolean;
}

export class BinlogDecoder {
  readonly #tables: TableMaps;
  #file = '';
  #offset = 0;
  /** Undefined until the first format description. */
  #checksums: boolean | undefined;
  /** Of the GTID event that came last; its transaction has not begun yet. */
  #announced: TransactionId = NO_ID;
  #open: OpenTransaction | undefined;

  constructor(options: BinlogDecoderOptions) {
    this.#tables = new TableMaps(options);
  }

  /** The end of the last event that lies in the file. */
  get file(): string {
    return this.#file;
  }

  get offset(): number {
    return this.#offset;
  }

  /**
   * Reads one event, header included. Undefined when it tells nothing. Throws ROWFERRY_SOURCE_DECODE and
   * ROWFERRY_SOURCE_UNSUPPORTED with position, table and column; nothing can be read after that.
   */
  decode(event: Buffer): BinlogEvent | undefined {
    let end = this.#offset;
    const cursor = new Cursor(event);
    let table: KnownTable | undefined;
    try {
      const header = readHeader(cursor);
      if (header.size !== event.length) throw new DecodeFault('an event of another length than it says');
      const body = this.#body(event, header);
      end = this.#advance(header);
      const rows = rowsKind(header.type);
      if (rows === undefined) return this.#decodeBody(header, body, end);
      table = this.#tables.find(body);
      return table?.shape === undefined ? undefined : this.#rows(header, body, end, rows, table.shape);
    } catch (error) {
      throw describeFault(error, `${this.#file}:${end}`, table?.name);
    }
  }

  /** The event without header and checksum; a wrong checksum throws. */
  #body(event: Buffer, { type, flags }: Header): Cursor {
    const sum = (): boolean => {
      const end = event.length - CHECKSUM_BYTES;
      return end >= HEADER_BYTES && crc32(event.subarray(0, end)) === event.readUInt32LE(end);
    };
    let bytes = 0;
    if (type === EVENT.FORMAT_DESCRIPTION) {
      // Always has room for one; it is not checked because the server changes the event on the way.
      bytes = CHECKSUM_BYTES;
    } else if (type === EVENT.ROTATE && (flags & ARTIFICIAL) !== 0) {
      // Comes before the format description that would tell.
      bytes = sum() ? CHECKSUM_BYTES : 0;
    } else if (this.#checksums === true) {
      if (!sum()) throw new DecodeFault('an event whose checksum is wrong');
      bytes = CHECKSUM_BYTES;
    }
    return new Cursor(event.subarray(0, event.length - bytes), HEADER_BYTES);
  }

  /**
   * Where the event ends in the file. The header holds the lower 32 bits of it, or zero inside MariaDB's transactions; events
   * follow one another without gap except where the server leaves out transactions that a GTID start already covers.
   */
  #advance({ type, size, logPos, flags }: Header): number {
    const inFile =
      (flags & ARTIFICIAL) === 0 &&
      type !== EVENT.HEARTBEAT &&
      type !== EVENT.HEARTBEAT_V2 &&
      !(type === EVENT.FORMAT_DESCRIPTION && logPos === 0);
    if (!inFile) return this.#offset;
    const next = this.#offset + size;
    this.#offset = logPos === 0 ? next : withLowerBits(next, logPos);
    return this.#offset;
  }

  #decodeBody(header: Header, body: Cursor, end: number): BinlogEvent | undefined {
    const { type, timeMs } = header;
    if (SILENT.has(type)) return undefined;
    switch (type) {
      case EVENT.TABLE_MAP:
        this.#tables.learn(body);
        return undefined;
      case EVENT.QUERY:
        return this.#statement(readStatement(body, 'plain'), end, timeMs);
      case EVENT.QUERY_COMPRESSED:
        return this.#statement(readStatement(body, 'compressed'), end, timeMs);
      case EVENT.EXECUTE_LOAD_QUERY:
        return this.#statement(readStatement(body, 'load'), end, timeMs);
      case EVENT.XID:
        return this.#commit(end, timeMs);
      case EVENT.GTID:
      case EVENT.ANONYMOUS_GTID:
        return this.#announce(readGtid(body, type === EVENT.ANONYMOUS_GTID));
      case EVENT.GTID_TAGGED:
        return this.#announce(readTaggedGtid(body));
      case EVENT.MARIADB_GTID: {
        const id = readMariadbGtid(body, header.serverId);
        this.#announce(id);
        if (id.group === 'transaction') return this.#begin(end);
        return id.group === 'xa-prepare' ? this.#startXa(end, timeMs) : undefined;
      }
      case EVENT.XA_PREPARE:
        return this.#endXa(body.u8() === 0 ? 'prepare' : 'commit-one-phase', end, timeMs);
      case EVENT.ROTATE:
        return this.#rotate(body);
      case EVENT.FORMAT_DESCRIPTION:
        this.#formatDescription(body);
        return undefined;
      case EVENT.HEARTBEAT:
        return this.#heartbeat(header, body);
      case EVENT.INCIDENT:
        return { kind: 'incident', code: body.u16(), end };
      case EVENT.PARTIAL_UPDATE_ROWS:
        return this.#refusePartialRows(body);
      case EVENT.TRANSACTION_PAYLOAD:
        throw new UnsupportedFault('a compressed transaction', {
          hint: 'SET GLOBAL binlog_transaction_compression = OFF, copy its rows by hand and start behind it',
        });
      default:
        return { kind: 'unknown', code: type, ignorable: (header.flags & IGNORABLE) !== 0, end };
    }
  }

  #rotate(body: Cursor): BinlogEvent {
    const offset = body.u64();
    this.#file = body.utf8(body.left);
    this.#offset = offset;
    this.#tables.clear();
    return { kind: 'rotate', file: this.#file, offset };
  }

  #formatDescription(body: Cursor): void {
    const algorithm = body.buf.readUInt8(body.buf.length - 1);
    if (algorithm > 1 && algorithm !== 255)
      throw new DecodeFault(`checksums of the unknown kind ${algorithm}`);
    this.#checksums = algorithm === 1;
    this.#tables.clear();
  }

  #heartbeat({ logPos }: Header, body: Cursor): BinlogEvent {
    // MariaDB leads with 64 bits when 32 don't hold the position.
    const offset = logPos === 0 && body.left >= 8 ? body.u64() : withLowerBits(this.#offset, logPos);
    return { kind: 'heartbeat', file: body.utf8(body.left), offset };
  }

  #announce(id: TransactionId): undefined {
    if (this.#open?.yielded === true) throw new DecodeFault('a transaction without end');
    this.#open = undefined;
    this.#announced = id;
    return undefined;
  }

  #begin(end: number): BinlogEvent {
    const id = this.#start();
    return { kind: 'begin', gtid: id.gtid, commitTimeMs: id.commitTimeMs, end };
  }

  #start(): TransactionId {
    const id = this.#announced;
    this.#announced = NO_ID;
    this.#open = { id, yielded: false };
    return id;
  }

  /** The id of the transaction that ends here. */
  #finish(): TransactionId {
    const id = this.#open?.id ?? this.#announced;
    this.#open = undefined;
    this.#announced = NO_ID;
    return id;
  }

  #commit(end: number, timeMs: number): BinlogEvent {
    return { kind: 'commit', gtid: this.#finish().gtid, end, timeMs };
  }

  #statement({ schema, sql }: Statement, end: number, timeMs: number): BinlogEvent | undefined {
    if (sql === 'BEGIN') return this.#begin(end);
    if (sql === 'COMMIT') return this.#commit(end, timeMs);
    const [first = '', second = ''] = sql.slice(0, 40).trimStart().toUpperCase().split(/\s+/, 2);
    if (first === 'XA') return this.#xaStatement(second, end, timeMs);
    if (first === 'SAVEPOINT' || first === 'RELEASE') return undefined;
    if (first === 'ROLLBACK') {
      // Written only when a table without transactions was changed too; what was yielded cannot be taken back.
      if (this.#open?.yielded === true) {
        throw new UnsupportedFault('a rolled back transaction whose rows are in the binlog', {
          hint: 'tables without transactions (MyISAM, Aria) were changed in it: compare the tables and start behind it',
        });
      }
      return second === 'TO' ? undefined : this.#commit(end, timeMs);
    }
    const standalone = this.#open === undefined;
    const { gtid, commitTimeMs } = this.#open?.id ?? this.#finish();
    return { kind: 'statement', schema, sql, standalone, gtid, commitTimeMs, end, timeMs };
  }

  #xaStatement(verb: string, end: number, timeMs: number): BinlogEvent | undefined {
    switch (verb) {
      case 'START':
      case 'BEGIN':
        return this.#startXa(end, timeMs);
      case 'COMMIT':
        return this.#endXa('commit', end, timeMs);
      case 'ROLLBACK':
        return this.#endXa('rollback', end, timeMs);
      default:
        return undefined;
    }
  }

  #startXa(end: number, timeMs: number): BinlogEvent {
    return { kind: 'xa', step: 'start', gtid: this.#start().gtid, end, timeMs };
  }

  #endXa(
    step: 'prepare' | 'commit-one-phase' | 'commit' | 'rollback',
    end: number,
    timeMs: number,
  ): BinlogEvent {
    return { kind: 'xa', step, gtid: this.#finish().gtid, end, timeMs };
  }

  #rows({ size, timeMs }: Header, body: Cursor, end: number, kind: RowsKind, shape: TableShape): BinlogEvent {
    let rows;
    try {
      rows = readRows(body, kind, shape);
    } catch (error) {
      const column = shape.table.columns[body.column];
      throw column === undefined ? error : new PlacedFault({ column: column.name }, error);
    }
    if (this.#open !== undefined) this.#open.yielded = true;
    return { kind: 'rows', table: shape.table, op: kind.op, rows, end, timeMs, bytes: size };
  }

  #refusePartialRows(body: Cursor): undefined {
    const table = this.#tables.find(body);
    if (table?.shape === undefined) return undefined;
    const fault = new UnsupportedFault('an update that holds differences of JSON documents', {
      hint: "SET GLOBAL binlog_row_value_options = '', copy the rows by hand and start behind it",
    });
    throw new PlacedFault({ table: table.name }, fault);
  }
}

function readHeader(cursor: Cursor): Header {
  const timeMs = cursor.u32() * 1000;
  const type = cursor.u8();
  return {
    timeMs,
    type,
    serverId: cursor.u32(),
    size: cursor.u32(),
    logPos: cursor.u32(),
    flags: cursor.u16(),
  };
}

/** The offset at or past `least` with these lower 32 bits; a file does not jump by gigabytes, so that would be a step back. */
function withLowerBits(least: number, lower: number): number {
  const ahead = (lower - (least % TWO_32) + TWO_32) % TWO_32;
  if (ahead >= TWO_32 / 2) throw new DecodeFault('a position that steps back');
  return least + ahead;
}
