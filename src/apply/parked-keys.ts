/**
 * Which keys of one partition have a parked entry at which target. Only the partition's owner parks and heals its keys, so a
 * list read when it took over and kept since is never too short; an entry that an operator or a TRUNCATE removed only costs a
 * look.
 *
 * Where tables of several origins are merged, two entries of one key may wait for one table: the origin is part of the name.
 */
import { exactKeyText } from '../model/row-key.ts';
import type { KeyValues, ParkedEntry, ParkReason } from '../targets/target.ts';

/** What names an entry beside its target. */
type ParkedName = Pick<ParkedEntry, 'table' | 'key' | 'origin'>;

/** Rows of one table that wait at one target for one reason. */
interface ParkedGroup {
  readonly target: number;
  readonly table: string;
  readonly reason: ParkReason;
  readonly rows: number;
  readonly oldestMs: number;
}

export class ParkedKeys {
  readonly #entries = new Map<string, { readonly target: number; readonly entry: ParkedEntry }>();
  readonly #tables = new Map<string, number>();
  readonly #counts: Record<ParkReason, number>[] = [];
  /** Counted when somebody asks; forgotten by each change. */
  #groups: readonly ParkedGroup[] | undefined;

  get size(): number {
    return this.#entries.size;
  }

  /** Takes in what the targets hold now, each by its index. */
  replace(lists: readonly (readonly ParkedEntry[])[]): void {
    this.#entries.clear();
    this.#tables.clear();
    this.#counts.length = 0;
    this.#groups = undefined;
    const all = lists.flatMap((entries, target) => entries.map((entry) => ({ target, entry })));
    for (const { target, entry } of all.toSorted((a, b) => a.entry.parkedAtMs - b.entry.parkedAtMs))
      this.add(target, entry);
  }

  /** How many rows of a target wait, by reason. */
  count(target: number): Readonly<Record<ParkReason, number>> {
    const counts = this.#counts[target];
    return { conflict: counts?.conflict ?? 0, data: counts?.data ?? 0 };
  }

  /** Since when the first entry of the list waits; null when there is none. Those read from the targets come oldest first. */
  get oldestMs(): number | null {
    for (const { entry } of this.#entries.values()) return entry.parkedAtMs;
    return null;
  }

  /** By target, table and reason. */
  get groups(): readonly ParkedGroup[] {
    this.#groups ??= groupsOf(this.#entries.values());
    return this.#groups;
  }

  add(target: number, entry: ParkedEntry): void {
    const name = entryName(target, entry);
    const known = this.#entries.get(name)?.entry;
    if (known === undefined) this.#count(target, entry.table, 1);
    else this.#countReason(target, known.reason, -1);
    this.#countReason(target, entry.reason, 1);
    this.#entries.set(name, { target, entry });
  }

  delete(target: number, entry: ParkedName): void {
    const name = entryName(target, entry);
    const known = this.#entries.get(name)?.entry;
    if (known === undefined) return;
    this.#entries.delete(name);
    this.#count(target, entry.table, -1);
    this.#countReason(target, known.reason, -1);
  }

  has(target: number, entry: ParkedName): boolean {
    return this.#entries.has(entryName(target, entry));
  }

  hasAny(target: number, table: string): boolean {
    return this.#entries.size > 0 && (this.#tables.get(`${target}/${table}`) ?? 0) > 0;
  }

  /** A copy, so that entries may be removed while it is walked. */
  all(): { readonly target: number; readonly entry: ParkedEntry }[] {
    return [...this.#entries.values()];
  }

  #countReason(target: number, reason: ParkReason, by: number): void {
    const counts = (this.#counts[target] ??= { conflict: 0, data: 0 });
    counts[reason] += by;
    this.#groups = undefined;
  }

  #count(target: number, table: string, by: number): void {
    const name = `${target}/${table}`;
    this.#tables.set(name, (this.#tables.get(name) ?? 0) + by);
  }
}

/** The entry that a row of a writer would have. */
export function parkedName(
  writer: { readonly table: { readonly name: string }; readonly origin?: { readonly value: string } },
  key: KeyValues,
): ParkedName {
  const { origin } = writer;
  return { table: writer.table.name, key, ...(origin === undefined ? {} : { origin: origin.value }) };
}

function groupsOf(
  entries: Iterable<{ readonly target: number; readonly entry: ParkedEntry }>,
): ParkedGroup[] {
  const groups = new Map<string, ParkedGroup>();
  for (const { target, entry } of entries) {
    const { table, reason, parkedAtMs } = entry;
    const key = `${target}/${reason}/${table}`;
    const group = groups.get(key) ?? { target, table, reason, rows: 0, oldestMs: parkedAtMs };
    const oldestMs = Math.min(group.oldestMs, parkedAtMs);
    groups.set(key, { ...group, rows: group.rows + 1, oldestMs });
  }
  return [...groups.values()];
}

function entryName(target: number, { table, key, origin = '' }: ParkedName): string {
  return `${target}/${table}/${origin.length}:${origin}/${exactKeyText(key)}`;
}
