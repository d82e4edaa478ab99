/**
 * One incarnation of a capture: pulls events, publishes what the assembler makes of them, and saves what is durable. It ends
 * when another capture took over (C1, C2), when something stopped it, or with its signal.
 */
import { setImmediate } from 'node:timers/promises';
import type { BinlogLink } from '../drivers/binlog.ts';
import type { HeartbeatEvent } from '../drivers/binlog-event.ts';
import type { RowferryError } from '../errors.ts';
import { toRowferryError } from '../errors.ts';
import { GtidSet } from '../model/gtid-set.ts';
import type { Change } from '../model/change.ts';
import type { Position } from '../model/position.ts';
import { formatPlace, namesGtidsAlone } from '../model/position.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { Assembler } from './assembler.ts';
import { heldBack } from './back-pressure.ts';
import type { MarkPlace, TableStatement, TransactionEnd } from './assembled.ts';
import type { CaptureOptions } from './capture-options.ts';
import type { CaptureProgress } from './capture-progress.ts';
import type { CheckpointState, CheckpointWriter, SavePoint } from './checkpoint-log.ts';
import { Horizon } from './horizon.ts';
import type { Mark } from './mark.ts';
import { tellAsked } from './operator-records.ts';
import type { RecordSender } from './publisher.ts';
import { Publisher } from './publisher.ts';
import { ReleaseWatch } from './release-watch.ts';
import type { Snapshot } from './snapshot.ts';
import type { SourceFacts } from './start-position.ts';
import { StatementGate } from './statement-gate.ts';
import type { TableFlow } from './table-flow.ts';

/** An idle capture saves this often all the same: it finds out who claimed or asked since, and shows that it lives. */
const IDLE_SAVE_MS = 5_000;
/** How much later than the source's heartbeat a marker comes by itself, as it does while the source is busy. */
const MARK_PATIENCE_MS = 100;

export interface IncarnationParts {
  readonly sender: RecordSender;
  readonly progress: CaptureProgress;
  readonly checkpoints: CheckpointWriter;
  readonly epoch: number;
  readonly position: Position;
  readonly facts: SourceFacts;
  readonly snapshot: Snapshot;
  readonly flow: TableFlow;
  /** Statements that an operator had dealt with when this incarnation began. */
  readonly accepted: Acknowledgements;
  /** Offset after the last record of each partition of the change topic. */
  readonly published: (signal: AbortSignal) => Promise<readonly number[]>;
  /** Offsets up to which the appliers have applied, by partition. */
  readonly applied: () => Promise<readonly number[]>;
}

/** `released`: tables that waited for these statements go on, by a new incarnation. */
export type IncarnationEnd =
  | 'superseded'
  | 'stopped'
  | {
      readonly released: ReadonlySet<string>;
      readonly incarnation: number;
    };

export class Incarnation {
  readonly publisher: Publisher<SavePoint>;
  readonly releases: ReleaseWatch;
  readonly #options: CaptureOptions;
  readonly #progress: CaptureProgress;
  readonly #checkpoints: CheckpointWriter;
  readonly #epoch: number;
  readonly #horizon: Horizon;
  readonly #server: string;
  readonly #gtids: GtidSet | undefined;
  readonly #snapshot: Snapshot;
  readonly #flow: TableFlow;
  readonly #gate: StatementGate;
  readonly #published: IncarnationParts['published'];
  #end: TransactionEnd | undefined;
  readonly #start: SavePoint;
  #point: SavePoint;
  #saved: SavePoint | undefined;
  #savedAtMs = Date.now();
  #saving: Promise<'saved' | 'superseded' | CheckpointState> | undefined;
  #superseded = false;
  #isWithin = false;
  #saveFailure: RowferryError | undefined;
  #markedAtMs = 0;

  constructor(options: CaptureOptions, parts: IncarnationParts) {
    const { sender, progress, checkpoints, epoch, position, facts, snapshot, flow } = parts;
    this.#options = options;
    this.#progress = progress;
    this.#checkpoints = checkpoints;
    this.#epoch = epoch;
    this.#snapshot = snapshot;
    this.#server = position.server;
    this.#gtids = position.gtid === undefined ? undefined : GtidSet.parse(position.gtid);
    this.#flow = flow;
    const { accepted, applied } = parts;
    this.releases = new ReleaseWatch({
      flow,
      accepted,
      published: async (signal) => await this.#closed(formatPlace(this.#point.position), signal),
      applied,
      log: options.log,
    });
    this.#published = parts.published;
    this.#start = { position, commitMs: null, snapshot: snapshot.state, flow: flow.state };
    this.#point = this.#start;
    const { partitions, source, format, chunkBytes, schemaPolicy, log } = options;
    const rowMs = options.heartbeatRow ? options.heartbeatMs : null;
    this.#horizon = new Horizon({ source, current: facts.current, rowMs, log });
    const writer = { epoch, incarnation: checkpoints.incarnation };
    this.publisher = new Publisher({ partitions, writer, source, format, chunkBytes }, sender);
    this.#gate = new StatementGate({
      source,
      policy: schemaPolicy,
      flow,
      broadcast: ({ name, timeMs }, change) => {
        const horizonMs = this.#horizon.ms ?? timeMs;
        const marker = { kind: 'schema', ...writer, horizonMs, sentMs: Date.now() } as const;
        this.publisher.marker({ ...marker, position: name, change });
      },
      changed: (table, ofRows) => snapshot.changed(table, ofRows),
      log,
    });
  }

  change(partition: number, change: Change): void {
    this.#isWithin = true;
    this.#progress.lag.change(change.timeMs);
    this.publisher.add(partition, this.#snapshot.seen(change));
  }

  /** C2: the mark of a newer incarnation says that this one is over. */
  mark(mark: Mark, place: MarkPlace): void {
    const whose = this.#snapshot.whose(mark);
    if (whose === 'newer') this.#superseded = true;
    if (whose !== 'ours' || this.#superseded) return;
    const copied = this.#snapshot.passed(mark);
    if (copied === undefined) return;
    const { table, rows, partitionOf, finish } = copied;
    for (const [i, row] of rows.entries()) {
      const sequence = { file: place.file, end: place.end, half: i };
      const change = {
        table,
        sequence,
        timeMs: place.timeMs,
        before: null,
        after: row,
        snapshot: 'row',
      } as const;
      this.publisher.add(partitionOf(row), change);
    }
    finish();
    if (copied.cut !== undefined) this.#gate.cut(table, copied.cut.empties, place);
  }

  waits(): void {
    this.#gate.saveFirst();
  }

  statement(statement: TableStatement): void {
    this.#gate.handle(statement, this.#position());
  }

  transactionEnd(end: TransactionEnd): void {
    this.#end = end;
    this.#isWithin = false;
    if (this.#flow.reached(end))
      this.#options.log.info({ position: formatPlace(end) }, 'all tables flow again');
    if (end.gtid !== null) this.#gtids?.add(end.gtid);
    const nowMs = Date.now();
    this.#horizon.transaction(end, nowMs);
    this.#progress.lag.transaction(end.commitMs, nowMs);
    this.#snapshot.readUntil(end.commitMs);
  }

  async pump(
    link: Pick<BinlogLink, 'read' | 'close'> & { readonly stats: Pick<BinlogLink['stats'], 'bytes'> },
    assembler: Assembler,
    signal: AbortSignal,
  ): Promise<IncarnationEnd> {
    const timer = setInterval(() => this.#tick(signal), Math.min(100, this.#options.heartbeatMs));
    try {
      while (!signal.aborted) {
        const events = await link.read();
        let failure: RowferryError | undefined;
        try {
          for (const event of events) {
            if (this.#superseded) return 'superseded';
            const isLast = event === events.at(-1);
            if (event.kind !== 'heartbeat') assembler.handle(event);
            else if (this.#horizon.heartbeat(event, isLast, Date.now())) this.#idleAt(event);
            if (this.#gate.hasTruncates) await this.#sendTruncates(signal);
            if (this.#gate.hasHeld) await this.#saveHeld(signal);
            // Then nothing was saved, and nothing may be published that rests on it.
            if (this.#superseded) return 'superseded';
            assembler.resume();
            if (isLast && event.kind === 'commit' && this.#horizon.drained(Date.now())) this.#idle();
          }
        } catch (error) {
          failure = toRowferryError(error, 'reading the binlog');
        }
        // What was read before the statement that stops us is published and saved all the same.
        this.#flush();
        this.#progress.read(events.length, link.stats.bytes);
        if (failure !== undefined) {
          await this.#drain(signal);
          throw failure;
        }
        if (this.#superseded) return 'superseded';
        const released = await this.#released(signal);
        if (released !== undefined) return { released, incarnation: this.#checkpoints.incarnation };
        if (this.#saveFailure !== undefined) throw this.#saveFailure;
        await heldBack(this.publisher, link, this.#options, () => this.#progress.enter('holding'), signal);
        // A read that finds events waiting resolves without a turn of the event loop: sends and timers need theirs.
        await setImmediate();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(timer);
    }
    await this.#drain(AbortSignal.timeout(5_000));
    return 'stopped';
  }

  /** Nothing of the source waits behind the horizon. A marker tells of it at once: it ages on its way only. */
  #idle(): void {
    const { ms } = this.#horizon;
    if (ms === null) return;
    this.#progress.lag.idle(ms);
    this.#snapshot.readUntil(ms);
    this.#mark(Date.now());
  }

  /** The same at the end of the binlog, which is a place for a position that so far GTIDs alone name: nothing was committed since. */
  #idleAt({ file, offset }: HeartbeatEvent): void {
    const { position } = this.#point;
    if (namesGtidsAlone(position) && this.#end === undefined && !this.#isWithin) {
      this.#point = { ...this.#point, position: { ...position, file, offset } };
      this.publisher.flush(this.#point);
    }
    this.#idle();
  }

  #flush(): void {
    // What belongs behind a TRUNCATE is not saved before that is sent, also when something stops us here.
    if (this.#gate.hasTruncates) return this.publisher.flush(undefined);
    const end = this.#end;
    this.#end = undefined;
    const { state: snapshot } = this.#snapshot;
    const { state: flow } = this.#flow;
    const moved = end !== undefined || snapshot !== this.#point.snapshot || this.#gate.hasHeld;
    if (end !== undefined) {
      this.#point = { position: this.#position(end), commitMs: end.commitMs, snapshot, flow };
    } else if (moved) {
      // A table that is held in the middle of a transaction is held from its beginning on.
      this.#point = { ...this.#point, snapshot, ...(this.#gate.hasHeld ? { flow } : {}) };
    }
    this.publisher.flush(moved ? this.#point : undefined);
    this.#progress.lag.sent(this.publisher.issued, false);
    this.#progress.lag.acknowledged(this.publisher.acknowledged, Date.now());
    this.#snapshot.flushed(this.publisher.issued);
  }

  /** The last place between transactions that was read. */
  #position(end = this.#end): Position {
    if (end === undefined) return this.#point.position;
    const gtid = this.#gtids?.toString();
    const place = { file: end.file, offset: end.offset, server: this.#server };
    return gtid === undefined ? place : { ...place, gtid };
  }

  /**
   * All rows before a TRUNCATE have their offsets before it is sent: appliers wait for them in every partition. What another
   * capture sends later counts for nothing, such as copied rows that it had queued: they would be back at the targets. The place
   * behind the statement is kept back meanwhile: saved too early it would lose the statement in a crash. The place before it
   * is saved: a capture that another one has superseded learns so here, and empties nothing.
   */
  async #sendTruncates(signal: AbortSignal): Promise<void> {
    const end = this.#end;
    this.#end = undefined;
    this.publisher.flush(undefined);
    await this.#drained(signal);
    await this.#save(this.publisher.durable ?? this.#start, signal);
    if (this.#saveFailure !== undefined) throw this.#saveFailure;
    if (!this.#superseded) this.#gate.sendTruncates(await this.#closed(this.#gate.truncatesAt, signal));
    this.#end = end;
  }

  /**
   * That a table is held is saved before anything is published that follows. The order of events that lost rows otherwise: the
   * table is held and rows of others that come later are published; an operator acknowledges the statement; the capture is
   * killed and goes on from before the statement, which it now lets pass; the table's rows come to consumers that have seen
   * later ones, and are dropped as repetitions.
   */
  async #saveHeld(signal: AbortSignal): Promise<void> {
    this.#flush();
    await this.#drained(signal);
    this.#gate.heldIsSaved();
  }

  /** Waits until all that was flushed is saved, or somebody else has claimed the source. */
  async #drained(signal: AbortSignal): Promise<void> {
    while (!(await this.#drain(signal)) && !this.#superseded) {
      signal.throwIfAborted();
      if (this.#saveFailure !== undefined) throw this.#saveFailure;
    }
  }

  #tick(signal: AbortSignal): void {
    const nowMs = Date.now();
    this.#progress.queued(this.publisher.pendingBytes);
    this.#progress.lag.overdue(this.#horizon.isOverdue(nowMs));
    this.#progress.lag.acknowledged(this.publisher.acknowledged, nowMs);
    // The source's own heartbeat is waited for a little: it tells more.
    if (nowMs - this.#markedAtMs >= this.#options.heartbeatMs + MARK_PATIENCE_MS) this.#mark(nowMs);
    // Progress that came without a transaction (a request, an empty table) is saved as well.
    if (this.#snapshot.state !== this.#point.snapshot) this.#flush();
    const durable = this.publisher.durable;
    const moved = durable !== undefined && durable !== this.#saved;
    const due = nowMs - this.#savedAtMs >= (moved ? this.#options.checkpointMs : IDLE_SAVE_MS);
    if (due && this.#saving === undefined && !this.#superseded)
      void this.#save(durable ?? this.#start, signal);
  }

  /** Rows added since the last flush belong to what the horizon covers: they go first. */
  #mark(nowMs: number): void {
    this.#markedAtMs = nowMs;
    const { ms: horizonMs } = this.#horizon;
    if (horizonMs === null || this.#gate.hasTruncates) return;
    this.publisher.marker({ ...this.#heartbeat(horizonMs, nowMs), readMs: this.#horizon.readMs(nowMs) });
    this.#progress.lag.sent(this.publisher.issued, true);
    this.#progress.marked(horizonMs);
  }

  #heartbeat(horizonMs: number, sentMs = Date.now()) {
    const { incarnation } = this.#checkpoints;
    const position = formatPlace(this.#point.position);
    return { kind: 'heartbeat', epoch: this.#epoch, incarnation, horizonMs, sentMs, position } as const;
  }

  async #save(point: SavePoint, signal: AbortSignal): Promise<void> {
    const nowMs = Date.now();
    this.#savedAtMs = nowMs;
    try {
      this.#saving = this.#checkpoints.save(point, nowMs, signal);
      const outcome = await this.#saving;
      if (outcome === 'superseded') {
        this.#superseded = true;
        return;
      }
      if (outcome !== 'saved') {
        tellAsked(this.#options.log, outcome.asked);
        this.#snapshot.asked(outcome.requests);
        this.releases.accept(outcome.accepted);
      }
      this.#saved = point;
      // With nothing behind it that is not saved, the newest point covers all that the source had by the horizon.
      const isAll = point === this.#point && this.#end === undefined;
      const untilMs = isAll ? this.#horizon.ms : point.commitMs;
      this.#progress.saved({ position: point.position, commitMs: point.commitMs, untilMs }, nowMs);
    } catch (error) {
      this.#saveFailure = toRowferryError(error, 'saving a checkpoint');
    } finally {
      this.#saving = undefined;
    }
  }

  /**
   * Held tables go on by a new epoch from the saved point. What an earlier incarnation published without saving it, or a part
   * of a transaction, would be published twice in it, and rows would go back for a moment: so not before all that is passed.
   */
  async #released(signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    if (!this.#horizon.isCurrent || this.#isWithin) return undefined;
    const released = await this.releases.ready(signal);
    if (released === undefined || this.#superseded) return undefined;
    return (await this.#drain(signal)) ? released : undefined;
  }

  /** Nothing up to a place, whoever of this epoch has read it, comes behind these ends (`ReleaseWatch`). */
  async #closed(position: string, signal: AbortSignal): Promise<readonly number[]> {
    await this.#drained(signal);
    const marker = this.#heartbeat(this.#horizon.ms ?? 0);
    if (!this.#superseded) this.publisher.marker({ ...marker, position, closes: true });
    await this.#drained(signal);
    return await this.#published(signal);
  }

  /** Lets what was read become durable and saves it, within the signal's bound; true when all of it is saved. */
  async #drain(signal: AbortSignal): Promise<boolean> {
    const isDurable = await this.publisher.waitBelow(1, 5_000, signal);
    await this.#saving?.catch(() => undefined);
    const durable = this.publisher.durable;
    if (durable !== undefined && durable !== this.#saved && !this.#superseded)
      await this.#save(durable, signal);
    return isDurable && (durable === undefined || this.#saved === durable);
  }
}
