import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** What a person wants to see when the time is up. */
  readonly details?: () => string;
}

/** Polls until `probe` returns something; its errors end the waiting. Rejects when the time is up. */
export async function untilTrue<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  { timeoutMs, intervalMs = 50, details }: UntilOptions,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let found: T | undefined;
    try {
      found = await probe();
    } catch (error) {
      throw new Error(withDetails(`while waiting for ${what}: ${(error as Error).message}`, details), {
        cause: error,
      });
    }
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(withDetails(`waited ${timeoutMs} ms for ${what}`, details));
    await sleep(intervalMs);
  }
}

function withDetails(message: string, details: (() => string) | undefined): string {
  return details === undefined ? message : `${message}\n${details()}`;
}
