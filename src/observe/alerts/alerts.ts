/**
 * Alerts of a daemon: it hands in what it measures every second or so, and this tells whoever should know.
 *
 * The wiring owns one for the process: `observe` after each round of measuring, `state` for the API and the status file,
 * `silence` from the API, `close` at the end.
 */
import { randomUUID } from 'node:crypto';
import type { AlertChannelSettings, AlertSettings } from '../../config/config.ts';
import type { Log } from '../../model/log.ts';
import { EMPTY_BOOK, look } from './alert-book.ts';
import type { Alert, AlertBook, HistoryEntry, Silence } from './alert-book.ts';
import type { Channel } from './channel.ts';
import { CommandChannel } from './command-channel.ts';
import { metricsOf } from './condition.ts';
import { deliveryFor } from './delivery.ts';
import { EmailChannel } from './email-channel.ts';
import { LogChannel } from './log-channel.ts';
import type { AlertSamples } from './metrics.ts';
import { Outbox } from './outbox.ts';
import type { ChannelState } from './outbox.ts';
import type { Level } from './rule.ts';
import { WebhookChannel } from './webhook-channel.ts';

export interface RuleState {
  readonly name: string;
  readonly group: string;
  readonly level: Level;
  readonly condition: string;
  readonly forMs: number;
  readonly pending: number;
  readonly firing: number;
  /** Whether each metric of its condition had a value at the last look: a rule without data cannot fire. */
  readonly hasData: boolean;
}

/** Plain values, for JSON. */
export interface AlertState {
  /** The last look; null before the first. */
  readonly atMs: number | null;
  /** Firing alerts first, the gravest first; pending ones after them. */
  readonly active: readonly Alert[];
  readonly rules: readonly RuleState[];
  readonly silences: readonly Silence[];
  /** Newest first. */
  readonly history: readonly HistoryEntry[];
  readonly channels: readonly ChannelState[];
}

export interface AlertsOptions {
  readonly pipeline: string;
  readonly log: Log;
  /** For tests: how soon a failed delivery is tried again. */
  readonly firstPauseMs?: number;
  /** Wall clock, for the times at which something was sent. */
  readonly now?: () => number;
}

const TRIES = 6;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
const QUEUE_LENGTH = 100;
const MOST_SILENCES = 100;

export class Alerts {
  readonly #settings: AlertSettings;
  readonly #pipeline: string;
  readonly #outboxes: readonly { readonly channel: AlertChannelSettings; readonly outbox: Outbox }[];
  #book: AlertBook = EMPTY_BOOK;
  #measured: ReadonlySet<string> = new Set();
  #atMs: number | null = null;
  #silences = 0;

  constructor(settings: AlertSettings, options: AlertsOptions) {
    const { pipeline, log, firstPauseMs = FIRST_PAUSE_MS, now = Date.now } = options;
    this.#settings = settings;
    this.#pipeline = pipeline;
    this.#outboxes = settings.channels.map((channel) => {
      const { name, type } = channel;
      const pauses = { firstPauseMs, maxPauseMs: MAX_PAUSE_MS };
      const outbox = { name, type, tries: TRIES, queueLength: QUEUE_LENGTH, ...pauses };
      return { channel, outbox: new Outbox(openChannel(channel, log, now), outbox, log, now) };
    });
  }

  /**
   * Looks at what was measured at `nowMs`; returns what fired or was resolved. Returns at once: telling somebody goes on behind
   * it, and never throws.
   */
  observe(samples: AlertSamples, nowMs: number): readonly HistoryEntry[] {
    const { rules } = this.#settings;
    const { book, notices, news } = look(this.#book, rules, samples, nowMs, this.#settings);
    this.#book = book;
    this.#atMs = nowMs;
    this.#measured = new Set(
      [...samples].flatMap(([name, list]) => (list.some(({ value }) => value !== null) ? [name] : [])),
    );
    if (notices.length === 0) return news;
    for (const { channel, outbox } of this.#outboxes) {
      const about = { id: randomUUID(), pipeline: this.#pipeline, atMs: nowMs };
      const delivery = deliveryFor(channel, notices, about);
      if (delivery !== null) outbox.add(delivery);
    }
    return news;
  }

  state(): AlertState {
    const active = [...this.#book.active.values()];
    const levels = ['emergency', 'critical', 'error', 'warning'];
    const rank = ({ firedMs, level }: Alert): number => (firedMs === null ? 10 : 0) + levels.indexOf(level);
    return {
      atMs: this.#atMs,
      active: active.toSorted((a, b) => rank(a) - rank(b) || a.sinceMs - b.sinceMs),
      rules: this.#settings.rules.map(({ name, group, level, text, forMs, condition }) => {
        const own = active.filter(({ rule }) => rule === name);
        const firing = own.filter(({ firedMs }) => firedMs !== null).length;
        const hasData = metricsOf(condition).every((metric) => this.#measured.has(metric.name));
        return { name, group, level, condition: text, forMs, pending: own.length - firing, firing, hasData };
      }),
      silences: this.#book.silences,
      history: this.#book.history.toReversed(),
      channels: this.#outboxes.map(({ outbox }) => outbox.state()),
    };
  }

  /** Keeps alerts quiet until a time, from the next look on; returns the number to end it early with. Of too many, the oldest makes way. */
  silence(silence: Omit<Silence, 'id'>): number {
    this.#silences += 1;
    const id = this.#silences;
    const silences = [...this.#book.silences, { ...silence, id }].slice(-MOST_SILENCES);
    this.#book = { ...this.#book, silences };
    return id;
  }

  /** Whether there was such a silence. */
  endSilence(id: number): boolean {
    const silences = this.#book.silences.filter((silence) => silence.id !== id);
    const isThere = silences.length < this.#book.silences.length;
    this.#book = { ...this.#book, silences };
    return isThere;
  }

  /** Sends what waits for at most so long, then breaks off. */
  async close(ms = 3_000): Promise<void> {
    await Promise.all(this.#outboxes.map(async ({ outbox }) => await outbox.close(ms)));
  }
}

function openChannel(settings: AlertChannelSettings, log: Log, now: () => number): Channel {
  switch (settings.type) {
    case 'log':
      return new LogChannel(log);
    case 'webhook':
      return new WebhookChannel(settings, now);
    case 'email':
      return new EmailChannel(settings);
    case 'command':
      return new CommandChannel(settings);
  }
}
