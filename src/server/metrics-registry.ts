/**
 * The one Prometheus registry of a process, in its main thread. Threads count in plain numbers; they are put in here when
 * somebody scrapes, so that counting costs the rows nothing.
 */
import { Gauge, Registry } from 'prom-client';
import type { ReportedMetric } from '../observe/alerts/reported-metrics.ts';
import type { HistogramSample, Labels, MetricSpec, MetricsInput } from './metric-table.ts';
import { METRICS, watchedMetric } from './metric-table.ts';

export class MetricsRegistry {
  readonly #registry = new Registry();
  #input: MetricsInput | undefined;

  /** `reported`: what other programs tell of. */
  constructor(reported: readonly ReportedMetric[] = []) {
    for (const spec of [...METRICS, ...reported.map(watchedMetric)]) {
      this.#registry.registerMetric(
        new CopiedMetric(spec, () => (this.#input === undefined ? [] : valuesOf(spec, this.#input))),
      );
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of one scrape. */
  async scrape(input: MetricsInput): Promise<string> {
    this.#input = input;
    return await this.#registry.metrics();
  }
}

interface Value {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/**
 * A metric of any type that was counted elsewhere. prom-client's own write only what they counted themselves; a gauge is
 * written as whatever `get` tells.
 */
class CopiedMetric extends Gauge {
  readonly #type: MetricSpec['type'];
  readonly #values: () => Value[];

  constructor({ name, help, labels, type }: MetricSpec, values: () => Value[]) {
    super({ name, help, labelNames: [...labels], registers: [] });
    this.#type = type;
    this.#values = values;
  }

  override async get(): ReturnType<Gauge['get']> {
    const told = await super.get();
    // Declared as a number, told as a word.
    return { ...told, type: this.#type as unknown as typeof told.type, values: this.#values() };
  }
}

function valuesOf(spec: MetricSpec, input: MetricsInput): Value[] {
  if (spec.type === 'histogram')
    return spec.samples(input).flatMap((sample) => histogramValues(spec.name, sample));
  return spec.samples(input).map(({ labels, value }) => ({ labels: { ...labels }, value }));
}

/** Buckets hold all that is not larger, so each has those before it as well. */
function histogramValues(
  name: string,
  { labels, counts: { bounds, counts, sum, count } }: HistogramSample,
): Value[] {
  const named = (suffix: string, value: number, more: Labels = {}): Value => ({
    metricName: `${name}_${suffix}`,
    labels: { ...labels, ...more },
    value,
  });
  let below = 0;
  const buckets = counts.map((inBucket, i) =>
    named('bucket', (below += inBucket), { le: bounds[i] ?? '+Inf' }),
  );
  return [...buckets, named('sum', sum), named('count', count)];
}
