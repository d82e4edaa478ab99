/** Binlog events for tests: recorded ones (`fixtures/binlog-*.txt`, one event a line) and made ones. */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { BinlogDecoder } from '../../../src/drivers/binlog-decoder.ts';
import type { TableChoice } from '../../../src/drivers/binlog-table-maps.ts';
import { EVENT, type BinlogEvent } from '../../../src/drivers/binlog-event.ts';

export function recordedEvents(server: 'mysql' | 'mariadb'): Buffer[] {
  const text = readFileSync(new URL(`fixtures/binlog-${server}.txt`, import.meta.url), 'latin1');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => Buffer.from(line, 'hex'));
}

export interface EventParts {
  readonly type: number;
  readonly body?: Buffer;
  readonly logPos?: number;
  readonly flags?: number;
  readonly seconds?: number;
  readonly serverId?: number;
  readonly checksum?: boolean;
}

export const ARTIFICIAL = 0x20;

export function eventBytes({
  type,
  body = Buffer.alloc(0),
  logPos = 0,
  flags = 0,
  seconds = 1_700_000_000,
  serverId = 1,
  checksum = false,
}: EventParts): Buffer {
  const header = Buffer.alloc(19);
  header.writeUInt32LE(seconds, 0);
  header.writeUInt8(type, 4);
  header.writeUInt32LE(serverId, 5);
  header.writeUInt32LE(19 + body.length + (checksum ? 4 : 0), 9);
  header.writeUInt32LE(logPos, 13);
  header.writeUInt16LE(flags, 17);
  return checksum ? withChecksum(Buffer.concat([header, body])) : Buffer.concat([header, body]);
}

function withChecksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(bytes));
  return Buffer.concat([bytes, sum]);
}

/** The same event with a changed body and a right checksum. */
export function altered(event: Buffer, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(event.subarray(0, event.length - 4));
  change(bytes);
  return withChecksum(bytes);
}

export function rotate(file: string, offset: number, parts: Partial<EventParts> = {}): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(BigInt(offset));
  return eventBytes({
    type: EVENT.ROTATE,
    body: Buffer.concat([body, Buffer.from(file)]),
    flags: ARTIFICIAL,
    ...parts,
  });
}

/** Bytes do not matter but for the kind of checksum, five from the end. */
export function formatDescription(checksum: boolean, logPos = 0): Buffer {
  const body = Buffer.alloc(80);
  body.writeUInt8(checksum ? 1 : 0, 75);
  return eventBytes({ type: EVENT.FORMAT_DESCRIPTION, body, logPos });
}

export function query(sql: string, parts: Partial<EventParts> = {}): Buffer {
  return eventBytes({
    type: EVENT.QUERY,
    body: Buffer.concat([
      Buffer.alloc(8),
      Buffer.from([4, 0, 0, 0, 0]),
      Buffer.from('shop\0'),
      Buffer.from(sql),
    ]),
    ...parts,
  });
}

export function gtid(number: number, parts: Partial<EventParts> = {}): Buffer {
  const body = Buffer.alloc(25);
  body.fill(0x11, 1, 17);
  body.writeBigUInt64LE(BigInt(number), 17);
  return eventBytes({ type: EVENT.GTID, body, ...parts });
}

export function gtidText(number: number): string {
  return `11111111-1111-1111-1111-111111111111:${number}`;
}

/** Decodes events one after the other; what tells nothing is left out. */
export function decodeAll(
  events: readonly Buffer[],
  options: {
    readonly wants?: TableChoice['wants'];
    readonly keyOf?: TableChoice['keyOf'];
    readonly decoder?: BinlogDecoder;
  } = {},
): BinlogEvent[] {
  const { wants = () => true, keyOf = () => undefined } = options;
  const decoder = options.decoder ?? new BinlogDecoder({ wants, keyOf });
  return events.flatMap((event) => decoder.decode(event) ?? []);
}
