/**
 * What one channel has not been told yet: for each alert the newest notice, sent until the receiver has taken it, with growing
 * pauses of at most a minute. An alert that fired and was resolved while the receiver was away is told as resolved, in one
 * line; one that was resolved and fires again, as firing. Nothing here can hold up the daemon: so many alerts wait at most,
 * then the oldest notice makes way and is counted as lost.
 */
import { randomUUID } from 'node:crypto';
import type { Log } from '../../model/log.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Notice } from './alert-book.ts';
import { ChannelError, codeOf } from './channel.ts';
import type { Channel } from './channel.ts';
import { deliveryOf } from './delivery.ts';
import type { Delivery, Teller } from './delivery.ts';
import { labelKey } from './evaluate.ts';

interface OutboxSettings {
  readonly name: string;
  readonly type: string;
  readonly teller: Teller;
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
  /** Alerts whose notices wait, at most. */
  readonly mostWaiting: number;
  /** What waits is another than before. */
  readonly onChange: () => void;
}

export interface ChannelState {
  readonly name: string;
  readonly type: string;
  /** `idle` before the first delivery. */
  readonly state: 'idle' | 'ok' | 'failing';
  /** What went wrong at the last try, while failing. */
  readonly error: string | null;
  /** Alerts whose newest notice the receiver has not taken yet. */
  readonly waiting: number;
  /** Deliveries that it took. */
  readonly sent: number;
  /** Notices that made way for newer ones, or were left at the stop. */
  readonly lost: number;
  readonly lastSentMs: number | null;
}

export class Outbox {
  readonly #channel: Channel;
  readonly #settings: OutboxSettings;
  readonly #log: Log;
  readonly #now: () => number;
  /** By rule and labels, the oldest first. */
  readonly #waiting = new Map<string, Notice>();
  readonly #stop = new AbortController();
  /** Rules of which was said, since the channel fails, that it is not told of them. */
  readonly #named = new Set<string>();
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

  /** What the receiver has not taken yet. */
  get waiting(): readonly Notice[] {
    return [...this.#waiting.values()];
  }

  /** Returns at once. */
  add(notices: readonly Notice[]): void {
    if (this.#stop.signal.aborted || notices.length === 0) return;
    for (const notice of notices) this.#put(notice);
    if (this.#state === 'failing') this.#nameRules();
    this.#sending ??= this.#sendAll();
  }

  state(): ChannelState {
    const { name, type } = this.#settings;
    return {
      name,
      type,
      state: this.#state,
      error: this.#error,
      waiting: this.#waiting.size,
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
    if (this.#waiting.size === 0) return;
    const { name, type } = this.#settings;
    const rules = this.#rules();
    this.#log.error(
      { channel: name, type, rules },
      `stopped before channel ${name} was told of: ${rules.join(', ')}`,
    );
    this.#lost += this.#waiting.size;
    this.#waiting.clear();
  }

  #put(notice: Notice): void {
    const key = keyOf(notice);
    const before = this.#waiting.get(key);
    // Whoever has not heard that it fires hears it for the first time.
    const isNews = notice.kind === 'repeated' && before?.kind === 'firing';
    this.#waiting.delete(key);
    this.#waiting.set(key, isNews ? { ...notice, kind: 'firing' } : notice);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size <= this.#settings.mostWaiting || oldest === undefined) return;
    this.#waiting.delete(oldest);
    this.#lost += 1;
  }

  async #sendAll(): Promise<void> {
    // The first send must not happen within `add`.
    await Promise.resolve();
    const { firstPauseMs, maxPauseMs, teller } = this.#settings;
    const { signal } = this.#stop;
    const backoff = new Backoff({ firstMs: firstPauseMs, maxMs: maxPauseMs });
    let delivery: Delivery | undefined;
    while (this.#waiting.size > 0 && !signal.aborted) {
      const next = deliveryOf(this.waiting, { id: randomUUID(), teller, atMs: this.#now() });
      // The same notices under the same number, so that a receiver can tell a repetition.
      delivery = delivery !== undefined && isSame(delivery, next) ? delivery : next;
      const failed = await this.#try(delivery);
      if (failed) {
        await backoff.wait(signal);
        continue;
      }
      backoff.reset();
      for (const notice of delivery.notices) {
        const key = keyOf(notice);
        // A newer one came meanwhile: that has not been told.
        if (this.#waiting.get(key) === notice) this.#waiting.delete(key);
      }
      this.#settings.onChange();
    }
    this.#sending = null;
  }

  /** Whether it failed. */
  async #try(delivery: Delivery): Promise<boolean> {
    try {
      await this.#channel.send(delivery, this.#stop.signal);
      this.#sent += 1;
      this.#lastSentMs = this.#now();
      this.#turn('ok', null);
      return false;
    } catch (thrown) {
      // A bug of a channel must not end the daemon: it shows as a channel that fails.
      this.#turn(
        'failing',
        thrown instanceof ChannelError ? thrown.message : `failed unexpectedly (${codeOf(thrown)})`,
      );
      return true;
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
      this.#named.clear();
    }
    this.#state = state;
    this.#error = error;
    if (state === 'failing') this.#nameRules();
  }

  /** Each rule is named once while the channel fails: the log is then the only place that tells of it. */
  #nameRules(): void {
    const rules = this.#rules().filter((rule) => !this.#named.has(rule));
    if (rules.length === 0) return;
    for (const rule of rules) this.#named.add(rule);
    const { name, type } = this.#settings;
    this.#log.error({ channel: name, type, rules }, `channel ${name} is not told of: ${rules.join(', ')}`);
  }

  #rules(): string[] {
    return [...new Set(this.waiting.map(({ alert }) => alert.rule))];
  }
}

function keyOf({ alert }: Notice): string {
  return `${alert.rule} ${labelKey(alert.labels, Object.keys(alert.labels))}`;
}

function isSame(a: Delivery, b: Delivery): boolean {
  return a.notices.length === b.notices.length && a.notices.every((notice, i) => notice === b.notices[i]);
}
