/** Reads the events that begin, end or stand for a transaction: GTIDs of both flavours and statements. */
import { textDecoder } from './binlog-charset.ts';
import type { Cursor } from './binlog-cursor.ts';
import { DecodeFault } from './binlog-cursor.ts';
import { inflateRows } from './binlog-rows.ts';

export interface TransactionId {
  readonly gtid: string | null;
  readonly commitTimeMs: number | null;
}

const MICROSECONDS_TOP_BIT = 0x80_0000;

/** GTID and ANONYMOUS_GTID events. */
export function readGtid(cursor: Cursor, anonymous: boolean): TransactionId {
  cursor.skip(1);
  const uuid = uuidText(cursor.bytes(16));
  const number = cursor.u64();
  const gtid = anonymous ? null : `${uuid}:${number}`;
  // Since MySQL 5.7 a logical clock follows (its kind is 2), since 8.0 the commit times.
  if (cursor.left < 1 + 16 + 7 || cursor.u8() !== 2) return { gtid, commitTimeMs: null };
  cursor.skip(16);
  // 55 bits; the top one says whether the time of the transaction's first server follows.
  const low = cursor.u32();
  const high = cursor.u16() | (cursor.u8() << 16);
  const micros = (high & ~MICROSECONDS_TOP_BIT) * 0x1_0000_0000 + low;
  return { gtid, commitTimeMs: micros === 0 ? null : micros / 1000 };
}

/**
 * GTID_TAGGED events (MySQL 8.3+): one `mysql::serialization` message of numbered fields, absent ones left out. Fields: 0
 * flags, 1 uuid, 2 number, 3 tag, 4 and 5 logical clock, 6 time of commit here, 7 on the first server, …
 */
export function readTaggedGtid(cursor: Cursor): TransactionId {
  const start = cursor.pos;
  if (varint(cursor) !== 1) throw new DecodeFault('a tagged GTID of an unknown version');
  const end = start + varint(cursor);
  varint(cursor);
  let uuid = '';
  let tag = '';
  let number = 0;
  let commitTimeMs: number | null = null;
  fields: while (cursor.pos < end) {
    const field = varint(cursor);
    switch (field) {
      case 1:
        uuid = uuidText(Buffer.from(Array.from({ length: 16 }, () => varint(cursor))));
        break;
      case 2:
        number = varint(cursor) / 2;
        break;
      case 3:
        tag = cursor.utf8(varint(cursor));
        break;
      case 6:
        commitTimeMs = varint(cursor) / 1000;
        break fields;
      case 0:
      case 4:
      case 5:
        varint(cursor);
        break;
      default:
        break fields;
    }
  }
  if (uuid === '' || !Number.isInteger(number) || number < 1)
    throw new DecodeFault('a tagged GTID without its parts');
  return { gtid: tag === '' ? `${uuid}:${number}` : `${uuid}:${tag}:${number}`, commitTimeMs };
}

/** As many trailing ones in the first byte as bytes follow it; exact to 2^53. */
function varint(cursor: Cursor): number {
  const first = cursor.u8();
  let more = 0;
  while (more < 8 && ((first >> more) & 1) === 1) more += 1;
  if (more === 8) return cursor.u64();
  let rest = 0;
  for (let index = 0; index < more; index += 1) rest += cursor.u8() * 256 ** index;
  const value = (first >> (more + 1)) + rest * 2 ** (7 - more);
  if (!Number.isSafeInteger(value)) throw new DecodeFault('a number is larger than 2^53');
  return value;
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

interface MariadbTransactionId extends TransactionId {
  /** What follows: one statement, a transaction, one that ends in XA PREPARE, or the statement that ends that one. */
  readonly group: 'statement' | 'transaction' | 'xa-prepare' | 'xa-end';
}

const FL_STANDALONE = 0x01;
const FL_PREPARED_XA = 0x40;
const FL_COMPLETED_XA = 0x80;

/** MariaDB's GTID event, which stands in the place of BEGIN. */
export function readMariadbGtid(cursor: Cursor, serverId: number): MariadbTransactionId {
  const sequence = cursor.u64();
  const domain = cursor.u32();
  return { gtid: `${domain}-${serverId}-${sequence}`, commitTimeMs: null, group: groupOf(cursor.u8()) };
}

function groupOf(flags: number): MariadbTransactionId['group'] {
  if ((flags & FL_PREPARED_XA) !== 0) return 'xa-prepare';
  if ((flags & FL_COMPLETED_XA) !== 0) return 'xa-end';
  return (flags & FL_STANDALONE) !== 0 ? 'statement' : 'transaction';
}

export interface Statement {
  readonly schema: string;
  readonly sql: string;
}

const BEGIN: Statement = { schema: '', sql: 'BEGIN' };
const COMMIT: Statement = { schema: '', sql: 'COMMIT' };
/** What EXECUTE_LOAD_QUERY has between the usual head and the rest. */
const LOAD_QUERY_BYTES = 13;

/** QUERY events; also the head of EXECUTE_LOAD_QUERY. */
export function readStatement(cursor: Cursor, kind: 'plain' | 'compressed' | 'load'): Statement {
  cursor.skip(8);
  const schemaLength = cursor.u8();
  cursor.skip(2);
  const variablesLength = cursor.u16();
  if (kind === 'load') cursor.skip(LOAD_QUERY_BYTES);
  const variables = cursor.bytes(variablesLength);
  const schema = cursor.bytes(schemaLength);
  cursor.skip(1);
  const rest = cursor.bytes(cursor.left);
  // Twice in every transaction.
  if (rest.length === 5 && rest.toString('latin1') === 'BEGIN') return BEGIN;
  if (rest.length === 6 && rest.toString('latin1') === 'COMMIT') return COMMIT;
  const text = kind === 'compressed' ? inflateRows(rest) : rest;
  return { schema: schema.toString('utf8'), sql: statementText(text, clientCollation(variables)) };
}

const Q_FLAGS2 = 0;
const Q_SQL_MODE = 1;
const Q_AUTO_INCREMENT = 3;
const Q_CHARSET = 4;
const Q_CATALOG = 6;

/** The collation of the session's `character_set_client`; variables come in a fixed order, it among the first. */
function clientCollation(variables: Buffer): number | undefined {
  let at = 0;
  while (at < variables.length) {
    const code = variables.readUInt8(at);
    at += 1;
    if (code === Q_FLAGS2) at += 4;
    else if (code === Q_SQL_MODE) at += 8;
    else if (code === Q_AUTO_INCREMENT) at += 4;
    else if (code === Q_CATALOG) at += 1 + variables.readUInt8(at);
    else return code === Q_CHARSET ? variables.readUInt16LE(at) : undefined;
  }
  return undefined;
}

/** Statements serve to be classified: an odd byte in a comment must not stop the stream. */
function statementText(bytes: Buffer, collation: number | undefined): string {
  const decode = collation === undefined ? undefined : textDecoder(collation);
  try {
    return decode === undefined ? bytes.toString('utf8') : decode(bytes, 0, bytes.length);
  } catch (error) {
    if (error instanceof DecodeFault) return bytes.toString('utf8');
    throw error;
  }
}
