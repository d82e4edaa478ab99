/**
 * A condition over the samples of one moment. Answers are true, false or not known (null), as in SQL: what is not known is
 * neither a reason to fire nor to say that all is well again.
 */
import type { Condition, LabelMatcher, Operator } from './condition.ts';
import { labelsOf } from './condition.ts';
import type { AlertMetric, AlertSamples } from './metrics.ts';

export interface Answer {
  readonly labels: Readonly<Record<string, string>>;
  readonly truth: boolean | null;
  /** What was measured, and of which metric: the first comparison of the side that carries the labels. */
  readonly value: number | null;
  readonly metric: AlertMetric;
}

/** One answer for each set of labels, by `labelKey`. */
type Answers = ReadonlyMap<string, Answer>;

export function evaluate(condition: Condition, samples: AlertSamples): Answers {
  if (condition.kind === 'compare') return compare(condition, samples);
  const left = evaluate(condition.left, samples);
  const right = evaluate(condition.right, samples);
  if (condition.kind === 'or') return either(left, right);
  const names = [labelsOf(condition.left), labelsOf(condition.right)] as const;
  return names[1].length > names[0].length ? both(right, left, names[0]) : both(left, right, names[1]);
}

/** The same text for the same values of these labels; a label that is not there is empty. */
export function labelKey(labels: Readonly<Record<string, string>>, names: readonly string[]): string {
  return JSON.stringify(names.toSorted().map((name) => labels[name] ?? ''));
}

function compare(condition: Extract<Condition, { kind: 'compare' }>, samples: AlertSamples): Answers {
  const { metric, matchers, operator, limit } = condition;
  const answers = new Map<string, Answer>();
  for (const sample of samples.get(metric.name) ?? []) {
    if (!matchers.every((matcher) => fits(matcher, sample.labels))) continue;
    const labels = Object.fromEntries(metric.labels.map((name) => [name, sample.labels[name] ?? '']));
    const value = sample.value === null || Number.isNaN(sample.value) ? null : sample.value;
    const truth = value === null ? null : holds(value, operator, limit);
    answers.set(labelKey(labels, metric.labels), { labels, truth, value, metric });
  }
  return answers;
}

function fits({ label, isEqual, value }: LabelMatcher, labels: Readonly<Record<string, string>>): boolean {
  return ((labels[label] ?? '') === value) === isEqual;
}

function holds(value: number, operator: Operator, limit: number): boolean {
  switch (operator) {
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '==':
      return value === limit;
    case '!=':
      return value !== limit;
  }
}

function both(large: Answers, small: Answers, names: readonly string[]): Answers {
  const met = new Map<string, Answer>();
  for (const [key, answer] of large) {
    const other = small.get(labelKey(answer.labels, names));
    met.set(key, { ...answer, truth: conjunction(answer.truth, other === undefined ? false : other.truth) });
  }
  return met;
}

function either(left: Answers, right: Answers): Answers {
  const met = new Map(left);
  for (const [key, answer] of right) {
    const first = met.get(key);
    if (first === undefined) met.set(key, answer);
    else if (first.truth !== true) {
      const truth = answer.truth === true ? true : first.truth === null ? null : answer.truth;
      met.set(key, { ...(answer.truth === true ? answer : first), truth });
    }
  }
  return met;
}

function conjunction(a: boolean | null, b: boolean | null): boolean | null {
  if (a === false || b === false) return false;
  return a === null || b === null ? null : true;
}
