import { describe, expect, it } from 'vitest';
import type { RouteSettings } from '../../../src/config/config.ts';
import { layoutConflicts, layoutOf } from '../../../src/wiring/layout.ts';

const route = (part: Partial<RouteSettings>): RouteSettings => ({
  from: 'shop.orders',
  to: 'orders',
  targets: ['a', 'b'],
  shards: { by: 'user_id', algorithm: 'modulo' },
  place: 'x.yaml:1:1',
  ...part,
});

describe('layout', () => {
  const stored = layoutOf([route({}), route({ from: 'shop.users', shards: null, targets: ['a'] })]);

  it('takes tables that are new or gone', () => {
    expect(layoutConflicts(stored, layoutOf([route({}), route({ from: 'shop.new' })]))).toEqual([]);
  });

  it.each([
    ['another shard key', route({ shards: { by: 'id', algorithm: 'modulo' } })],
    ['another number of shards', route({ targets: ['a', 'b', 'c'] })],
    ['another order of shards', route({ targets: ['b', 'a'] })],
    ['another table', route({ to: 'orders_2' })],
    ['no shards any more', route({ shards: null })],
  ])('refuses %s for a table that has flowed, and tells both rules', (_, changed) => {
    const [conflict] = layoutConflicts(stored, layoutOf([changed]));
    expect(conflict).toMatch(/^shop\.orders: was orders at a, b by modulo of user_id, now /);
  });

  it('does not mind how the column is spelled or in which order routes stand', () => {
    const again = layoutOf([
      route({ from: 'shop.users', shards: null, targets: ['a'] }),
      route({ shards: { by: 'USER_ID', algorithm: 'modulo' } }),
    ]);
    expect(layoutConflicts(stored, again)).toEqual([]);
  });
});
