/**
 * A lag as it is reported: either the age of something, which rises until that is applied, or a delay, which stays until
 * there is news. A report is read later than it was made: whoever shows it decides whether what rose still does (told-lags.ts).
 */

export interface Lag {
  /** Milliseconds; null while it is not known. */
  readonly lagMs: number | null;
  /** Where it rises, the time since 1970 at which it was 0; null where it does not. */
  readonly lagSinceMs: number | null;
}

export const UNKNOWN_LAG: Lag = { lagMs: null, lagSinceMs: null };

export function risingLag(sinceMs: number, nowMs: number): Lag {
  return { lagMs: Math.max(0, nowMs - sinceMs), lagSinceMs: sinceMs };
}

export function steadyLag(lagMs: number): Lag {
  return { lagMs, lagSinceMs: null };
}

/** The same lag at another time. */
export function lagAt({ lagMs, lagSinceMs }: Lag, nowMs: number): Lag {
  return lagSinceMs === null ? { lagMs, lagSinceMs } : risingLag(lagSinceMs, nowMs);
}

/** The largest; not known when one is not, or when there is none. */
export function largestLag(lags: readonly Lag[]): Lag {
  let largest: Lag | undefined;
  for (const lag of lags) {
    if (lag.lagMs === null) return UNKNOWN_LAG;
    if (largest === undefined || lag.lagMs > (largest.lagMs ?? 0)) largest = lag;
  }
  return largest ?? UNKNOWN_LAG;
}
