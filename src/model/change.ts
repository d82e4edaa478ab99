/** Row changes, the unit that rowferry ferries. */
import type { Sequence } from './position.ts';
import type { Row, Table } from './table.ts';

/**
 * One row change of one partition. An insert has no `before`, a delete no `after`; an update has both and never changes the
 * primary key (I-2: a key change travels as a delete of the old key and an insert of the new one).
 */
export interface Change {
  readonly table: Table;
  readonly sequence: Sequence;
  /** Commit time at the source, milliseconds since 1970, as the binlog event header tells it (whole seconds on MariaDB). */
  readonly timeMs: number;
  readonly before: Row | null;
  readonly after: Row | null;
  /**
   * Set while a snapshot copies the table: `row` was read from the table and stands for an insert; `window` is an update that a
   * copied row gave way to, so that targets write it even when none of their columns changed.
   */
  readonly snapshot?: 'row' | 'window';
}
