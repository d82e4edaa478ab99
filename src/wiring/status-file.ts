/**
 * The daemon's live status as a file that `rowferry status`, scripts and people read; replaced as a whole twice a second. Each
 * process has a file of its own, so that any number of them may share one `runDir`.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Log } from '../model/log.ts';
import type { DaemonStatus } from './daemon-status.ts';

/** A status that is older was left behind by a process that is gone. */
const FRESH_MS = 5_000;
/** Files of other machines that share the folder are removed when they are so old. */
const FORGOTTEN_MS = 24 * 3_600_000;

export class StatusFile {
  readonly #path: string;
  #failed = false;

  constructor(config: Config, role: string) {
    this.#path = join(config.runDir, `${fileStart(config, role)}${process.pid}.status.json`);
    mkdirSync(config.runDir, { recursive: true });
    for (const { path, status } of statusFiles(config))
      if (status !== undefined && isOver(status)) forget(path);
  }

  write(status: DaemonStatus, log: Log): void {
    const draft = `${this.#path}.draft`;
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
}

/** What the daemons of this pipeline tell whose status files are in `runDir`; those that fell silent are left out. */
export function readStatuses(config: Config): DaemonStatus[] {
  return statusFiles(config)
    .flatMap(({ status }) => (status !== undefined && Date.now() - status.timeMs < FRESH_MS ? [status] : []))
    .toSorted((a, b) => a.startedMs - b.startedMs);
}

interface FoundFile {
  readonly path: string;
  /** Undefined when it cannot be read: it is another version's, or is being removed. */
  readonly status: DaemonStatus | undefined;
}

function statusFiles({ runDir, name }: Config): FoundFile[] {
  let files: string[];
  try {
    files = readdirSync(runDir);
  } catch {
    return [];
  }
  return files
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith('.status.json'))
    .map((file) => ({ path: join(runDir, file), status: readStatus(join(runDir, file)) }));
}

function readStatus(path: string): DaemonStatus | undefined {
  try {
    if (!isTrusted(path)) return undefined;
    const status = JSON.parse(readFileSync(path, 'utf8')) as Partial<DaemonStatus>;
    return status.targets === undefined || status.host === undefined ? undefined : (status as DaemonStatus);
  } catch {
    return undefined;
  }
}

function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It is somebody else's, who will see to it; nobody takes it for a running daemon.
  }
}

/** How names of files of a role's processes on this machine begin; the process id follows. */
export function fileStart({ name }: Config, role: string): string {
  return `${name}.${role}.${hostname().replaceAll(/[^A-Za-z0-9-]/g, '_')}.`;
}

/** In a folder that others may write to, a file of theirs could say anything. The superuser looks at anybody's. */
export function isTrusted(path: string): boolean {
  const me = process.getuid?.();
  return me === undefined || me === 0 || statSync(path).uid === me;
}

function isOver({ host, pid, timeMs }: DaemonStatus): boolean {
  const ageMs = Date.now() - timeMs;
  return host === hostname() ? ageMs > FRESH_MS && !isAlive(pid) : ageMs > FORGOTTEN_MS;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
