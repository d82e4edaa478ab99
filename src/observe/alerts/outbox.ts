/**
 * What waits to be sent through one channel: in order, one at a time, tried again with growing pauses. Nothing here can hold up
 * the daemon: the queue is bounded, and when it is full the oldest delivery makes way (and is counted as lost).
 */
import type { Log } from '../../model/log.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { ChannelError, codeOf } from './channel.ts';
import type { Channel } from './channel.ts';
import type { Delivery } from './delivery.ts';

export interface OutboxSettings {
  readonly name: string;
  readonly type: string;
  readonly tries: number;
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
  readonly queueLength: number;
}

export interface ChannelState {
  readonly name: string;
  readonly type: string;
  /** `idle` before the first delivery. */
  readonly state: 'idle' | 'ok' | 'failing';
  /** What went wrong at the last try, while failing. */
  readonly error: string | null;
  readonly waiting: number;
  readonly sent: number;
  /** Deliveries that were given up, or made way for newer ones. */
  readonly lost: number;
  readonly lastSentMs: number | null;
}

export class Outbox {
  readonly #channel: Channel;
  readonly #settings: OutboxSettings;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #queue: Delivery[] = [];
  readonly #stop = new AbortController();
  #state: ChannelState['state'] = 'idle';
  #error: string | null = null;
  #sent = 0;
  #lost = 0;
  #lastSentMs: number | null = null;
  #sending: Promise<void> | null = null;

  constructor(channel: Channel, settings: OutboxSettings, log: Log, now: () => number) {
    this.#channel = channel;
    this.#settings = settings;
    this.#log = log;
    this.#now = now;
  }

  /** Returns at once. */
  add(delivery: Delivery): void {
    if (this.#stop.signal.aborted) return;
    this.#queue.push(delivery);
    if (this.#queue.length > this.#settings.queueLength) {
      this.#queue.shift();
      this.#lost += 1;
    }
    this.#sending ??= this.#sendAll();
  }

  state(): ChannelState {
    const { name, type } = this.#settings;
    return {
      name,
      type,
      state: this.#state,
      error: this.#error,
      waiting: this.#queue.length + (this.#sending === null ? 0 : 1),
      sent: this.#sent,
      lost: this.#lost,
      lastSentMs: this.#lastSentMs,
    };
  }

  /** Sends what waits for at most so long, then breaks off. Idempotent. */
  async close(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), ms);
    await this.#sending;
    clearTimeout(timer);
    this.#stop.abort();
  }

  async #sendAll(): Promise<void> {
    // The first send must not happen within `add`.
    await Promise.resolve();
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (!(await this.#sendOne(next))) this.#lost += 1;
    }
    this.#sending = null;
  }

  async #sendOne(delivery: Delivery): Promise<boolean> {
    const { tries, firstPauseMs, maxPauseMs } = this.#settings;
    const { signal } = this.#stop;
    const backoff = new Backoff({ firstMs: firstPauseMs, maxMs: maxPauseMs });
    for (let left = tries; left > 0 && !signal.aborted; left -= 1) {
      const error = await this.#try(delivery);
      if (error === null) return true;
      if (!error.isPassing || left === 1) return false;
      await backoff.wait(signal);
    }
    return false;
  }

  async #try(delivery: Delivery): Promise<ChannelError | null> {
    try {
      await this.#channel.send(delivery, this.#stop.signal);
      this.#sent += 1;
      this.#lastSentMs = this.#now();
      this.#turn('ok', null);
      return null;
    } catch (thrown) {
      // A bug of a channel must not end the daemon: it shows as a channel that fails.
      const error =
        thrown instanceof ChannelError
          ? thrown
          : new ChannelError(`failed unexpectedly (${codeOf(thrown)})`, false);
      this.#turn('failing', error.message);
      return error;
    }
  }

  /** Said once for each change of state. */
  #turn(state: 'ok' | 'failing', error: string | null): void {
    const { name, type } = this.#settings;
    if (state === 'failing' && this.#state !== 'failing') {
      this.#log.error({ channel: name, type }, `alerts do not get through: channel ${name} ${error}`);
    }
    if (state === 'ok' && this.#state === 'failing') {
      this.#log.info({ channel: name, type }, `alerts get through channel ${name} again`);
    }
    this.#state = state;
    this.#error = error;
  }
}
