/** Binlog positions and the sequence of a row change. */

/** A place between two transactions of a source's binlog, from which capture can go on. */
export interface Position {
  /** Executed GTID set (MySQL) or GTID position (MariaDB); absent when the source has none. */
  readonly gtid?: string;
  /** Binlog file name and byte offset of the next event to read. */
  readonly file: string;
  readonly offset: number;
  /** `@@server_uuid` (MySQL) or `server-<server_id>` (MariaDB): file and offset mean nothing on another server. */
  readonly server: string;
}

/** Its file and offset tell nothing: an offset of 4 beside GTIDs stands for wherever these are. */
export function namesGtidsAlone({ gtid, offset }: Position): boolean {
  return gtid !== undefined && offset === 4;
}

/** From where a source is read that was never read before. */
export type StartFrom =
  /** Copy what the tables hold, and every change meanwhile. */
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'now' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'gtid'; readonly gtid: string }
  | { readonly kind: 'file'; readonly file: string; readonly position: number };

/**
 * The name of one half of a row change (I-3), the same on every replay: binlog file number, end position of its rows event,
 * row index within that event times two, plus one for the insert half of a key change.
 */
export interface Sequence {
  readonly file: number;
  readonly end: number;
  readonly half: number;
}

/** Orders two sequences of one epoch: negative when a comes first. */
export function compareSequence(a: Sequence, b: Sequence): number {
  return a.file - b.file || a.end - b.end || a.half - b.half;
}

/** The number in a binlog file name: `binlog.000042` is 42. Returns undefined when the name ends in no number. */
export function binlogFileNumber(file: string): number | undefined {
  const digits = /\.(\d+)$/.exec(file)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** `file:offset`. */
export function formatPlace({ file, offset }: { readonly file: string; readonly offset: number }): string {
  return `${file}:${offset}`;
}

/** `file:offset`, with the GTID set when there is one: how a position is shown in logs, errors and the CLI. */
export function formatPosition(position: Position): string {
  const place = formatPlace(position);
  return position.gtid === undefined || position.gtid === '' ? place : `${place} (gtid ${position.gtid})`;
}
