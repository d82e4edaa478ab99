/** Cutting the queue of one partition into record batches that the topic accepts. Pure. */

export interface OutgoingRecord {
  readonly key?: Buffer | string | null;
  /** null is a tombstone, for compacted topics. */
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, Buffer | string>>;
  /** Milliseconds since 1970; now when absent. */
  readonly timestampMs?: number;
}

/** A record in kafkajs' shape, with every text as bytes (kafkajs would encode a string twice to know its length). */
export interface EncodedRecord {
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Record<string, Buffer | string>;
  readonly timestamp?: string;
}

/** Header of a record batch (format 2), with the length of a request's partition entry. */
export const BATCH_OVERHEAD_BYTES = 80;

/** Length, attributes, deltas and the lengths of key, value and headers, each at its longest. */
const RECORD_OVERHEAD_BYTES = 41;
const HEADER_OVERHEAD_BYTES = 10;

/**
 * kafkajs copies a partition's list for every record that it adds, so its cost grows with the square of the records in one
 * request: at this many it is still small beside the encoding.
 */
export const MAX_BATCH_RECORDS = 1_000;

/**
 * Bytes of one request. kafkajs (2.2.4) copies it through a buffer for each layer of the protocol, each rounded up to a power of
 * two: for a moment a request takes many times its size.
 */
export const MAX_REQUEST_BYTES = 1024 * 1024;

export function encodeRecord(partition: number, record: OutgoingRecord): EncodedRecord {
  const { key = null, value, headers, timestampMs } = record;
  return {
    partition,
    key: toBytes(key),
    value: toBytes(value),
    ...(headers === undefined ? {} : { headers: { ...headers } }),
    ...(timestampMs === undefined ? {} : { timestamp: String(timestampMs) }),
  };
}

function toBytes(text: Buffer | string | null): Buffer | null {
  return typeof text === 'string' ? Buffer.from(text) : text;
}

/** An upper bound of the record's bytes in an uncompressed batch. */
export function recordBytes(record: EncodedRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of Object.entries(record.headers ?? {})) {
    bytes += HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return bytes;
}

/**
 * How many of the first `sizes` fit into one batch of at most `limitBytes`. At least one: whether a single record that looks
 * too large is so after compression, only the broker can tell.
 */
export function recordsThatFit(sizes: Iterable<number>, limitBytes: number, maxRecords: number): number {
  let count = 0;
  let bytes = BATCH_OVERHEAD_BYTES;
  for (const size of sizes) {
    if (count === maxRecords || (count > 0 && bytes + size > limitBytes)) break;
    bytes += size;
    count += 1;
  }
  return count;
}
