/** Where a replay starts (C3): an earlier position of the same source, never forward of the saved one. Pure. */
import { RowferryError } from '../errors.ts';
import { GtidSet } from '../model/gtid-set.ts';
import type { Position } from '../model/position.ts';
import { formatPosition } from '../model/position.ts';
import { comparePlace } from '../model/position-order.ts';
import type { Accept } from './acknowledgements.ts';
import type { CheckpointState } from './checkpoint-log.ts';

/** `from` is `file:offset`, `gtid:SET`, or a time that Date understands (the last position saved at or before it). */
export function resolveReplay(source: string, from: string, state: CheckpointState): Position {
  const saved = state.position;
  if (saved === null) {
    throw refuse(source, 'nothing is saved for this source yet', 'set "startFrom" and start the daemon');
  }
  const start = find(source, from, state, saved);
  if (isAhead(start, saved)) {
    throw refuse(
      source,
      `${formatPosition(start)} lies ahead of the saved position ${formatPosition(saved)}`,
      'a replay only goes back: skipping changes would lose them',
    );
  }
  return start;
}

/**
 * The acknowledged statements that a replay reads once more, in words, oldest first: rows before them come as they were then, by
 * names of columns and tables that targets and routes may not have any more.
 */
export function acknowledgedAfter(start: Position, { accepted, history }: CheckpointState): string[] {
  const isReadAgain = ({ statement, server = start.server, gtid = null }: Accept): boolean => {
    // One that is not saved yet counts as well: its change is made at the targets.
    if (gtid !== null && start.gtid !== undefined) return !GtidSet.parse(start.gtid).contains(gtid);
    const at = statement.lastIndexOf(':');
    const place = { file: statement.slice(0, at), offset: Number(statement.slice(at + 1)) };
    // Of a start that only GTIDs name nobody knows the file.
    const isByGtid = start.gtid !== undefined && start.offset === 4;
    return server === start.server && (isByGtid || comparePlace(place, start) > 0);
  };
  const heldBy = ({ statement, server }: Accept): Accept['held'] =>
    history
      .flatMap(({ flow }) => flow?.held ?? [])
      .filter((held) => held.statement === statement && (server ?? held.from.server) === held.from.server);
  return accepted.records.filter(isReadAgain).map((record) => {
    const held = new Map((record.held ?? heldBy(record) ?? []).map(({ table, why }) => [table, why]));
    const what = [...held].map(([table, why]) => `${table}: ${why}`).join('; ');
    return `${what === '' ? 'a statement' : what}, at ${record.statement}`;
  });
}

function find(source: string, from: string, { history }: CheckpointState, saved: Position): Position {
  if (from.startsWith('gtid:')) return { ...saved, gtid: readGtid(source, from.slice(5), saved), offset: 4 };
  const place = /^(.+\.\d+):(\d+)$/.exec(from);
  if (place !== null) {
    const [, file, offset] = place;
    const known = history
      .map(({ position }) => position)
      .filter((position) => position.file === file && position.offset === Number(offset));
    // Servers name their files alike. A place that was never saved has no GTID set of its own: it is read by file and offset.
    return (
      known.find(({ server }) => server === saved.server) ??
      known[0] ?? { server: saved.server, file: file!, offset: Number(offset) }
    );
  }
  const timeMs = Date.parse(from);
  if (Number.isNaN(timeMs)) {
    throw refuse(
      source,
      `${from} is no position and no time`,
      'give "file:offset", "gtid:SET" or a time such as 2026-01-31T09:00Z',
    );
  }
  const earlier = history.filter((checkpoint) => checkpoint.timeMs <= timeMs).at(-1);
  if (earlier === undefined)
    throw refuse(source, `no position was saved before ${from}`, 'see: rowferry positions');
  return earlier.position;
}

function readGtid(source: string, text: string, { gtid }: Position): string {
  try {
    return GtidSet.parse(text).toString();
  } catch {
    const example = gtid === undefined ? '' : `; the saved position has ${gtid}`;
    throw refuse(source, `${text} is no set of GTIDs${example}`, 'see: rowferry positions');
  }
}

function isAhead(start: Position, saved: Position): boolean {
  if (start.gtid !== undefined && saved.gtid !== undefined) {
    return !GtidSet.parse(start.gtid).isSubsetOf(GtidSet.parse(saved.gtid));
  }
  return start.server === saved.server && comparePlace(start, saved) > 0;
}

function refuse(source: string, what: string, hint: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', what, { where: { source }, hint });
}
