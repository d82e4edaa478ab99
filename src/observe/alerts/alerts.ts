/**
 * Alerts of a daemon: it hands in what it measures every second or so, and this tells whoever should know.
 *
 * The wiring owns one for the process: `observe` after each round of measuring, `state` for the API and the status file,
 * `silence` from the API, `close` at the end.
 */
import type { AlertChannelSettings, AlertSettings } from '../../config/config.ts';
import type { Log } from '../../model/log.ts';
import { EMPTY_BOOK, look } from './alert-book.ts';
import type { Alert, AlertBook, HistoryEntry, Notice, Silence } from './alert-book.ts';
import type { Channel } from './channel.ts';
import { CommandChannel } from './command-channel.ts';
import { metricsOf } from './condition.ts';
import { heardBy } from './delivery.ts';
import type { Teller } from './delivery.ts';
import { EmailChannel } from './email-channel.ts';
import { LogChannel } from './log-channel.ts';
import type { AlertSamples } from './metrics.ts';
import { Outbox } from './outbox.ts';
import type { ChannelState } from './outbox.ts';
import type { Level } from './rule.ts';
import { WebhookChannel } from './webhook-channel.ts';

interface RuleState {
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

/** What is kept over a restart: what somebody was or is to be told of. Plain values, for JSON. */
export interface KeptAlerts {
  /** Firing alerts by rule and labels. */
  readonly firing: readonly (readonly [string, Alert])[];
  /** Notices that a channel has not taken yet, by its name. */
  readonly waiting: Readonly<Record<string, readonly Notice[]>>;
}

export interface NewSilence extends Omit<Silence, 'id' | 'untilMs'> {
  readonly forMs: number;
}

export interface AlertsOptions {
  readonly teller: Teller;
  readonly log: Log;
  /** What an earlier process of the same key left behind. */
  readonly kept?: KeptAlerts;
  /** Called with what is to be kept, each time that it changes. */
  readonly keep?: (kept: KeptAlerts) => void;
  /** For tests: how soon a failed delivery is tried again. */
  readonly firstPauseMs?: number;
  /** Wall clock, for the times at which something was sent. */
  readonly now?: () => number;
  /** A clock that nobody sets, for silences; milliseconds. */
  readonly clock?: () => number;
}

const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
const MOST_WAITING = 1_000;
const MOST_SILENCES = 100;

export class Alerts {
  readonly #settings: AlertSettings;
  readonly #keep: (kept: KeptAlerts) => void;
  readonly #now: () => number;
  readonly #clock: () => number;
  /** When silences end, by the clock that nobody sets. */
  readonly #silenceEnds = new Map<number, number>();
  readonly #outboxes: readonly { readonly channel: AlertChannelSettings; readonly outbox: Outbox }[];
  #book: AlertBook = EMPTY_BOOK;
  #measured: ReadonlySet<string> = new Set();
  #atMs: number | null = null;
  #silences = 0;

  constructor(settings: AlertSettings, options: AlertsOptions) {
    const { teller, log, kept, firstPauseMs = FIRST_PAUSE_MS, now = Date.now } = options;
    this.#settings = settings;
    this.#keep = options.keep ?? (() => undefined);
    this.#now = now;
    this.#clock = options.clock ?? (() => performance.now());
    if (kept !== undefined) this.#book = { ...EMPTY_BOOK, active: new Map(kept.firing) };
    this.#outboxes = settings.channels.map((channel) => {
      const { name, type } = channel;
      const pauses = { firstPauseMs, maxPauseMs: MAX_PAUSE_MS };
      const onChange = (): void => this.#save();
      const own = { name, type, teller, mostWaiting: MOST_WAITING, onChange, ...pauses };
      const outbox = new Outbox(openChannel(channel, log, now), own, log, now);
      outbox.add(kept?.waiting[name] ?? []);
      return { channel, outbox };
    });
  }

  /**
   * Looks at what was measured at `nowMs`; returns what fired or was resolved. Returns at once: telling somebody goes on behind
   * it, and never throws.
   */
  observe(samples: AlertSamples, nowMs: number): readonly HistoryEntry[] {
    const { rules } = this.#settings;
    const { book, notices, news } = look(this.#timed(nowMs), rules, samples, nowMs, this.#settings);
    this.#book = book;
    this.#atMs = nowMs;
    this.#measured = new Set(
      [...samples].flatMap(([name, list]) => (list.some(({ value }) => value !== null) ? [name] : [])),
    );
    for (const { channel, outbox } of this.#outboxes) outbox.add(heardBy(channel, notices));
    if (notices.length > 0 || news.length > 0) this.#save();
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

  /** Keeps alerts quiet for a time, from the next look on; returns the number to end it early with. Of too many, the oldest makes way. */
  silence({ forMs, ...silence }: NewSilence): number {
    this.#silences += 1;
    const id = this.#silences;
    this.#silenceEnds.set(id, this.#clock() + forMs);
    const untilMs = (this.#atMs ?? this.#now()) + forMs;
    const silences = [...this.#book.silences, { ...silence, id, untilMs }].slice(-MOST_SILENCES);
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

  /** Sends what waits for at most so long, then breaks off. What was not told then is kept for the next start. */
  async close(ms = 3_000): Promise<void> {
    await Promise.all(this.#outboxes.map(async ({ outbox }) => await outbox.close(ms)));
  }

  /** A clock of the machine that is set makes no silence longer or shorter. */
  #timed(nowMs: number): AlertBook {
    const clock = this.#clock();
    for (const id of this.#silenceEnds.keys())
      if (!this.#book.silences.some((silence) => silence.id === id)) this.#silenceEnds.delete(id);
    const silences = this.#book.silences.map((silence) => {
      const end = this.#silenceEnds.get(silence.id);
      return end === undefined ? silence : { ...silence, untilMs: nowMs + Math.round(end - clock) };
    });
    return { ...this.#book, silences };
  }

  #save(): void {
    const firing = [...this.#book.active].filter(([, { firedMs }]) => firedMs !== null);
    const waiting = this.#outboxes.map(({ channel, outbox }) => [channel.name, outbox.waiting] as const);
    this.#keep({ firing, waiting: Object.fromEntries(waiting) });
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
