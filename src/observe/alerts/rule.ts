/** A rule: when to tell somebody, how urgent it is and in which words. */
import { didYouMean } from '../../model/suggest.ts';
import type { Answer } from './evaluate.ts';
import { labelsOf } from './condition.ts';
import type { Condition, Mistake } from './condition.ts';
import { formatQuantity } from './quantity.ts';

/** From the least grave on. */
export const LEVELS = ['warning', 'error', 'critical', 'emergency'] as const;
export type Level = (typeof LEVELS)[number];

export interface AlertRule {
  /** Unique; with the labels it is the identity of an alert. */
  readonly name: string;
  readonly group: string;
  readonly condition: Condition;
  /** The condition as it was written. */
  readonly text: string;
  /** How long the condition must hold without a break. 0 fires at once. */
  readonly forMs: number;
  /** How long the condition must be false before the alert is resolved. 0 resolves at once. */
  readonly keepFiringMs: number;
  readonly level: Level;
  /** `{value}` and the labels of the condition in braces are filled in. */
  readonly message: string;
  /** Names of the channels that hear of it; null for all. */
  readonly channels: readonly string[] | null;
}

export function isAtLeast(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** A name in braces in a message. */
export const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** The first placeholder that the condition cannot fill. */
export function checkMessage(message: string, condition: Condition): Mistake | undefined {
  const known = ['value', ...labelsOf(condition)];
  for (const { 1: name = '', index } of message.matchAll(PLACEHOLDER)) {
    if (known.includes(name)) continue;
    const mend = didYouMean(name, known) || `; it can say {${known.join('}, {')}}`;
    return { wrong: `{${name}} is nothing that this condition knows${mend}`, at: index };
  }
  return undefined;
}

export function renderMessage(rule: AlertRule, { labels, value, metric }: Omit<Answer, 'truth'>): string {
  return rule.message.replaceAll(PLACEHOLDER, (_, name: string) => {
    if (name !== 'value') return labels[name] ?? '';
    return value === null ? 'unknown' : formatQuantity(value, metric.dimension);
  });
}
