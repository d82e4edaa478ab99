/** Connections to Kafka: options, the kafkajs client behind them, its log, and waiting between tries. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import kafkajs from 'kafkajs';
import type { ErrorCode, ErrorWhere, RowferryError } from '../errors.ts';
import type { Log } from '../model/log.ts';
import { loadLz4 } from './kafka-codecs.ts';
import { accessOf, kafkaError } from './kafka-errors.ts';
import { deliverWholeFrames } from './kafka-frames.ts';
import { restIdleConnections } from './kafka-rest.ts';

/** Text that must not be printed; `reveal` gives it out. */
interface Hidden {
  reveal(): string;
}

interface KafkaTls {
  /** PEM text. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: Hidden;
  readonly rejectUnauthorized: boolean;
}

interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: Hidden;
}

/** Who is told how one part of a client gets on with Kafka, try by try. */
export interface LinkWatch {
  failed(error: RowferryError): void;
  recovered(): void;
  /** The part has ended; nobody tries any more. */
  ended(): void;
}

export interface KafkaOptions {
  /** Shown in Kafka's own logs and group descriptions. */
  readonly clientId: string;
  /** `host:port` of some brokers; the others are learned from them. */
  readonly brokers: readonly string[];
  readonly tls: KafkaTls | null;
  readonly sasl: KafkaSasl | null;
  readonly log: Log;
  /** Shows how consumers and producers get on; without it they tell the log. */
  readonly watch?: (part: string) => LinkWatch;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** Where to dial for the address that a broker announces; for tunnels, and for tests that put a proxy on the way. */
  readonly dial?: (host: string, port: number) => { readonly host: string; readonly port: number };
}

const INSTANCE = /:([0-9a-f]+)$/;

/** What `KafkaLink.open` added to a client id. */
export function instanceOf(clientId: string): string | undefined {
  return INSTANCE.exec(clientId)?.[1];
}

/** The client id as it was configured. */
export function configuredClientId(clientId: string): string {
  return clientId.replace(INSTANCE, '');
}

/** One kafkajs client. Only the Kafka drivers see it. */
export interface KafkaClient {
  readonly kafka: kafkajs.Kafka;
  /** Cuts all its connections at once, so that every request in it fails now and nothing of it lives on. */
  abandon(): void;
}

/**
 * How to reach one Kafka cluster. Cheap, holds no connection. Every user opens clients of its own and throws them away after
 * a failure: a kafkajs client keeps the addresses of brokers that have moved, and its pools can be left unusable.
 */
export class KafkaLink {
  readonly #options: KafkaOptions;
  #opened = 0;
  /** What was done at least once: refused from then on, it is no wrong configuration. */
  readonly #done = new Set<string>();

  constructor(options: KafkaOptions) {
    restIdleConnections();
    this.#options = options;
  }

  get log(): Log {
    return this.#options.log;
  }

  /** Tells of a part that lives as long as its owner says. */
  reporter(part: string, log = this.log): LinkWatch {
    return this.#options.watch?.(part) ?? new LinkReporter(log, part);
  }

  /** `doing` succeeded, by the words in which `error` tells of its failures or names what it needed. */
  worked(doing: string): void {
    this.#done.add(doing);
  }

  /**
   * The error of rowferry for whatever kafkajs threw. A login that is refused passes where this link had one before; a grant,
   * where the same had been done with it: all of `needed`, where `doing` is said of several things.
   */
  error(
    thrown: unknown,
    doing: string,
    where: ErrorWhere = {},
    needed: readonly string[] = [doing],
  ): RowferryError {
    const error = kafkaError(thrown, doing, where);
    const access = accessOf(error);
    const hadGrant = (): boolean => needed.every((each) => this.#done.has(each));
    const isLost = access === 'login' ? this.#done.size > 0 : access === 'grant' && hadGrant();
    return isLost ? error.passing() : error;
  }

  /** `instance` is added to the client id, so that a group's members tell which user of this link they are. */
  async open(instance?: string): Promise<KafkaClient> {
    await loadLz4();
    const { clientId, brokers, tls, sasl, log } = this.#options;
    const sockets = new Set<Socket>();
    let abandoned = false;
    // kafkajs begins with the first of the list: another one each time, or a dead first broker would hide the others.
    const turn = this.#opened++ % Math.max(1, brokers.length);
    const kafka = new kafkajs.Kafka({
      clientId: instance === undefined ? clientId : `${clientId}:${instance}`,
      brokers: [...brokers.slice(turn), ...brokers.slice(0, turn)],
      ...(tls === null ? {} : { ssl: tlsOptions(tls) }),
      ...(sasl === null ? {} : { sasl: saslOptions(sasl) }),
      connectionTimeout: this.#options.connectTimeoutMs ?? 5_000,
      authenticationTimeout: 10_000,
      requestTimeout: this.#options.requestTimeoutMs ?? 30_000,
      // Enough to try every broker once. Going on for ever is the business of the loops above.
      retry: { retries: Math.max(2, brokers.length), initialRetryTime: 100, maxRetryTime: 1_000 },
      logLevel: kafkajs.logLevel.WARN,
      logCreator: () => (entry) => forwardLog(log, entry),
      socketFactory: ({ host, port, ssl, onConnect }) => {
        const socket = this.#dial(host, port, ssl, onConnect);
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        if (abandoned) socket.destroy(new Error('abandoned'));
        return socket;
      },
    });
    return {
      kafka,
      abandon: () => {
        abandoned = true;
        // With an error: kafkajs listens to `error` and `end`, and would wait for its requests after a mere close.
        for (const socket of sockets) socket.destroy(new Error('abandoned'));
      },
    };
  }

  #dial(host: string, port: number, ssl: object | undefined, onConnect: () => void): Socket {
    const address = this.#options.dial?.(host, port) ?? { host, port };
    const socket =
      ssl === undefined || ssl === null
        ? connectTcp(address, onConnect)
        : connectTls({ ...address, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect);
    return deliverWholeFrames(socket.setKeepAlive(true, 30_000).setNoDelay(true));
  }
}

function tlsOptions(tls: KafkaTls): ConnectionOptions {
  const { ca, cert, key, rejectUnauthorized } = tls;
  return {
    rejectUnauthorized,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key.reveal() }),
  };
}

function saslOptions({ mechanism, username, password }: KafkaSasl): kafkajs.SASLOptions {
  const user = { username, password: password.reveal() };
  // Three times the same for the compiler: each mechanism is a type of its own in kafkajs.
  if (mechanism === 'plain') return { mechanism, ...user };
  if (mechanism === 'scram-sha-256') return { mechanism, ...user };
  return { mechanism, ...user };
}

/** kafkajs calls every retry an error. What matters is reported by the loops that use it, so its own lines are for debugging. */
function forwardLog(log: Log, entry: kafkajs.LogEntry): void {
  const { message, broker, groupId, error } = entry.log as Readonly<Record<string, unknown>>;
  const fields = Object.entries({ broker, groupId, error }).filter(([, value]) => typeof value === 'string');
  log.debug({ client: 'kafkajs', part: entry.namespace, ...Object.fromEntries(fields) }, String(message));
}

/** Time before try `tries` (0, 1, …): exponential, half of it random. */
export function retryDelayMs(tries: number, firstMs = 100, maxMs = 2_000): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(tries, 20));
  return full / 2 + (Math.random() * full) / 2;
}

/** Sleeps; returns early, without an error, when the signal aborts. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Resolves when `work` has ended well or badly, or after `limitMs`: for goodbyes that a dead server may never answer. */
export async function settleWithin(work: Promise<unknown>, limitMs: number): Promise<void> {
  const limit = new AbortController();
  await Promise.race([
    work.then(
      () => undefined,
      () => undefined,
    ),
    pauseFor(limitMs, limit.signal),
  ]);
  limit.abort();
}

/** Logs that Kafka is away and that it is back: once a change, however many tries lie between. */
export class LinkReporter implements LinkWatch {
  readonly #log: Log;
  readonly #part: string;
  #lostAtMs: number | undefined;
  #code: ErrorCode | undefined;

  constructor(log: Log, part: string) {
    this.#log = log;
    this.#part = part;
  }

  failed(error: RowferryError): void {
    const fields = { code: error.code, where: error.where };
    const text = `${this.#part} waits for Kafka: ${error.describe()}`;
    if (this.#lostAtMs !== undefined && error.code === this.#code) {
      this.#log.debug(fields, text);
      return;
    }
    this.#lostAtMs ??= Date.now();
    this.#code = error.code;
    this.#log.warn(fields, text);
  }

  recovered(): void {
    if (this.#lostAtMs === undefined) return;
    this.#log.info({ lostMs: Date.now() - this.#lostAtMs }, `${this.#part} reached Kafka again`);
    this.ended();
  }

  ended(): void {
    this.#lostAtMs = undefined;
    this.#code = undefined;
  }
}
