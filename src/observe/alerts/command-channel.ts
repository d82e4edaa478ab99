/** Runs a program that gets the alerts as JSON on standard input. No shell; nothing of rowferry's environment but the path. */
import { spawn } from 'node:child_process';
import type { CommandChannelSettings } from '../../config/config.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { ChannelError, codeOf } from './channel.ts';
import type { Channel } from './channel.ts';
import { deliveryJson } from './delivery.ts';
import type { Delivery } from './delivery.ts';

/** Variables that the program gets: passwords of the databases are often among the others. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ'];

export class CommandChannel implements Channel {
  readonly #settings: CommandChannelSettings;

  constructor(settings: CommandChannelSettings) {
    this.#settings = settings;
  }

  async send(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const { command, timeoutMs } = this.#settings;
    const end = await withDeadline(
      signal,
      timeoutMs,
      async (bounded) => await run(command, deliveryJson(delivery), bounded),
    );
    if (end === 'ok') return;
    throw new ChannelError(end);
  }
}

/** `ok`, or how it ended instead. The program and its children are gone when this resolves after an abort. */
async function run(command: readonly string[], input: string, signal: AbortSignal): Promise<string> {
  if (signal.aborted) return 'was not started';
  const [program = '', ...args] = command;
  return await new Promise((resolve) => {
    // A process group of its own, so that what the program started ends with it.
    const child = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: Object.fromEntries(
        PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
      ),
    });
    const kill = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended in this very moment; its exit tells the rest.
      }
    };
    signal.addEventListener('abort', kill, { once: true });
    const end = (how: string): void => {
      signal.removeEventListener('abort', kill);
      resolve(how);
    };
    child.once('error', (error) => end(`cannot be started (${codeOf(error)})`));
    child.once('exit', (code, name) => {
      if (signal.aborted) end('did not end in time and was killed');
      else if (code === 0) end('ok');
      else end(code === null ? `was ended by ${name}` : `ended with code ${code}`);
    });
    // A program need not read what it gets.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
