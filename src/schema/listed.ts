const MOST_LISTED = 8;

/** Names in one line; of many the first ones, the last and their count: `orders_00, orders_01 … orders_63 (64 tables)`. */
export function listed(names: readonly string[], noun: string): string {
  const more = names.length - MOST_LISTED;
  if (more <= 1) return names.join(', ');
  return `${names.slice(0, MOST_LISTED - 1).join(', ')} … ${names.at(-1) ?? ''} (${names.length} ${noun})`;
}
