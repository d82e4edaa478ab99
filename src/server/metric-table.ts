/** Every metric: name, meaning, labels and where its numbers come from. The registry and docs/metrics.md follow this table. */
import { COPY_CAUSES } from '../capture/snapshot.ts';
import type { HistogramCounts } from '../observe/histogram.ts';
import type { DaemonStatus } from '../wiring/daemon-status.ts';
import type { ApplyRoleStatus, CaptureRoleStatus, RoleStatus } from '../wiring/role-messages.ts';
import type { ThreadHealth } from '../wiring/thread-health.ts';
import type { ProcessFacts } from './process-facts.ts';

export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
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
  readonly limits: { readonly captureQueueBytes: number; readonly applyQueueBytes: number };
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

export const METRICS: readonly MetricSpec[] = [
  gauge(
    'rowferry_build_info',
    '1; which version runs.',
    ['version', 'node', 'role'],
    ({ status, nodeVersion }) => [one(1, { version: status.version, node: nodeVersion, role: status.role })],
  ),
  gauge(
    'rowferry_lag_seconds',
    'How far a partition is behind its source. Absent while it is not known.',
    PARTITION,
    (input) => perPartition(input, ({ lagMs }) => seconds(lagMs)),
  ),
  gauge(
    'rowferry_target_lag_seconds',
    'How far a target is behind, by its watermarks of the partitions that this process applies. Absent while it is not known.',
    ['target'],
    ({ status }) => status.targets.flatMap(({ target, lagMs }) => some(seconds(lagMs), { target })),
  ),
  gauge(
    'rowferry_capture_read_age_seconds',
    'Time since the source was known to be read to its end.',
    ['source'],
    (input) => perCapture(input, ({ readUntilMs }) => age(readUntilMs, input)),
  ),
  gauge('rowferry_checkpoint_age_seconds', 'Age of the newest saved position.', ['source'], (input) =>
    perCapture(input, ({ savedMs }) => age(savedMs, input)),
  ),
  gauge(
    'rowferry_binlog_headroom_seconds',
    'Time from the oldest binlog that the source still has to the saved position. Absent while it is not known.',
    ['source'],
    (input) =>
      perCapture(input, ({ binlogHeadroomMs }) =>
        binlogHeadroomMs === null ? null : binlogHeadroomMs / 1000,
      ),
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
  gauge(
    'rowferry_parked_rows',
    'Rows that wait at a target, of the partitions that this process applies.',
    ['target', 'reason'],
    ({ status }) =>
      status.targets.flatMap(({ target, parked }) => [
        one(parked.conflict, { target, reason: 'conflict' }),
        one(parked.data, { target, reason: 'data' }),
      ]),
  ),
  gauge('rowferry_oldest_parked_seconds', 'Age of the oldest parked row; 0 when none waits.', [], (input) => {
    const since = input.status.partitions.flatMap(({ oldestParkedMs }) => oldestParkedMs ?? []);
    return [one(since.length === 0 ? 0 : (age(Math.min(...since), input) ?? 0))];
  }),
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
  gauge(
    'rowferry_queue_limit_bytes',
    'Bytes at which that queue stops taking more.',
    ['queue'],
    ({ status, limits }) => [
      ...status.captures.map(({ source }) => one(limits.captureQueueBytes, { queue: `capture ${source}` })),
      ...(status.role === 'capture' ? [] : [one(limits.applyQueueBytes, { queue: 'apply' })]),
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
    'rowferry_reconnect_failures',
    'Tries in a row that failed, for each part that waits for a server; absent once it works.',
    ['part'],
    ({ status }) => status.outages.map(({ part, tries }) => one(tries, { part })),
  ),
  gauge(
    'rowferry_outage_seconds',
    'How long a part has waited for a server. `phase`: `trying`, and `paused` once three tries have failed; it probes and resumes by itself.',
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
  gauge('rowferry_tables_held', 'Tables that wait for an operator.', ['source'], (input) =>
    perCapture(input, ({ held }) => held.length),
  ),
  gauge(
    'rowferry_event_loop_delay_seconds',
    'Longest delay of a thread’s event loop in the last ten to twenty seconds.',
    ['thread'],
    ({ threads }) => threads.map(({ name, health }) => one(health.loopDelayMs / 1000, { thread: name })),
  ),
  gauge('rowferry_heap_bytes', 'Heap that a thread uses.', ['thread'], ({ threads }) =>
    threads.map(({ name, health }) => one(health.heapBytes, { thread: name })),
  ),
  gauge('rowferry_heap_limit_bytes', 'Heap that a thread may use.', ['thread'], ({ threads }) =>
    threads.map(({ name, health }) => one(health.heapLimitBytes, { thread: name })),
  ),
  gauge('rowferry_run_dir_free_bytes', 'Free space of the disk that `runDir` is on.', [], ({ process }) =>
    some(process.runDirFreeBytes),
  ),
  gauge('rowferry_run_dir_size_bytes', 'Size of that disk.', [], ({ process }) => some(process.runDirBytes)),
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
