/** Names and texts of parked entries. */
import { createHash } from 'node:crypto';
import type { RowferryError } from '../errors.ts';
import { looseText } from '../model/row-key.ts';
import { tableName } from '../model/table.ts';
import type { ParkedRecord, ParkedRef } from './session.ts';
import type { KeyValues, ParkReason, PartitionId, RowWrite, TableWriter, WriteBatch } from './target.ts';

/** The column `row_key`: what tells a parked row of a table from all others there. */
export function rowKeyText(key: KeyValues, origin: string | undefined): string {
  return JSON.stringify(origin === undefined ? key : { key, origin });
}

/** A key of any length in 64 characters, so that it can be part of a primary key. */
export function keyHash(key: KeyValues, origin?: string): string {
  return createHash('sha256').update(rowKeyText(key, origin)).digest('hex');
}

export function parkedRef(id: PartitionId, table: string, key: KeyValues, origin?: string): ParkedRef {
  return { topic: id.topic, partition: id.partition, table, keyHash: keyHash(key, origin) };
}

/** The entries that a batch takes away (P2). */
export function unparkedRefs({ id, tables }: WriteBatch): ParkedRef[] {
  return tables.flatMap(({ writer, unpark }) =>
    unpark.map((key) => parkedRef(id, writer.table.name, key, writer.origin?.value)),
  );
}

export function parkedRecord(
  id: PartitionId,
  writer: TableWriter,
  row: RowWrite,
  why: { readonly reason: ParkReason; readonly detail: string; readonly sinceMs: number },
): ParkedRecord {
  return {
    topic: id.topic,
    partition: id.partition,
    sourceTable: tableName(writer.source),
    table: writer.table.name,
    key: row.key,
    ...(writer.origin === undefined ? {} : { origin: writer.origin.value }),
    reason: why.reason,
    detail: why.detail,
    sequence: row.sequence,
    parkedAtMs: why.sinceMs,
    attempts: 0,
    shape: writer.source,
    image: row.row,
  };
}

/** What a parked row failed of, in words that hold no value. */
export function parkDetail(error: RowferryError): string {
  const { column } = error.where;
  return `${error.message}${column === undefined ? '' : ` (column ${column})`}`;
}

/**
 * A text that is the same for a key in wire form and for the same key as a target prints it, and seldom the same for two
 * keys: good enough to find candidates, which the target then compares by itself.
 */
export function coarseKey(values: readonly (string | number | null)[]): string {
  return values.map((value) => coarseText(String(value))).join('/');
}

function coarseText(text: string): string {
  if (/^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i.test(text)) return String(Number(text));
  return looseText(text)
    .replace(/[^0-9A-Z]/g, '')
    .replace(/0+$/, '');
}
