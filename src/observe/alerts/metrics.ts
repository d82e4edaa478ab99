/** What rules can ask about: the one table of metrics, from which the manual, the checks and the Prometheus rules come. */
import type { Dimension } from './quantity.ts';

/** The part of rowferry that measures it. A rule whose metrics nobody measures is shown as without data. */
export type MeasuredBy = 'daemon' | 'verification' | 'repair' | 'rollback' | 'cutover';

export interface AlertMetric {
  readonly name: string;
  readonly dimension: Dimension;
  /** A rule fires once for each set of their values. */
  readonly labels: readonly string[];
  /** What it means, and when it is not known: a value that is not known neither fires nor resolves an alert. */
  readonly meaning: string;
  readonly measuredBy: MeasuredBy;
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
const STATEMENT = ['target', 'table', 'statement'] as const;

export const ALERT_METRICS: readonly AlertMetric[] = [
  daemon(
    'progress_speed',
    'rate',
    ['source'],
    'Rows that copies of tables bring to the targets, over the last minute. Not known unless a copy has run for a minute and is not held back on purpose.',
  ),
  daemon(
    'no_progress_for',
    'duration',
    ['source'],
    'Time since rows or a heartbeat last arrived at the targets: an idle source goes on sending heartbeats. Not known when the work is done.',
  ),
  daemon(
    'lag_seconds',
    'duration',
    PARTITION,
    'How far the targets are behind: age of the oldest commit of the source that is not applied. Grows when anything on the way stalls.',
  ),
  daemon(
    'lag_unknown_seconds',
    'duration',
    PARTITION,
    'How long the lag has not been known: no heartbeat has travelled the whole way since the start.',
  ),
  daemon('rows_per_second', 'rate', [], 'Row changes applied, over the last seconds.'),
  daemon(
    'snapshot_stalled_seconds',
    'duration',
    ['source', 'table'],
    'Time since a copy last finished a chunk. Not known when no copy runs or it is held back on purpose.',
  ),
  daemon('parked_rows', 'count', ['target', 'table'], 'Rows that wait in `rowferry_parked`.'),
  daemon(
    'oldest_parked_seconds',
    'duration',
    ['target', 'table'],
    'Age of the oldest parked row; 0 when none is parked.',
  ),
  daemon(
    'held_tables',
    'count',
    ['source', 'table'],
    '1 for a table that waits for an operator, after a change of its schema for example.',
  ),
  daemon(
    'partition_stopped',
    'count',
    PARTITION,
    '1 for a partition that met an error which an operator must mend, else 0.',
  ),
  daemon(
    'capture_stopped',
    'count',
    ['source'],
    '1 for a source whose capture met an error which an operator must mend, else 0.',
  ),
  daemon(
    'waiting_seconds',
    'duration',
    ['part'],
    'How long a capture or a partition has waited for a server that is away or refuses; 0 when it does not.',
  ),
  daemon(
    'reconnect_failures',
    'count',
    ['server'],
    'Tries to connect in a row that failed; 0 once connected.',
  ),
  daemon(
    'target_unreachable_seconds',
    'duration',
    ['target'],
    'How long a target has not answered; 0 while it does.',
  ),
  daemon(
    'checkpoint_age_seconds',
    'duration',
    ['source'],
    'Age of the newest saved position. Not known on a process that stands by.',
  ),
  daemon(
    'binlog_headroom_seconds',
    'duration',
    ['source'],
    'Time from the oldest binlog that the source still has to the saved position: what may be deleted before changes are lost.',
  ),
  daemon(
    'kafka_headroom_seconds',
    'duration',
    PARTITION,
    'Time until Kafka deletes the next record that the targets need. Not known when they need none or nothing is deleted.',
  ),
  daemon('queue_fill', 'share', ['queue'], 'How full a queue is, of its bound in bytes.'),
  daemon(
    'missing_future_tables',
    'count',
    ['target', 'table'],
    'Tables of coming periods that a rule by date will need and the target does not have.',
  ),
  daemon(
    'statement_seconds',
    'duration',
    STATEMENT,
    'Mean time of a kind of statement at a target, over the last minute. Not known when none ran.',
  ),
  daemon(
    'statements_per_second',
    'rate',
    STATEMENT,
    'How often a kind of statement runs at a target, over the last minute.',
  ),
  daemon('cpu_usage', 'share', [], 'Processor time of this machine that is in use, over the last seconds.'),
  daemon('memory_usage', 'share', [], 'Memory that the process uses, of what it may.'),
  daemon('disk_space', 'share', ['disk'], 'Free part of a disk.'),
  daemon(
    'event_loop_delay_seconds',
    'duration',
    ['thread'],
    'Largest delay of a thread’s event loop over the last seconds.',
  ),
  {
    name: 'data_inconsistency_rate',
    dimension: 'share',
    labels: ['table'],
    measuredBy: 'verification',
    meaning: 'Rows that differ, of those that were compared. Not known before the first verification.',
  },
  {
    name: 'missing_records',
    dimension: 'count',
    labels: ['table'],
    measuredBy: 'verification',
    meaning: 'Rows of the source that a target does not have, as the last verification found.',
  },
  {
    name: 'failed_repairs',
    dimension: 'count',
    labels: ['table', 'record'],
    measuredBy: 'repair',
    meaning: '1 for a record of the inconsistency table whose repair failed.',
  },
  {
    name: 'rollback_failures',
    dimension: 'count',
    labels: ['point'],
    measuredBy: 'rollback',
    meaning: '1 for a rollback point that could not be gone back to.',
  },
  {
    name: 'business_error_rate',
    dimension: 'share',
    labels: ['service'],
    measuredBy: 'cutover',
    meaning: 'Failed requests of an application, of all, as it reports them.',
  },
  {
    name: 'business_response_seconds',
    dimension: 'duration',
    labels: ['service'],
    measuredBy: 'cutover',
    meaning: 'Response time of an application, as it reports it.',
  },
];

const BY_NAME = new Map(ALERT_METRICS.map((metric) => [metric.name, metric]));

export function alertMetric(name: string): AlertMetric | undefined {
  return BY_NAME.get(name);
}

/** Under which name Prometheus has it: a gauge of the same samples, those that are not known left out. */
export function prometheusName(metric: string): string {
  return `rowferry_${metric}`;
}

function daemon(name: string, dimension: Dimension, labels: readonly string[], meaning: string): AlertMetric {
  return { name, dimension, labels, meaning, measuredBy: 'daemon' };
}
