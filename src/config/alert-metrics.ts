/** The metrics of `alerts.metrics`, which other programs report: their declaration read, and what one option alone cannot show. */
import { z } from 'zod';
import type { MetricCatalog } from '../observe/alerts/metrics.ts';
import {
  catalogOf,
  labelMistake,
  MOST_REPORTED_METRICS,
  nameMistake,
} from '../observe/alerts/reported-metrics.ts';
import type { ReportedMetric } from '../observe/alerts/reported-metrics.ts';
import { alertOptions, metricOptions } from './alert-options.ts';
import type { MetricOptions } from './alert-options.ts';
import type { Problem } from './locate.ts';

const PATH = ['alerts', 'metrics'] as const;

export function reportedMetrics(options: Readonly<Record<string, MetricOptions>>): ReportedMetric[] {
  return Object.entries(options).map(([name, { unit: dimension, labels = [], meaning, staleMs }]) => ({
    name,
    dimension,
    labels,
    meaning,
    series: null,
    staleMs,
  }));
}

/** What rules may ask for where `raw` declares metrics; undefined when it is not good. */
export function declaredMetrics(raw: unknown): MetricCatalog | undefined {
  const parsed = alertOptions.shape.metrics.safeParse(raw ?? undefined);
  return parsed.success && checkMetrics(raw).length === 0
    ? catalogOf(reportedMetrics(parsed.data))
    : undefined;
}

/** Names that are taken or that Prometheus does not know as such; more than are looked at. */
export function checkMetrics(raw: unknown): Problem[] {
  const entries = z.record(z.string(), z.unknown()).safeParse(raw);
  if (!entries.success) return [];
  const names = Object.keys(entries.data);
  const problems = names.flatMap((name): Problem[] => {
    const wrong = nameMistake(name);
    return wrong === undefined ? [] : [{ path: [...PATH, name], at: 'key', message: wrong }];
  });
  if (names.length > MOST_REPORTED_METRICS)
    problems.push({ path: PATH, at: 'key', message: `has more than ${MOST_REPORTED_METRICS} metrics` });
  for (const [name, metric] of Object.entries(entries.data)) {
    const labels = metricOptions.shape.labels.safeParse(memberLabels(metric));
    for (const [i, label] of (labels.data ?? []).entries()) {
      const wrong = labelMistake(label, (labels.data ?? []).slice(0, i));
      if (wrong !== undefined)
        problems.push({ path: [...PATH, name, 'labels', i], at: 'value', message: wrong });
    }
  }
  return problems;
}

function memberLabels(metric: unknown): unknown {
  return typeof metric === 'object' && metric !== null && 'labels' in metric ? metric.labels : undefined;
}
