import { describe, expect, it } from 'vitest';
import { keyConflicts } from '../../../src/wiring/agreed-keys.ts';
import type { KeyedTable } from '../../../src/wiring/agreed-keys.ts';

const WHOLE = { columns: ['id'], notNull: true, partial: false };
const EVENTS: KeyedTable = { schema: 'shop', name: 'events', primaryKey: null };
const AGREED = { 'shop.events': ['id', 'kind'] };

describe('the keys of a running pipeline', () => {
  it('stay as they are, however their columns are spelled', () => {
    expect(keyConflicts(AGREED, { 'shop.events': ['ID', 'kind'] }, [EVENTS])).toEqual([]);
  });

  it('may be declared for tables that had none, and for tables that are not there yet', () => {
    expect(keyConflicts({}, AGREED, [EVENTS])).toEqual([]);
    expect(keyConflicts({}, AGREED, [{ ...EVENTS, primaryKey: { ...WHOLE, partial: true } }])).toEqual([]);
    expect(keyConflicts({}, AGREED, [])).toEqual([]);
  });

  it('stay known while their table is not captured', () => {
    expect(keyConflicts(AGREED, {}, [])).toEqual([]);
  });

  it.each([
    ['other columns', { 'shop.events': ['id'] }, EVENTS, 'was keyed by (id, kind), now by (id)'],
    ['another order', { 'shop.events': ['kind', 'id'] }, EVENTS, 'was keyed by (id, kind), now by (kind, id)'],
    ['no declaration any more', {}, { ...EVENTS, primaryKey: WHOLE }, 'was keyed by (id, kind), now by its primary key'],
  ] as const)('are refused with %s', (_, wanted, table, text) => {
    expect(keyConflicts(AGREED, wanted, [table])).toEqual([`shop.events: ${text}`]);
  }); // prettier-ignore

  it('are refused when they change while their table is not there: its changes still are', () => {
    expect(keyConflicts(AGREED, { 'shop.events': ['id'] }, [])).toHaveLength(1);
  });

  it('are refused for a table whose changes flowed by its primary key', () => {
    expect(keyConflicts({}, AGREED, [{ ...EVENTS, primaryKey: WHOLE }])).toEqual([
      'shop.events: was keyed by its primary key, now by (id, kind)',
    ]);
  });
});
