/**
 * Metrics that other programs know and report (`alerts.metrics` of the configuration): rules ask for them as for rowferry's own,
 * and `GET /metrics` exports them as `rowferry_<name>`. What a name and labels may be. Pure.
 */
import { BUILT_IN } from './metrics.ts';
import type { AlertMetric, MetricCatalog } from './metrics.ts';

export interface ReportedMetric extends AlertMetric {
  /** A report that is older tells nothing any more: the value is not known. */
  readonly staleMs: number;
}

/** Each set of labels is looked at twice a second, kept in a file, and a time series wherever metrics are kept. */
export const MOST_REPORTED_METRICS = 50;
const MOST_LABELS = 4;

const NAME = /^[a-z][a-z_]{0,62}$/;
const NAME_WORDS = 'small letters and `_`, at most 63';

/** Exported under `rowferry_` besides what rules ask for; a test holds the list against the registry. */
const EXPORTED = [
  'build_info',
  'target_lag_seconds',
  'capture_lag_seconds',
  'source_clock_offset_seconds',
  'capture_read_age_seconds',
  'changes_applied_total',
  'rows_applied_total',
  'moves_total',
  'queue_bytes',
  'reconnects_total',
  'rebalances_total',
  'retries_total',
  'outage_seconds',
  'events_read_total',
  'bytes_read_total',
  'capture_state',
  'partition_state',
  'paused',
  'snapshot_progress_ratio',
  'throttle',
  'copy_speed_ratio',
  'heap_bytes',
  'heap_limit_bytes',
  ...['batch_rows', 'batch_bytes', 'batch_seconds', 'apply_delay_seconds'].flatMap((name) => [
    name,
    `${name}_bucket`,
    `${name}_sum`,
    `${name}_count`,
  ]),
];

/** Labels that Prometheus or its alerts give themselves, and `value`, which a message has of its own. */
const TAKEN_LABELS = [
  'value',
  'le',
  'quantile',
  'job',
  'instance',
  'pipeline',
  'alertname',
  'alertstate',
  'severity',
  'rule',
];

/** All that rules may ask for. */
export function catalogOf(reported: readonly ReportedMetric[]): MetricCatalog {
  return new Map([...BUILT_IN, ...reported.map((metric) => [metric.name, metric] as const)]);
}

/** What is wrong with a metric's name; undefined when it may be declared. */
export function nameMistake(name: string): string | undefined {
  if (!NAME.test(name)) return `is no name of a metric; one is ${NAME_WORDS}`;
  if (BUILT_IN.has(name)) return 'is a metric that rowferry measures itself; choose another name';
  return EXPORTED.includes(name)
    ? `is exported by rowferry itself as rowferry_${name}; choose another name`
    : undefined;
}

/** What is wrong with one of its labels. */
export function labelMistake(label: string, before: readonly string[]): string | undefined {
  if (!NAME.test(label)) return `is no name of a label; one is ${NAME_WORDS}`;
  if (TAKEN_LABELS.includes(label)) return 'is a label that alerts or Prometheus give; choose another name';
  if (before.includes(label)) return 'is named twice';
  return before.length < MOST_LABELS ? undefined : `is one label too many; there may be ${MOST_LABELS}`;
}
