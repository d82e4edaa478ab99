import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, as the end of "timed out waiting for …". */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** What an error of the probe means: "not yet", or that there is nothing to wait for any more. */
  readonly onError?: 'wait' | 'fail';
  /** What a person wants to see besides when it did not come. */
  readonly details?: () => string;
}

type Answer<T> = { readonly value: T } | { readonly error: unknown };

/**
 * Polls `probe` until it returns something truthy and resolves with that. When the time is up it rejects, naming what was
 * waited for and the last value or error; a probe that hangs cannot prevent that.
 */
export async function waitUntil<T>(
  probe: () => T | Promise<T>,
  { what, timeoutMs = 10_000, intervalMs = 50, onError = 'wait', details }: WaitOptions,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let last: Answer<T> | undefined;
  for (;;) {
    const answer = await attempt(probe, deadline);
    last = answer ?? last;
    if (answer !== undefined && 'value' in answer && answer.value) return answer.value;
    const isOver = onError === 'fail' && answer !== undefined && 'error' in answer;
    if (isOver || Date.now() >= deadline) {
      const how = isOver ? 'failed while' : `timed out after ${timeoutMs} ms`;
      const more = details === undefined ? '' : `\n${details()}`;
      const cause = last !== undefined && 'error' in last ? { cause: last.error } : undefined;
      throw new Error(`${how} waiting for ${what}; ${describe(last)}${more}`, cause);
    }
    await sleep(Math.min(intervalMs, Math.max(0, deadline - Date.now())));
  }
}

/** The probe's value or error; undefined when the deadline came first. */
async function attempt<T>(probe: () => T | Promise<T>, deadline: number): Promise<Answer<T> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const outOfTime = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - Date.now()), undefined);
  });
  const probing = (async () => probe())().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  try {
    return await Promise.race([probing, outOfTime]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(last: Answer<unknown> | undefined): string {
  if (last === undefined) return 'the probe never answered';
  if ('error' in last)
    return `last error: ${last.error instanceof Error ? last.error.message : String(last.error)}`;
  const text = JSON.stringify(last.value, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  return `last value: ${text ?? String(last.value)}`;
}
