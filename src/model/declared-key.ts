/** Keys that the configuration declares for tables whose primary key the binlog does not tell, because they have none. */

/** By `schema.table`: names of columns, in key order. */
export type DeclaredKeys = Readonly<Record<string, readonly string[]>>;

/** The columns of a key by their positions; -1 for one that is not there. The server does not tell names by their case. */
export function keyPositions(key: readonly string[], columns: readonly string[]): number[] {
  const names = columns.map((name) => name.toLowerCase());
  return key.map((name) => names.indexOf(name.toLowerCase()));
}

/** Whether both name the same columns, in whatever order. */
export function sameKeyColumns(a: readonly string[], b: readonly string[]): boolean {
  const names = new Set(b.map((name) => name.toLowerCase()));
  return a.length === names.size && a.every((name) => names.has(name.toLowerCase()));
}
