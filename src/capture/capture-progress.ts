/** What a capture is doing, for status, lag and metrics. */
import type { Lag } from '../model/lag.ts';
import type { Position } from '../model/position.ts';
import { formatPosition } from '../model/position.ts';
import { RateWindow } from '../observe/progress.ts';
import type { BinlogHeadroom, ResumePoint } from './binlog-headroom.ts';
import type { CopyThrottleStatus } from './copy-throttle.ts';
import type { CaptureLag } from './capture-lag.ts';
import type { SnapshotState, TableCopy } from './snapshot-state.ts';
import type { HeldProgress, ReleaseWatch } from './release-watch.ts';
import type { FlowState, HeldTable, TableFlow } from './table-flow.ts';

type CaptureState = 'standby' | 'starting' | 'reading' | 'holding' | 'paused' | 'waiting' | 'stopped';

/** A snapshot that can be sent to another thread. Its lag is how far Kafka is behind the source: not known for one that stands by. */
export interface CaptureStatus extends Lag {
  readonly source: string;
  readonly state: CaptureState;
  /** When it entered that state, milliseconds since 1970. */
  readonly sinceMs: number;
  /** The saved position, as text. */
  readonly position: string | null;
  readonly savedMs: number | null;
  readonly events: number;
  readonly bytes: number;
  /** Changes that wait for Kafka. */
  readonly queueBytes: number;
  /** Commit time up to which the source has been read. */
  readonly readUntilMs: number | null;
  /** How far the source's clock is ahead of this machine's; null before it was asked. */
  readonly clockOffsetMs: number | null;
  readonly error: string | null;
  readonly errorCode: string | null;
  readonly nextTryMs: number | null;
  /** Tables that wait for an operator since a statement; the others flow. */
  readonly held: readonly ShownHeld[];
  /** Tables that were held catch up with the others, which wait meanwhile. */
  readonly catchesUp: boolean;
  /** Tables that are copied or were; the state that is queued, which may be ahead of what is saved. */
  readonly copies: readonly ShownCopy[];
  /** Why the copy waits or is slowed; null while it goes on at full speed or when there is none. */
  readonly copyWaits: string | null;
  /** How much of its full speed the copy may have and what holds it back; null when there is nothing to copy. */
  readonly copyThrottle: CopyThrottleStatus | null;
  /** It waits on purpose, for the source's sake. */
  readonly copyIsSpared: boolean;
  /** How long the source will keep the binlog of the saved position, milliseconds; null when not known, or for ever. */
  readonly binlogHeadroomMs: number | null;
  /** How much it may write until then, where size alone decides. */
  readonly binlogHeadroomBytes: number | null;
  /** Binlog behind the saved position, and older binlog that is kept; null when not known. */
  readonly binlogBehindBytes: number | null;
  readonly binlogOlderBytes: number | null;
  /** What was copied over the last ten seconds; null when nothing is. */
  readonly copyRate: { readonly elapsedMs: number; readonly rows: number } | null;
}

/** A table that waits as it is shown. */
export type ShownHeld = Omit<HeldTable, 'from' | 'gtid'> & HeldProgress;

/** A table's copy as it is shown: all of it is read, but not all of it is at the targets. */
export type ShownCopy = Omit<TableCopy, 'state'> & { readonly state: TableCopy['state'] | 'arriving' };

/** As much of a snapshot as its progress needs. */
interface CopyView {
  readonly state: SnapshotState;
  readonly reason: string | null;
  readonly throttle: CopyThrottleStatus | null;
  readonly isSpared: boolean;
  readonly copiedRows: number;
  readonly arriving: ReadonlySet<string>;
}

/** What is saved of a source, before a capture of this process has read any of it. */
interface SavedProgress {
  readonly position: Position | null;
  readonly commitMs: number | null;
  readonly savedMs: number | null;
  readonly snapshot: SnapshotState;
  readonly flow: FlowState;
}

const RATE_MS = 10_000;

export class CaptureProgress {
  readonly lag: CaptureLag;
  readonly #source: string;
  #state: CaptureState = 'starting';
  #resume: ResumePoint | undefined;
  #isSaved = false;
  #sinceMs = Date.now();
  #savedMs: number | null = null;
  #events = 0;
  #bytes = 0;
  #queueBytes = 0;
  #readUntilMs: number | null = null;
  #copies: CopyView | undefined;
  #flow: Pick<TableFlow, 'state'> | undefined;
  #releases: Pick<ReleaseWatch, 'progressOf'> | undefined;
  #rate = new RateWindow(RATE_MS);
  #error: { readonly text: string; readonly code: string; readonly nextTryMs: number | null } | null = null;

  /**
   * `lag` is that of the source, whichever capture of this process reads it. What the capture before it knew of the source
   * holds until this one knows better: a link that breaks frees no table that is held.
   */
  constructor(source: string, lag: CaptureLag, before?: CaptureProgress) {
    this.#source = source;
    this.lag = lag;
    if (before === undefined) return;
    this.#resume = before.#resume;
    this.#isSaved = before.#isSaved;
    this.#savedMs = before.#savedMs;
    this.#readUntilMs = before.#readUntilMs;
    this.#flow = before.#flow;
    this.#releases = before.#releases;
    this.#copies = before.#copies === undefined ? undefined : resting(before.#copies);
  }

  /** It is known what is saved of the source: by a capture of this process, or as it was read from the checkpoint topic. */
  get isKnown(): boolean {
    return this.#resume !== undefined;
  }

  /** What the checkpoint topic says while nothing is read. */
  recall({ position, commitMs, savedMs, snapshot, flow }: SavedProgress): void {
    if (position === null) return;
    this.#resume = { position, commitMs, untilMs: null };
    this.#isSaved = true;
    this.#savedMs = savedMs;
    this.#flow = { state: flow };
    this.#copies = resting({ state: snapshot, arriving: new Set() });
  }

  enter(state: CaptureState): void {
    if (state !== this.#state) this.#sinceMs = Date.now();
    this.#state = state;
    if (state === 'standby') this.#forget();
    if (state === 'reading' || state === 'paused') this.#error = null;
  }

  /** Another process captures: what this one knew is out of date. */
  #forget(): void {
    this.lag.forget();
    this.#resume = undefined;
    this.#isSaved = false;
    this.#savedMs = null;
    this.#readUntilMs = null;
    this.#flow = undefined;
    this.#releases = undefined;
    this.#copies = undefined;
  }

  copies(view: CopyView): void {
    this.#copies = view;
    this.#rate = new RateWindow(RATE_MS);
  }

  /** `releases` tells what held tables wait for, as soon as somebody looks. */
  flows(flow: Pick<TableFlow, 'state'>, releases = this.#releases): void {
    this.#flow = flow;
    this.#releases = releases;
  }

  read(events: number, bytes: number): void {
    this.#events += events;
    this.#bytes = bytes;
  }

  queued(bytes: number): void {
    this.#queueBytes = bytes;
  }

  marked(horizonMs: number): void {
    this.#readUntilMs = horizonMs;
  }

  /** Reading begins at what was saved before, or decided now. */
  claimed(position: Position): void {
    this.#resume = { position, commitMs: null, untilMs: null };
  }

  saved(point: ResumePoint, nowMs: number): void {
    this.#resume = point;
    this.#isSaved = true;
    this.#savedMs = nowMs;
  }

  /** Where a capture that starts again would begin; undefined before that is known. */
  get resume(): ResumePoint | undefined {
    return this.#resume;
  }

  get isCopying(): boolean {
    return this.#copies?.state.tables.some(({ state }) => state === 'copying') === true;
  }

  failed(state: 'waiting' | 'stopped', text: string, code: string, nextTryMs: number | null): void {
    this.enter(state);
    this.#error = { text, code, nextTryMs };
  }

  status(headroom: BinlogHeadroom | null): Omit<CaptureStatus, 'clockOffsetMs'> {
    const { isCopying } = this;
    this.#rate.add(Date.now(), this.#copies?.copiedRows ?? 0);
    const { elapsedMs, count: rows } = this.#rate.stretch;
    return {
      source: this.#source,
      state: this.#state,
      sinceMs: this.#sinceMs,
      position: this.#isSaved && this.#resume !== undefined ? formatPosition(this.#resume.position) : null,
      savedMs: this.#savedMs,
      events: this.#events,
      bytes: this.#bytes,
      queueBytes: this.#queueBytes,
      readUntilMs: this.#readUntilMs,
      ...this.lag.at(Date.now(), this.#state === 'reading'),
      error: this.#error?.text ?? null,
      errorCode: this.#error?.code ?? null,
      nextTryMs: this.#error?.nextTryMs ?? null,
      held: (this.#flow?.state.held ?? []).map((held) => {
        const { table, statement, why, sinceMs } = held;
        const progress = this.#releases?.progressOf(held) ?? { acknowledged: null, waits: null };
        return { table, statement, why, sinceMs, ...progress };
      }),
      catchesUp: (this.#flow?.state.catchUp ?? null) !== null,
      copies: this.#shownCopies(),
      copyWaits: this.#copies?.reason ?? null,
      copyThrottle: this.#copies?.throttle ?? null,
      copyIsSpared: this.#copies?.isSpared ?? false,
      binlogHeadroomMs: headroom?.headroomMs ?? null,
      binlogHeadroomBytes: headroom?.headroomBytes ?? null,
      binlogBehindBytes: headroom?.behindBytes ?? null,
      binlogOlderBytes: headroom?.olderBytes ?? null,
      copyRate: isCopying ? { elapsedMs, rows } : null,
    };
  }

  #shownCopies(): ShownCopy[] {
    const arriving = this.#copies?.arriving ?? new Set();
    return (this.#copies?.state.tables ?? []).map((copy) =>
      copy.state === 'done' && arriving.has(copy.table) ? { ...copy, state: 'arriving' } : copy,
    );
  }
}

/** As a copy stands while nobody works at it. */
function resting({ state, arriving }: Pick<CopyView, 'state' | 'arriving'>): CopyView {
  return { state, arriving, reason: null, throttle: null, isSpared: false, copiedRows: 0 };
}
