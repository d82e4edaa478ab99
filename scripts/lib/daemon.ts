/** The built daemon as a child process, as an operator would run it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DaemonView } from './daemon-status.ts';
import { readDaemonStatus } from './daemon-status.ts';
import { waitUntil } from './wait-until.ts';

export const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface DaemonOptions {
  readonly configFile: string;
  /** `name` and `runDir` of the configuration: where the status files are. */
  readonly name: string;
  readonly runDir: string;
  readonly role?: 'capture' | 'apply';
  /** Where its output goes; appended to, so that a restart keeps what the last one said. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Options for Node itself, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
}

export interface DaemonExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Daemon {
  readonly logFile: string;
  /** Resolves when the process has ended, in whatever way. */
  readonly exited: Promise<DaemonExit>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #role: 'capture' | 'apply' | undefined;
  #exit: DaemonExit | undefined;

  readonly runDir: string;

  private constructor(child: ChildProcess, { name, runDir, role, logFile }: DaemonOptions) {
    this.runDir = runDir;
    this.#child = child;
    this.logFile = logFile;
    this.#role = role;
    this.#name = name;
    // Nobody may outlive the run that started it.
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        process.off('exit', endWithUs);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
    // It may end, or fail to start, long before anybody asks.
    this.exited.catch(() => undefined);
  }

  /** Starts it and returns at once; `untilRunning` waits. */
  static start(options: DaemonOptions): Daemon {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing; build it with: npm run build`);
    mkdirSync(dirname(options.logFile), { recursive: true });
    const log = openSync(options.logFile, 'a');
    const role = options.role === undefined ? [] : ['--role', options.role];
    const child = spawn(
      process.execPath,
      [...(options.nodeOptions ?? []), PROGRAM, 'run', '--config', options.configFile, ...role],
      { stdio: ['ignore', log, log], env: { ...process.env, ...options.env } },
    );
    closeSync(log);
    return new Daemon(child, options);
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the daemon did not start');
    return pid;
  }

  /** How it ended; undefined while it runs. */
  get exit(): DaemonExit | undefined {
    return this.#exit;
  }

  /** The status that this very process wrote last. */
  get status(): DaemonView | undefined {
    return readDaemonStatus(this.runDir, this.#name, this.pid);
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Waits until it applies the partitions that it was given and, where it captures, reads the source or stands by. */
  async untilRunning(timeoutMs = 30_000): Promise<DaemonView> {
    const role = this.#role;
    return await this.untilStatus(
      'the daemon to run',
      ({ captures, partitions }) =>
        (role === 'apply' || captures.length > 0) &&
        (role === 'capture' || partitions.length > 0) &&
        captures.every(({ state }) => state === 'reading' || state === 'standby') &&
        partitions.every(({ state }) => state === 'running'),
      timeoutMs,
    );
  }

  /** Waits for a status that `accepts` likes; rejects with the end of the log when it exits before. */
  async untilStatus(
    what: string,
    accepts: (status: DaemonView) => boolean,
    timeoutMs = 30_000,
  ): Promise<DaemonView> {
    return await waitUntil(
      () => {
        if (this.#exit !== undefined) throw new Error(`the daemon ended (${this.describeExit()})`);
        const { status } = this;
        return status !== undefined && accepts(status) ? status : undefined;
      },
      {
        what,
        timeoutMs,
        onError: 'fail',
        details: () => `its status: ${JSON.stringify(this.status)}\n${this.logTail()}`,
      },
    );
  }

  /** SIGKILL: no chance to finish anything. */
  async kill(): Promise<DaemonExit> {
    this.#child.kill('SIGKILL');
    return await this.exited;
  }

  /** SIGTERM, and SIGKILL when that takes too long. */
  async stop(timeoutMs = 30_000): Promise<DaemonExit> {
    if (this.#exit !== undefined) return this.#exit;
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** Freezes it, as a virtual machine does that is moved. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  describeExit(): string {
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    return signal ?? `exit code ${code}`;
  }

  logTail(lines = 15): string {
    return `the end of ${this.logFile}:\n${this.log.trimEnd().split('\n').slice(-lines).join('\n')}`;
  }
}
