import { describe, expect, it } from 'vitest';
import { differenceLines, noteLines } from '../../../src/cli/schema-text.ts';
import type { Difference } from '../../../src/schema/diff.ts';

const names = (start: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${start}_${String(i).padStart(2, '0')}`);

const lacks = (table: string): Difference => ({
  table,
  column: null,
  kind: 'missing-index',
  what: 'lacks an index (user_id)',
});

describe('what differs', () => {
  it('is one line for all tables and targets where it is the same', () => {
    const differences = names('db', 16).flatMap((target) =>
      names('orders', 64).map((table) => ({ target, difference: lacks(table) })),
    );
    expect(differenceLines(differences)).toEqual([
      `${names('db', 7).join(', ')} … db_15 (16 targets)  ${names('orders', 7).join(', ')} … orders_63 (64 tables)  lacks an index (user_id)`,
    ]);
  });

  it('stays apart where tables, columns or words differ', () => {
    const narrow = (column: string): Difference => ({
      table: 'a',
      column,
      kind: 'narrow',
      what: 'is int, which does not hold every bigint',
    });
    const differences = [
      { target: 'east', difference: lacks('a') },
      { target: 'east', difference: lacks('b') },
      { target: 'east', difference: narrow('v') },
      { target: 'west', difference: lacks('a') },
      { target: 'west', difference: narrow('v') },
      { target: 'west', difference: narrow('w') },
    ];
    expect(differenceLines(differences)).toEqual([
      'east  a, b  lacks an index (user_id)',
      'east, west  a  v is int, which does not hold every bigint',
      'west  a  lacks an index (user_id)',
      'west  a  w is int, which does not hold every bigint',
    ]);
  });
});

it('notes are told once for all targets that they are about', () => {
  const note = { about: 'shop.a.v', what: 'is not as it was' };
  const other = { about: 'shop.b', what: 'is not as it was' };
  expect(
    noteLines([
      { target: 'east', notes: [note, other] },
      { target: 'west', notes: [note] },
    ]),
  ).toEqual(['east, west: shop.a.v: is not as it was', 'east: shop.b: is not as it was']);
});
