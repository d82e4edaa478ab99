/** Short hands for tests of alerts. */
import { parseCondition } from '../../../../src/observe/alerts/condition.ts';
import type { Condition } from '../../../../src/observe/alerts/condition.ts';
import type { AlertSamples } from '../../../../src/observe/alerts/metrics.ts';
import type { AlertRule } from '../../../../src/observe/alerts/rule.ts';

export function condition(text: string): Condition {
  const read = parseCondition(text);
  if ('wrong' in read) throw new Error(`${text}: ${read.wrong}`);
  return read.value;
}

export function rule(text: string, more: Partial<AlertRule> = {}): AlertRule {
  return {
    name: 'rule',
    group: 'tests',
    condition: condition(text),
    text,
    forMs: 0,
    keepFiringMs: 0,
    level: 'error',
    message: '{value}',
    channels: null,
    ...more,
  };
}

type Values = readonly (readonly [Readonly<Record<string, string>>, number | null])[];

export function samples(values: Readonly<Record<string, Values>>): AlertSamples {
  return new Map(
    Object.entries(values).map(([name, list]) => [name, list.map(([labels, value]) => ({ labels, value }))]),
  );
}
