import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('orphan-guard.sh', import.meta.url));

/** Kills the servers and removes their folder should this process end without doing so itself; see orphan-guard.sh. */
export class OrphanGuard {
  readonly #shell: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(folder: string) {
    this.#shell = spawn('/bin/sh', [SCRIPT, folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#ended = new Promise((resolve) => this.#shell.once('close', () => resolve()));
    this.#shell.unref();
    // The pipe must not keep a finished program alive: its closing is what the guard waits for.
    (this.#shell.stdin as Socket | null)?.unref();
    this.#shell.stdin?.on('error', () => undefined);
  }

  watch(pid: number): void {
    this.#shell.stdin?.write(`watch ${pid}\n`);
  }

  /** To be called once `pid` has ended, before its number can be reused. */
  forget(pid: number): void {
    this.#shell.stdin?.write(`forget ${pid}\n`);
  }

  /** Lets the guard do its work now; resolves when it has. */
  async close(): Promise<void> {
    this.#shell.ref();
    this.#shell.stdin?.end();
    await this.#ended;
  }
}
