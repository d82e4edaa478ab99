/**
 * Sets of executed transactions, as text and as values: MySQL GTID sets and MariaDB GTID positions behind one interface.
 * Pure; numbers are exact to 2^53, larger ones are refused.
 */
import { RowferryError } from '../errors.ts';

/** What both flavours can do. */
interface GtidState {
  isEmpty(): boolean;
  add(gtid: string): void;
  contains(gtid: string): boolean;
  isSubsetOf(other: GtidState): boolean;
  union(other: GtidState): GtidState;
  toString(): string;
}

/**
 * Which transactions of a source are done: a MySQL GTID set (`uuid:1-5:9,uuid:tag:1-3`) or a MariaDB GTID position
 * (`0-1-1234,1-3-45`: everything up to it in its domain). The text tells which; an empty set becomes what is first added.
 */
export class GtidSet {
  #state: GtidState | undefined;

  private constructor(state: GtidState | undefined) {
    this.#state = state;
  }

  /** Reads either flavour's text; the empty text is the empty set. Throws ROWFERRY_CONFIG_INVALID. */
  static parse(text: string): GtidSet {
    const bare = text.replace(/\s/g, '');
    if (bare.replaceAll(',', '') === '') return new GtidSet(undefined);
    return new GtidSet(bare.includes(':') ? MysqlSet.parse(bare) : MariadbPosition.parse(bare));
  }

  isEmpty(): boolean {
    return this.#state?.isEmpty() ?? true;
  }

  /** Adds one transaction: `uuid:number`, `uuid:tag:number` or `domain-server-sequence`. */
  add(gtid: string): void {
    this.#state ??= gtid.includes(':') ? new MysqlSet() : new MariadbPosition();
    this.#state.add(gtid);
  }

  /** Whether one transaction is done. */
  contains(gtid: string): boolean {
    return this.#state?.contains(gtid) ?? false;
  }

  /** Whether everything that is done here is done there too. */
  isSubsetOf(other: GtidSet): boolean {
    if (this.#state === undefined || this.#state.isEmpty()) return true;
    return other.#state !== undefined && this.#state.isSubsetOf(other.#state);
  }

  equals(other: GtidSet): boolean {
    return this.toString() === other.toString();
  }

  /** A new set with what either holds. Both must be of one flavour. */
  union(other: GtidSet): GtidSet {
    if (this.#state === undefined) return other.clone();
    return other.#state === undefined ? this.clone() : new GtidSet(this.#state.union(other.#state));
  }

  clone(): GtidSet {
    return GtidSet.parse(this.toString());
  }

  /** Canonical: what the server shows and takes as a start position. */
  toString(): string {
    return this.#state?.toString() ?? '';
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d+)(?:-(\d+))?$/;
const TRIPLE = /^(\d+)-(\d+)-(\d+)$/;
const MAX_UINT32 = 0xffff_ffff;

/** Inclusive bounds, sorted, disjoint and not adjacent: `[1, 5, 9, 9]` is `1-5:9`. Flat, since sets may hold many. */
type Intervals = number[];

class MysqlSet implements GtidState {
  /** Keyed by `uuid` or `uuid:tag`. */
  readonly #sources = new Map<string, Intervals>();

  static parse(text: string): MysqlSet {
    const set = new MysqlSet();
    for (const part of text.toLowerCase().split(',')) {
      if (part === '') continue;
      const [uuid = '', ...items] = part.split(':');
      if (!UUID.test(uuid) || items.length === 0) throw malformed('MySQL GTID set');
      let source = uuid;
      let intervals = 0;
      for (const item of items) {
        const bounds = INTERVAL.exec(item);
        if (bounds === null) {
          // A tag names the source of the intervals that follow it.
          if (!TAG.test(item) || (source !== uuid && intervals === 0)) throw malformed('MySQL GTID set');
          source = `${uuid}:${item}`;
          intervals = 0;
          continue;
        }
        const first = exact(bounds[1] ?? '', 'MySQL GTID set');
        const last = bounds[2] === undefined ? first : exact(bounds[2], 'MySQL GTID set');
        if (first < 1 || last < first) throw malformed('MySQL GTID set');
        set.#addInterval(source, first, last);
        intervals += 1;
      }
      if (intervals === 0) throw malformed('MySQL GTID set');
    }
    return set;
  }

  isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  add(gtid: string): void {
    const [source, number] = splitGtid(gtid);
    const intervals = this.#sources.get(source);
    // Nearly always the next number of a known source.
    if (intervals !== undefined && intervals.at(-1) === number - 1) intervals[intervals.length - 1] = number;
    else this.#addInterval(source, number, number);
  }

  contains(gtid: string): boolean {
    const [source, number] = splitGtid(gtid);
    return covers(this.#sources.get(source) ?? [], number, number);
  }

  isSubsetOf(other: GtidState): boolean {
    if (!(other instanceof MysqlSet)) return this.isEmpty();
    for (const [source, intervals] of this.#sources) {
      const theirs = other.#sources.get(source) ?? [];
      for (let i = 0; i < intervals.length; i += 2) {
        if (!covers(theirs, intervals[i] ?? 0, intervals[i + 1] ?? 0)) return false;
      }
    }
    return true;
  }

  union(other: GtidState): MysqlSet {
    if (!(other instanceof MysqlSet)) throw malformed('MySQL GTID set');
    const set = new MysqlSet();
    for (const [source, intervals] of this.#sources) set.#sources.set(source, [...intervals]);
    for (const [source, intervals] of other.#sources) {
      for (let i = 0; i < intervals.length; i += 2) {
        set.#addInterval(source, intervals[i] ?? 0, intervals[i + 1] ?? 0);
      }
    }
    return set;
  }

  toString(): string {
    const uuids = new Map<string, string>();
    for (const source of [...this.#sources.keys()].toSorted()) {
      const uuid = source.slice(0, 36);
      // Sorted: a uuid comes before its tags, so its untagged intervals lead.
      uuids.set(uuid, `${uuids.get(uuid) ?? uuid}${source.slice(36)}${this.#intervalText(source)}`);
    }
    return [...uuids.values()].join(',');
  }

  #intervalText(source: string): string {
    const intervals = this.#sources.get(source) ?? [];
    let text = '';
    for (let i = 0; i < intervals.length; i += 2) {
      const [first, last] = [intervals[i] ?? 0, intervals[i + 1] ?? 0];
      text += first === last ? `:${first}` : `:${first}-${last}`;
    }
    return text;
  }

  #addInterval(source: string, first: number, last: number): void {
    const intervals = this.#sources.get(source);
    if (intervals === undefined) {
      this.#sources.set(source, [first, last]);
      return;
    }
    const merged: Intervals = [];
    let [low, high] = [first, last];
    let placed = false;
    for (let i = 0; i < intervals.length; i += 2) {
      const [start, end] = [intervals[i] ?? 0, intervals[i + 1] ?? 0];
      if (end < low - 1) {
        merged.push(start, end);
      } else if (start > high + 1) {
        if (!placed) merged.push(low, high);
        placed = true;
        merged.push(start, end);
      } else {
        low = Math.min(low, start);
        high = Math.max(high, end);
      }
    }
    if (!placed) merged.push(low, high);
    this.#sources.set(source, merged);
  }
}

/** The last transaction of each replication domain. */
class MariadbPosition implements GtidState {
  readonly #domains = new Map<number, { readonly server: number; readonly sequence: number }>();

  static parse(text: string): MariadbPosition {
    const position = new MariadbPosition();
    for (const part of text.split(',')) {
      if (part === '') continue;
      const { domain, server, sequence } = splitTriple(part);
      if (position.#domains.has(domain)) throw malformed('MariaDB GTID position (a domain is named twice)');
      position.#domains.set(domain, { server, sequence });
    }
    return position;
  }

  isEmpty(): boolean {
    return this.#domains.size === 0;
  }

  /** The last one counts: after a failover a domain may go on with a smaller number of another server. */
  add(gtid: string): void {
    const { domain, server, sequence } = splitTriple(gtid);
    this.#domains.set(domain, { server, sequence });
  }

  contains(gtid: string): boolean {
    const { domain, sequence } = splitTriple(gtid);
    return (this.#domains.get(domain)?.sequence ?? 0) >= sequence;
  }

  isSubsetOf(other: GtidState): boolean {
    if (!(other instanceof MariadbPosition)) return this.isEmpty();
    for (const [domain, { sequence }] of this.#domains) {
      if ((other.#domains.get(domain)?.sequence ?? -1) < sequence) return false;
    }
    return true;
  }

  union(other: GtidState): MariadbPosition {
    if (!(other instanceof MariadbPosition)) throw malformed('MariaDB GTID position');
    const position = new MariadbPosition();
    for (const [domain, last] of this.#domains) position.#domains.set(domain, last);
    for (const [domain, theirs] of other.#domains) {
      const ours = position.#domains.get(domain);
      if (ours === undefined || ours.sequence < theirs.sequence) position.#domains.set(domain, theirs);
    }
    return position;
  }

  toString(): string {
    return [...this.#domains]
      .toSorted(([a], [b]) => a - b)
      .map(([domain, { server, sequence }]) => `${domain}-${server}-${sequence}`)
      .join(',');
  }
}

function covers(intervals: Intervals, first: number, last: number): boolean {
  let [low, high] = [0, intervals.length / 2 - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if ((intervals[middle * 2 + 1] ?? 0) < first) low = middle + 1;
    else if ((intervals[middle * 2] ?? 0) > first) high = middle - 1;
    else return (intervals[middle * 2 + 1] ?? 0) >= last;
  }
  return false;
}

function splitGtid(gtid: string): [source: string, number: number] {
  const colon = gtid.lastIndexOf(':');
  const [source, digits] = [gtid.slice(0, colon), gtid.slice(colon + 1)];
  const tag = source.slice(37);
  if (!UUID.test(source.slice(0, 36)) || (source.length > 36 && (source[36] !== ':' || !TAG.test(tag)))) {
    throw malformed('MySQL GTID');
  }
  const number = exact(digits, 'MySQL GTID');
  if (number < 1) throw malformed('MySQL GTID');
  return [source, number];
}

function splitTriple(gtid: string): { domain: number; server: number; sequence: number } {
  const match = TRIPLE.exec(gtid);
  if (match === null) throw malformed('MariaDB GTID');
  const [domain, server] = [Number(match[1]), Number(match[2])];
  if (domain > MAX_UINT32 || server > MAX_UINT32) throw malformed('MariaDB GTID');
  return { domain, server, sequence: exact(match[3] ?? '', 'MariaDB GTID') };
}

function exact(digits: string, what: string): number {
  const number = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw malformed(what);
  return number;
}

function malformed(what: string): RowferryError {
  return new RowferryError('ROWFERRY_CONFIG_INVALID', `not a ${what}`, {
    hint: what.startsWith('MySQL')
      ? 'write it as @@gtid_executed shows it: uuid:1-5:9'
      : 'write it as @@gtid_binlog_pos shows it: domain-server-sequence, one for each domain',
  });
}
