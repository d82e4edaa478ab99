import { expect, it } from 'vitest';
import { barChart } from '../../../src/cli/bar-chart.ts';
import { terminalOf } from '../../../src/cli/context.ts';

const bars = [
  { label: 'a', value: 1_000_000 },
  { label: 'long', value: 500_001 },
  { label: 'b', value: 1 },
  { label: 'c', value: 0 },
];

it('fills the line with the largest value, to an eighth of a block, and shows a single row', () => {
  const lines = barChart(bars, { columns: 37, unicode: true });
  expect(lines).toEqual([
    `a     1,000,000  ${'█'.repeat(20)}`,
    `long    500,001  ${'█'.repeat(10)}`,
    'b             1  ▏',
    'c             0',
  ]);
});

it('does with ASCII, and with a screen that is too narrow or a chart without rows', () => {
  expect(barChart(bars, { columns: 5, unicode: false })[1]).toBe('long    500,001  #####');
  expect(barChart([{ label: 'a', value: 0 }], { columns: 80, unicode: true })).toEqual(['a  0']);
  expect(barChart([], { columns: 80, unicode: true })).toEqual([]);
});

it('draws with blocks on a terminal in UTF-8 alone', () => {
  expect(terminalOf({ isTTY: true, columns: 80 }, { LANG: 'de_DE.UTF-8' })).toMatchObject({
    columns: 80,
    unicode: true,
  });
  expect(terminalOf({ isTTY: true, columns: 80 }, { LC_ALL: 'C', LANG: 'de_DE.UTF-8' }).unicode).toBe(false);
  expect(terminalOf({}, { LANG: 'C.utf8' })).toMatchObject({ columns: 100, unicode: false });
});
