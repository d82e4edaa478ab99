/** What every way of providing a server agrees on. */

export type ServerKind = 'mysql' | 'mariadb' | 'postgres' | 'kafka';
export type ProviderName = 'environment' | 'docker' | 'native';

/** The password of the superuser of every server that the sandbox starts; they listen on the loopback only. */
export const SANDBOX_PASSWORD = 'sandbox';

/** One server to provide. */
export interface ServerRequest {
  readonly kind: ServerKind;
  /** Unique within its kind; also the name of its folder. */
  readonly name: string;
  /** MySQL's and MariaDB's `server_id`, unique within one sandbox. */
  readonly serverId: number;
  /** MySQL and MariaDB: options such as `--max-binlog-size=4096`. PostgreSQL: `name=value`. Kafka: `property=value`. */
  readonly flags: readonly string[];
}

export interface ServerAddress {
  /** `mysql://`, `postgres://`, or for Kafka its brokers as `host:port,host:port`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The superuser; empty for Kafka. */
  readonly user: string;
  readonly password: string;
}

/**
 * A running server and the faults that a test can put on it.
 *
 * `start`, `stop`, `kill` and `restart` keep port and data; each resolves when the server has reached that state (`start`
 * when it answers again). Servers from the environment belong to someone else: their faults reject with a `SandboxError`.
 */
export interface SandboxServer extends ServerAddress {
  readonly kind: ServerKind;
  readonly name: string;
  readonly provider: ProviderName;
  /** As the server tells it, e.g. `9.7.4` or `11.8.9-MariaDB-4`. */
  readonly version: string;
  /** Undefined while stopped, and for servers that are no local process. */
  readonly pid: number | undefined;
  /** Undefined for servers that are no local process. */
  readonly dataDir: string | undefined;
  /** Freezes it: connections stay open and nothing answers (SIGSTOP). */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends it in order, as an operator would. */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
  /** Ends it for good; its data goes with the sandbox. Idempotent, and does nothing to a server of the environment. */
  dispose(): Promise<void>;
}

/** A provider's answer: the server, or why this way is closed on this machine. */
export type Offer = { readonly server: SandboxServer } | { readonly unavailable: string };

/** One way to come by servers. Rejects only when going on to the next way would hide a mistake. */
export interface ServerProvider {
  readonly name: ProviderName;
  offer(request: ServerRequest): Promise<Offer>;
}

/** The address of a server that the sandbox itself starts on `port`. */
export function localAddress(kind: ServerKind, port: number): ServerAddress {
  const host = '127.0.0.1';
  if (kind === 'kafka') return { url: `${host}:${port}`, host, port, user: '', password: '' };
  const [scheme, user, path] =
    kind === 'postgres' ? ['postgres', 'postgres', '/postgres'] : ['mysql', 'root', ''];
  const url = `${scheme}://${user}:${SANDBOX_PASSWORD}@${host}:${port}${path}`;
  return { url, host, port, user, password: SANDBOX_PASSWORD };
}
