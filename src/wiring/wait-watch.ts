/** Since when parts of a daemon wait, tries in between included. Pure but for what it remembers. */

export class WaitWatch {
  #before: ReadonlyMap<string, number> = new Map();
  #since = new Map<string, number>();

  /** A round of looks begins; parts that are not looked at in it are gone. */
  begin(): void {
    this.#before = this.#since;
    this.#since = new Map();
  }

  /** `tries` is between two waits: it keeps what was, and begins nothing. */
  look(part: string, state: 'waits' | 'tries' | 'goes-on', nowMs: number): void {
    const before = this.#before.get(part);
    const since = state === 'goes-on' ? undefined : (before ?? (state === 'waits' ? nowMs : undefined));
    if (since !== undefined) this.#since.set(part, since);
  }

  /** How long a part has waited; 0 when it does not. */
  waitedMs(part: string, nowMs: number): number {
    return Math.max(0, nowMs - (this.#since.get(part) ?? nowMs));
  }
}
