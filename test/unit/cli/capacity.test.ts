import { describe, expect, it } from 'vitest';
import { capacityCommand } from '../../../src/cli/capacity.ts';
import { monthlyRows, rowCount } from '../../../src/cli/row-count.ts';
import { runVerb } from '../../support/run-verb.ts';
import type { VerbRun } from '../../support/run-verb.ts';

const EXAMPLE = ['--rows', '50M', '--growth', '20M/month', '--tables', '64', '--limit', '10M'];

function capacity(...args: readonly string[]): Promise<VerbRun> {
  return runVerb((context) => capacityCommand(context, () => new Date('2026-11-21T10:00:00Z')), args);
}

describe('rowferry capacity', () => {
  it('SHR-14: says how many months are left and the day when the tables are full', async () => {
    expect((await capacity(...EXAMPLE)).lines).toEqual([
      '64 tables of 10,000,000 rows hold 640,000,000; 50,000,000 are there (7.8 %), 590,000,000 more fit',
      'full in 29.5 months at 20,000,000 rows a month: 2029-05-06',
    ]);
  });

  it('answers programs in JSON', async () => {
    const { lines } = await capacity(...EXAMPLE, '--json');
    expect(JSON.parse(lines[0]!)).toEqual({
      capacity: 640_000_000,
      free: 590_000_000,
      used: 0.078125,
      months: 29.5,
      fullAt: '2029-05-06',
    });
  });

  it('knows tables that never fill and tables that are full', async () => {
    const still = await capacity('--rows', '1k', '--growth', '0', '--tables', '4');
    expect(still.lines[1]).toBe('never full: no rows come');
    const full = await capacity('--rows', '40M', '--growth', '1M/day', '--tables', '4');
    expect(full.lines[1]).toBe('full already');
  });

  it.each(['', 'M', '-1', '1.2.3', '50Mio', '1e9', '9999999T'])('refuses %j as a count', async (rows) => {
    await expect(capacity('--rows', rows, '--growth', '1', '--tables', '4')).rejects.toMatchObject({
      exitCode: 1,
    });
  });
});

describe('counts of rows', () => {
  it('are read as people write them', () => {
    const texts = ['50M', '50m', '2.5k', '1_000_000', '1,000,000', '1G', '1B', '2.3M', '0', '7'];
    expect(texts.map(rowCount)).toEqual([50e6, 50e6, 2_500, 1e6, 1e6, 1e9, 1e9, 2_300_000, 0, 7]);
  });

  it('have a month, or a part of the mean year', () => {
    expect(monthlyRows('20M/month')).toBe(20e6);
    expect(monthlyRows('20M')).toBe(20e6);
    expect(monthlyRows('12M/year')).toBe(1e6);
    expect(monthlyRows('1M/day')).toBeCloseTo(30_436_875, 0);
    expect(monthlyRows('7M/week')).toBeCloseTo(30_436_875, 0);
    expect(() => monthlyRows('1M/hour')).toThrow('rows a time');
    expect(() => monthlyRows('1M/constructor')).toThrow('rows a time');
  });
});
