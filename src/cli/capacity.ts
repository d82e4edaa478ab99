/** `rowferry capacity`: how long a number of tables lasts. Needs neither configuration nor server. */
import { Command } from 'commander';
import { capacityOf, dateAfterMonths } from '../routing/capacity.ts';
import type { CliContext } from './context.ts';
import { monthlyRows, rowCount } from './row-count.ts';

interface CapacityOptions {
  readonly rows: number;
  readonly growth: number;
  readonly tables: number;
  readonly limit: number;
  readonly json?: boolean;
}

export function capacityCommand({ output }: CliContext, now: () => Date = () => new Date()): Command {
  return new Command('capacity')
    .description('how long a number of tables lasts: months = (tables * limit - rows) / growth')
    .requiredOption('--rows <count>', 'rows of today over all tables, such as 50M', rowCount)
    .requiredOption(
      '--growth <count/time>',
      'rows that come, such as 20M/month (or /day, /week, /year)',
      monthlyRows,
    )
    .requiredOption('--tables <count>', 'physical tables over all targets', rowCount)
    .option('--limit <count>', 'rows that one table may hold', rowCount, 10_000_000)
    .option('--json', 'one JSON object for programs')
    .action(({ rows, growth, tables, limit, json }: CapacityOptions) => {
      const { capacity, free, used, months } = capacityOf({
        rows,
        growthPerMonth: growth,
        tables,
        rowLimit: limit,
      });
      const fullAt = months === null ? null : dateAfterMonths(now(), months);
      if (json === true) {
        output.out(JSON.stringify({ capacity, free, used, months, fullAt }));
        return;
      }
      output.out(
        `${show(tables)} tables of ${show(limit)} rows hold ${show(capacity)}; ` +
          `${show(rows)} are there (${show(100 * used, 1)} %), ${show(free)} more fit`,
      );
      if (months === null) output.out('never full: no rows come');
      else if (months === 0) output.out('full already');
      else {
        const date = fullAt === null ? 'after the year 9999' : fullAt;
        output.out(`full in ${show(months, 1)} months at ${show(growth)} rows a month: ${date}`);
      }
    });
}

function show(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
