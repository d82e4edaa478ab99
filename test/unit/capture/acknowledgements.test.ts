import { describe, expect, it } from 'vitest';
import type { Accept } from '../../../src/capture/acknowledgements.ts';
import { Acknowledgements } from '../../../src/capture/acknowledgements.ts';

const record = (more: Partial<Accept>): Accept => {
  return { kind: 'accept', statement: 'b.1:10', by: 'mia', timeMs: 1, ...more };
};
const place = { server: 's1', statement: 'b.1:10', gtid: 'u:7' };
const held = { statement: 'b.1:10', gtid: 'u:7', from: { server: 's1' } };

describe('an acknowledged statement', () => {
  it('is that of its server, and no other one that stands in the same place of another', () => {
    const known = new Acknowledgements([record({ server: 's1', gtid: null })]);
    expect(known.pass(place)).toBe(true);
    expect(known.pass({ ...place, server: 's2' })).toBe(false);
    expect(known.pass({ ...place, statement: 'b.1:11' })).toBe(false);
  });

  it('is known by its transaction on every server, wherever it stands there', () => {
    const known = new Acknowledgements([record({ server: 's1', gtid: 'u:7' })]);
    expect(known.pass({ server: 's2', statement: 'other.9:99', gtid: 'u:7' })).toBe(true);
    // The place is taken by another transaction after the binlogs were reset.
    expect(known.pass({ ...place, gtid: 'u:8' })).toBe(false);
  });

  it('of a former version names no server: it lets a held table go, and no statement that is still to come', () => {
    const known = new Acknowledgements([record({})]);
    expect(known.ofHeld(held)).toBeDefined();
    expect(known.pass(place)).toBe(false);
  });

  it('is told by its newest record', () => {
    const both = [record({ server: 's1', by: 'mia' }), record({ server: 's1', by: 'tom' })];
    expect(new Acknowledgements(both).ofHeld(held)?.by).toBe('tom');
  });
});
