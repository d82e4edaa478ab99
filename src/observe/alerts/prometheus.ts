/**
 * The same rules for Prometheus: a rule file whose alerts fire and clear as rowferry's own do, but for values that are not known:
 * those are no series there, so that its alerts clear after `keep_firing_for` where rowferry's go on. Pure.
 */
import { stringify } from 'yaml';
import type { Condition } from './condition.ts';
import { labelsOf, metricsOf } from './condition.ts';
import { runbookOf } from './default-rules.ts';
import { seriesOf } from './metrics.ts';
import type { Dimension } from './quantity.ts';
import { formatDuration } from './quantity.ts';
import { PLACEHOLDER } from './rule.ts';
import type { AlertRule } from './rule.ts';

/** YAML text of a Prometheus rule file, one group a group. Names are in capitals, as Prometheus’ users write them. */
export function prometheusRules(rules: readonly AlertRule[]): string {
  const groups = [...new Set(rules.map(({ group }) => group))];
  const file = {
    groups: groups.map((group) => ({
      name: `rowferry_${group}`,
      rules: rules.filter((rule) => rule.group === group).map(ruleTree),
    })),
  };
  return stringify(file, { lineWidth: 0, singleQuote: true });
}

/** `RowferryLagHigh` for `lag_high`. */
function prometheusAlert(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return `Rowferry${words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`).join('')}`;
}

/**
 * The condition as PromQL. Where one side of `and` carries more labels it stands on the left, since the left one's labels and
 * value remain, and the others are ignored in the match.
 */
export function promql(condition: Condition): string {
  if (condition.kind === 'compare') {
    const { metric, matchers, operator, limit } = condition;
    const { name, labels } = seriesOf(metric);
    const inside = [
      ...Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`),
      ...matchers.map(
        ({ label, isEqual, value }) => `${label}${isEqual ? '=' : '!='}${JSON.stringify(value)}`,
      ),
    ];
    const selector = inside.length === 0 ? '' : `{${inside.join(', ')}}`;
    return `${name}${selector} ${operator} ${limit}`;
  }
  const names = [labelsOf(condition.left), labelsOf(condition.right)] as const;
  const isSwapped = condition.kind === 'and' && names[1].length > names[0].length;
  const [left, right] = isSwapped ? [condition.right, condition.left] : [condition.left, condition.right];
  const more = [
    ...labelsOf(left).filter((name) => !labelsOf(right).includes(name)),
    // They tell series apart and are none of the answers' labels.
    ...new Set(metricsOf(condition).flatMap((metric) => Object.keys(seriesOf(metric).labels))),
  ];
  const match = more.length === 0 ? '' : ` ignoring (${[...new Set(more)].join(', ')})`;
  return `${within(left)} ${condition.kind}${match} ${within(right)}`;
}

function within(condition: Condition): string {
  return condition.kind === 'compare' ? promql(condition) : `(${promql(condition)})`;
}

function ruleTree(rule: AlertRule): object {
  const runbook = runbookOf(rule.name);
  return {
    alert: prometheusAlert(rule.name),
    expr: promql(rule.condition),
    ...(rule.forMs === 0 ? {} : { for: duration(rule.forMs) }),
    ...(rule.keepFiringMs === 0 ? {} : { keep_firing_for: duration(rule.keepFiringMs) }),
    labels: { severity: rule.level, rule: rule.name },
    annotations: { summary: summaryOf(rule), ...(runbook === null ? {} : { runbook }) },
  };
}

function duration(ms: number): string {
  return formatDuration(ms).replace(/ (min|\w+)$/, (_, unit: string) => (unit === 'min' ? 'm' : unit));
}

const FILTERS: Readonly<Record<Dimension, string>> = {
  duration: '{{ $value | humanizeDuration }}',
  share: '{{ $value | humanizePercentage }}',
  count: '{{ $value }}',
  bytes: '{{ $value | humanize1024 }}B',
  rate: '{{ $value | humanize }}/s',
};

function summaryOf({ message, condition }: AlertRule): string {
  const dimensions = new Set(metricsOf(condition).map(({ dimension }) => dimension));
  const [only = 'count'] = dimensions.size === 1 ? dimensions : [];
  // Braces of the message itself must not begin a template.
  const safe = message.replaceAll('{{', '{ {');
  return safe.replaceAll(PLACEHOLDER, (_, name: string) =>
    name === 'value' ? FILTERS[only] : `{{ $labels.${name} }}`,
  );
}
