/** A daemon that stands still: what its threads would have told, to be shown and asked about. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ApplyCounters } from '../../../src/apply/apply-counters.ts';
import type { PartitionStatus } from '../../../src/apply/partition-progress.ts';
import type { CaptureStatus } from '../../../src/capture/capture-progress.ts';
import type { Config } from '../../../src/config/config.ts';
import type { LevelledLog } from '../../../src/observe/log.ts';
import { AlertWatch } from '../../../src/wiring/alert-watch.ts';
import type { DaemonStatus } from '../../../src/wiring/daemon-status.ts';
import { StatusGatherer } from '../../../src/wiring/daemon-status.ts';
import type { RunningDaemon } from '../../../src/wiring/daemon.ts';
import type {
  ApplyRoleStatus,
  CaptureRoleStatus,
  RoleCommand,
  RoleView,
} from '../../../src/wiring/role-messages.ts';

export const NOW = 1_800_000_000_000;
const thread = { heapBytes: 10, heapLimitBytes: 100, loopDelayMs: 1 };

export function partition(part: Partial<PartitionStatus> = {}): PartitionStatus {
  return {
    topic: 'shop.main',
    partition: 0,
    state: 'running',
    sinceMs: NOW - 1_000_000,
    progressedMs: NOW - 100,
    writing: false,
    owner: 1,
    next: 10,
    rows: 5,
    moves: 0,
    batches: 1,
    parked: 0,
    oldestParkedMs: null,
    queueBytes: 0,
    lagMs: 0,
    lagSinceMs: null,
    appliedUntilMs: NOW,
    error: null,
    errorCode: null,
    nextTryMs: null,
    ...part,
  };
}

export function capture(part: Partial<CaptureStatus> = {}): CaptureStatus {
  return {
    source: 'main',
    state: 'reading',
    sinceMs: NOW - 1_000_000,
    position: 'binlog.000001:4',
    savedMs: NOW - 1_000,
    events: 7,
    bytes: 700,
    queueBytes: 0,
    readUntilMs: NOW - 500,
    clockOffsetMs: 0,
    lagMs: 0,
    lagSinceMs: null,
    error: null,
    errorCode: null,
    nextTryMs: null,
    copies: [],
    copyWaits: null,
    copyThrottle: null,
    copyIsSpared: false,
    copyRate: null,
    held: [],
    catchesUp: false,
    binlogHeadroomMs: null,
    binlogHeadroomBytes: null,
    binlogBehindBytes: null,
    binlogOlderBytes: null,
    ...part,
  };
}

export function captureRole(
  part: Partial<CaptureStatus> = {},
  role: Partial<CaptureRoleStatus> = {},
): CaptureRoleStatus {
  return {
    role: 'capture',
    capture: capture(part),
    retries: {},
    pause: null,
    groupBreaks: 0,
    outages: [],
    thread,
    ...role,
  };
}

export function applyRole(
  partitions: readonly PartitionStatus[] = [partition()],
  role: Partial<ApplyRoleStatus> = {},
): ApplyRoleStatus {
  const counters = new ApplyCounters();
  counters.rebalanced();
  counters.retried('ROWFERRY_TARGET_LINK');
  counters.applied({ changes: 3, bytes: 300, seconds: 0.02, moves: 1 });
  return {
    role: 'apply',
    partitions,
    targets: [
      {
        target: 'a',
        appliedUntilMs: NOW,
        lagMs: 0,
        lagSinceMs: null,
        parked: { conflict: 0, data: 0 },
        parkedTables: [],
      },
    ],
    missingTables: [],
    counts: counters.current,
    pause: null,
    groupBreaks: 0,
    outages: [],
    thread,
    ...role,
  };
}

export function view(name: string, status: RoleView['status'], reportedMs = NOW): RoleView {
  return { name, status, reportedMs };
}

/** Log lines as they were written, by message. */
export interface Written {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export class StillDaemon implements RunningDaemon {
  readonly config: Config;
  readonly written: Written[] = [];
  readonly commands: RoleCommand[] = [];
  readonly log: LevelledLog;
  readonly alerts: AlertWatch;
  readonly startedMs = NOW - 60_000;
  readonly stopping = new AbortController().signal;
  roles: readonly RoleView[];
  status: DaemonStatus;
  readonly #listeners: ((now: DaemonStatus, before: DaemonStatus) => void)[] = [];
  readonly #gatherer: StatusGatherer;

  constructor(config: Config, roles: readonly RoleView[]) {
    this.config = { ...config, runDir: mkdtempSync(join(tmpdir(), 'rowferry-still-')) };
    onTestFinished(() => rmSync(this.config.runDir, { recursive: true, force: true }));
    this.roles = roles;
    const write = (fields: Written['fields'], message: string): void =>
      void this.written.push({ fields, message });
    let level: Config['log']['level'] = 'info';
    this.log = {
      debug: write,
      info: write,
      warn: write,
      error: write,
      getLevel: () => level,
      setLevel: (wanted) => void (level = wanted),
    };
    this.alerts = new AlertWatch(this.config, this.log, { role: 'all', startedMs: this.startedMs }, []);
    this.#gatherer = new StatusGatherer({ name: config.name, role: 'all', startedMs: this.startedMs });
    this.status = this.#gather();
  }

  /** The threads tell something else now. */
  become(roles: readonly RoleView[], atMs = NOW): void {
    const before = this.status;
    this.roles = roles;
    this.status = this.#gather(atMs);
    for (const listener of this.#listeners) listener(this.status, before);
  }

  command(command: RoleCommand): void {
    this.commands.push(command);
  }

  onStatus(listener: (now: DaemonStatus, before: DaemonStatus) => void): void {
    this.#listeners.push(listener);
  }

  #gather(atMs = NOW): DaemonStatus {
    const told = this.roles.flatMap(({ status }) => (status === undefined ? [] : [status]));
    this.alerts.look(this.roles, atMs);
    return this.#gatherer.gather(told, null, NOW);
  }
}
