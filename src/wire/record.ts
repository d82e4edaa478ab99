/** Reads one record of a change topic, whatever its format. */
import { RowferryError } from '../errors.ts';
import type { Chunk, TableShapes } from './chunk.ts';
import { decodeChunk } from './chunk.ts';
import type { Marker } from './marker.ts';
import { decodeMarker, isMarker } from './marker.ts';
import type { RawRecord } from './raw-record.ts';
import { decodeRowRecord, isRowRecord } from './row-record.ts';

export type WireRecord =
  | { readonly kind: 'changes'; readonly chunk: Chunk }
  | { readonly kind: 'marker'; readonly marker: Marker }
  /** A tombstone for log compaction: nothing to apply. */
  | { readonly kind: 'tombstone' }
  /** What another writer's topic holds beside rows (heartbeats, transaction bounds): nothing to apply. */
  | { readonly kind: 'other' };

/** Decodes a record. Throws ROWFERRY_WIRE_CORRUPT (without the topic, which the caller adds) when it cannot be read. */
export function decodeRecord(record: RawRecord, shapes: TableShapes): WireRecord {
  if (record.value === null) return { kind: 'tombstone' };
  const parsed = parse(record.value);
  if (isRowRecord(record)) return { kind: 'changes', chunk: decodeRowRecord(record, parsed, shapes) };
  if (isMarker(parsed)) return { kind: 'marker', marker: decodeMarker(parsed) };
  return { kind: 'changes', chunk: decodeChunk(parsed, shapes) };
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    // The parser's message quotes the text, which holds row values: it is left out on purpose.
    throw new RowferryError('ROWFERRY_WIRE_CORRUPT', `the record (${value.length} bytes) is not JSON`, {
      hint: 'find out who wrote it; rowferry changes nothing and waits here',
    });
  }
}
