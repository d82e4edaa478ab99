/**
 * Empties a source table's target tables for a TRUNCATE, when nothing else may be there than what it removes.
 *
 * Two orders of events would be wrong: a slow partition writes a row that the statement removes after the tables were emptied,
 * and the row is back; or somebody empties them again when newer rows are there. So a target is emptied only when every
 * partition of the topic has reached the statement there, and no partition goes on behind it before the target's record says
 * that it was done: while there is no record, there is no newer row, whoever empties it, however late.
 */
import { RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import type { SourceRouter } from '../routing/router.ts';
import { Backoff } from '../runtime/backoff.ts';
import { killPoint } from '../runtime/kill-points.ts';
import type { Target, TruncateId, Truncation } from '../targets/target.ts';
import { statementPlace } from '../targets/truncation.ts';
import type { SchemaMarkerOf } from './batch.ts';
import { rowsOf, tablesAt } from './routed-tables.ts';

interface EmptierOptions {
  readonly targets: readonly Target[];
  readonly router: SourceRouter;
  readonly topic: string;
  readonly log: Log;
  /** Told while other partitions have not come so far. */
  readonly onWait: (what: string) => void;
}

const POLL = { firstMs: 50, maxMs: 2_000 };

/** Resolves when every target that holds the table has the statement's record. The caller's partition stands at the marker. */
export async function emptyTable(
  marker: SchemaMarkerOf<'truncate'>,
  { targets, router, topic, log, onWait }: EmptierOptions,
  signal: AbortSignal,
): Promise<void> {
  const { change } = marker;
  const id = truncateId(topic, marker);
  const routes = router.routes({ schema: change.schema, name: change.table });
  for (const target of targets) {
    const routed = await tablesAt(target, routes);
    if (routed.length === 0) continue;
    // Without a look at the others, who may be waiting for us: what comes again was done when it came first.
    if (await target.isTruncated(id)) continue;
    const tables = routed.flatMap(({ route, paths }) => {
      const only = rowsOf(route);
      if (only === 'unknown') throw cannotTell(target, paths, id);
      return paths.map((table) => ({ table, only }));
    });
    await untilReached(target, topic, marker, onWait, signal);
    if (await truncateAt(target, { ...id, tables }, signal)) {
      const names = tables.map(({ table }) => table);
      log.info(
        { target: target.name, tables: names, position: marker.position },
        'emptied, as at the source',
      );
    }
    killPoint('apply.after-truncate');
  }
}

export function truncateId(
  topic: string,
  { change, epoch, position }: SchemaMarkerOf<'truncate'>,
): TruncateId {
  const place = statementPlace(position);
  if (place !== undefined) return { topic, sourceTable: `${change.schema}.${change.table}`, epoch, ...place };
  throw new RowferryError(
    'ROWFERRY_WIRE_CORRUPT',
    `a marker names its statement ${JSON.stringify(position)}`,
    {
      hint: 'find out who wrote it; rowferry changes nothing and waits here',
    },
  );
}

/** A partition that nobody has applied yet has no watermark and stands at 0. */
async function untilReached(
  target: Target,
  topic: string,
  { change }: SchemaMarkerOf<'truncate'>,
  onWait: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(POLL);
  for (;;) {
    signal.throwIfAborted();
    const marks = (await target.watermarks()).filter((mark) => mark.topic === topic);
    const nextOf = (partition: number): number =>
      marks.find((mark) => mark.partition === partition)?.next ?? 0;
    const behind = change.ends.flatMap((end, partition) =>
      nextOf(partition) < end ? [`partition ${partition} (at ${nextOf(partition)} of ${end})`] : [],
    );
    if (behind.length === 0) return;
    onWait(
      `waits to empty ${change.schema}.${change.table} at ${target.name} until it has the rows before: ${behind.join(', ')}`,
    );
    await backoff.wait(signal);
  }
}

async function truncateAt(target: Target, truncation: Truncation, signal: AbortSignal): Promise<boolean> {
  try {
    return (await target.truncate(truncation, signal)) === 'now';
  } catch (error) {
    if (!(error instanceof RowferryError) || error.action === 'retry') throw error;
    const { sourceTable, tables } = truncation;
    const privilege = target.kind === 'mysql' ? 'DROP (which TRUNCATE asks for)' : 'TRUNCATE';
    throw new RowferryError(error.code, `${sourceTable} was emptied at the source: ${error.message}`, {
      where: { ...error.where, target: target.name, table: tables.map(({ table }) => table).join(', ') },
      hint: `grant ${privilege} on the target tables, and drop foreign keys that refer to them; the partition then goes on by itself`,
      cause: error.cause,
    });
  }
}

function cannotTell(
  target: Target,
  paths: readonly string[],
  { topic, sourceTable, epoch, file, end }: TruncateId,
): RowferryError {
  return new RowferryError(
    'ROWFERRY_TARGET_SCHEMA',
    `${sourceTable} was emptied at the source, and the route (keys: disjoint) does not tell its rows from those of other tables`,
    {
      where: { target: target.name, table: paths.join(', ') },
      hint:
        `delete its rows there, then insert into rowferry_truncated the pipeline's name, topic ${topic}, source_table ${sourceTable}, ` +
        `epoch ${epoch}, file ${file}, end ${end} and a time; the partition then goes on by itself`,
    },
  );
}
