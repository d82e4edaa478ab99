/**
 * How far Kafka is behind a source, as its capture knows (I-9).
 *
 * While something that was read waits for Kafka's acknowledgement, the lag is the age of the oldest such commit. Otherwise it
 * is the delay with which the last one was read, or 0 when the source was idle. Only an acknowledgement shows that all is well:
 * when none comes for longer than markers take, or nothing is read at all, the lag is the age of what is known to be in Kafka.
 *
 * It outlives the incarnations of a capture, so that lag goes on rising while they fail one after the other.
 */

import type { Lag } from '../model/lag.ts';
import { risingLag, steadyLag, UNKNOWN_LAG } from '../model/lag.ts';

/** How late a marker may be before its silence counts. */
const LATE_MS = 1_000;

/** Sent up to the record of this number, and what that covers. */
interface Sent {
  readonly upTo: number;
  /** The oldest commit among it; null for a marker alone. */
  readonly oldestMs: number | null;
  readonly untilMs: number;
}

export class CaptureLag {
  readonly #heartbeatMs: number;
  #epoch: number | undefined;
  #sent: Sent[] = [];
  /** Commit time of the oldest change that was read and not sent. */
  #unsentMs: number | null = null;
  #readUntilMs: number | null = null;
  #delayMs = 0;
  /** Every commit of the source up to this time is in Kafka. */
  #untilMs: number | null = null;
  /** When the last acknowledgement came. */
  #knownMs: number | null = null;
  #isOverdue = false;

  constructor(heartbeatMs: number) {
    this.#heartbeatMs = heartbeatMs;
  }

  /** An incarnation begins. What Kafka has stays there; a replay by an operator's wish is behind by what it replays. */
  begin(epoch: number, isReplay: boolean): void {
    const basisMs = this.#waitingMs ?? this.#untilMs;
    const isSamePast = this.#epoch === undefined || this.#epoch === epoch || !isReplay;
    this.forget();
    if (isSamePast) this.#untilMs = basisMs;
    this.#epoch = epoch;
  }

  /** Another process captures: what this one knew is out of date. */
  forget(): void {
    this.#sent = [];
    this.#unsentMs = null;
    this.#readUntilMs = null;
    this.#delayMs = 0;
    this.#untilMs = null;
    this.#knownMs = null;
    this.#isOverdue = false;
  }

  /** A change was read, of a transaction that may go on. */
  change(commitMs: number): void {
    this.#unsentMs ??= commitMs;
  }

  /** A transaction was read to its end. */
  transaction(commitMs: number, nowMs: number): void {
    this.#readUntilMs = commitMs;
    this.#delayMs = Math.max(0, nowMs - commitMs);
  }

  /** At that time the source had nothing that was not read. */
  idle(untilMs: number): void {
    this.#readUntilMs = untilMs;
    this.#delayMs = 0;
  }

  /** Whether the source has been silent for longer than its heartbeat rows may take: that the link lives says nothing then. */
  overdue(isOverdue: boolean): void {
    this.#isOverdue = isOverdue;
  }

  /** All that was read is in records up to this number. A marker is sent for the sake of its acknowledgement. */
  sent(upTo: number, isMarker: boolean): void {
    const oldestMs = this.#unsentMs;
    this.#unsentMs = null;
    if (this.#readUntilMs === null) this.#readUntilMs = oldestMs;
    if (this.#readUntilMs === null || (oldestMs === null && !isMarker)) return;
    this.#sent.push({ upTo, oldestMs, untilMs: this.#readUntilMs });
  }

  /** Kafka has all records up to this number. */
  acknowledged(upTo: number, nowMs: number): void {
    const pending = this.#sent.findIndex((sent) => sent.upTo > upTo);
    const done = this.#sent.splice(0, pending === -1 ? this.#sent.length : pending);
    const last = done.at(-1);
    if (last === undefined) return;
    this.#untilMs = last.untilMs;
    this.#knownMs = nowMs;
  }

  /** `isReading`: the link to the source is in use. */
  at(nowMs: number, isReading: boolean): Lag {
    const waitingMs = this.#waitingMs;
    if (waitingMs !== null) return risingLag(waitingMs, nowMs);
    if (this.#untilMs === null) return UNKNOWN_LAG;
    const isFresh = this.#knownMs !== null && nowMs - this.#knownMs <= this.#heartbeatMs + LATE_MS;
    return isReading && isFresh && !this.#isOverdue
      ? steadyLag(this.#delayMs)
      : risingLag(this.#untilMs, nowMs);
  }

  get #waitingMs(): number | null {
    return this.#sent.find(({ oldestMs }) => oldestMs !== null)?.oldestMs ?? this.#unsentMs;
  }
}
