/**
 * What rules can ask about: the one table of metrics, from which the manual, the checks, the Prometheus rules and most of what a
 * daemon exports come. Only what is measured stands here (`src/wiring/alert-samples.ts`); what other programs report is declared
 * by the configuration and joins it (`reported-metrics.ts`).
 */
import type { Dimension } from './quantity.ts';

export interface AlertMetric {
  readonly name: string;
  readonly dimension: Dimension;
  /** A rule fires once for each set of their values. */
  readonly labels: readonly string[];
  /** What it means, and when it is not known: a value that is not known neither fires nor resolves an alert. */
  readonly meaning: string;
  /** Where Prometheus has it, when another metric says the same; else it is a gauge of its own, `rowferry_` and the name. */
  readonly series: Series | null;
}

/** Metrics by their names: those of rowferry, and those that a configuration declares. */
export type MetricCatalog = ReadonlyMap<string, AlertMetric>;

/** A metric of Prometheus with values of labels that tell it apart. */
interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One measured value; null while it is not known. A set of labels that is gone from the samples is gone for good. */
export interface AlertSample {
  readonly labels: Readonly<Record<string, string>>;
  /** In the unit of the metric's dimension. */
  readonly value: number | null;
}

/** Values of one moment, by the metric's name. */
export type AlertSamples = ReadonlyMap<string, readonly AlertSample[]>;

const PARTITION = ['source', 'topic', 'partition'] as const;
const PARKED = ['target', 'table', 'reason'] as const;

export const ALERT_METRICS: readonly AlertMetric[] = [
  metric(
    'progress_speed',
    'rate',
    ['source'],
    'Rows that copies of tables bring, over the last minute. Not known unless copies have gone on for a minute, or while they rest for the source’s sake; not told when nothing is left to copy.',
  ),
  metric(
    'no_progress_for',
    'duration',
    ['source'],
    'Time since rows or a marker last arrived at the targets by a partition of this process: an idle source goes on sending markers. Topics of Debezium have none: there it counts only while something waits to be applied.',
  ),
  metric(
    'lag_seconds',
    'duration',
    PARTITION,
    'How far the targets are behind: age of the oldest commit of the source that is not applied. Grows when anything on the way stalls.',
  ),
  metric(
    'lag_unknown_seconds',
    'duration',
    PARTITION,
    'How long the lag has not been known, because no marker has travelled the whole way since the start; 0 once one has.',
  ),
  metric(
    'snapshot_stalled_seconds',
    'duration',
    ['source', 'table'],
    'Time since the copy of a table last got on. Not told of tables that wait for their turn, are paused or held, or while copies rest for the source’s sake.',
  ),
  metric(
    'snapshot_failed',
    'count',
    ['source', 'table'],
    '1 for a table whose copy met an error which an operator must mend.',
  ),
  metric(
    'parked_rows',
    'count',
    PARKED,
    'Rows that wait in `rowferry_parked`, of the partitions that this process applies; at most 100 tables of a target, those with the oldest.',
  ),
  metric('oldest_parked_seconds', 'duration', PARKED, 'Age of the oldest of them.'),
  metric(
    'held_tables',
    'count',
    ['source', 'table'],
    '1 for a table that waits for an operator since a statement.',
  ),
  metric(
    'partition_stopped',
    'count',
    ['source', 'topic', 'code'],
    'Partitions that met an error which an operator must mend, by its code, until they apply something again; 0 without a code when there is none.',
  ),
  metric(
    'capture_stopped',
    'count',
    ['source'],
    '1 for a source whose capture met an error which an operator must mend, else 0. The daemon ends with it.',
    { name: 'rowferry_capture_state', labels: { state: 'stopped' } },
  ),
  metric(
    'role_stopped',
    'count',
    ['role', 'source'],
    '1 for a role (`apply`, or `capture` of a source) that ended for good: by an error which an operator must mend, or because its thread crashed or ran out of memory; else 0. The daemon ends with it.',
  ),
  metric(
    'waiting_seconds',
    'duration',
    ['part'],
    'How long a capture has waited for a server that is away or refuses, and of the partitions of this process the one that has waited longest (`apply`); 0 when none does.',
  ),
  metric(
    'reconnect_failures',
    'count',
    ['server'],
    'Tries to reach a source, a target or Kafka in a row that failed, of the part that has failed most often; 0 once it goes on. The break itself and a try at once count for nothing.',
  ),
  metric(
    'target_unreachable_seconds',
    'duration',
    ['target'],
    'How long something has waited for a target that gives no session; 0 while it does. A target that answers and is read-only, full or locked is not meant.',
  ),
  metric(
    'checkpoint_age_seconds',
    'duration',
    ['source'],
    'Age of the newest saved position. Not known on a process that stands by, while capture is paused, and before it has saved one.',
  ),
  metric(
    'binlog_headroom_seconds',
    'duration',
    ['source'],
    'How long the source will still keep the binlog of the saved position. Not known where size alone decides, or where it is kept for ever.',
  ),
  metric(
    'binlog_headroom_bytes',
    'bytes',
    ['source'],
    'How much the source may write until it removes the binlog of the saved position, where size decides (`binlog_space_limit`, `max_binlog_total_size`); it removes whole files. Not known where it does not.',
  ),
  metric(
    'binlog_behind_bytes',
    'bytes',
    ['source'],
    'Binlog of the source behind the saved position. Not known while the position names no file of the source.',
  ),
  metric(
    'write_rate',
    'rate',
    ['target', 'table'],
    'Rows written to a table of a target, over the last minute; tables beyond the first 500 count as `other`. Not known in the first minute.',
  ),
  metric(
    'write_seconds',
    'duration',
    ['target'],
    'Time that a transaction with rows takes at a target, on average of those that ended in the last minute; one that has run for longer than that counts with its time so far. Not told while nothing is written.',
  ),
  metric(
    'queue_fill',
    'share',
    ['queue'],
    'How full a queue is, of its bound in bytes: what waits for Kafka, or to be applied.',
  ),
  metric(
    'missing_future_tables',
    'count',
    ['target', 'table'],
    'Tables of coming periods that a rule by date will need and the target does not have; looked for every ten minutes.',
  ),
  metric(
    'cpu_usage',
    'share',
    [],
    'Processor time that is in use, over the last ten seconds or so: of what the container or service may use where that is limited, else of this machine.',
  ),
  metric(
    'memory_usage',
    'share',
    [],
    'Memory that the process uses, of what its container or this machine has.',
  ),
  metric(
    'disk_space',
    'share',
    ['disk'],
    'Free part of the disk that `runDir` is on, and of those that `alerts.disks` names, by the folder; `(tmpfs)` behind it says that it is memory.',
  ),
  metric(
    'report_age_seconds',
    'duration',
    ['metric'],
    'Time since a metric that other programs report was last reported to this process, of its sets of labels the one that has waited longest. Not told before the first report.',
  ),
  metric(
    'event_loop_delay_seconds',
    'duration',
    ['thread'],
    'Longest delay of a thread’s event loop in the last ten to twenty seconds.',
  ),
];

/** What rowferry measures itself. */
export const BUILT_IN: MetricCatalog = new Map(ALERT_METRICS.map((metric) => [metric.name, metric]));

/** Where Prometheus has a metric; values that are not known are left out there. */
export function seriesOf({ name, series }: AlertMetric): Series {
  return series ?? { name: `rowferry_${name}`, labels: {} };
}

function metric(
  name: string,
  dimension: Dimension,
  labels: readonly string[],
  meaning: string,
  series: Series | null = null,
): AlertMetric {
  return { name, dimension, labels, meaning, series };
}
