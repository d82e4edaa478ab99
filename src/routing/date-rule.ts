/**
 * One shard a year, quarter or month of a time column. Keys are wire texts: DATE and DATETIME as stored, TIMESTAMP in
 * UTC. Months are counted on one line, so that an index is a difference: no clock, no zone, no calendar library.
 */
import { RowferryError } from '../errors.ts';
import { refusedKey, routeKeyError } from './route-key.ts';
import type { Period, RouteKey, RuleSpec, ShardRule } from './rule.ts';
import { MOST_SHARDS, checkWhole, refused } from './spec-check.ts';

type DateSpec = Extract<RuleSpec, { readonly algorithm: 'date' }>;

/** A zone other than UTC would be another moment, so a text with one is no key. */
const KEY = /^(\d{4})-(\d\d)-(\d\d)(?:[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?)?$/;

interface PeriodForm {
  readonly months: number;
  readonly since: RegExp;
  readonly example: string;
  readonly label: (year: number, within: number) => string;
}

const FORMS: Readonly<Record<Period, PeriodForm>> = {
  year: {
    months: 12,
    since: /^(\d{4})$/,
    example: '2024',
    label: (year) => fourDigits(year),
  },
  quarter: {
    months: 3,
    since: /^(\d{4})q([1-4])$/i,
    example: '2024q1',
    label: (year, within) => `${fourDigits(year)}q${within + 1}`,
  },
  month: {
    months: 1,
    since: /^(\d{4})-(0[1-9]|1[0-2])$/,
    example: '2024-01',
    label: (year, within) => `${fourDigits(year)}_${String(within + 1).padStart(2, '0')}`,
  },
};

export function dateRule(spec: DateSpec): ShardRule {
  const { algorithm, period, count = null } = spec;
  const first = firstPeriod(spec);
  const form = FORMS[period];
  if (count !== null) checkWhole(algorithm, 'count', count, 1, MOST_SHARDS);
  return {
    spec,
    by: [spec.by],
    count,
    label(index) {
      const periods = first + index;
      const perYear = 12 / form.months;
      return form.label(Math.floor(periods / perYear), periods % perYear);
    },
    indexOf(key: RouteKey) {
      const index = periodOf(key, spec, form) - first;
      if (index < 0) {
        throw refusedKey(spec, `the sharding key is a date before the first ${period}, ${spec.since}`, {
          hint: 'start "since" earlier, in a pipeline with another "name"',
        });
      }
      if (count !== null && index >= count) {
        throw refusedKey(
          spec,
          `the sharding key is a date after the last of ${count} ${period}s from ${spec.since}`,
          {
            hint: 'raise "count", in a pipeline with another "name"',
          },
        );
      }
      return index;
    },
    cycle: null,
  };
}

/**
 * The shards that may hold keys of `fromText` to `toText`, both included, in the order of time. Only shards that exist: what
 * lies before the first or after the last period is left out. Throws ROWFERRY_ROUTE_KEY for texts that are no dates.
 */
export function indexRange(rule: ShardRule, fromText: string, toText: string): readonly number[] {
  const spec = dateSpecOf(rule);
  const form = FORMS[spec.period];
  const first = firstPeriod(spec);
  const from = Math.max(periodOf(fromText, spec, form) - first, 0);
  const to = Math.min(periodOf(toText, spec, form) - first, (rule.count ?? Infinity) - 1);
  return Array.from({ length: Math.max(to - from + 1, 0) }, (_, offset) => from + offset);
}

/** The index of the period that holds a moment (UTC); negative before the first, `count` or more after the last one. */
export function currentIndex(rule: ShardRule, nowMs: number): number {
  const spec = dateSpecOf(rule);
  return periodOf(new Date(nowMs).toISOString(), spec, FORMS[spec.period]) - firstPeriod(spec);
}

/** Periods since year 0 of a key's date. */
function periodOf(key: RouteKey, spec: DateSpec, form: PeriodForm): number {
  const match = typeof key === 'string' ? KEY.exec(key) : null;
  if (match === null) throw notADate(key, spec, 'not a date');
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  // MySQL knows `0000-00-00` and `2024-05-00`; neither is a day.
  if (year === 0 || month === 0 || day === 0) throw notADate(key, spec, 'a zero date');
  if (month > 12 || day > 31) throw notADate(key, spec, 'not a date');
  return Math.floor((year * 12 + month - 1) / form.months);
}

function firstPeriod({ algorithm, period, since }: DateSpec): number {
  const form: PeriodForm | undefined = FORMS[period];
  if (form === undefined) {
    throw refused(algorithm, '"period" must be year, quarter or month', { hint: 'choose one of them' });
  }
  const match = form.since.exec(since);
  if (match === null) {
    throw refused(algorithm, `"since" must name the first ${period}, not ${JSON.stringify(since)}`, {
      hint: `write it like ${form.example}`,
    });
  }
  return Number(match[1]) * (12 / form.months) + Number(match[2] ?? 1) - 1;
}

function dateSpecOf({ spec }: ShardRule): DateSpec {
  if (spec.algorithm === 'date') return spec;
  throw new RowferryError('ROWFERRY_CONFIG_INVALID', `a ${spec.algorithm} rule has no periods`, {
    hint: 'only a date rule knows ranges of time',
  });
}

function notADate(key: RouteKey, spec: DateSpec, kind: string): RowferryError {
  return routeKeyError(key, spec, 'a date', kind);
}

function fourDigits(year: number): string {
  return String(year).padStart(4, '0');
}
