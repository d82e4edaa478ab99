/**
 * The shop as the targets have it by `shop.yaml`, and where each row belongs. The arithmetic is written out here and asks
 * nothing of rowferry, so that a row at the wrong place is found.
 */
import { createHmac } from 'node:crypto';
import type { SourceValues, TableComparison } from '../lib/compare.ts';
import type { Place } from '../lib/shop.ts';

const ORDER_TABLES = ['orders_00', 'orders_16', 'orders_32', 'orders_48'] as const;

/** Slots 0 to 31 of the user's high six bits are east; each table has sixteen of the low six bits. */
function homeOfOrder({ user_id: user }: SourceValues): string {
  const [high, low] = [Math.floor(Number(user) / 64) % 64, Number(user) % 64];
  return `${high < 32 ? 'east' : 'west'}.${ORDER_TABLES[Math.floor(low / 16)]}`;
}

export function shopComparisons(
  source: Place,
  [east, west]: [Place, Place],
  hashKey: string,
): TableComparison[] {
  const from = (table: string): Pick<TableComparison, 'sources' | 'key'> => ({
    sources: [{ ...source, table }],
    key: ['id'],
  });
  return [
    {
      ...from('orders'),
      table: 'orders',
      targets: [east, west].flatMap((place) => ORDER_TABLES.map((table) => ({ ...place, table }))),
      belongs: (row) => [homeOfOrder(row)],
    },
    {
      ...from('users'),
      table: 'users -> user_core',
      targets: [{ ...east, table: 'user_core' }],
      columns: { id: 'id', email: 'email', active: 'active', balance: 'balance' },
    },
    {
      ...from('users'),
      table: 'users -> user_profile',
      targets: [{ ...west, table: 'user_profile' }],
      columns: {
        id: 'id',
        email_hash: ({ email }) =>
          createHmac('sha256', hashKey)
            .update(email ?? '')
            .digest('hex'),
        name: 'name',
        born: 'born',
        settings: 'settings',
        created_at: 'created_at',
      },
    },
    {
      ...from('products'),
      table: 'products',
      targets: [east, west].map((place) => ({ ...place, table: 'products' })),
    },
  ];
}
