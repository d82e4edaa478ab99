/**
 * Lags as roles told them, made good for the moment at which they are read. Pure but for what it remembers.
 *
 * A thread reports four times a second, and a report is read up to a second later. That a change was at hand then does not mean
 * that it still is: under load another one is at hand in each report, and letting the first grow older would tell the age of
 * the report. So a lag is told as it was reported, and rises until now only where it is known to stand still:
 *
 * - two reports one after the other tell of the same oldest commit, or
 * - the thread itself is overdue, and nothing can be newer than its last report.
 */
import type { Lag } from '../model/lag.ts';
import { risingLag, steadyLag } from '../model/lag.ts';
import type { RoleStatus, RoleView } from './role-messages.ts';

/** A thread that has told nothing for longer is held up. */
const OVERDUE_MS = 1_000;

interface Seen {
  readonly sinceMs: number;
  readonly reportedMs: number;
  readonly standsStill: boolean;
}

export class ToldLags {
  #seen: ReadonlyMap<string, Seen> = new Map();

  /** To be called about twice a second. In its answer a lag that has a `lagSinceMs` rises until the next call. */
  at(roles: readonly RoleView[], nowMs: number): RoleView[] {
    const before = this.#seen;
    const seen = new Map<string, Seen>();
    const views = roles.map((view) => {
      if (view.status === undefined) return view;
      const { name, reportedMs } = view;
      const told = <T extends Lag>(part: string, lag: T): T => {
        const key = `${name}/${part}`;
        const now = look(lag, before.get(key), reportedMs);
        if (now !== undefined) seen.set(key, now);
        return { ...lag, ...toldAt(lag, reportedMs, now?.standsStill === true, nowMs) };
      };
      return { name, reportedMs, failureCode: view.failureCode, status: withLags(view.status, told) };
    });
    this.#seen = seen;
    return views;
  }
}

function look({ lagSinceMs }: Lag, before: Seen | undefined, reportedMs: number): Seen | undefined {
  if (lagSinceMs === null) return undefined;
  if (before?.sinceMs !== lagSinceMs) return { sinceMs: lagSinceMs, reportedMs, standsStill: false };
  return { ...before, standsStill: before.standsStill || reportedMs > before.reportedMs };
}

function toldAt({ lagMs, lagSinceMs }: Lag, reportedMs: number, standsStill: boolean, nowMs: number): Lag {
  if (lagMs === null) return { lagMs, lagSinceMs: null };
  if (nowMs - reportedMs > OVERDUE_MS) return risingLag(reportedMs - lagMs, nowMs);
  return standsStill && lagSinceMs !== null ? risingLag(lagSinceMs, nowMs) : steadyLag(lagMs);
}

function withLags(status: RoleStatus, told: <T extends Lag>(part: string, lag: T) => T): RoleStatus {
  if (status.role === 'capture') return { ...status, capture: told('capture', status.capture) };
  const { partitions, targets } = status;
  return {
    ...status,
    partitions: partitions.map((each) => told(`${each.topic}/${each.partition}`, each)),
    targets: targets.map((each) => told(`target ${each.target}`, each)),
  };
}
