/**
 * Which alerts are on: a pure state machine over (rules, samples, now).
 *
 *     (none) --true--> pending --true for `for`--> firing --false, or gone, for `keepFiring`--> resolved
 *                         \--false, or gone--> (none)
 *
 * - One alert for each rule and set of labels. `for` counts from the first look that found the condition true, and one that
 *   finds it false begins it anew; with `for` 0 the first one fires. `keepFiring` counts from the first look that found it
 *   false, and one that finds it true begins it anew: a value that swings round its limit is one alert.
 * - A value that is not known keeps an alert as it is, pending or firing: silence does not mean that all is well. A set of
 *   labels that is gone (a partition that another process took) counts as false.
 * - Somebody is told when an alert fires, again after each repeat interval, and once when it is resolved. A silence holds back the
 *   first two; what still fires when it ends is told then. An alert that nobody was told of is not told as resolved.
 */
import { evaluate } from './evaluate.ts';
import type { Answer } from './evaluate.ts';
import type { AlertSamples } from './metrics.ts';
import { renderMessage } from './rule.ts';
import type { AlertRule, Level } from './rule.ts';

export interface Alert {
  readonly rule: string;
  readonly group: string;
  readonly level: Level;
  readonly labels: Readonly<Record<string, string>>;
  readonly condition: string;
  readonly message: string;
  /** As measured at the last look; null while it is not known. */
  readonly value: number | null;
  readonly channels: readonly string[] | null;
  /** When the condition became true. */
  readonly sinceMs: number;
  /** When the alert fired; null while it is pending. */
  readonly firedMs: number | null;
  /** Since when it has fired though its condition is false; null while that is true or not known. */
  readonly clearMs: number | null;
  /** When channels were last handed a notice of it, which they deliver as soon as they can; null for never. */
  readonly toldMs: number | null;
}

export interface Notice {
  readonly kind: 'firing' | 'repeated' | 'resolved';
  readonly alert: Alert;
  readonly atMs: number;
}

/** One line of the history: alerts that fired and were resolved, also those that a silence kept quiet. */
export interface HistoryEntry {
  readonly kind: 'fired' | 'resolved';
  readonly alert: Alert;
  readonly atMs: number;
  readonly isSilenced: boolean;
}

export interface Silence {
  readonly id: number;
  /** Null for every rule. */
  readonly rule: string | null;
  /** Labels that an alert must carry; none for any. */
  readonly labels: Readonly<Record<string, string>>;
  /** First moment at which it no longer counts. */
  readonly untilMs: number;
  readonly reason: string;
}

export interface AlertBook {
  /** Pending and firing alerts by rule and labels. */
  readonly active: ReadonlyMap<string, Alert>;
  readonly silences: readonly Silence[];
  /** Newest last, bounded. */
  readonly history: readonly HistoryEntry[];
}

interface BookSettings {
  /** How often somebody is told again of an alert that goes on. */
  readonly repeatMs: number;
  /** Entries of the history that are kept. */
  readonly historySize: number;
}

export const EMPTY_BOOK: AlertBook = { active: new Map(), silences: [], history: [] };

/** One look at the samples: the book after it, what is to be told, and what fired or was resolved, told or not. */
export function look(
  before: AlertBook,
  rules: readonly AlertRule[],
  samples: AlertSamples,
  nowMs: number,
  { repeatMs, historySize }: BookSettings,
): {
  readonly book: AlertBook;
  readonly notices: readonly Notice[];
  readonly news: readonly HistoryEntry[];
} {
  const silences = before.silences.filter(({ untilMs }) => untilMs > nowMs);
  const active = new Map<string, Alert>();
  const notices: Notice[] = [];
  const news: HistoryEntry[] = [];

  const keep = (key: string, alert: Alert): void => {
    const { firedMs } = alert;
    const isSilenced = silences.some((silence) => covers(silence, alert));
    if (firedMs === null || isSilenced) {
      active.set(key, alert);
      return;
    }
    // Nobody is told of what seems to be over.
    const isDue = alert.clearMs === null && (alert.toldMs === null || nowMs - alert.toldMs >= repeatMs);
    const told = isDue ? { ...alert, toldMs: nowMs } : alert;
    if (isDue)
      notices.push({ kind: alert.toldMs === null ? 'firing' : 'repeated', alert: told, atMs: nowMs });
    active.set(key, told);
  };

  for (const rule of rules) {
    for (const [labels, answer] of evaluate(rule.condition, samples)) {
      const key = `${rule.name} ${labels}`;
      const found = before.active.get(key);
      const last = found && rebase(found, nowMs);
      if (answer.truth === true) {
        const alert = advance(rule, answer, last, nowMs);
        if (alert.firedMs !== null && (last?.firedMs ?? null) === null) {
          const isSilenced = silences.some((silence) => covers(silence, alert));
          news.push({ kind: 'fired', alert, atMs: nowMs, isSilenced });
        }
        keep(key, alert);
      } else if (last !== undefined && answer.truth === null) {
        keep(key, { ...last, value: null });
      } else if (last !== undefined && isKept(last, rule, nowMs)) {
        keep(key, { ...last, value: answer.value, clearMs: last.clearMs ?? nowMs });
      }
    }
  }
  for (const [key, found] of before.active) {
    if (active.has(key) || found.firedMs === null) continue;
    const last = rebase(found, nowMs);
    const rule = rules.find(({ name }) => name === last.rule);
    if (rule !== undefined && isKept(last, rule, nowMs)) {
      keep(key, { ...last, value: null, clearMs: last.clearMs ?? nowMs });
      continue;
    }
    const isSilenced = silences.some((silence) => covers(silence, last));
    news.push({ kind: 'resolved', alert: last, atMs: nowMs, isSilenced });
    if (last.toldMs !== null) notices.push({ kind: 'resolved', alert: last, atMs: nowMs });
  }
  return {
    book: { active, silences, history: [...before.history, ...news].slice(-historySize) },
    notices,
    news,
  };
}

function advance(rule: AlertRule, answer: Answer, last: Alert | undefined, nowMs: number): Alert {
  const sinceMs = last?.sinceMs ?? nowMs;
  const isOver = nowMs - sinceMs >= rule.forMs;
  return {
    rule: rule.name,
    group: rule.group,
    level: rule.level,
    labels: answer.labels,
    condition: rule.text,
    message: renderMessage(rule, answer),
    value: answer.value,
    channels: rule.channels,
    sinceMs,
    firedMs: last?.firedMs ?? (isOver ? nowMs : null),
    clearMs: null,
    toldMs: last?.toldMs ?? null,
  };
}

/** A clock that was set back must not make anybody wait until it has caught up. */
function rebase(alert: Alert, nowMs: number): Alert {
  const clearMs = alert.clearMs === null ? null : Math.min(alert.clearMs, nowMs);
  const toldMs = alert.toldMs === null ? null : Math.min(alert.toldMs, nowMs);
  return { ...alert, sinceMs: Math.min(alert.sinceMs, nowMs), clearMs, toldMs };
}

/** Whether an alert whose condition is false goes on firing. */
function isKept({ firedMs, clearMs }: Alert, { keepFiringMs }: AlertRule, nowMs: number): boolean {
  return firedMs !== null && nowMs - (clearMs ?? nowMs) < keepFiringMs;
}

function covers({ rule, labels }: Silence, alert: Alert): boolean {
  if (rule !== null && rule !== alert.rule) return false;
  return Object.entries(labels).every(([name, value]) => alert.labels[name] === value);
}
