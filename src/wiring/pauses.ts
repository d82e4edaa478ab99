/**
 * Pauses that operators ask for: records of the layout topic, which every process of a pipeline reads. So a pause holds for all
 * processes, for those that start later and across restarts, until somebody resumes: whoever mends a target at night must not
 * find rows in it because a process was restarted.
 */
import type { LogEntry } from '../capture/checkpoint-log.ts';
import type { Config } from '../config/config.ts';
import type { KafkaLink } from '../drivers/kafka-client.ts';
import { LogEnd } from '../drivers/kafka-looks.ts';
import { PartitionProducer } from '../drivers/kafka-producer.ts';
import { toRowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { sleep } from '../runtime/backoff.ts';
import type { Gate } from '../runtime/gate.ts';
import type { Outages } from '../runtime/outages.ts';
import { readTopic, TopicStore } from './kafka-parts.ts';
import { layoutTopic } from './names.ts';
import { chooseSource, withKafka } from './positions.ts';

/** What can be paused by itself. */
export type PausePart = { readonly role: 'apply' } | { readonly role: 'capture'; readonly source: string };

/** Who paused, and when (milliseconds since 1970). */
export interface Pause {
  readonly by: string;
  readonly timeMs: number;
}

interface PauseRecord extends Pause {
  readonly v: 1;
  readonly paused: boolean;
}

export function pauseKey(part: PausePart): string {
  return part.role === 'apply' ? 'pause/apply' : `pause/capture/${part.source}`;
}

/** The pause that stands for a part; null when it runs. Pure. */
export function pauseOf(entries: readonly LogEntry[], part: PausePart): Pause | null {
  const key = pauseKey(part);
  const last = entries.filter((entry) => entry.key === key).at(-1);
  if (last === undefined) return null;
  const { paused, by, timeMs } = JSON.parse(last.value) as PauseRecord;
  return paused ? { by, timeMs } : null;
}

/** What an operator means: `all` is applying and every capture; `source` names one capture of several. */
export function pauseParts(
  config: Config,
  role: 'all' | 'apply' | 'capture',
  source: string | undefined,
): PausePart[] {
  const names =
    source === undefined ? config.sources.map(({ name }) => name) : [chooseSource(config, source)];
  return [
    ...(role === 'capture' || source !== undefined ? [] : [{ role: 'apply' as const }]),
    ...(role === 'apply' ? [] : names.map((name) => ({ role: 'capture' as const, source: name }))),
  ];
}

export interface PauseChange {
  readonly part: string;
  readonly from: 'running' | 'paused';
  readonly to: 'running' | 'paused';
}

/** Pauses or resumes parts, durably; processes follow within seconds. Answers what stood before and what stands now. */
export async function setPauses(
  config: Config,
  parts: readonly PausePart[],
  paused: boolean,
  by: string,
  signal: AbortSignal,
): Promise<PauseChange[]> {
  const topic = layoutTopic(config);
  return await withKafka(config, signal, async (link) => {
    const entries = await readTopic(link, topic, signal);
    const producer = new PartitionProducer(link, {
      maxMessageBytes: config.kafka.maxMessageBytes,
      compression: 'none',
      signal,
    });
    const store = new TopicStore(link, producer, topic);
    // Where this call wrote, by part: what stood before it is what it changed, whoever else writes at the same time.
    const written = new Map<PausePart, number>();
    try {
      for (const part of parts) {
        if ((pauseOf(entries, part) !== null) === paused) continue;
        const record: PauseRecord = { v: 1, paused, by, timeMs: Date.now() };
        written.set(part, await store.append(pauseKey(part), JSON.stringify(record)));
      }
      const now = written.size === 0 ? entries : await readTopic(link, topic, signal);
      return parts.map((part) => {
        const at = written.get(part);
        const before = at === undefined ? entries : now.filter(({ offset }) => offset < at);
        return {
          part: part.role === 'apply' ? 'apply' : `capture ${part.source}`,
          from: stateOf(before, part),
          to: stateOf(now, part),
        };
      });
    } finally {
      await producer.close();
    }
  });
}

function stateOf(entries: readonly LogEntry[], part: PausePart): PauseChange['from'] {
  return pauseOf(entries, part) === null ? 'running' : 'paused';
}

const LOOK_MS = 2_000;

/** Keeps the gate of one part as the records say. */
export class PauseWatch {
  readonly #link: KafkaLink;
  readonly #topic: string;
  readonly #part: PausePart;
  readonly #gate: Gate;
  readonly #log: Log;
  readonly #end: LogEnd;
  #seen = -1;
  #pause: Pause | null = null;
  #hurry = new AbortController();

  constructor(link: KafkaLink, config: Config, part: PausePart, gate: Gate, log: Log) {
    this.#link = link;
    this.#topic = layoutTopic(config);
    this.#part = part;
    this.#gate = gate;
    this.#log = log;
    this.#end = new LogEnd(link, this.#topic);
  }

  get pause(): Pause | null {
    return this.#pause;
  }

  /** Looks at once instead of in a while. */
  look(): void {
    this.#hurry.abort();
  }

  /** Knows what stands now; tries until it does, since a part that is paused must not even begin. */
  async begin(outages: Outages, signal: AbortSignal): Promise<void> {
    try {
      await outages.retrying('kafka', () => this.#read(signal), signal, { atOnce: true });
    } catch (error) {
      await this.#end.close();
      throw error;
    }
  }

  /** Follows the records until the signal aborts. While Kafka is away what was known last stands. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        this.#hurry = new AbortController();
        await sleep(LOOK_MS, AbortSignal.any([signal, this.#hurry.signal]));
        if (!signal.aborted) await this.#look(signal);
      }
    } finally {
      await this.#end.close();
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const end = await this.#end.read();
    if (end === this.#seen) return;
    const entries = await readTopic(this.#link, this.#topic, signal);
    this.#follow(pauseOf(entries, this.#part));
    this.#seen = end;
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      await this.#read(signal);
    } catch (thrown) {
      const error = toRowferryError(thrown, 'looking for pauses');
      if (error.action !== 'retry' && !signal.aborted) throw error;
      this.#log.debug({ code: error.code }, `${error.describe()}; pauses are looked for again`);
    }
  }

  #follow(pause: Pause | null): void {
    const before = this.#pause;
    this.#pause = pause;
    const { role } = this.#part;
    if (pause !== null && before === null) {
      this.#gate.close();
      this.#log.info(
        { by: pause.by, since: pause.timeMs },
        `${role} is paused by an operator: it holds its place`,
      );
    }
    if (pause === null && before !== null) {
      this.#gate.open();
      this.#log.info({ was: before.by }, `${role} goes on: an operator resumed it`);
    }
  }
}
