/** How long a sharded layout lasts. Pure. */
import { RowferryError } from '../errors.ts';

export interface CapacityInput {
  /** Rows that are there now, over all tables. */
  readonly rows: number;
  /** Rows that come a month. 0: none come. */
  readonly growthPerMonth: number;
  /** Physical tables over all targets. */
  readonly tables: number;
  /** Rows that one table may hold; tens of millions are where a MySQL table becomes a problem. */
  readonly rowLimit: number;
}

export interface Capacity {
  /** Rows that all tables may hold together. */
  readonly capacity: number;
  /** Rows that still fit; 0 when full. */
  readonly free: number;
  /** Share of the capacity that is in use; above 1 when it is overfull. */
  readonly used: number;
  /** Months until full: 0 when it is full already, null when it never will be. */
  readonly months: number | null;
}

/**
 * `months = (tables * rowLimit - rows) / growthPerMonth`, at least 0. It holds for rows that spread evenly: a forecast's skew
 * of s shortens the time until the fullest table is full to that of a limit of `rowLimit / s`.
 *
 * 64 tables of 10 M rows with 50 M rows and 20 M more a month last (640 - 50) / 20 = 29.5 months.
 *
 * Throws ROWFERRY_CONFIG_INVALID for numbers that mean nothing.
 */
export function capacityOf(input: CapacityInput): Capacity {
  const { rows, growthPerMonth, tables, rowLimit } = input;
  demand(rows >= 0, 'rows', '0 or more');
  demand(growthPerMonth >= 0, 'growth', '0 or more rows a month');
  demand(tables >= 1 && Number.isSafeInteger(tables), 'tables', 'a whole number of 1 or more');
  demand(rowLimit > 0, 'limit', 'more than 0 rows a table');
  const capacity = tables * rowLimit;
  demand(Number.isFinite(capacity + rows + growthPerMonth), 'every number', 'finite');
  const free = Math.max(0, capacity - rows);
  return { capacity, free, used: rows / capacity, months: monthsUntilFull(free, growthPerMonth) };
}

/**
 * The day (`YYYY-MM-DD`, UTC) that lies so many months after another: whole months by the calendar (January 31 and one month
 * is the last day of February), the rest as a share of the month that follows. Null past the year 9999.
 */
export function dateAfterMonths(from: Date, months: number): string | null {
  const whole = Math.floor(months);
  // 12 * 8000 months lead past the year 9999 from any day of this era, long before Date gives up.
  if (!(whole < 96_000)) return null;
  const start = addMonths(from, whole);
  const ms = addMonths(from, whole + 1).getTime() - start.getTime();
  const date = new Date(start.getTime() + (months - whole) * ms);
  return date.getUTCFullYear() > 9999 ? null : date.toISOString().slice(0, 10);
}

function monthsUntilFull(free: number, growthPerMonth: number): number | null {
  if (free === 0) return 0;
  return growthPerMonth === 0 ? null : free / growthPerMonth;
}

function addMonths(from: Date, months: number): Date {
  const month = from.getUTCMonth() + months;
  const last = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate();
  return new Date(Date.UTC(from.getUTCFullYear(), month, Math.min(from.getUTCDate(), last)));
}

function demand(isGiven: boolean, what: string, must: string): void {
  if (!isGiven) throw new RowferryError('ROWFERRY_CONFIG_INVALID', `capacity: ${what} must be ${must}`);
}
