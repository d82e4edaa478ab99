/**
 * `npm run bench -- --distribution`: the spread of 100 million ids over 64 databases with 64 tables, counted by the
 * forecast of the product. Ids 0 to 99,999,999 are 24,414 whole rounds of all 4,096 cells and 256 ids more, so 256 cells must
 * hold 24,415 rows and 3,840 cells 24,414: anything else is a wrong rule, and the run fails.
 */
import { Forecast } from '../../src/routing/forecast.ts';
import { Layout } from '../../src/routing/layout.ts';
import { textTable } from '../../src/cli/text-table.ts';

const IDS = 100_000_000;
const LEVEL = 64;
const EXPECTED = new Map([
  [24_415, 256],
  [24_414, 3_840],
]);
const LONGEST_SECONDS = 60;

/** Prints what came out; throws when it is not exactly what the rule promises, or took longer than a minute. */
export function measureDistribution(print: (line: string) => void): void {
  const by = 'id';
  const layout = new Layout({
    to: 'trade_order',
    targets: Array.from({ length: LEVEL }, (_, i) => `db_${i}`),
    shards: { algorithm: 'segments', by, count: LEVEL, half: 'high' },
    tables: { rule: { algorithm: 'segments', by, count: LEVEL } },
  });
  const forecast = new Forecast(layout);
  const startedMs = performance.now();
  const row = [0];
  for (let id = 0; id < IDS; id++) {
    row[0] = id;
    forecast.add(row);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const { cells, byCell, rows } = forecast.result({ maxSkew: 1.001, allowEmpty: false });
  const cellsByRows = new Map<number, number>();
  for (const cell of cells) cellsByRows.set(cell.rows, (cellsByRows.get(cell.rows) ?? 0) + 1);
  const found = [...cellsByRows].toSorted(([a], [b]) => b - a);
  print(
    `${rows.toLocaleString('en-US')} ids in ${seconds.toFixed(1)} s, ${Math.round((seconds * 1e9) / IDS)} ns each`,
  );
  for (const line of textTable(
    ['rows of a cell', 'cells'],
    found.map(([count, of]) => [count, of]),
  ))
    print(line);
  print(
    JSON.stringify({
      distribution: {
        seconds: Math.round(seconds * 10) / 10,
        skew: byCell.skew,
        empty: byCell.empty,
        cellsByRows: Object.fromEntries(found),
      },
    }),
  );
  const isExact = found.length === EXPECTED.size && found.every(([count, of]) => EXPECTED.get(count) === of);
  if (!isExact) throw new Error('the spread is not 256 cells of 24,415 rows and 3,840 cells of 24,414');
  if (seconds > LONGEST_SECONDS) throw new Error(`took longer than ${LONGEST_SECONDS} s`);
}
