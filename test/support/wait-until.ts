import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, as the end of "timed out waiting for …". */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Polls `probe` until it returns something truthy and resolves with that. An error of the probe counts as "not yet". When
 * the time is up it rejects, naming what was waited for and the last value or error; a probe that hangs cannot prevent that.
 */
export async function waitUntil<T>(
  probe: () => T | Promise<T>,
  { what, timeoutMs = 10_000, intervalMs = 50 }: WaitOptions,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let last: { value: unknown } | { error: unknown } | undefined;
  for (;;) {
    const answer = await attempt(probe, deadline);
    if (answer !== undefined) last = answer;
    if (answer !== undefined && 'value' in answer && answer.value) return answer.value;
    if (Date.now() >= deadline) {
      const cause = last !== undefined && 'error' in last ? { cause: last.error } : undefined;
      throw new Error(`timed out after ${timeoutMs} ms waiting for ${what}; ${describe(last)}`, cause);
    }
    await sleep(Math.min(intervalMs, Math.max(0, deadline - Date.now())));
  }
}

/** The probe's value or error; undefined when the deadline came first. */
async function attempt<T>(
  probe: () => T | Promise<T>,
  deadline: number,
): Promise<{ value: T } | { error: unknown } | undefined> {
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

function describe(last: { value: unknown } | { error: unknown } | undefined): string {
  if (last === undefined) return 'the probe never answered';
  if ('error' in last)
    return `last error: ${last.error instanceof Error ? last.error.message : String(last.error)}`;
  const text = JSON.stringify(last.value, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  return `last value: ${text ?? String(last.value)}`;
}
