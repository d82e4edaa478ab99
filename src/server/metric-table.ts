/**
 * Every metric: name, meaning, labels and where its numbers come from. The registry, docs/metrics.md and the checks of dashboards and
 * rules follow this table. What alerts look at is exported as they see it: one fact has one name and one value.
 */
import { COPY_CAUSES } from '../capture/copy-throttle.ts';
import type { AlertMetric, AlertSamples } from '../observe/alerts/metrics.ts';
import { ALERT_METRICS, seriesOf } from '../observe/alerts/metrics.ts';
import type { HistogramCounts } from '../observe/histogram.ts';
import type { DaemonStatus } from '../wiring/daemon-status.ts';
import type { ApplyRoleStatus, CaptureRoleStatus, RoleStatus } from '../wiring/role-messages.ts';
import type { ThreadHealth } from '../wiring/thread-health.ts';
import type { ProcessFacts } from './process-facts.ts';

export type Labels = Readonly<Record<string, string | number>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: Labels;
  readonly counts: HistogramCounts;
}

/** One look at a daemon. */
export interface MetricsInput {
  readonly status: DaemonStatus;
  readonly captures: readonly CaptureRoleStatus[];
  readonly appliers: readonly ApplyRoleStatus[];
  readonly threads: readonly { readonly name: string; readonly health: ThreadHealth }[];
  readonly process: ProcessFacts;
  /** What alerts looked at last. */
  readonly alerts: AlertSamples;
  /** The source whose changes a topic holds. */
  readonly sourceOf: (topic: string) => string;
  readonly nodeVersion: string;
}

interface Declared {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export type MetricSpec = Declared &
  (
    | { readonly type: 'gauge' | 'counter'; readonly samples: (input: MetricsInput) => readonly Sample[] }
    | { readonly type: 'histogram'; readonly samples: (input: MetricsInput) => readonly HistogramSample[] }
  );

/** Copies that are told of one by one. */
const MOST_COPIES = 200;
const CAPTURE_STATES = ['standby', 'starting', 'reading', 'holding', 'paused', 'waiting', 'stopped'];
const PARTITION_STATES = ['claiming', 'running', 'paused', 'waiting', 'stopped'];
const PARTITION = ['source', 'topic', 'partition'];

const OWN: readonly MetricSpec[] = [
  gauge(
    'rowferry_build_info',
    '1; which version runs.',
    ['version', 'node', 'role'],
    ({ status, nodeVersion }) => [one(1, { version: status.version, node: nodeVersion, role: status.role })],
  ),
  gauge(
    'rowferry_target_lag_seconds',
    'How far a target is behind, by its watermarks of the partitions that this process applies. Absent while it is not known.',
    ['target'],
    ({ status }) => status.targets.flatMap(({ target, lagMs }) => some(seconds(lagMs), { target })),
  ),
  gauge(
    'rowferry_capture_lag_seconds',
    'How far Kafka is behind the source. Absent while it is not known, and for a capture that stands by.',
    ['source'],
    (input) => perCapture(input, ({ lagMs }) => (lagMs === null ? null : lagMs / 1000)),
  ),
  gauge(
    'rowferry_source_clock_offset_seconds',
    'How far the source’s clock is ahead of the one of the capture’s machine, asked each minute; lag is told without it. Absent before it was asked.',
    ['source'],
    (input) =>
      perCapture(input, ({ clockOffsetMs }) => (clockOffsetMs === null ? null : clockOffsetMs / 1000)),
  ),
  gauge(
    'rowferry_capture_read_age_seconds',
    'Time since the source was known to be read to its end.',
    ['source'],
    (input) => perCapture(input, ({ readUntilMs }) => age(readUntilMs, input)),
  ),
  counter(
    'rowferry_changes_applied_total',
    'Row changes of sources that are at all their targets.',
    [],
    ({ appliers }) => [one(sum(appliers.map(({ counts }) => counts.changes)))],
  ),
  counter(
    'rowferry_rows_applied_total',
    'Rows written at targets; tables beyond the first 500 count as `other`.',
    ['target', 'table', 'operation'],
    ({ appliers }) =>
      appliers.flatMap(({ counts }) =>
        counts.rows.flatMap(({ target, table, upserts, deletes }) => [
          one(upserts, { target, table, operation: 'upsert' }),
          one(deletes, { target, table, operation: 'delete' }),
        ]),
      ),
  ),
  counter('rowferry_moves_total', 'Rows that moved from one place to another.', [], ({ appliers }) => [
    one(sum(appliers.map(({ counts }) => counts.moves))),
  ]),
  histogram('rowferry_batch_rows', 'Row changes of a batch.', ({ counts }) => counts.batchRows),
  histogram('rowferry_batch_bytes', 'Bytes of the records of a batch.', ({ counts }) => counts.batchBytes),
  histogram(
    'rowferry_batch_seconds',
    'Time from the first try to write a batch until it was at all its targets.',
    ({ counts }) => counts.batchSeconds,
  ),
  histogram(
    'rowferry_apply_delay_seconds',
    'Time from the commit of a change at the source, by its clock, until the change was at all its targets, one observation a change; copied rows do not count.',
    ({ counts }) => counts.delaySeconds,
  ),
  gauge(
    'rowferry_queue_bytes',
    'Bytes that wait in memory: for Kafka, or to be applied.',
    ['queue'],
    ({ status }) => [
      ...status.captures.map(({ source, queueBytes }) => one(queueBytes, { queue: `capture ${source}` })),
      ...(status.role === 'capture'
        ? []
        : [one(sum(status.partitions.map(({ queueBytes }) => queueBytes)), { queue: 'apply' })]),
    ],
  ),
  counter(
    'rowferry_reconnects_total',
    'Links that broke and were made anew: `source` is the binlog, `group` a membership of a Kafka group.',
    ['part'],
    ({ captures, appliers }) => [
      one(sum(captures.map(({ retries }) => retries.ROWFERRY_SOURCE_LINK ?? 0)), { part: 'source' }),
      one(sum([...captures, ...appliers].map(({ groupBreaks }) => groupBreaks)), { part: 'group' }),
    ],
  ),
  counter('rowferry_rebalances_total', 'Assignments of partitions to this process.', [], ({ appliers }) => [
    one(sum(appliers.map(({ counts }) => counts.rebalances))),
  ]),
  counter(
    'rowferry_retries_total',
    'Batches, partitions and captures that were tried again, by the error’s code; a target’s own quick tries do not count.',
    ['code'],
    ({ captures, appliers }) => {
      const codes = new Map<string, number>();
      for (const retries of [...captures, ...appliers.map(({ counts }) => counts)].map(
        ({ retries }) => retries,
      )) {
        for (const [code, count] of Object.entries(retries)) codes.set(code, (codes.get(code) ?? 0) + count);
      }
      return [...codes].map(([code, count]) => one(count, { code }));
    },
  ),
  gauge(
    'rowferry_outage_seconds',
    'How long a part has waited for a server. `phase`: `trying`, and `probing` once three tries have failed; it resumes by itself.',
    ['part', 'phase'],
    (input) =>
      input.status.outages.map(({ part, phase, sinceMs }) => one(age(sinceMs, input) ?? 0, { part, phase })),
  ),
  counter('rowferry_events_read_total', 'Binlog events read.', ['source'], (input) =>
    perCapture(input, ({ events }) => events),
  ),
  counter('rowferry_bytes_read_total', 'Bytes of binlog read.', ['source'], (input) =>
    perCapture(input, ({ bytes }) => bytes),
  ),
  gauge(
    'rowferry_capture_state',
    `1 for the state that a capture is in, 0 for the others: ${CAPTURE_STATES.join(', ')}.`,
    ['source', 'state'],
    ({ status }) =>
      status.captures.flatMap(({ source, state }) =>
        CAPTURE_STATES.map((each) => one(each === state ? 1 : 0, { source, state: each })),
      ),
  ),
  gauge(
    'rowferry_partition_state',
    `1 for the state that a partition is in, 0 for the others: ${PARTITION_STATES.join(', ')}.`,
    [...PARTITION, 'state'],
    (input) =>
      PARTITION_STATES.flatMap((each) =>
        perPartition(input, ({ state }) => (state === each ? 1 : 0)).map(({ labels, value }) =>
          one(value, { ...labels, state: each }),
        ),
      ),
  ),
  gauge('rowferry_paused', '1 while an operator has paused the part, else 0.', ['part'], ({ status }) => [
    ...(status.role === 'capture' ? [] : [one(status.pause === null ? 0 : 1, { part: 'apply' })]),
    ...status.captures.map(({ source, pause }) => one(pause === null ? 0 : 1, { part: `capture ${source}` })),
  ]),
  gauge(
    'rowferry_snapshot_progress_ratio',
    'How much of a table is copied, 0 to 1; the first 200 tables.',
    ['source', 'table'],
    ({ status }) =>
      status.captures
        .flatMap(({ source, copies }) =>
          copies.map((copy) => one(copiedPart(copy), { source, table: copy.table })),
        )
        .slice(0, MOST_COPIES),
  ),
  gauge(
    'rowferry_throttle',
    `1 for what slows or holds the copy of a source now, else 0: ${COPY_CAUSES.join(', ')}.`,
    ['source', 'cause'],
    ({ status }) =>
      status.captures.flatMap(({ source, copyThrottle }) =>
        COPY_CAUSES.map((cause) =>
          one(copyThrottle?.causes.includes(cause) === true ? 1 : 0, { source, cause }),
        ),
      ),
  ),
  gauge(
    'rowferry_copy_speed_ratio',
    'Part of its full speed that the copy of a source may have; absent when there is nothing to copy.',
    ['source'],
    (input) => perCapture(input, ({ copyThrottle }) => copyThrottle?.share ?? null),
  ),
  gauge('rowferry_heap_bytes', 'Heap that a thread uses.', ['thread'], ({ threads }) =>
    threads.map(({ name, health }) => one(health.heapBytes, { thread: name })),
  ),
  gauge('rowferry_heap_limit_bytes', 'Heap that a thread may use.', ['thread'], ({ threads }) =>
    threads.map(({ name, health }) => one(health.heapLimitBytes, { thread: name })),
  ),
  counter('process_cpu_seconds_total', 'Processor time of the process, all threads.', [], ({ process }) => [
    one(process.cpuSeconds),
  ]),
  gauge('process_resident_memory_bytes', 'Memory of the process, all threads.', [], ({ process }) => [
    one(process.residentBytes),
  ]),
  gauge('process_open_fds', 'Open files and sockets.', [], ({ process }) => some(process.openFiles)),
  gauge('process_start_time_seconds', 'When the process began, seconds since 1970.', [], ({ status }) => [
    one(status.startedMs / 1000),
  ]),
];

/** What alerts look at and nothing above says. */
const WATCHED: readonly MetricSpec[] = ALERT_METRICS.filter(({ series }) => series === null).map(
  watchedMetric,
);

export const METRICS: readonly MetricSpec[] = [...OWN, ...WATCHED];

/** A metric of alerts as a gauge: absent while it is not known. */
export function watchedMetric(metric: AlertMetric): MetricSpec {
  return gauge(seriesOf(metric).name, metric.meaning, metric.labels, ({ alerts }) =>
    (alerts.get(metric.name) ?? []).flatMap(({ labels, value }) => some(value, labels)),
  );
}

function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  samples: (input: MetricsInput) => readonly Sample[],
): MetricSpec {
  return { type: 'gauge', name, help, labels, samples };
}

function counter(
  name: string,
  help: string,
  labels: readonly string[],
  samples: (input: MetricsInput) => readonly Sample[],
): MetricSpec {
  return { type: 'counter', name, help, labels, samples };
}

function histogram(
  name: string,
  help: string,
  counts: (applier: ApplyRoleStatus) => HistogramCounts,
): MetricSpec {
  const samples = ({ appliers }: MetricsInput) =>
    appliers.map((applier) => ({ labels: {}, counts: counts(applier) }));
  return { type: 'histogram', name, help, labels: [], samples };
}

function one(value: number, labels: Labels = {}): Sample {
  return { labels, value };
}

/** A value that may not be known has no sample then: 0 would say something else. */
function some(value: number | null, labels: Labels = {}): Sample[] {
  return value === null ? [] : [{ labels, value }];
}

function perPartition(
  { status, sourceOf }: MetricsInput,
  value: (partition: DaemonStatus['partitions'][number]) => number | null,
): Sample[] {
  return status.partitions.flatMap((each) =>
    some(value(each), { source: sourceOf(each.topic), topic: each.topic, partition: each.partition }),
  );
}

function perCapture(
  { status }: MetricsInput,
  value: (capture: DaemonStatus['captures'][number]) => number | null,
): Sample[] {
  return status.captures.flatMap((each) => some(value(each), { source: each.source }));
}

function copiedPart({ state, rows, estimate }: DaemonStatus['captures'][number]['copies'][number]): number {
  return state === 'done' || state === 'arriving' ? 1 : rows / Math.max(estimate, rows + 1);
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function age(sinceMs: number | null, { status }: MetricsInput): number | null {
  return sinceMs === null ? null : Math.max(0, status.timeMs - sinceMs) / 1000;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The roles of a kind among all. */
export function split(roles: readonly RoleStatus[]): Pick<MetricsInput, 'captures' | 'appliers'> {
  return {
    captures: roles.filter((role): role is CaptureRoleStatus => role.role === 'capture'),
    appliers: roles.filter((role): role is ApplyRoleStatus => role.role === 'apply'),
  };
}
