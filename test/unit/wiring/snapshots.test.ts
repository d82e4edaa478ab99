import { expect, it } from 'vitest';
import type { SnapshotAction, TableCopy } from '../../../src/capture/snapshot-state.ts';
import { newCopy } from '../../../src/capture/snapshot-state.ts';
import type { RowferryError } from '../../../src/errors.ts';
import { concerned } from '../../../src/wiring/snapshots.ts';

const copy = (table: string, state: TableCopy['state'], paused = false): TableCopy => ({
  ...newCopy(table, 0),
  state,
  paused,
});
const COPIES = [
  copy('shop.orders', 'done'),
  copy('shop.users', 'copying'),
  copy('shop.items', 'failed', true),
];
const tables = (action: SnapshotAction, table: string | null, copies = COPIES): string[] =>
  concerned('main', { action, table }, copies).map((found) => found.table);

it('a request concerns the copies that are not done, and an added table whatever was there', () => {
  expect(tables('pause', null)).toEqual(['shop.users', 'shop.items']);
  expect(tables('resume', 'shop.items')).toEqual(['shop.items']);
  expect(tables('add', 'shop.orders')).toEqual(['shop.orders']);
  expect(tables('add', 'shop.new')).toEqual([]);
});

it.each(['pause', 'resume', 'cancel'] as const)(
  '%s tells how copies stand that it cannot change',
  (action) => {
    const refused = (table: string | null, copies = COPIES): string => {
      try {
        return tables(action, table, copies).join(', ');
      } catch (error) {
        expect(error).toMatchObject({ code: 'ROWFERRY_CONFIG_INVALID' });
        return (error as RowferryError).describe();
      }
    };
    expect(refused('shop.orders')).toContain(
      `the copy of shop.orders is done: all rows are read, and nothing is left to ${action}`,
    );
    expect(refused('shop.orders')).toContain('rowferry snapshot add shop.orders copies it again');
    expect(refused('shop.user')).toContain(`no copy of shop.user to ${action}; did you mean shop.users?`);
    expect(refused(null, COPIES.slice(0, 1))).toContain('every copy of main is done');
    expect(refused(null, [])).toContain('no table is copied');
  },
);
