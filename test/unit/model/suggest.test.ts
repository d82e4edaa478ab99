import { expect, it } from 'vitest';
import { didYouMean, suggest } from '../../../src/model/suggest.ts';

const METRICS = ['lag_unknown_seconds', 'lag_seconds', 'write_seconds', 'cpu_usage', 'parked_rows'];

it.each([
  ['lag', 'lag_seconds'],
  ['LAG', 'lag_seconds'],
  ['lag_secnods', 'lag_seconds'],
  ['cpu', 'cpu_usage'],
  ['parked', 'parked_rows'],
])('%s stands for %s', (word, meant) => {
  expect(suggest(word, METRICS)).toBe(meant);
  expect(didYouMean(word, METRICS)).toBe(`; did you mean ${meant}?`);
});

it.each(['seconds', 'la', 'l', '', 'disk_space'])('%o stands for nothing that is known', (word) => {
  expect(suggest(word, METRICS)).toBeUndefined();
  expect(didYouMean(word, METRICS)).toBe('');
});

it('of words that are as near the one as long is meant', () => {
  expect(suggest('orders', ['orders_archived', 'orders_00'])).toBe('orders_00');
  expect(suggest('main', ['mainz', 'maim'])).toBe('maim');
});
