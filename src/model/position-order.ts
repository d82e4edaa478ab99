/** Which of two positions of a source comes first. */
import { GtidSet } from './gtid-set.ts';
import type { Position } from './position.ts';
import { binlogFileNumber, namesGtidsAlone } from './position.ts';

interface Place {
  readonly file: string;
  readonly offset: number;
}

/** Orders two places of one server's binlog: negative when `a` comes first. */
export function comparePlace(a: Place, b: Place): number {
  return (binlogFileNumber(a.file) ?? 0) - (binlogFileNumber(b.file) ?? 0) || a.offset - b.offset;
}

/**
 * True when everything before `a` is before `b` too, and not the other way round. On one server places tell, elsewhere GTIDs
 * alone; where nothing tells, false.
 */
export function isEarlier(a: Position, b: Position): boolean {
  const byGtid = a.server !== b.server || namesGtidsAlone(a) || b.offset === 4;
  if (!byGtid || a.gtid === undefined || b.gtid === undefined)
    return a.server === b.server && comparePlace(a, b) < 0;
  const [one, two] = [GtidSet.parse(a.gtid), GtidSet.parse(b.gtid)];
  return one.isSubsetOf(two) && !two.isSubsetOf(one);
}
