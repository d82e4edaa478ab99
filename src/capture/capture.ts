/**
 * Captures one source: claims (C1), reads the binlog from the saved position, publishes, saves checkpoints. One `run` is one
 * incarnation; whoever calls it starts another after a `retry`-class error or when it was superseded.
 */
import type { BinlogLink } from '../drivers/binlog.ts';
import type { RowsEvent } from '../drivers/binlog-event.ts';
import { RowferryError } from '../errors.ts';
import type { Position } from '../model/position.ts';
import { formatPosition } from '../model/position.ts';
import { Assembler } from './assembler.ts';
import type { CaptureOptions } from './capture-options.ts';
import { CaptureLag } from './capture-lag.ts';
import { CaptureProgress } from './capture-progress.ts';
import type { CheckpointStore, CheckpointWriter } from './checkpoint-log.ts';
import { readCheckpointLog } from './checkpoint-log.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { ClaimedSource } from './claim.ts';
import { claimSource } from './claim.ts';
import type { IncarnationEnd, IncarnationParts } from './incarnation.ts';
import { Incarnation } from './incarnation.ts';
import { tellAsked } from './operator-records.ts';
import type { RecordSender } from './publisher.ts';
import type { SnapshotPorts } from './snapshot.ts';
import { Snapshot } from './snapshot.ts';
import type { SourceFacts } from './start-position.ts';
import { heldError } from './statement-gate.ts';
import { TableFlow } from './table-flow.ts';

export interface CapturePorts {
  readonly store: CheckpointStore;
  readonly sender: RecordSender;
  /** Checks the source and tells where it stands; throws ROWFERRY_SOURCE_PREFLIGHT with all findings. */
  inspect(signal: AbortSignal): Promise<SourceFacts>;
  /** Whether the change topic holds records. */
  hasPublished(signal: AbortSignal): Promise<boolean>;
  /** Offset after the last record of each partition of the change topic. */
  published(signal: AbortSignal): Promise<readonly number[]>;
  /** The captured tables that the source has now, as `schema.table`. */
  tables(signal: AbortSignal): Promise<readonly string[]>;
  readonly copying: SnapshotPorts;
  /** When our heartbeat row was written, by this machine's clock; undefined for a row of another pipeline. */
  readonly heartbeatMs?: (event: RowsEvent) => number | undefined;
  /** A link that is not open yet, reading from `start`. */
  link(start: Position, facts: SourceFacts): SourceLink;
  /** Where the source's binlog ends now. */
  current(signal: AbortSignal): Promise<SourceFacts['current']>;
}

/** As much of a link as a capture needs. */
export interface SourceLink extends Pick<BinlogLink, 'open' | 'read' | 'close'> {
  readonly stats: Pick<BinlogLink['stats'], 'bytes'>;
}

export class Capture {
  readonly #options: CaptureOptions;
  readonly #ports: CapturePorts;
  readonly progress: CaptureProgress;

  /** `before`: what the capture before it knew. */
  constructor(options: CaptureOptions, ports: CapturePorts, before?: CaptureProgress) {
    this.#options = options;
    this.#ports = ports;
    const lag = before?.lag ?? new CaptureLag(options.heartbeatMs);
    this.progress = new CaptureProgress(options.source, lag, before);
  }

  /** Resolves with `superseded` when another capture claimed the source, with `stopped` when the signal aborted. */
  async run(signal: AbortSignal): Promise<'superseded' | 'stopped'> {
    let end = await this.#incarnate(new Set(), signal);
    while (typeof end === 'object') end = await this.#incarnate(end.released, signal, end.incarnation);
    return end;
  }

  /** One incarnation; tables that wait for the statements in `releases` go on. */
  async #incarnate(
    releases: ReadonlySet<string>,
    signal: AbortSignal,
    releasedBy?: number,
  ): Promise<IncarnationEnd> {
    this.progress.enter('starting');
    const claimed = await this.#claim(releases, signal, releasedBy);
    const flow = this.#flow(claimed);
    const snapshot = this.#snapshot(claimed, flow);
    const link = this.#ports.link(claimed.position, claimed.facts);
    await link.open(signal);
    const ended = new AbortController();
    let copying: Promise<void> = Promise.resolve();
    const onAbort = (): void => void link.close();
    signal.addEventListener('abort', onAbort);
    try {
      const begun = await this.#begun(claimed, { snapshot, flow }, signal);
      if (begun === 'superseded') return 'superseded';
      const now = { ...claimed.facts, current: begun.current };
      const { incarnation, assembler } = this.#reader(claimed, { ...begun, facts: now, snapshot, flow });
      this.progress.enter('reading');
      this.#options.onReading();
      this.progress.copies(snapshot);
      this.progress.flows(flow, incarnation.releases);
      copying = snapshot.run(incarnation.publisher, AbortSignal.any([signal, ended.signal]));
      return await incarnation.pump(link, assembler, signal);
    } catch (error) {
      if (await this.#wasSuperseded(error, claimed.writer, signal)) return 'superseded';
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      ended.abort();
      await copying;
      await link.close();
    }
  }

  async #claim(
    releases: ReadonlySet<string>,
    signal: AbortSignal,
    releasedBy?: number,
  ): Promise<ClaimedSource> {
    const { source, log, by, start } = this.#options;
    const claimed = await claimSource(
      this.#ports.store,
      {
        source,
        start,
        look: async () => await this.#ports.inspect(signal),
        by,
        hasPublished: await this.#ports.hasPublished(signal),
        releases,
        ...(releasedBy === undefined ? {} : { releasedBy }),
        copy: start.kind === 'snapshot' ? await this.#ports.tables(signal) : [],
      },
      signal,
    );
    const { writer, epoch, position } = claimed;
    tellAsked(log, claimed.asked);
    this.progress.claimed(position);
    this.progress.lag.begin(epoch, releases.size === 0);
    log.info({ epoch, incarnation: writer.incarnation }, `capture reads from ${formatPosition(position)}`);
    return claimed;
  }

  /** Which tables flow, as it is saved; says of each that is held why. */
  #flow(claimed: ClaimedSource): TableFlow {
    const { source, log } = this.#options;
    const flow = new TableFlow(claimed.flow);
    this.progress.flows(flow);
    for (const held of flow.state.held) {
      const error = heldError(source, held);
      log.warn({ table: held.table, code: error.code }, error.describe());
    }
    return flow;
  }

  #snapshot({ writer, epoch, snapshot, requests }: ClaimedSource, flow: TableFlow): Snapshot {
    const { source, pipeline, partitions, captures, queueBytes, outages, log } = this.#options;
    const { lineage, claim, incarnation } = writer;
    const copies = new Snapshot(
      {
        ...this.#options.snapshot,
        source,
        partitions,
        writer: { pipeline, source, lineage, claim, incarnation },
        captures,
        epoch,
        flow,
        queueBytes,
        outages,
        log,
      },
      this.#ports.copying,
      snapshot,
    );
    copies.asked(requests);
    return copies;
  }

  /**
   * With the link open: whether this is still the newest claim, and where the binlog ends. Tables may be let go only behind that
   * place. The order of events that published rows in two epochs otherwise: a capture claims and is suspended; another one claims,
   * reads, and lets a held table go by a new epoch; the first wakes, opens its link, and publishes what comes next under the
   * names of the old epoch, to partitions that the new one has not reached. Now either it sees the other claim here, or that
   * claim comes later: then the other link is opened later, the source ends ours for it, and all that ours ever brought lies
   * before the place that the other capture is told here.
   */
  async #begun(
    { writer, position, accepted }: ClaimedSource,
    { snapshot, flow }: { readonly snapshot: Snapshot; readonly flow: TableFlow },
    signal: AbortSignal,
  ): Promise<
    'superseded' | { readonly accepted: Acknowledgements; readonly current: SourceFacts['current'] }
  > {
    const start = { position, commitMs: null, snapshot: snapshot.state, flow: flow.state };
    const saved = await writer.save(start, Date.now(), signal);
    if (saved === 'superseded') return 'superseded';
    const current = await this.#ports.current(signal);
    if (saved === 'saved') return { accepted, current };
    tellAsked(this.#options.log, saved.asked);
    snapshot.asked(saved.requests);
    return { accepted: saved.accepted, current };
  }

  /** What turns events into changes, and what publishes them. */
  #reader(
    { writer, epoch, position }: ClaimedSource,
    parts: Pick<IncarnationParts, 'accepted' | 'facts' | 'snapshot' | 'flow'>,
  ): { readonly incarnation: Incarnation; readonly assembler: Assembler } {
    const { source, captures, capturesIn, hasDeclaredKey, partitions } = this.#options;
    const { accepted, facts, snapshot, flow } = parts;
    const incarnation = new Incarnation(this.#options, {
      sender: this.#ports.sender,
      progress: this.progress,
      checkpoints: writer,
      epoch,
      position,
      ...parts,
      applied: async () => await this.#ports.copying.applied(),
      published: async (until) => await this.#ports.published(until),
    });
    const assembler = new Assembler(
      {
        source,
        partitions,
        file: position.file,
        offset: position.offset,
        captures,
        capturesIn,
        hasDeclaredKey,
        dialect: facts.flavour,
        tableNames: facts.tableNames,
        isAccepted: (statement, gtid) => accepted.pass({ server: position.server, statement, gtid }),
        hasPassed: (statement, gtid) => flow.hasPassed({ server: position.server, statement, gtid }),
        flow,
        heartbeatMs: (event) => this.#ports.heartbeatMs?.(event),
        ...(this.#options.keyless === 'append' ? { keyless: (event) => snapshot.keyless.judge(event) } : {}),
      },
      {
        change: (partition, change) => incarnation.change(partition, change),
        mark: (mark, place) => incarnation.mark(mark, place),
        statement: (statement) => incarnation.statement(statement),
        waits: () => incarnation.waits(),
        transactionEnd: (end) => incarnation.transactionEnd(end),
      },
    );
    return { incarnation, assembler };
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
