import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wrapped } from '../../../src/cli/status-text.ts';
import { readDescribed, RowferryError } from '../../../src/errors.ts';
import { ranges } from '../../../src/wiring/partition-troubles.ts';

describe('what an error described', () => {
  it('is taken apart into what it was made of', () => {
    const words = fc.stringMatching(/^[a-z]+( [a-z]+){0,3}$/);
    fc.assert(
      fc.property(words, fc.option(words), fc.boolean(), (message, hint, isPlaced) => {
        const where = isPlaced ? { target: 'east', offset: '12' } : {};
        const error = new RowferryError('ROWFERRY_TARGET_DATA', message, {
          where,
          ...(hint === null ? {} : { hint }),
        });
        expect(readDescribed(error.describe())).toEqual({
          what: `ROWFERRY_TARGET_DATA: ${message}`,
          where: isPlaced ? ['target east', 'offset 12'] : [],
          hint,
        });
      }),
    );
  });

  it('keeps brackets, arrows and sets of GTIDs in their part', () => {
    const where = { source: 'main', position: 'binlog.1:4 (gtid a:1,b:2)', table: 'shop.a' };
    const error = new RowferryError('ROWFERRY_SOURCE_DDL', 'a -> b [c]', { where, hint: 'do\nso' });
    expect(readDescribed(error.describe())).toEqual({
      what: 'ROWFERRY_SOURCE_DDL: a -> b [c]',
      where: ['source main', 'position binlog.1:4 (gtid a:1,b:2)', 'table shop.a'],
      hint: 'do\nso',
    });
  });
});

describe('partitions in a line', () => {
  it('are all named, and no other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(40)), (numbers) => {
        const read = ranges(numbers)
          .split(', ')
          .filter((run) => run !== '')
          .flatMap((run) => {
            const [from = 0, to = from] = run.split('-').map(Number);
            return Array.from({ length: to - from + 1 }, (_, at) => from + at);
          });
        expect(read).toEqual(numbers.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe('a long line', () => {
  it('goes on in the next with every word, none longer than the screen but single words', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 10, max: 60 }),
        (words, width) => {
          const lines = wrapped(`  ${words.join(' ')}`, width, '  ');
          expect(lines.join(' ').trim().split(/ +/)).toEqual(words);
          for (const line of lines)
            if (line.trim().includes(' ')) expect(line.length).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});
