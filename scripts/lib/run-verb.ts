/** A verb of the built program as a child process, as an operator would run it. */
import { spawn } from 'node:child_process';
import { PROGRAM } from './daemon.ts';

export interface VerbResult {
  readonly code: number | null;
  /** Lines of standard output. */
  readonly lines: readonly string[];
}

/** Rejects when it ends otherwise than with one of `codes`; the error holds what it said. */
export async function runVerb(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  codes: readonly number[] = [0],
): Promise<VerbResult> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  // Nobody may outlive the run that started it.
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  let [out, all] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    all += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    all += text;
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code === null || !codes.includes(code))
      throw new Error(`rowferry ${args.join(' ')} ended with exit code ${code}\n${all.trimEnd()}`);
    return { code, lines: out.split('\n').filter((line) => line !== '') };
  } finally {
    process.off('exit', endWithUs);
  }
}
