import { describe, expect, it } from 'vitest';
import { processUsage } from '../../scripts/lib/process-usage.ts';
import { Pipeline } from '../support/pipeline.ts';
import { itemsTable } from '../support/pipeline-tables.ts';

const ROWS = 200_000;
const MOVED = 40_000;
/** A daemon that rests, with its API and three threads, takes half of it; garbage moves the peak, mostly 335 to 350, by a tenth. */
const MOST_MB = 400;

const DIGITS =
  '(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)';
const NUMBER = 'a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d';

describe('a transaction of 200,000 rows', () => {
  it(`passes through less than ${MOST_MB} MB of memory`, async (t) => {
    const pipeline = await Pipeline.create(t, { tables: [itemsTable()] });
    const daemon = await pipeline.startRunning();
    await pipeline.transaction([
      `INSERT INTO items (id, owner, code, n) SELECT n, n, CONCAT('item number ', n, ' of a big day'), 0 FROM
        (SELECT ${NUMBER} AS n FROM ${['a', 'b', 'c', 'e', 'f', 'g'].map((name) => `${DIGITS} ${name}`).join(', ')}) numbers
        WHERE n < ${ROWS}`,
      `UPDATE items SET owner = owner + 1 WHERE id < ${MOVED}`,
    ]);
    const { compared } = await pipeline.untilEqual(120_000);
    expect(compared).toBe(ROWS);
    const usage = processUsage(daemon.pid);
    if (usage !== undefined) expect(usage.peakRssMb).toBeLessThan(MOST_MB);
  });
});
