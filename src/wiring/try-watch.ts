/** Since when parts of a daemon wait, and how often in a row they failed to reach a server. Pure but for what it remembers. */

export interface Failure {
  readonly errorCode: string | null;
  /** When the next try is due: another time for each try that failed. */
  readonly nextTryMs: number | null;
}

interface Part {
  readonly sinceMs: number | null;
  readonly server: string | null;
  readonly tries: number;
  readonly nextTryMs: number | null;
}

const NEW: Part = { sinceMs: null, server: null, tries: 0, nextTryMs: null };

export class TryWatch {
  #before: ReadonlyMap<string, Part> = new Map();
  #now = new Map<string, Part>();
  #servers = new Set<string>();

  /** A round of looks begins; parts that are not looked at in it are gone. */
  begin(): void {
    this.#before = this.#now;
    this.#now = new Map();
    this.#servers = new Set();
  }

  /** A server that this process speaks to; it has not failed until a part says so. */
  expect(server: string): void {
    this.#servers.add(server);
  }

  /** `tries` is between two waits: it keeps what was, and begins nothing. `server` is the one that an error is about. */
  look(
    part: string,
    state: 'waits' | 'tries' | 'goes-on',
    failure: Failure | null,
    server: string | null,
    nowMs: number,
  ): void {
    if (state === 'goes-on') {
      this.#now.set(part, NEW);
      return;
    }
    const before = this.#before.get(part) ?? NEW;
    const sinceMs = before.sinceMs ?? (state === 'waits' ? nowMs : null);
    const { errorCode = null, nextTryMs = null } = failure ?? {};
    if (errorCode === null) {
      this.#now.set(part, { ...before, sinceMs });
      return;
    }
    const failed = isLink(errorCode) ? (errorCode === 'ROWFERRY_KAFKA_LINK' ? 'kafka' : server) : null;
    const tries = failed === before.server ? before.tries : 0;
    const isNew = nextTryMs !== null && nextTryMs !== before.nextTryMs;
    this.#now.set(part, { sinceMs, server: failed, tries: tries + (isNew ? 1 : 0), nextTryMs });
  }

  /** How long a part has waited, tries in between included; 0 when it does not. */
  waitedMs(part: string, nowMs: number): number {
    const since = this.#now.get(part)?.sinceMs ?? null;
    return since === null ? 0 : Math.max(0, nowMs - since);
  }

  /** Tries in a row that failed, by server: of the part that has failed most often. */
  failed(): Map<string, number> {
    const failed = new Map([...this.#servers, 'kafka'].map((server) => [server, 0]));
    for (const { server, tries } of this.#now.values())
      if (server !== null) failed.set(server, Math.max(tries, failed.get(server) ?? 0));
    return failed;
  }
}

function isLink(code: string): boolean {
  return code === 'ROWFERRY_SOURCE_LINK' || code === 'ROWFERRY_KAFKA_LINK';
}
