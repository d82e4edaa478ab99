/**
 * One incarnation of a capture: pulls events, publishes what the assembler makes of them, and saves what is durable. It ends
 * when another capture took over (C1, C2), when something stopped it, or with its signal.
 */
import { setImmediate } from 'node:timers/promises';
import type { BinlogLink } from '../drivers/binlog.ts';
import type { HeartbeatEvent } from '../drivers/binlog-event.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import { GtidSet } from '../model/gtid-set.ts';
import type { Change } from '../model/change.ts';
import type { Position } from '../model/position.ts';
import { binlogFileNumber } from '../model/position.ts';
import type { Assembler, MarkPlace, TransactionEnd } from './assembler.ts';
import type { CaptureOptions } from './capture.ts';
import type { CaptureProgress } from './capture-progress.ts';
import type { CheckpointState, CheckpointWriter, SavePoint } from './checkpoint-log.ts';
import type { Mark } from './mark.ts';
import type { RecordSender } from './publisher.ts';
import { Publisher } from './publisher.ts';
import type { Snapshot } from './snapshot.ts';
import type { SourceFacts } from './start-position.ts';

/** How long Kafka may hold the binlog link paused before it is closed and opened again later (I-10). */
const LONGEST_PAUSE_MS = 20_000;
/** An idle capture saves this often all the same: it finds out who claimed or asked since, and shows that it lives. */
const IDLE_SAVE_MS = 5_000;

export interface IncarnationParts {
  readonly sender: RecordSender;
  readonly progress: CaptureProgress;
  readonly checkpoints: CheckpointWriter;
  readonly epoch: number;
  readonly position: Position;
  readonly facts: SourceFacts;
  readonly snapshot: Snapshot;
}

export class Incarnation {
  readonly publisher: Publisher<SavePoint>;
  readonly #options: CaptureOptions;
  readonly #progress: CaptureProgress;
  readonly #checkpoints: CheckpointWriter;
  readonly #epoch: number;
  readonly #facts: SourceFacts;
  readonly #server: string;
  readonly #gtids: GtidSet | undefined;
  readonly #snapshot: Snapshot;
  #end: TransactionEnd | undefined;
  readonly #start: SavePoint;
  #point: SavePoint;
  #saved: SavePoint | undefined;
  #savedAtMs = Date.now();
  #saving: Promise<'saved' | 'superseded' | CheckpointState> | undefined;
  #superseded = false;
  #saveFailure: RowferryError | undefined;
  #horizonMs: number | null = null;
  #markedAtMs = 0;

  constructor(options: CaptureOptions, parts: IncarnationParts) {
    const { sender, progress, checkpoints, epoch, position, facts, snapshot } = parts;
    this.#facts = facts;
    this.#options = options;
    this.#progress = progress;
    this.#checkpoints = checkpoints;
    this.#epoch = epoch;
    this.#snapshot = snapshot;
    this.#server = position.server;
    this.#gtids = position.gtid === undefined ? undefined : GtidSet.parse(position.gtid);
    this.#start = { position, commitMs: null, snapshot: snapshot.state };
    this.#point = this.#start;
    const { partitions, source, format, chunkBytes } = options;
    const writer = { epoch, incarnation: checkpoints.incarnation };
    this.publisher = new Publisher({ partitions, writer, source, format, chunkBytes }, sender);
  }

  change(partition: number, change: Change): void {
    this.publisher.add(partition, this.#snapshot.seen(change));
  }

  /** C2: the mark of a newer incarnation says that this one is over; an older one's belong to chunks that nobody waits for. */
  mark(mark: Mark, place: MarkPlace): void {
    if (mark.pipeline !== this.#options.pipeline || mark.source !== this.#options.source) return;
    if (mark.incarnation > this.#checkpoints.incarnation) this.#superseded = true;
    if (mark.incarnation !== this.#checkpoints.incarnation || this.#superseded) return;
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
  }

  transactionEnd(end: TransactionEnd): void {
    this.#end = end;
    if (end.gtid !== null) this.#gtids?.add(end.gtid);
    this.#horizonMs = end.commitMs;
    this.#snapshot.readUntil(end.commitMs);
  }

  async pump(link: BinlogLink, assembler: Assembler, signal: AbortSignal): Promise<'superseded' | 'stopped'> {
    const timer = setInterval(() => this.#tick(signal), Math.min(100, this.#options.heartbeatMs));
    try {
      while (!signal.aborted) {
        const events = await link.read();
        let failure: RowferryError | undefined;
        try {
          for (const event of events) {
            if (this.#superseded) return 'superseded';
            if (event.kind === 'heartbeat') this.#heartbeat(event, event === events.at(-1));
            else assembler.handle(event);
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
        if (this.#saveFailure !== undefined) throw this.#saveFailure;
        await this.#backpressure(link, signal);
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

  /**
   * The source is idle at this place: everything committed by now has been read. Not so while it still skips what a GTID
   * start covers (it sends heartbeats then, with a backlog behind them), nor when more events wait behind the heartbeat.
   */
  #heartbeat({ file, offset }: HeartbeatEvent, isLast: boolean): void {
    const { current } = this.#facts;
    const files = (binlogFileNumber(file) ?? 0) - (binlogFileNumber(current.file) ?? 0);
    if (isLast && (files > 0 || (files === 0 && offset >= current.offset))) {
      this.#horizonMs = Date.now();
      this.#snapshot.readUntil(this.#horizonMs);
    }
  }

  #flush(): void {
    const end = this.#end;
    this.#end = undefined;
    const { state: snapshot } = this.#snapshot;
    const moved = end !== undefined || snapshot !== this.#point.snapshot;
    if (end !== undefined) {
      const gtid = this.#gtids?.toString();
      const place = { file: end.file, offset: end.offset, server: this.#server };
      const position = gtid === undefined ? place : { ...place, gtid };
      this.#point = { position, commitMs: end.commitMs, snapshot };
    } else if (moved) {
      this.#point = { ...this.#point, snapshot };
    }
    this.publisher.flush(moved ? this.#point : undefined);
    this.#snapshot.flushed(this.publisher.issued);
  }

  /** A slow Kafka pauses the reading; a pause that the source would not survive ends the session (I-10). */
  async #backpressure(link: BinlogLink, signal: AbortSignal): Promise<void> {
    const { queueBytes, source } = this.#options;
    this.publisher.check();
    if (this.publisher.pendingBytes < queueBytes) return;
    if (await this.publisher.waitBelow(queueBytes / 2, LONGEST_PAUSE_MS, signal)) return;
    if (signal.aborted) return;
    await link.close();
    this.#progress.enter('holding');
    while (!signal.aborted && !(await this.publisher.waitBelow(queueBytes / 2, 60_000, signal)));
    throw new RowferryError('ROWFERRY_SOURCE_LINK', 'the binlog link was closed while Kafka was slow', {
      where: { source },
    });
  }

  #tick(signal: AbortSignal): void {
    const nowMs = Date.now();
    if (nowMs - this.#markedAtMs >= this.#options.heartbeatMs) this.#mark(nowMs);
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
    if (this.#horizonMs === null) return;
    this.publisher.marker({
      kind: 'heartbeat',
      epoch: this.#epoch,
      incarnation: this.#checkpoints.incarnation,
      horizonMs: this.#horizonMs,
      sentMs: nowMs,
      position: `${this.#point.position.file}:${this.#point.position.offset}`,
    });
    this.#progress.marked(this.#horizonMs);
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
      if (outcome !== 'saved') this.#snapshot.asked(outcome.requests);
      this.#saved = point;
      this.#progress.saved(point.position, nowMs);
    } catch (error) {
      this.#saveFailure = toRowferryError(error, 'saving a checkpoint');
    } finally {
      this.#saving = undefined;
    }
  }

  /** Lets what was read become durable and saves it, within the signal's bound. */
  async #drain(signal: AbortSignal): Promise<void> {
    await this.publisher.waitBelow(1, 5_000, signal);
    await this.#saving?.catch(() => undefined);
    const durable = this.publisher.durable;
    if (durable !== undefined && durable !== this.#saved && !this.#superseded)
      await this.#save(durable, signal);
  }
}
