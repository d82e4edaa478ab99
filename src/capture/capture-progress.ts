/** What a capture is doing, for status, lag and metrics. */
import type { Position } from '../model/position.ts';
import { formatPosition } from '../model/position.ts';

export type CaptureState = 'standby' | 'starting' | 'reading' | 'holding' | 'waiting' | 'stopped';

/** A snapshot that can be sent to another thread. */
export interface CaptureStatus {
  readonly source: string;
  readonly state: CaptureState;
  /** The saved position, as text. */
  readonly position: string | null;
  readonly savedMs: number | null;
  readonly events: number;
  readonly bytes: number;
  /** Commit time up to which the source has been read. */
  readonly readUntilMs: number | null;
  readonly error: string | null;
  readonly errorCode: string | null;
  readonly nextTryMs: number | null;
}

export class CaptureProgress {
  readonly #source: string;
  #state: CaptureState = 'starting';
  #position: string | null = null;
  #savedMs: number | null = null;
  #events = 0;
  #bytes = 0;
  #readUntilMs: number | null = null;
  #error: { readonly text: string; readonly code: string; readonly nextTryMs: number | null } | null = null;

  constructor(source: string) {
    this.#source = source;
  }

  enter(state: CaptureState): void {
    this.#state = state;
    if (state === 'reading') this.#error = null;
  }

  read(events: number, bytes: number): void {
    this.#events += events;
    this.#bytes = bytes;
  }

  marked(horizonMs: number): void {
    this.#readUntilMs = horizonMs;
  }

  saved(position: Position, nowMs: number): void {
    this.#position = formatPosition(position);
    this.#savedMs = nowMs;
  }

  failed(state: 'waiting' | 'stopped', text: string, code: string, nextTryMs: number | null): void {
    this.#state = state;
    this.#error = { text, code, nextTryMs };
  }

  status(): CaptureStatus {
    return {
      source: this.#source,
      state: this.#state,
      position: this.#position,
      savedMs: this.#savedMs,
      events: this.#events,
      bytes: this.#bytes,
      readUntilMs: this.#readUntilMs,
      error: this.#error?.text ?? null,
      errorCode: this.#error?.code ?? null,
      nextTryMs: this.#error?.nextTryMs ?? null,
    };
  }
}
