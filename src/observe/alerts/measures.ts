/**
 * What other programs have reported, by metric and labels. The newest report of a set of labels counts until it is older than the
 * metric's `staleMs`; then its value is not known, which keeps a firing alert firing and makes none fire. A set stays until somebody
 * withdraws it: then its alert is resolved. Kept over a restart, so that an alert does not end with the process that was told.
 */
import { RowferryError } from '../../errors.ts';
import { didYouMean } from '../../model/suggest.ts';
import { labelKey } from './evaluate.ts';
import type { AlertSample, AlertSamples } from './metrics.ts';
import type { Dimension, Reading } from './quantity.ts';
import { formatQuantity, parseQuantity, UNITS } from './quantity.ts';
import type { ReportedMetric } from './reported-metrics.ts';

/** Names one value: a metric and all of its labels. */
export interface MeasureName {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A value as it is reported: a number in the metric's own unit, or text with a unit. */
export interface MeasureReport extends MeasureName {
  readonly value: number | string;
}

/** A report that counts. Plain values, for JSON. */
export interface Measure extends MeasureName {
  /** In the unit of the dimension. */
  readonly value: number;
  readonly dimension: Dimension;
  readonly atMs: number;
  readonly by: string;
}

/** What became of a value, in words. */
export interface MeasureChange {
  readonly part: string;
  readonly from: string;
  readonly to: string;
}

export const MOST_SETS = 200;
const MOST_LETTERS = 200;

export class Measures {
  readonly #metrics: ReadonlyMap<string, ReportedMetric>;
  #measures: ReadonlyMap<string, Measure>;

  /** Of what was kept, that which the configuration still declares. */
  constructor(metrics: readonly ReportedMetric[], kept: readonly Measure[]) {
    this.#metrics = new Map(metrics.map((metric) => [metric.name, metric]));
    const known = kept.filter(({ metric, labels, dimension }) => {
      const declared = this.#metrics.get(metric);
      return declared?.dimension === dimension && labelsMistake(declared, labels) === undefined;
    });
    this.#measures = new Map(known.map((measure) => [keyOf(measure), measure]));
  }

  get all(): readonly Measure[] {
    return [...this.#measures.values()];
  }

  /** Takes all of the reports or none. Throws ROWFERRY_CONFIG_INVALID. */
  report(reports: readonly MeasureReport[], nowMs: number, by: string): readonly MeasureChange[] {
    const measures = new Map(this.#measures);
    const changes = reports.map((report) => {
      const metric = this.#declared(report);
      const reading = readMeasure(report.value, metric.dimension);
      if ('wrong' in reading) throw refused(`${metric.name}: ${reading.wrong}`);
      const { labels } = report;
      const name = { metric: metric.name, labels };
      const before = measures.get(keyOf(name));
      const { value } = reading;
      measures.set(keyOf(name), { ...name, value, dimension: metric.dimension, atMs: nowMs, by });
      return changeOf(name, shown(before), formatQuantity(value, metric.dimension));
    });
    for (const [name, { labels }] of this.#metrics) {
      const sets = [...measures.values()].filter(({ metric }) => metric === name).length;
      if (sets <= MOST_SETS) continue;
      throw refused(
        `${name} would have ${sets} sets of labels (${labels.join(', ')}), and may have ${MOST_SETS}`,
        'withdraw those that are over (rowferry alerts withdraw), or report fewer, larger parts',
      );
    }
    this.#measures = measures;
    return changes;
  }

  /** Forgets sets of labels, of which all must be there: their alerts are resolved. Throws ROWFERRY_CONFIG_INVALID. */
  withdraw(names: readonly MeasureName[]): readonly MeasureChange[] {
    const measures = new Map(this.#measures);
    const changes = names.map((name) => {
      this.#declared(name);
      const before = measures.get(keyOf(name));
      if (before === undefined)
        throw refused(`${nameOf(name)} has no report here`, 'GET /api/measures lists what has one');
      measures.delete(keyOf(name));
      return changeOf(name, shown(before), 'withdrawn');
    });
    this.#measures = measures;
    return changes;
  }

  samples(nowMs: number): AlertSamples {
    const samples = new Map<string, AlertSample[]>();
    const oldest = new Map<string, number>();
    for (const { metric, labels, value, atMs } of this.#measures.values()) {
      // A clock that was set back makes nothing older, or newer, than now.
      const ageMs = Math.max(0, nowMs - atMs);
      const isKnown = ageMs <= (this.#metrics.get(metric)?.staleMs ?? 0);
      const sample = { labels, value: isKnown ? value : null };
      const known = samples.get(metric);
      if (known === undefined) samples.set(metric, [sample]);
      else known.push(sample);
      oldest.set(metric, Math.max(oldest.get(metric) ?? 0, ageMs));
    }
    const ages = [...oldest].map(([metric, ms]) => ({ labels: { metric }, value: ms / 1000 }));
    return ages.length === 0 ? samples : samples.set('report_age_seconds', ages);
  }

  #declared({ metric: name, labels }: MeasureName): ReportedMetric {
    const metric = this.#metrics.get(name);
    if (metric === undefined) {
      const known = [...this.#metrics.keys()];
      throw refused(
        `${name} is no metric that is reported${didYouMean(name, known)}`,
        known.length === 0
          ? 'declare it in alerts.metrics and restart'
          : `alerts.metrics declares ${known.join(', ')}`,
      );
    }
    const mistake = labelsMistake(metric, labels);
    if (mistake !== undefined) throw refused(`${name}: ${mistake}`);
    return metric;
  }
}

/** Numbers are in the metric's own unit; a bare share above 1 was surely meant in percent. */
export function readMeasure(value: number | string, dimension: Dimension): Reading {
  if (typeof value === 'string') return parseQuantity(value, dimension);
  if (!Number.isFinite(value) || value < 0)
    return { wrong: `must be a number from 0 on, or text with a unit (${UNITS[dimension]})` };
  if (dimension === 'share' && value > 1)
    return { wrong: `a share is a part of one; write ${value}% or ${value / 100}` };
  return { value };
}

function labelsMistake(
  { labels: declared }: ReportedMetric,
  labels: Readonly<Record<string, string>>,
): string | undefined {
  const given = Object.keys(labels);
  const has = declared.length === 0 ? 'it has none' : `it has ${declared.join(', ')}`;
  const unknown = given.find((label) => !declared.includes(label));
  if (unknown !== undefined) return `${unknown} is no label of it; ${has}`;
  const missing = declared.find((label) => !given.includes(label));
  if (missing !== undefined)
    return `the label ${missing} is missing; each report carries ${declared.join(', ')}`;
  const bad = Object.entries(labels).find(
    ([, value]) => value === '' || value.length > MOST_LETTERS || /\p{Cc}/u.test(value),
  );
  return bad && `the value of ${bad[0]} must be one line of 1 to ${MOST_LETTERS} characters`;
}

function keyOf({ metric, labels }: MeasureName): string {
  return `${metric} ${labelKey(labels, Object.keys(labels))}`;
}

/** `missing_records{table="orders"}`. */
function nameOf({ metric, labels }: MeasureName): string {
  const inside = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return inside.length === 0 ? metric : `${metric}{${inside.join(', ')}}`;
}

function changeOf(name: MeasureName, from: string, to: string): MeasureChange {
  return { part: nameOf(name), from, to };
}

function shown(measure: Measure | undefined): string {
  return measure === undefined ? 'not reported' : formatQuantity(measure.value, measure.dimension);
}

function refused(what: string, hint?: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', what, hint === undefined ? {} : { hint });
}
