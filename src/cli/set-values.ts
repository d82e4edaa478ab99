/** Values of metrics as they are written on the command line: `lag_seconds=61,source=main`. Pure. */
import { InvalidArgumentError } from 'commander';
import { didYouMean } from '../model/suggest.ts';
import type { AlertSample, AlertSamples, MetricCatalog } from '../observe/alerts/metrics.ts';
import { readMeasure } from '../observe/alerts/measures.ts';
import { parseQuantity } from '../observe/alerts/quantity.ts';

/** Samples of values, each of a metric with any of its labels; those that are left out stand for themselves, as `<label>`. */
export function samplesOf(
  texts: readonly string[],
  metrics: MetricCatalog,
): { readonly value: AlertSamples } | { readonly wrong: string } {
  const samples = new Map<string, AlertSample[]>();
  for (const text of texts) {
    const read = readSample(text, metrics);
    if ('wrong' in read) return read;
    samples.set(read.name, [...(samples.get(read.name) ?? []), read.sample]);
  }
  return { value: samples };
}

/** A bare number is in the metric's own unit (seconds, parts of one, pieces a second). */
function readSample(
  text: string,
  metrics: MetricCatalog,
): { readonly name: string; readonly sample: AlertSample } | { readonly wrong: string } {
  const pairs = text.split(',').map(readPair);
  const noPair = pairs.findIndex((pair) => pair === undefined);
  if (noPair >= 0) return { wrong: `${text.split(',')[noPair]} has no =` };
  const [[name, written] = ['', ''], ...rest] = pairs.filter((pair) => pair !== undefined);
  const metric = metrics.get(name);
  if (metric === undefined) return { wrong: `${name} is no metric${didYouMean(name, [...metrics.keys()])}` };
  const isBare = /^\d+(?:\.\d+)?$/.test(written);
  const value = readMeasure(isBare ? Number(written) : written, metric.dimension);
  if ('wrong' in value) return { wrong: `${name}: ${value.wrong}` };
  const labels = Object.fromEntries(metric.labels.map((label) => [label, `<${label}>`]));
  for (const [label, given] of rest) {
    if (!Object.hasOwn(labels, label)) {
      const known = metric.labels.length === 0 ? 'it has none' : `it has ${metric.labels.join(', ')}`;
      return { wrong: `${label} is no label of ${name}; ${known}` };
    }
    labels[label] = given;
  }
  return { name, sample: { labels, value: value.value } };
}

/** The two sides of the first `=`; undefined when there is none. */
export function readPair(pair: string): readonly [string, string] | undefined {
  const at = pair.indexOf('=');
  return at < 0 ? undefined : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

export function holdMs(text: string): number {
  const read = parseQuantity(text, 'duration');
  if ('wrong' in read) throw new InvalidArgumentError(read.wrong);
  return Math.round(read.value * 1000);
}
