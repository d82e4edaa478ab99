import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OrphanGuard } from './orphan-guard.ts';
import { untilReady } from './probe-server.ts';
import { signalOne, signalTree } from './process-tree.ts';
import { lastLines } from './run-command.ts';
import type { ServerIdentity } from './server-identity.ts';
import type { SandboxServer, ServerAddress, ServerRequest } from './server.ts';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

/** What a kind of server needs to be run as a local process; its data folder is ready. */
export interface NativeBlueprint {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly address: ServerAddress;
  readonly dataDir: string;
  /** Asks it to end in order without waiting for its clients. */
  readonly stopSignal: NodeJS.Signals;
  /** For servers that do not tell it themselves. */
  readonly version?: string;
}

/**
 * A server as a local process in a session of its own, so that a Ctrl-C meant for us does not reach it.
 *
 *     stopped --start--> running <--pause/resume--> paused;  running or paused --stop, kill, own death--> stopped
 */
export class NativeServer implements SandboxServer {
  readonly kind;
  readonly name;
  readonly provider = 'native';
  readonly url;
  readonly host;
  readonly port;
  readonly user;
  readonly password;
  readonly dataDir;
  readonly logFile;
  readonly #blueprint: NativeBlueprint;
  readonly #guard: OrphanGuard;
  readonly #identity: ServerIdentity | undefined;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #outcome = 'not started';
  #version = 'unknown';

  constructor(
    request: ServerRequest,
    blueprint: NativeBlueprint,
    guard: OrphanGuard,
    identity: ServerIdentity | undefined,
  ) {
    this.kind = request.kind;
    this.name = request.name;
    this.url = blueprint.address.url;
    this.host = blueprint.address.host;
    this.port = blueprint.address.port;
    this.user = blueprint.address.user;
    this.password = blueprint.address.password;
    this.dataDir = blueprint.dataDir;
    this.logFile = join(blueprint.dataDir, '..', 'server.log');
    this.#blueprint = blueprint;
    this.#guard = guard;
    this.#identity = identity;
  }

  get version(): string {
    return this.#version;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return this.resume();
    this.#spawn();
    const version = await untilReady(this.kind, this, {
      timeoutMs: READY_TIMEOUT_MS,
      givenUp: () => (this.#child === undefined ? `it ended (${this.#outcome})` : undefined),
      details: () => `the end of its log ${this.logFile} says why:\n${this.#logTail()}`,
    });
    this.#version = this.#blueprint.version ?? version;
  }

  #spawn(): void {
    const log = openSync(this.logFile, 'a');
    const child = spawn(this.#blueprint.command, this.#blueprint.args, {
      cwd: this.dataDir,
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...this.#blueprint.env },
      ...this.#identity,
    });
    closeSync(log);
    child.unref();
    this.#child = child;
    this.#outcome = 'running';
    const { pid } = child;
    if (pid !== undefined) this.#guard.watch(pid);
    this.#ended = new Promise((resolve) => {
      const end = (outcome: string): void => {
        this.#outcome = outcome;
        this.#child = undefined;
        if (pid !== undefined) this.#guard.forget(pid);
        resolve();
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(signal ?? `exit ${code}`));
    });
  }

  async pause(): Promise<void> {
    if (this.pid !== undefined) signalTree(this.pid, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    if (this.pid !== undefined) signalTree(this.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    await this.resume();
    signalOne(pid, this.#blueprint.stopSignal);
    const timer = setTimeout(() => void this.kill(), STOP_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    signalTree(pid, 'SIGKILL');
    // Keeps the loop alive: the child itself does not.
    const timer = setInterval(() => undefined, 1_000);
    await this.#ended;
    clearInterval(timer);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async dispose(): Promise<void> {
    await this.kill();
  }

  #logTail(): string {
    try {
      return lastLines(readFileSync(this.logFile, 'utf8'), 20);
    } catch {
      return '(no log)';
    }
  }
}
