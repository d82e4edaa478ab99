/** The daemon's live status as a file that `rowferry status`, scripts and people read; replaced as a whole twice a second. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PartitionStatus } from '../apply/partition-progress.ts';
import type { CaptureStatus } from '../capture/capture-progress.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../model/log.ts';
import type { RoleStatus } from './role-thread.ts';

export interface DaemonStatus {
  readonly pid: number;
  readonly role: string;
  readonly startedMs: number;
  readonly timeMs: number;
  /** Row changes applied in a second, over the last few seconds. */
  readonly rowsPerSecond: number;
  /** Row changes applied since the daemon started. */
  readonly rows: number;
  /** The largest lag of any partition, milliseconds; null while nothing is known. */
  readonly lagMs: number | null;
  readonly captures: readonly CaptureStatus[];
  readonly partitions: readonly PartitionStatus[];
}

const WINDOW_MS = 5_000;

export function statusPath(config: Config, role: string): string {
  return join(config.runDir, `${config.name}${role === 'all' ? '' : `.${role}`}.status.json`);
}

export class StatusFile {
  readonly #path: string;
  readonly #role: string;
  readonly #startedMs = Date.now();
  #samples: { readonly timeMs: number; readonly rows: number }[] = [];
  #failed = false;

  constructor(config: Config, role: string) {
    this.#role = role;
    this.#path = statusPath(config, role);
    mkdirSync(config.runDir, { recursive: true });
  }

  write(roles: readonly RoleStatus[], log: Log): void {
    const status = this.#gather(roles);
    const draft = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(draft, JSON.stringify(status));
      renameSync(draft, this.#path);
      this.#failed = false;
    } catch (error) {
      // The status is for people; the rows must go on without it. Said once, until it works again.
      if (!this.#failed)
        log.warn({ path: this.#path }, `the status file cannot be written: ${(error as Error).message}`);
      this.#failed = true;
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  #gather(roles: readonly RoleStatus[]): DaemonStatus {
    const timeMs = Date.now();
    const partitions = roles.flatMap((role) => role.partitions);
    const rows = partitions.reduce((sum, partition) => sum + partition.rows, 0);
    this.#samples.push({ timeMs, rows });
    while (this.#samples.length > 2 && timeMs - this.#samples[0]!.timeMs > WINDOW_MS) this.#samples.shift();
    const [first] = this.#samples;
    const elapsedMs = timeMs - first!.timeMs;
    const lags = partitions.map(({ lagMs }) => lagMs);
    return {
      pid: process.pid,
      role: this.#role,
      startedMs: this.#startedMs,
      timeMs,
      rowsPerSecond: elapsedMs > 0 ? Math.max(0, Math.round(((rows - first!.rows) * 1000) / elapsedMs)) : 0,
      rows,
      lagMs:
        lags.length === 0 || lags.includes(null) ? null : Math.max(...lags.filter((lag) => lag !== null)),
      captures: roles.flatMap(({ capture }) => (capture === null ? [] : [capture])),
      partitions,
    };
  }
}

/** The status of a daemon that runs on this machine, or undefined when none does. */
export function readStatus(config: Config, role: string): DaemonStatus | undefined {
  let text: string;
  try {
    text = readFileSync(statusPath(config, role), 'utf8');
  } catch {
    return undefined;
  }
  const status = JSON.parse(text) as DaemonStatus;
  return Date.now() - status.timeMs < 5_000 ? status : undefined;
}
