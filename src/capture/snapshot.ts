/**
 * Copies tables of a source while its binlog flows (docs/architecture.md, Copies; after DBLog). The reading half writes marks and reads
 * chunks over connections of its own; the passing half is called by the binlog loop, in the binlog's order.
 *
 *     reader:  low mark COMMITTED ─> SELECT of the chunk ─> high mark COMMITTED ─> waits until its rows are queued
 *     binlog:  … low ─ changes of the table (their keys are noted) ─ high: the chunk's other rows are queued here …
 *
 * A chunk counts as copied once it is part of a saved point: that point becomes durable when Kafka has acknowledged the rows.
 */
import type { RowferryError } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import type { Change } from '../model/change.ts';
import { exactRowKey } from '../model/row-key.ts';
import { tableName } from '../model/table.ts';
import { sleep } from '../runtime/backoff.ts';
import type { ThrottleSignal } from '../runtime/throttle.ts';
import type { PendingRequest } from './checkpoint-log.ts';
import { CopyArrivals } from './copy-arrivals.ts';
import { notCaptured, strangerText } from './copy-refusals.ts';
import { captureSignals } from './copy-signals.ts';
import { begunAnew, KeylessTables } from './keyless-tables.ts';
import type { CopyCause, CopyThrottleStatus } from './copy-throttle.ts';
import { CopyThrottle } from './copy-throttle.ts';
import type { SentRecords } from './copy-arrivals.ts';
import type { Mark } from './mark.ts';
import { whoseMark } from './mark.ts';
import type { SnapshotState, TableCopy } from './snapshot-state.ts';
import { applyRequest, withCopy } from './snapshot-state.ts';
import { covers } from './table-flow.ts';
import { SnapshotWindows } from './snapshot-windows.ts';
import type { Chunk, CopiedRows, CopyHost, CopySource, SnapshotOptions } from './copy-parts.ts';
import { sameKey, TableCopier } from './table-copier.ts';

export interface SnapshotPorts {
  connect(signal: AbortSignal): Promise<CopySource>;
  /** Offsets up to which the appliers have applied, by partition. */
  applied(): Promise<readonly number[]>;
  /** Tables of the targets that hold rows, of those that a captured table's rows go to. */
  occupied(table: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Whom the copy should spare: the source, its replicas, this process. */
  signals(): Promise<readonly ThrottleSignal[]>;
  /** Why nothing may be copied now, whatever anybody can bear; null when it may. */
  closed(): string | null;
}

const IDLE_MS = 500;
const GATE_MS = 50;
const LEAVE_MS = 1_000;
/** So often a table may turn out to be another than it was described before its copy fails; with backoff about a minute. */
const MOST_CHANGES = 10;
/** A copy that is begun again and breaks sooner has not got over its outage. */
const STEADY_MS = 10_000;
/** A capture that is further behind than this meets its marks late. */
const LONGEST_LAG_MS = 30_000;

export class Snapshot {
  readonly #options: SnapshotOptions;
  readonly #ports: SnapshotPorts;
  readonly #windows = new SnapshotWindows();
  readonly #chunks = new Map<number, Chunk>();
  readonly #arrivals: CopyArrivals;
  readonly #throttle: CopyThrottle;
  readonly #host: CopyHost;
  readonly keyless: KeylessTables;
  #state: SnapshotState;
  #chunkCount = 0;
  #sent: SentRecords | undefined;
  /** Why nothing is read at all. */
  #held: { readonly cause: CopyCause; readonly what: string } | null = null;
  #copiedRows = 0;
  #horizonMs: number | null = null;
  #metStranger = false;

  constructor(options: SnapshotOptions, ports: SnapshotPorts, state: SnapshotState) {
    this.#options = options;
    this.#ports = ports;
    this.#state = { ...state, tables: state.tables.map(begunAnew) };
    this.keyless = new KeylessTables(options.epoch, options.flow, {
      copyOf: (table) => this.#state.tables.find((copy) => copy.table === table),
      change: (copy, change) => this.#change(copy, change),
    });
    this.#arrivals = new CopyArrivals(options);
    const arrivals = this.#arrivals;
    const throttle = new CopyThrottle(options, async () => await this.#signals(), options.log);
    this.#throttle = throttle;
    this.#host = {
      keyless: this.keyless,
      occupied: async (table, signal) => await ports.occupied(table, signal),
      now: (copy) => this.#now(copy),
      change: (copy, change) => this.#change(copy, change),
      nextChunk: () => ++this.#chunkCount,
      isBehind: () => this.#lagMs > LONGEST_LAG_MS,
      begin: (id, chunk) => {
        arrivals.begun(chunk.size);
        this.#chunks.set(id, chunk);
      },
      gate: async (isWanted, signal) => await this.#gate(isWanted, signal),
      rest: async (chunk, isWanted, signal) => await throttle.rest(chunk, isWanted, signal),
      get readers() {
        return throttle.readers;
      },
      get largestChunk() {
        return Math.min(arrivals.largestChunk, throttle.mostRows);
      },
    };
  }

  /** What may be saved now: rows that it counts were handed to the publisher before. */
  get state(): SnapshotState {
    return this.#state;
  }

  /** Why nothing is read at the moment, or less than could be; null while the copy goes at full speed, or there is none. */
  get reason(): string | null {
    return this.#hasWork ? (this.#held?.what ?? this.#throttle.reason) : null;
  }

  /** What holds the copy back, and the share of its speed that is left while something is to be copied. */
  get throttle(): CopyThrottleStatus | null {
    if (!this.#hasWork) return null;
    const causes = [this.#held?.cause ?? null, this.#throttle.cause].filter((cause) => cause !== null);
    return { share: this.#throttle.share, causes };
  }

  /** Nothing is read on purpose: the hours are others, or its table waits for an operator. */
  get isSpared(): boolean {
    return this.#held?.cause === 'hours' || this.#held?.cause === 'statement';
  }

  /** Tables whose copied rows are not all at the targets. */
  get arriving(): ReadonlySet<string> {
    return this.#arrivals.tables;
  }

  /** Every commit of the source up to this time has been read, milliseconds since 1970. */
  readUntil(horizonMs: number): void {
    this.#horizonMs = horizonMs;
  }

  /** Rows that were queued since this capture began, to tell the rate by. */
  get copiedRows(): number {
    return this.#copiedRows;
  }

  asked(requests: readonly PendingRequest[]): void {
    for (const { id, request, end } of requests) {
      if (end > this.#state.requests) this.#state = applyRequest(this.#state, request, end, id);
    }
  }

  /** A change of the binlog goes by; what happens within a window is written whatever it changed. */
  seen(change: Change): Change {
    if (this.#windows.isEmpty) return change;
    const { table, before, after } = change;
    const isWithin = this.#windows.touch(tableName(table), exactRowKey(table, (after ?? before)!));
    return isWithin && before !== null && after !== null ? { ...change, snapshot: 'window' } : change;
  }

  /** A statement changed a table (`schema.*`: tables of a schema). */
  changed(table: string, ofRows: boolean): void {
    this.#windows.changed((read) => covers(table, read));
    if (!ofRows) return;
    // Of a table without a key: rows whose marks come behind a TRUNCATE would be back at the targets.
    for (const copy of this.#state.tables) if (covers(table, copy.table)) this.#change(copy, begunAnew);
  }

  /** Whose mark goes by; a stranger's is ignored, but is likely to be a mistake. */
  whose(mark: Mark): ReturnType<typeof whoseMark> {
    const { writer, log } = this.#options;
    const whose = whoseMark(mark, writer);
    if (whose === 'stranger' && !this.#metStranger) {
      this.#metStranger = true;
      log.warn({ source: writer.source }, strangerText(writer.pipeline));
    }
    return whose;
  }

  /** One of our own marks goes by; at a high mark the rows that have to be queued now, before anything later. */
  passed({ chunk: id, edge }: Mark): CopiedRows | undefined {
    const chunk = this.#chunks.get(id);
    if (chunk === undefined) return undefined;
    const { table } = chunk.table;
    if (chunk.part !== undefined) return this.#passedPart(chunk, id);
    if (edge === 'low') {
      this.#windows.low(id, tableName(table));
      return undefined;
    }
    this.#chunks.delete(id);
    const seen = this.#windows.high(id);
    // A statement that held the table may stand before the low mark: what was read is of the table behind it.
    const touched = this.#options.flow.holds(tableName(table)) ? 'changed' : seen;
    if (touched === 'lost' || touched === 'overrun' || touched === 'changed') {
      this.#arrivals.dropped(chunk.size);
      chunk.passed(touched);
      return undefined;
    }
    const rows = chunk.rows.filter((row) => !touched.has(exactRowKey(table, row)));
    const finish = (): void => {
      this.#finish(chunk, id, rows.length);
      this.#arrivals.queued(tableName(table), chunk.size, rows.length);
      this.#copiedRows += rows.length;
      chunk.passed('queued');
    };
    return { table, rows, partitionOf: chunk.partitionOf, finish };
  }

  /** A part of a table without a key: nothing that the binlog shows between its reading and its mark takes a row's place. */
  #passedPart(chunk: Chunk, id: number): CopiedRows | undefined {
    this.#chunks.delete(id);
    return this.keyless.passed(chunk, this.#now(chunk.copy), (rows) => {
      if (rows === null) this.#arrivals.dropped(chunk.size);
      else this.#arrivals.queued(chunk.copy.table, chunk.size, rows);
      this.#copiedRows += rows ?? 0;
    });
  }

  /** Everything handed out so far is part of the records up to this number. */
  flushed(issued: number): void {
    this.#arrivals.flushed(issued);
  }

  /** Copies what there is to copy until the signal aborts. What goes wrong with a table stops that table only. */
  async run(sent: SentRecords, signal: AbortSignal): Promise<void> {
    this.#sent = sent;
    const arriving = this.#arrivals.watch(sent, () => this.#ports.applied(), signal);
    const looking = this.#throttle.watch(() => this.#hasWork, signal);
    while (!signal.aborted) {
      const open = this.#state.tables.filter(
        ({ state, paused }) => !paused && (state === 'waiting' || state === 'copying'),
      );
      const copy = open.find(({ table }) => !this.#options.flow.holdsCopy(table));
      if (copy === undefined) {
        const [held] = open;
        this.#held =
          held === undefined
            ? null
            : { cause: 'statement', what: `${held.table} waits for an operator since a statement` };
        await sleep(IDLE_MS, signal);
        continue;
      }
      try {
        const [schema = '', name = ''] = copy.table.split('.');
        if (!this.#options.captures(schema, name)) throw notCaptured(this.#options.source, copy.table);
        await this.#copy(copy, signal);
      } catch (thrown) {
        this.#failed(copy, toRowferryError(thrown, 'copying a table'));
      }
    }
    // Asking Kafka may take its time; nobody waits for the answer any more.
    await Promise.race([
      Promise.all([arriving, looking]),
      new Promise((resolve) => setTimeout(resolve, LEAVE_MS).unref()),
    ]);
  }

  async #copy(copy: TableCopy, signal: AbortSignal): Promise<void> {
    let changed = 0;
    const { outages, source: name } = this.#options;
    const part = `copy ${name} ${copy.table}`;
    const outage = outages.of(part, { atOnce: true, steadyMs: STEADY_MS, fields: { table: copy.table } });
    while (!signal.aborted) {
      // A statement may hold the table meanwhile; whoever asks for the copy again begins where this one stands.
      if (this.#now(copy)?.paused !== false) return;
      const ended = new AbortController();
      let source: CopySource | undefined;
      try {
        const opened = await this.#ports.connect(AbortSignal.any([signal, ended.signal]));
        source = opened;
        // A server that fell silent must not hold up whoever comes after this capture.
        signal.addEventListener('abort', () => opened.destroy(), { once: true, signal: ended.signal });
        await source.prepare();
        outage.over();
        const copier = new TableCopier({ copy, source, host: this.#host, options: this.#options });
        await copier.run(AbortSignal.any([signal, ended.signal]));
        return;
      } catch (thrown) {
        const error = toRowferryError(thrown, 'copying a table').at({ table: copy.table });
        if (signal.aborted) return;
        // A statement changed the table, and the binlog will tell so in a moment: it holds the table, or the copy reads it anew.
        const isChanged = error.code === 'ROWFERRY_SOURCE_SCHEMA' && ++changed < MOST_CHANGES;
        if (error.action !== 'retry' && !isChanged) throw error;
        this.#held = { cause: 'outage', what: error.describe() };
        await this.#options.outages.wait(outage.failed(error), signal);
      } finally {
        ended.abort();
        for (const [id, chunk] of this.#chunks) {
          this.#windows.high(id);
          this.#arrivals.dropped(chunk.size);
        }
        this.#chunks.clear();
        if (signal.aborted) outage.close();
        await source?.close();
      }
    }
  }

  /** Waits while the copy should not go on, and tells why. */
  async #gate(isWanted: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (!isWanted()) return;
      const closed = this.#ports.closed();
      const full = this.#arrivals.reason;
      if (closed !== null) this.#held = { cause: 'hours', what: closed };
      else if (full !== null) this.#held = { cause: 'targets', what: full };
      else this.#held = null;
      if (this.#held === null && this.#throttle.hasLooked) return;
      await sleep(GATE_MS, signal);
    }
  }

  /** There is something to copy that nobody has paused. */
  get #hasWork(): boolean {
    return this.#state.tables.some(
      ({ state, paused }) => !paused && (state === 'waiting' || state === 'copying'),
    );
  }

  get #lagMs(): number {
    return this.#horizonMs === null ? 0 : Date.now() - this.#horizonMs;
  }

  async #signals(): Promise<ThrottleSignal[]> {
    const lagMs = this.#lagMs;
    const fill = (this.#sent?.pendingBytes ?? 0) / this.#options.queueBytes;
    return [...captureSignals(lagMs, fill), ...(await this.#ports.signals())];
  }

  #finish(chunk: Chunk, id: number, rows: number): void {
    const moved = chunk.ledger.finish(id, rows);
    if (moved === undefined) return;
    this.#change(chunk.copy, (copy) => {
      const isDone = copy.upper !== null && sameKey(moved.after, copy.upper);
      const next = { ...copy, after: moved.after, rows: copy.rows + moved.rows };
      if (!isDone) return next;
      this.#options.log.info({ table: copy.table, rows: next.rows }, 'copied');
      return { ...next, state: 'done', upper: null, after: null, keyForm: null, finishedMs: Date.now() };
    });
  }

  #failed(copy: TableCopy, error: RowferryError): void {
    this.#options.log.error(
      { table: copy.table, code: error.code },
      `copying stopped: ${error.describe()}; mend it, then: rowferry snapshot resume ${copy.table}`,
    );
    this.#change(copy, (before) => begunAnew({ ...before, state: 'failed', error: error.describe() }));
  }

  /** The copy as it stands; undefined when it was cancelled or begun anew. */
  #now({ table, id }: TableCopy): TableCopy | undefined {
    const copy = this.#state.tables.find((found) => found.table === table && found.id === id);
    if (copy === undefined) return undefined;
    const stands = copy.state === 'failed' || this.#options.flow.holdsCopy(table);
    return stands ? { ...copy, paused: true } : copy;
  }

  #change(copy: TableCopy, change: (copy: TableCopy) => TableCopy): void {
    this.#state = withCopy(this.#state, copy, change);
  }
}
