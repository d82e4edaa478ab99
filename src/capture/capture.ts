/**
 * Captures one source: claims (C1), reads the binlog from the saved position, publishes, saves checkpoints. One `run` is one
 * incarnation; whoever calls it starts another after a `retry`-class error or when it was superseded.
 */
import { setImmediate } from 'node:timers/promises';
import type { BinlogLink } from '../drivers/binlog.ts';
import type { HeartbeatEvent } from '../drivers/binlog-event.ts';
import { RowferryError, toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { GtidSet } from '../model/gtid-set.ts';
import type { Position, StartFrom } from '../model/position.ts';
import { binlogFileNumber, formatPosition } from '../model/position.ts';
import type { TransactionEnd } from './assembler.ts';
import { Assembler } from './assembler.ts';
import { CaptureProgress } from './capture-progress.ts';
import type { CheckpointStore, CheckpointWriter } from './checkpoint-log.ts';
import { readCheckpointLog } from './checkpoint-log.ts';
import { claimSource } from './claim.ts';
import type { RecordSender } from './publisher.ts';
import { Publisher } from './publisher.ts';
import type { SourceFacts } from './start-position.ts';

export interface CaptureOptions {
  readonly source: string;
  readonly partitions: number;
  readonly format: 'chunk' | 'row';
  readonly chunkBytes: number;
  readonly queueBytes: number;
  readonly checkpointMs: number;
  readonly heartbeatMs: number;
  readonly start: StartFrom;
  readonly captures: (schema: string, table: string) => boolean;
  /** Whether any table of the schema could be captured. */
  readonly capturesIn: (schema: string) => boolean;
  readonly by: string;
  readonly log: Log;
}

export interface CapturePorts {
  readonly store: CheckpointStore;
  readonly sender: RecordSender;
  /** Checks the source and tells where it stands; throws ROWFERRY_SOURCE_PREFLIGHT with all findings. */
  inspect(signal: AbortSignal): Promise<SourceFacts>;
  /** Whether the change topic holds records. */
  hasPublished(signal: AbortSignal): Promise<boolean>;
  /** A link that is not open yet, reading from `start`. */
  link(start: Position, facts: SourceFacts): BinlogLink;
}

/** A position that can be saved, with the newest commit time that it covers. */
interface SavePoint {
  readonly position: Position;
  readonly commitMs: number | null;
}

/** How long Kafka may hold the binlog link paused before it is closed and opened again later (I-10). */
const LONGEST_PAUSE_MS = 20_000;
/** An idle capture saves this often all the same: it finds out who claimed since, and shows that it lives. */
const IDLE_SAVE_MS = 5_000;

export class Capture {
  readonly #options: CaptureOptions;
  readonly #ports: CapturePorts;
  readonly progress: CaptureProgress;

  constructor(options: CaptureOptions, ports: CapturePorts) {
    this.#options = options;
    this.#ports = ports;
    this.progress = new CaptureProgress(options.source);
  }

  /** Resolves with `superseded` when another capture claimed the source, with `stopped` when the signal aborted. */
  async run(signal: AbortSignal): Promise<'superseded' | 'stopped'> {
    const { source, log, by, start, captures, capturesIn, partitions } = this.#options;
    this.progress.enter('starting');
    const facts = await this.#ports.inspect(signal);
    const claimed = await claimSource(
      this.#ports.store,
      { source, start, facts, by, hasPublished: await this.#ports.hasPublished(signal) },
      signal,
    );
    const { writer, epoch, position, accepted } = claimed;
    log.info(
      { source, epoch, incarnation: writer.incarnation },
      `capture reads from ${formatPosition(position)}`,
    );
    const link = this.#ports.link(position, facts);
    const session = new Session(
      this.#options,
      this.#ports.sender,
      this.progress,
      writer,
      epoch,
      position,
      facts,
    );
    const assembler = new Assembler(
      { source, partitions, file: position.file, offset: position.offset, captures, capturesIn, accepted },
      {
        change: (partition, change) => session.publisher.add(partition, change),
        transactionEnd: (end) => session.transactionEnd(end),
      },
    );
    await link.open(signal);
    const onAbort = (): void => void link.close();
    signal.addEventListener('abort', onAbort);
    try {
      this.progress.enter('reading');
      return await session.pump(link, assembler, signal);
    } catch (error) {
      if (await this.#wasSuperseded(error, writer, signal)) return 'superseded';
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      await link.close();
    }
  }

  /**
   * A suspended capture wakes: its successor reads with the same server id, and the source has cut the old link. That is no
   * conflict of configuration when the checkpoint topic holds a newer claim.
   */
  async #wasSuperseded(error: unknown, writer: CheckpointWriter, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof RowferryError) || error.code !== 'ROWFERRY_SOURCE_SERVER_ID_TAKEN') return false;
    const state = readCheckpointLog(await this.#ports.store.readAll(signal));
    return state.incarnation !== writer.incarnation;
  }
}

/** One incarnation's loop and its state. */
class Session {
  readonly publisher: Publisher<SavePoint>;
  readonly #options: CaptureOptions;
  readonly #progress: CaptureProgress;
  readonly #checkpoints: CheckpointWriter;
  readonly #epoch: number;
  readonly #facts: SourceFacts;
  readonly #server: string;
  readonly #gtids: GtidSet | undefined;
  #end: TransactionEnd | undefined;
  readonly #start: SavePoint;
  #point: SavePoint;
  #saved: SavePoint | undefined;
  #savedAtMs = Date.now();
  #saving: Promise<'saved' | 'superseded'> | undefined;
  #superseded = false;
  #saveFailure: RowferryError | undefined;
  #horizonMs: number | null = null;
  #markedAtMs = 0;

  constructor(
    options: CaptureOptions,
    sender: RecordSender,
    progress: CaptureProgress,
    checkpoints: CheckpointWriter,
    epoch: number,
    position: Position,
    facts: SourceFacts,
  ) {
    this.#facts = facts;
    this.#options = options;
    this.#progress = progress;
    this.#checkpoints = checkpoints;
    this.#epoch = epoch;
    this.#server = position.server;
    this.#gtids = position.gtid === undefined ? undefined : GtidSet.parse(position.gtid);
    this.#start = { position, commitMs: null };
    this.#point = this.#start;
    const { partitions, source, format, chunkBytes } = options;
    const writer = { epoch, incarnation: checkpoints.incarnation };
    this.publisher = new Publisher({ partitions, writer, source, format, chunkBytes }, sender);
  }

  transactionEnd(end: TransactionEnd): void {
    this.#end = end;
    if (end.gtid !== null) this.#gtids?.add(end.gtid);
    this.#horizonMs = end.commitMs;
  }

  async pump(link: BinlogLink, assembler: Assembler, signal: AbortSignal): Promise<'superseded' | 'stopped'> {
    const timer = setInterval(() => this.#tick(signal), Math.min(100, this.#options.heartbeatMs));
    try {
      while (!signal.aborted) {
        const events = await link.read();
        let failure: RowferryError | undefined;
        try {
          for (const event of events) {
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
    if (isLast && (files > 0 || (files === 0 && offset >= current.offset))) this.#horizonMs = Date.now();
  }

  #flush(): void {
    const end = this.#end;
    this.#end = undefined;
    if (end !== undefined) {
      const gtid = this.#gtids?.toString();
      const place = { file: end.file, offset: end.offset, server: this.#server };
      this.#point = { position: gtid === undefined ? place : { ...place, gtid }, commitMs: end.commitMs };
    }
    this.publisher.flush(end === undefined ? undefined : this.#point);
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
      this.#saving = this.#checkpoints.save(point.position, point.commitMs, nowMs, signal);
      if ((await this.#saving) === 'superseded') this.#superseded = true;
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
