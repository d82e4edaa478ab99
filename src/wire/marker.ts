/**
 * Markers: records broadcast to every partition through the same queues as the rows. They say how far the source had been
 * read when they were queued and do not raise the dedupe sequence (I-3): one that overtook rows of a later replay would hide
 * them. JSON, one object:
 *
 *     v  1      m  kind      e  epoch      i  incarnation
 *     h  horizon: every commit of the source up to this time (milliseconds since 1970) precedes the marker in its partition
 *     r  when that was known, by the capture's clock: equal to h when the source was idle then
 *     s  when it was sent, by the capture's clock      p  position, as text      n  name (fences)
 *     d  1 where it closes what lies before: all up to p is in its partition, so that nothing of this epoch comes behind it by a
 *        name up to there, other than from a capture that is over. This one does raise the sequence, and tells of no time.
 *     c  what changes (`schema`; model/schema-change.ts); then p is the end of the statement, `file:end`, which names it: a
 *        capture that begins anew before it broadcasts it again under the same name
 */
import { RowferryError } from '../errors.ts';
import type { SchemaChange } from '../model/schema-change.ts';
import type { Writer } from './chunk.ts';

interface Travelling extends Writer {
  readonly horizonMs: number;
  /** When the capture knew that; absent where nobody asks, and in markers of earlier versions. */
  readonly readMs?: number;
  readonly sentMs: number;
  readonly position: string;
}

export type Marker =
  | (Travelling & { readonly kind: 'heartbeat' | 'fence'; readonly name?: string; readonly closes?: true })
  | SchemaMarker;

export interface SchemaMarker extends Travelling {
  readonly kind: 'schema';
  readonly change: SchemaChange;
}

export function encodeMarker(marker: Marker): Buffer {
  return Buffer.from(
    JSON.stringify({
      v: 1,
      m: marker.kind,
      e: marker.epoch,
      i: marker.incarnation,
      h: marker.horizonMs,
      r: marker.readMs,
      s: marker.sentMs,
      p: marker.position,
      ...(marker.kind === 'schema'
        ? { c: marker.change }
        : { n: marker.name, ...(marker.closes === true ? { d: 1 } : {}) }),
    }),
  );
}

export function isMarker(parsed: unknown): boolean {
  return typeof parsed === 'object' && parsed !== null && 'm' in parsed;
}

/** Reads a parsed marker. Throws ROWFERRY_WIRE_CORRUPT when it is not one of version 1. */
export function decodeMarker(parsed: unknown): Marker {
  const wire = parsed as Readonly<Record<string, unknown>>;
  const { v, m, e, i, h, r, s, p, n, c, d } = wire;
  const known = m === 'heartbeat' || m === 'fence' || (m === 'schema' && isSchemaChange(c));
  if (
    v !== 1 ||
    !known ||
    !isInteger(e) ||
    !isInteger(i) ||
    !isInteger(h) ||
    !isInteger(s) ||
    typeof p !== 'string'
  ) {
    throw new RowferryError('ROWFERRY_WIRE_CORRUPT', 'the record is not a rowferry marker of version 1', {
      hint: 'find out who wrote it; rowferry changes nothing and waits here',
    });
  }
  const travelling = {
    epoch: e,
    incarnation: i,
    horizonMs: h,
    sentMs: s,
    position: p,
    ...(isInteger(r) ? { readMs: r } : {}),
  };
  if (m === 'schema') return { kind: m, ...travelling, change: c as SchemaChange };
  return {
    kind: m,
    ...travelling,
    ...(typeof n === 'string' ? { name: n } : {}),
    ...(d === 1 ? { closes: true } : {}),
  };
}

/** A kind of change that this version does not know must not pass unseen. */
function isSchemaChange(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  const { kind } = value;
  return kind === 'additive' || kind === 'truncate';
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
