/**
 * Which keys of one partition have a parked entry at which target. Only the partition's owner parks and heals its keys, so a
 * list read when it took over and kept since is never too short; an entry that an operator removed only costs a look.
 */
import { exactKeyText } from '../model/row-key.ts';
import type { ParkedEntry } from '../targets/target.ts';

export class ParkedKeys {
  readonly #entries = new Map<string, { readonly target: number; readonly entry: ParkedEntry }>();
  readonly #tables = new Map<string, number>();

  get size(): number {
    return this.#entries.size;
  }

  add(target: number, entry: ParkedEntry): void {
    const name = entryName(target, entry.table, exactKeyText(entry.key));
    if (!this.#entries.has(name)) this.#count(target, entry.table, 1);
    this.#entries.set(name, { target, entry });
  }

  delete(target: number, table: string, keyText: string): void {
    if (this.#entries.delete(entryName(target, table, keyText))) this.#count(target, table, -1);
  }

  has(target: number, table: string, keyText: string): boolean {
    return this.#entries.has(entryName(target, table, keyText));
  }

  hasAny(target: number, table: string): boolean {
    return this.#entries.size > 0 && (this.#tables.get(`${target}/${table}`) ?? 0) > 0;
  }

  /** A copy, so that entries may be removed while it is walked. */
  all(): { readonly target: number; readonly entry: ParkedEntry }[] {
    return [...this.#entries.values()];
  }

  #count(target: number, table: string, by: number): void {
    const name = `${target}/${table}`;
    this.#tables.set(name, (this.#tables.get(name) ?? 0) + by);
  }
}

function entryName(target: number, table: string, keyText: string): string {
  return `${target}/${table}/${keyText}`;
}
