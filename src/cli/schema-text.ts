/** What is the same at many targets and tables, told once. Pure. */
import type { Difference } from '../schema/diff.ts';
import { listed } from '../schema/listed.ts';
import type { Note } from '../schema/planned.ts';

/** `east, west: shop.orders.state: is …`, in the order in which they came. */
export function noteLines(
  planned: readonly { readonly target: string; readonly notes: readonly Note[] }[],
): string[] {
  const all = planned.flatMap(({ target, notes }) =>
    notes.map(({ about, what }) => [`${about}: ${what}`, target] as const),
  );
  return [...grouped(all)].map(([text, targets]) => `${listed(targets, 'targets')}: ${text}`);
}

/** `east, west  orders_00, orders_01  lacks an index (user_id)`. */
export function differenceLines(
  differences: readonly { readonly target: string; readonly difference: Difference }[],
): string[] {
  const tables = grouped(
    differences.map(({ target, difference: { table, column, what } }) => {
      const text = column === null ? what : `${column} ${what}`;
      return [JSON.stringify([target, text]), table] as const;
    }),
  );
  const targets = grouped(
    [...tables].map(([place, names]) => {
      const [target, text] = JSON.parse(place) as [string, string];
      return [`${listed(names, 'tables')}  ${text}`, target] as const;
    }),
  );
  return [...targets].map(([text, names]) => `${listed(names, 'targets')}  ${text}`);
}

function grouped(pairs: readonly (readonly [key: string, value: string])[]): ReadonlyMap<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
