import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mark, MarkWriter } from '../../../src/capture/mark.ts';
import { CREATE_MARK_TABLE, readMark, whoseMark, writeMark } from '../../../src/capture/mark.ts';
import type { Table, WireValue } from '../../../src/model/table.ts';

const SELF: MarkWriter = {
  pipeline: 'p',
  source: 'main',
  lineage: 'first claim',
  claim: 'own claim',
  incarnation: 7,
};
const mark = (other: Partial<MarkWriter>): Mark => ({ ...SELF, chunk: 3, edge: 'low', ...other });

const writer = fc.record({
  pipeline: fc.constantFrom('p', 'q'),
  source: fc.constantFrom('main', 'other'),
  lineage: fc.constantFrom('', 'first claim', 'another Kafka’s'),
  claim: fc.constantFrom('', 'own claim', 'other claim'),
  incarnation: fc.nat(14),
});

describe('a mark', () => {
  it.each([
    ['of the same claim is ours', {}, 'ours'],
    ['of an older claim concerns nobody', { claim: 'older', incarnation: 6 }, 'nobody'],
    ['of a newer claim says that this capture is over', { claim: 'newer', incarnation: 8 }, 'newer'],
    ['of the same names and place, from another Kafka, is a stranger’s', { lineage: 'x', claim: 'y' }, 'stranger'],
    ['of the same names, from another Kafka, supersedes nobody', { lineage: 'x', claim: 'y', incarnation: 900 }, 'stranger'],
    ['of another pipeline concerns nobody', { pipeline: 'q', lineage: 'x', incarnation: 900 }, 'nobody'],
    ['of another source concerns nobody', { source: 'other', lineage: 'x', incarnation: 900 }, 'nobody'],
    ['of an earlier version is never ours', { lineage: '', claim: '' }, 'nobody'],
    ['of an earlier version that claimed later says that this capture is over', { lineage: '', claim: '', incarnation: 8 }, 'newer'],
    ['that an earlier version wrote over one of ours is not ours', { incarnation: 6 }, 'nobody'],
  ] as const)('%s', (_, other, whose) => {
    expect(whoseMark(mark(other), SELF)).toBe(whose);
  }); // prettier-ignore

  it('is taken for our own only when this very claim wrote it, and ends a capture only within its own log', () => {
    fc.assert(
      fc.property(writer, (other) => {
        const whose = whoseMark(mark(other), SELF);
        if (whose === 'ours') expect(other).toEqual(SELF);
        if (whose === 'newer') {
          expect(other.incarnation).toBeGreaterThan(SELF.incarnation);
          expect(['', SELF.lineage]).toContain(other.lineage);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is read as it was written', () => {
    const names = [...(CREATE_MARK_TABLE.at(-1) ?? '').matchAll(/^ {2}([a-z_]+) [a-z]/gm)].map(
      ([, name]) => name!,
    );
    const columns = names.map((name) => ({ name, type: 'varchar' }));
    const table: Table = { schema: 'rowferry', name: 'mark', columns, key: [0, 1, 2] };
    const [, list = '', values = ''] = /\(([^)]+)\) VALUES \(([^)]+)\)/.exec(writeMark(mark({}), 2)) ?? [];
    const written = new Map(
      list.split(', ').map((name, i) => [name, values.split(', ')[i]?.replaceAll("'", '')]),
    );
    const row = names.map((name): WireValue => written.get(name) ?? null);
    expect(readMark(table, row)).toEqual(mark({}));
  });
});
