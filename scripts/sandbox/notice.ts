/** Tells the person who waits what takes long; standard output stays free for results. */
export function notice(text: string): void {
  process.stderr.write(`sandbox: ${text}\n`);
}
