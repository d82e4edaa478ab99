import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SandboxError } from './sandbox-error.ts';
import type { ServerIdentity } from './server-identity.ts';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A file that becomes the command's standard input. */
  readonly stdinFile?: string;
  readonly identity?: ServerIdentity | undefined;
}

/** The path of an executable on PATH, or undefined. */
export function findOnPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a command to its end and returns its standard output. Rejects with the command and the end of what it printed when
 * it cannot start or exits with anything but 0.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const stdin = options.stdinFile === undefined ? undefined : await open(options.stdinFile);
  try {
    const child = spawn(command, args, {
      stdio: [stdin?.fd ?? 'ignore', 'pipe', 'pipe'],
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.env !== undefined && { env: { ...process.env, ...options.env } }),
      ...options.identity,
    });
    let stdout = '';
    let printed = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      printed += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const outcome = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(signal ?? String(code)));
    });
    if (outcome === '0') return stdout;
    throw new Error(`exit ${outcome}\n${lastLines(printed, 15)}`);
  } catch (error) {
    throw new SandboxError(
      `"${[command, ...args].join(' ').slice(0, 300)}" failed`,
      'see the cause; run it by hand to look closer',
      error,
    );
  } finally {
    await stdin?.close();
  }
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
