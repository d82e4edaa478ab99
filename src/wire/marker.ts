/**
 * Markers: records broadcast to every partition through the same queues as the rows. They say how far the source had been
 * read when they were queued and do not raise the dedupe sequence (I-3): one that overtook rows of a later replay would hide
 * them. JSON, one object:
 *
 *     v  1      m  kind      e  epoch      i  incarnation
 *     h  horizon: every commit of the source up to this time (milliseconds since 1970) precedes the marker in its partition
 *     s  when it was sent, by the capture's clock      p  position, as text      n  name (fences)
 */
import { RowferryError } from '../errors.ts';
import type { Writer } from './chunk.ts';

export interface Marker extends Writer {
  readonly kind: 'heartbeat' | 'fence';
  readonly horizonMs: number;
  readonly sentMs: number;
  readonly position: string;
  readonly name?: string;
}

export function encodeMarker(marker: Marker): Buffer {
  return Buffer.from(
    JSON.stringify({
      v: 1,
      m: marker.kind,
      e: marker.epoch,
      i: marker.incarnation,
      h: marker.horizonMs,
      s: marker.sentMs,
      p: marker.position,
      n: marker.name,
    }),
  );
}

export function isMarker(parsed: unknown): boolean {
  return typeof parsed === 'object' && parsed !== null && 'm' in parsed;
}

/** Reads a parsed marker. Throws ROWFERRY_WIRE_CORRUPT when it is not one of version 1. */
export function decodeMarker(parsed: unknown): Marker {
  const wire = parsed as Readonly<Record<string, unknown>>;
  const { v, m, e, i, h, s, p, n } = wire;
  const known = m === 'heartbeat' || m === 'fence';
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
  return {
    kind: m,
    epoch: e,
    incarnation: i,
    horizonMs: h,
    sentMs: s,
    position: p,
    ...(typeof n === 'string' ? { name: n } : {}),
  };
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
