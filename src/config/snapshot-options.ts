/** The section `snapshot` of the configuration. */
import { z } from 'zod';
import { duration, text, wholeNumber } from './option-kinds.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const snapshotOptions = z.strictObject({
  readers: wholeNumber({ min: 1, max: 32 })
    .default(4)
    .describe('Chunks of a table that are read at the same time.'),
  chunkMs: duration({ min: 50, max: MINUTE })
    .default(500)
    .describe('How long reading a chunk should take; its size follows.'),
  leastRows: wholeNumber({ min: 100, max: 1_000_000 }).default(1000).describe('Rows of the smallest chunk …'),
  mostRows: wholeNumber({ min: 100, max: 1_000_000 }).default(50_000).describe('… and of the largest.'),
  lagMs: duration({ min: 50, max: HOUR })
    .default(SECOND)
    .describe(
      'Copied rows should be at the targets after so long: live changes wait behind them. Smaller is gentler.',
    ),
  rowsPerSecond: wholeNumber({ min: 100, max: 1_000_000_000 })
    .optional()
    .describe('Copies no more rows of a source a second than this.'),
  leastPercent: wholeNumber({ min: 1, max: 100 })
    .default(5)
    .describe(
      'How slow the copy may become to spare others, in percent of its full speed: slower never means stuck.',
    ),
  threadsRunning: wholeNumber({ min: 1, max: 100_000 })
    .optional()
    .describe('Goes slower while more threads than this run at the source (`Threads_running`).'),
  replicaLagMs: duration({ min: SECOND, max: HOUR })
    .default(5 * SECOND)
    .describe('Goes slower while one of the source’s `replicas` is further behind than this.'),
  hours: text({
    type: '`HH:MM-HH:MM`',
    pattern: /^(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d$/,
    what: 'hours such as 22:00-05:30',
  })
    .optional()
    .describe('Copies only at these hours, by the clock of the machine.'),
  where: z
    .record(
      z.string().min(3),
      text({ type: 'SQL condition', what: 'a condition such as created_at >= 20240101' }).describe(
        'Table `schema.table`: only rows that this SQL condition holds for are copied; changes of others still come.',
      ),
    )
    .default({}),
});
