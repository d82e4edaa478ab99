/**
 * What the alerts of a daemon look at (`src/observe/alerts/metrics.ts`), from what its roles tell. Does no I/O and has no clock;
 * what a metric needs of the past (since when something waits, how many tries failed) is kept here, because roles forget it
 * with each try: a worker or an incarnation begins anew.
 *
 * Only parts of this process: what another one measures has no samples here, and can be no alarm.
 */
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { CaptureStatus } from '../capture/capture-progress.ts';
import type { AlertSample, AlertSamples } from '../observe/alerts/metrics.ts';
import { CopyWatch } from './copy-watch.ts';
import type { DiskFacts } from './disk-watch.ts';
import type { OutageStatus } from '../runtime/outages.ts';
import type { ApplyRoleStatus, CaptureRoleStatus, RoleStatus, RoleView } from './role-messages.ts';
import { WaitWatch } from './wait-watch.ts';
import { WriteWatch } from './write-watch.ts';

export interface AlertFacts {
  /** With lags that are good for now (told-lags.ts). */
  readonly roles: readonly RoleView[];
  /** Longest delay of the main thread's event loop. */
  readonly mainDelayMs: number;
  /** Shares; null while not known. */
  readonly cpuUsage: number | null;
  readonly memoryUsage: number;
  readonly disks: readonly DiskFacts[];
  /** What other programs have reported. */
  readonly measures: AlertSamples;
}

interface AlertSamplerOptions {
  readonly captureQueueBytes: number;
  readonly applyQueueBytes: number;
  /** The source whose changes a topic holds, and whether its heartbeats come with them. */
  readonly topicOf: (topic: string) => { readonly source: string; readonly hasHeartbeats: boolean };
  /** There is something to apply without any topic of Debezium. */
  readonly hasOwnSources: boolean;
}

interface Stop {
  readonly code: string;
  readonly sinceMs: number;
}

/** A thread tells four times a second; what is older was told before something held it up. */
const LATE_MS = 2_000;

/** No session can be had or kept, or none any more with the user that we have. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'ROWFERRY_SOURCE_LINK',
  'ROWFERRY_SOURCE_ACCESS',
  'ROWFERRY_TARGET_LINK',
  'ROWFERRY_TARGET_ACCESS',
  'ROWFERRY_KAFKA_LINK',
  'ROWFERRY_KAFKA_REFUSED',
]);

type Put = (name: string, labels: AlertSample['labels'], value: number | null) => void;

export class AlertSampler {
  readonly #options: AlertSamplerOptions;
  readonly #copies = new CopyWatch();
  readonly #waits = new WaitWatch();
  readonly #writes = new WriteWatch();
  #unknownSince = new Map<string, number>();
  /** Partitions that stopped on an error and have applied nothing since. */
  #stopped = new Map<string, Stop>();
  /** When something of a source last arrived, or when this process first had one of its partitions. */
  #arrived = new Map<string, number>();

  constructor(options: AlertSamplerOptions) {
    this.#options = options;
  }

  /** To be called about twice a second. */
  sample(facts: AlertFacts, nowMs: number): AlertSamples {
    const samples = new Map<string, AlertSample[]>();
    const put: Put = (name, labels, value) => {
      const known = samples.get(name);
      if (known === undefined) samples.set(name, [{ labels, value }]);
      else known.push({ labels, value });
    };
    this.#waits.begin();
    const servers = new Map<string, OutageStatus[]>([['kafka', []]]);
    for (const { name, status, reportedMs, failureCode } of facts.roles) {
      put('role_stopped', roleLabels(name), failureCode === undefined ? 0 : 1);
      const lateMs = nowMs - reportedMs > LATE_MS ? nowMs - reportedMs : 0;
      put(
        'event_loop_delay_seconds',
        { thread: name },
        seconds(Math.max(status?.thread.loopDelayMs ?? 0, lateMs)),
      );
      if (status?.role === 'capture') this.#capture(status, put, nowMs);
      if (status?.role === 'apply') this.#apply(status, put, nowMs);
      for (const server of status === undefined ? [] : serversOf(status))
        servers.set(server, servers.get(server) ?? []);
      for (const outage of status?.outages ?? [])
        if (outage.server !== null && UNREACHABLE.has(outage.errorCode) && !isOfHeartbeatRow(outage))
          servers.set(outage.server, [...(servers.get(outage.server) ?? []), outage]);
    }
    for (const [server, outages] of servers) {
      const [kind, target = ''] = server.split(' ', 2);
      put('reconnect_failures', { server }, Math.max(0, ...outages.map(({ tries }) => tries)));
      if (kind !== 'target') continue;
      const sinceMs = Math.min(nowMs, ...outages.map((outage) => outage.sinceMs));
      put('target_unreachable_seconds', { target }, seconds(nowMs - sinceMs));
    }
    put('event_loop_delay_seconds', { thread: 'main' }, seconds(facts.mainDelayMs));
    put('cpu_usage', {}, facts.cpuUsage);
    put('memory_usage', {}, facts.memoryUsage);
    for (const { name, free } of facts.disks) put('disk_space', { disk: name }, free);
    return new Map([...samples, ...facts.measures]);
  }

  #capture({ capture }: CaptureRoleStatus, put: Put, nowMs: number): void {
    const { source, state, savedMs, queueBytes, held, copies, binlogHeadroomMs } = capture;
    const part = `capture ${source}`;
    const works = state !== 'standby' && state !== 'paused';
    this.#waits.look(part, progressOf(state), nowMs);
    put('waiting_seconds', { part }, seconds(this.#waits.waitedMs(part, nowMs)));
    put('capture_stopped', { source }, state === 'stopped' ? 1 : 0);
    put(
      'checkpoint_age_seconds',
      { source },
      works && savedMs !== null ? seconds(age(savedMs, nowMs)) : null,
    );
    put('binlog_headroom_seconds', { source }, binlogHeadroomMs === null ? null : seconds(binlogHeadroomMs));
    put('binlog_headroom_bytes', { source }, capture.binlogHeadroomBytes);
    put('binlog_behind_bytes', { source }, capture.binlogBehindBytes);
    put('queue_fill', { queue: part }, queueBytes / this.#options.captureQueueBytes);
    if (state === 'standby') return;
    for (const { table } of held) put('held_tables', { source, table }, 1);
    for (const { table, state } of copies)
      if (state === 'failed') put('snapshot_failed', { source, table }, 1);
    const { rowsPerSecond, stalledMs } = this.#copies.look(capture, nowMs);
    // Not known while copies rest; once all is copied there is none, and what fires because it was slow is over.
    if (copies.some(({ state }) => state === 'copying' || state === 'waiting'))
      put('progress_speed', { source }, rowsPerSecond);
    for (const [table, ms] of stalledMs) put('snapshot_stalled_seconds', { source, table }, seconds(ms));
  }

  #apply(role: ApplyRoleStatus, put: Put, nowMs: number): void {
    const { partitions, targets, outages, missingTables, counts, pause } = role;
    const away = outages.map(({ sinceMs }) => age(sinceMs, nowMs));
    const waits = [...away, ...this.#partitions(partitions, put, nowMs)];
    // Before it has joined its group it waits for Kafka or a target; without a topic of Debezium it just waits.
    const begins = counts.rebalances === 0 && pause === null && this.#options.hasOwnSources;
    this.#waits.look('apply', begins ? 'waits' : 'goes-on', nowMs);
    put(
      'waiting_seconds',
      { part: 'apply' },
      seconds(Math.max(this.#waits.waitedMs('apply', nowMs), ...waits)),
    );
    put(
      'queue_fill',
      { queue: 'apply' },
      sum(partitions, ({ queueBytes }) => queueBytes) / this.#options.applyQueueBytes,
    );
    for (const { target, parkedTables } of targets) {
      for (const { table, reason, rows, oldestMs } of parkedTables) {
        put('parked_rows', { target, table, reason }, rows);
        put('oldest_parked_seconds', { target, table, reason }, seconds(age(oldestMs, nowMs)));
      }
    }
    const { rates, seconds: writes } = this.#writes.look(counts, nowMs);
    for (const { target, table, rowsPerSecond } of rates) put('write_rate', { target, table }, rowsPerSecond);
    for (const [target, time] of writes) put('write_seconds', { target }, time);
    for (const { target, table, count } of missingTables)
      put('missing_future_tables', { target, table }, count);
  }

  /** Answers how long each partition has waited. */
  #partitions(partitions: readonly PartitionStatus[], put: Put, nowMs: number): number[] {
    const unknownSince = new Map<string, number>();
    const arrived = new Map<string, number>();
    const stopped = new Map<string, Stop>();
    /** By source and topic: how many partitions stopped on each code. */
    const stops = new Map<string, Map<string, number>>();
    const waits = partitions.map((partition) => {
      const { topic, state, lagMs } = partition;
      const { source, hasHeartbeats } = this.#options.topicOf(topic);
      const labels = { source, topic, partition: String(partition.partition) };
      const part = `${topic}/${partition.partition}`;
      // Where no heartbeats come, an idle partition cannot tell how late it is and is not waited for.
      const isIdle =
        !hasHeartbeats && state === 'running' && !partition.writing && partition.queueBytes === 0;
      if (lagMs !== null || !isIdle) put('lag_seconds', labels, lagMs === null ? null : seconds(lagMs));
      if (hasHeartbeats) {
        // A pause keeps heartbeats away on purpose: whoever begins paused may never have seen one.
        const since = lagMs === null && state !== 'paused' ? (this.#unknownSince.get(part) ?? nowMs) : null;
        if (since !== null) unknownSince.set(part, since);
        put('lag_unknown_seconds', labels, since === null ? 0 : seconds(age(since, nowMs)));
      }
      const lastMs = isIdle
        ? nowMs
        : Math.max(partition.progressedMs ?? 0, this.#arrived.get(source) ?? nowMs);
      arrived.set(source, Math.max(arrived.get(source) ?? 0, lastMs));
      const stop = this.#stopOf(part, partition);
      if (stop !== null) stopped.set(part, stop);
      const counts = stops.get(topic) ?? new Map<string, number>();
      if (stop !== null) counts.set(stop.code, (counts.get(stop.code) ?? 0) + 1);
      stops.set(topic, counts);
      // Who waits for other partitions has no error: they have their own.
      const progress = state === 'waiting' && partition.errorCode === null ? 'goes-on' : progressOf(state);
      this.#waits.look(part, progress, nowMs);
      return this.#waits.waitedMs(part, nowMs);
    });
    this.#stopped = stopped;
    for (const [topic, counts] of stops) {
      const labels = { source: this.#options.topicOf(topic).source, topic };
      if (counts.size === 0) put('partition_stopped', { ...labels, code: '' }, 0);
      for (const [code, count] of counts) put('partition_stopped', { ...labels, code }, count);
    }
    this.#unknownSince = unknownSince;
    this.#arrived = arrived;
    for (const [source, lastMs] of arrived) put('no_progress_for', { source }, seconds(age(lastMs, nowMs)));
    return waits;
  }

  /** A try that has not failed yet does not mean that the cause is gone: what it applies does. */
  #stopOf(part: string, { state, errorCode, sinceMs, progressedMs }: PartitionStatus): Stop | null {
    if (state === 'stopped') return { code: errorCode ?? '', sinceMs };
    const before = this.#stopped.get(part);
    return before === undefined || (progressedMs ?? 0) > before.sinceMs ? null : before;
  }
}

/** Servers that a role speaks to, Kafka apart. */
function serversOf(status: RoleStatus): string[] {
  if (status.role === 'capture') return [`source ${status.capture.source}`];
  return status.targets.map(({ target }) => `target ${target}`);
}

/** The row may be written at another server than the source, and the source be read all the same; what tells of it is lag. */
function isOfHeartbeatRow({ part }: OutageStatus): boolean {
  return part.startsWith('heartbeat row ');
}

/** Roles are named for what they do: `apply`, or `capture` and a source. */
function roleLabels(name: string): { readonly role: string; readonly source: string } {
  const [role = '', ...source] = name.split(' ');
  return { role, source: source.join(' ') };
}

/** `tries` tells neither: it may come of a failed try, and does not mean that the next one works. */
function progressOf(state: CaptureStatus['state'] | PartitionStatus['state']): 'waits' | 'tries' | 'goes-on' {
  if (state === 'waiting' || state === 'holding') return 'waits';
  return state === 'starting' || state === 'claiming' || state === 'stopped' ? 'tries' : 'goes-on';
}

function age(sinceMs: number, nowMs: number): number {
  return Math.max(0, nowMs - sinceMs);
}

function seconds(ms: number): number {
  return ms / 1000;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
