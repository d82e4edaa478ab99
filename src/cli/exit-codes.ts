/** What the process's exit code says; `docs/operations.md` has an entry for each. */
import type { RowferryError } from '../errors.ts';

export const EXIT = {
  ok: 0,
  /** Usage: an unknown verb or option. */
  usage: 1,
  /** The configuration is wrong, or does not fit the stored state. */
  config: 2,
  /** The saved position or offset is gone: changes may be lost unless somebody decides. */
  lost: 3,
  /** Stopped on data or on a statement: an operator must act, a restart meets it again. */
  data: 4,
  /** A server cannot be reached or refuses for now: a restart later may work. */
  transient: 5,
  /** A bug of rowferry. */
  internal: 70,
} as const;

export function exitCodeOf(error: RowferryError): number {
  switch (error.code) {
    case 'ROWFERRY_INVARIANT':
      return EXIT.internal;
    case 'ROWFERRY_CONFIG_INVALID':
    case 'ROWFERRY_CONFIG_STATE_MISMATCH':
    case 'ROWFERRY_KAFKA_PARTITIONS':
    case 'ROWFERRY_SOURCE_PREFLIGHT':
    case 'ROWFERRY_SOURCE_SERVER_ID_TAKEN':
    case 'ROWFERRY_SOURCE_ACCESS':
    case 'ROWFERRY_TARGET_ACCESS':
    case 'ROWFERRY_KAFKA_REFUSED':
      return EXIT.config;
    case 'ROWFERRY_SOURCE_POSITION_LOST':
    case 'ROWFERRY_KAFKA_OFFSET_LOST':
    case 'ROWFERRY_KAFKA_TOPIC_GONE':
      return EXIT.lost;
    default:
      return error.action === 'retry' ? EXIT.transient : EXIT.data;
  }
}
