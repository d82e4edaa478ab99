/**
 * Named points at which a crash test ends the process the hard way. Without ROWFERRY_KILL_AT they cost one comparison.
 *
 * `ROWFERRY_KILL_AT=apply.between-phases:3` sends SIGKILL to the process when that point is passed for the third time.
 */
const [wantedPoint, wantedCount] = (process.env['ROWFERRY_KILL_AT'] ?? '').split(':');
let passed = 0;

type KillPoint =
  /** Kafka has the records, their acknowledgement has not been taken in. */
  | 'capture.after-produce'
  /** The acknowledgement is taken in, the checkpoint that it allows is not saved. */
  | 'capture.after-ack'
  /** A chunk's low mark is committed, its rows are not read. */
  | 'snapshot.after-low'
  /** The cut of a table without a key is made, no row of it is read. */
  | 'snapshot.after-cut'
  /** A chunk's rows are read, its high mark is not written. */
  | 'snapshot.after-read'
  /** Phase one of a batch with moves has committed everywhere, phase two has not begun. */
  | 'apply.between-phases'
  /** A target table has followed a change of its source table, the batch behind it is not written. */
  | 'apply.after-alter'
  /** A target is emptied for a TRUNCATE, the batch that passes it is not written. */
  | 'apply.after-truncate'
  /** A batch has committed at its targets, the next records are not taken. */
  | 'apply.after-commit';

export function killPoint(point: KillPoint): void {
  if (wantedPoint !== point) return;
  passed += 1;
  if (passed >= Number(wantedCount ?? 1)) process.kill(process.pid, 'SIGKILL');
}
