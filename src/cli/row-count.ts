/** Numbers of rows as people write them. */
import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 };
/** Months of a mean Gregorian year. */
const DAYS_PER_MONTH = 365.2425 / 12;
const PER_MONTH: Readonly<Record<string, number>> = {
  day: DAYS_PER_MONTH,
  week: DAYS_PER_MONTH / 7,
  month: 1,
  year: 1 / 12,
};
const COUNT = /^(\d[\d_,]*(?:\.\d+)?)\s*([kmgbt]?)$/i;

/** `50M` is 50,000,000; also `1_000_000`, `2.5k`, `1G` or `1B`, `1T`. For commander: throws what it tells as a usage error. */
export function rowCount(text: string): number {
  const [, digits = '', unit = ''] = COUNT.exec(text.trim()) ?? [];
  const count = Number(digits.replaceAll(/[_,]/g, '')) * UNITS[unit.toLowerCase()]!;
  if (digits === '' || !Number.isSafeInteger(Math.round(count)))
    throw new InvalidArgumentError('Must be a number of rows such as 50M, 2.5k or 1,000,000.');
  // 2.3 M is 2300000 in words, yet not in binary fractions.
  return Math.round(count);
}

/** `20M/month` in rows a month; also a day, a week or a year; a month when none is named. */
export function monthlyRows(text: string): number {
  const [count = '', unit = 'month', ...more] = text.split('/');
  const factor = Object.hasOwn(PER_MONTH, unit) ? PER_MONTH[unit] : undefined;
  if (factor === undefined || more.length > 0)
    throw new InvalidArgumentError('Must be rows a time such as 20M/month, 500k/day, 3M/week or 1G/year.');
  return rowCount(count) * factor;
}
