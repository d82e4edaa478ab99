import { DockerProvider } from './docker-provider.ts';
import { EnvironmentProvider } from './environment-provider.ts';
import { NativeProvider } from './native-provider.ts';
import { SandboxError, messageOf } from './sandbox-error.ts';
import type { SandboxServer, ServerKind, ServerProvider, ServerRequest } from './server.ts';

/** One server by name, or with options of its own (`flags`, see `ServerRequest`). */
export type ServerSpec = string | { readonly name: string; readonly flags?: readonly string[] };

/** Servers of one kind: by name, or so many, which are then called `mysql-1`, `mysql-2`, … */
export type ServerSpecs = number | readonly ServerSpec[];

export interface SandboxOptions {
  readonly mysql?: ServerSpecs;
  readonly mariadb?: ServerSpecs;
  readonly postgres?: ServerSpecs;
  /** One node; `flags` are properties. */
  readonly kafka?: boolean | { readonly flags?: readonly string[] };
  /** Never servers of the environment: for tests that stop servers or need their own options. */
  readonly ownServers?: boolean;
}

export interface Sandbox {
  /** In the order asked for, like the next two. */
  readonly mysql: readonly SandboxServer[];
  readonly mariadb: readonly SandboxServer[];
  readonly postgres: readonly SandboxServer[];
  readonly kafka: SandboxServer | undefined;
  /** Kafka's brokers as `host:port`; empty without Kafka. */
  readonly brokers: readonly string[];
  /** Ends all servers and removes their data. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the servers asked for, all at once, each by the first way that works: a URL of the environment, Docker, native.
 * Rejects with a `SandboxError` that names every server that could not be had, why, and the remedy; nothing is left then.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const native = new NativeProvider();
  const providers: ServerProvider[] = [
    ...(options.ownServers === true ? [] : [new EnvironmentProvider(process.env)]),
    new DockerProvider(process.env),
    native,
  ];
  const outcomes = await Promise.allSettled(
    requestsOf(options).map((request) => provide(request, providers)),
  );
  const servers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopAll(servers, native));
  if (failures.length > 0) {
    await stop();
    throw new AggregateError(failures, failures.map(describe).join('\n'));
  }

  const ofKind = (kind: ServerKind): SandboxServer[] => servers.filter((server) => server.kind === kind);
  const kafka = ofKind('kafka')[0];
  return {
    mysql: ofKind('mysql'),
    mariadb: ofKind('mariadb'),
    postgres: ofKind('postgres'),
    kafka,
    brokers: kafka?.url.split(',') ?? [],
    stop,
  };
}

function requestsOf(options: SandboxOptions): ServerRequest[] {
  const requests: ServerRequest[] = [];
  const add = (kind: ServerKind, specs: readonly ServerSpec[]): void => {
    for (const spec of specs) {
      const { name, flags = [] } = typeof spec === 'string' ? { name: spec } : spec;
      if (
        !/^[a-z0-9-]+$/i.test(name) ||
        requests.some((other) => other.kind === kind && other.name === name)
      ) {
        throw new SandboxError(
          `"${name}" is no name for a ${kind} server`,
          'use letters, digits, dashes, and every name once',
        );
      }
      requests.push({ kind, name, flags, serverId: 101 + requests.length });
    }
  };
  for (const kind of ['mysql', 'mariadb', 'postgres'] as const) {
    const specs = options[kind] ?? [];
    add(kind, typeof specs === 'number' ? countedNames(kind, specs) : specs);
  }
  if (options.kafka !== undefined && options.kafka !== false) {
    add('kafka', [{ name: 'kafka', ...(options.kafka === true ? {} : options.kafka) }]);
  }
  return requests;
}

function countedNames(kind: ServerKind, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
}

async function provide(request: ServerRequest, providers: readonly ServerProvider[]): Promise<SandboxServer> {
  const reasons: string[] = [];
  for (const provider of providers) {
    const offer = await provider.offer(request);
    if ('server' in offer) return offer.server;
    reasons.push(`${provider.name}: ${offer.unavailable}`);
  }
  throw new SandboxError(`no ${request.kind} server "${request.name}"`, reasons.join('; '));
}

async function stopAll(servers: readonly SandboxServer[], native: NativeProvider): Promise<void> {
  const ends = await Promise.allSettled(servers.map((server) => server.dispose()));
  // Also kills the servers that failed to come up.
  await native.close();
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('\n'));
}

/** The message with the chain of its causes. */
function describe(error: unknown): string {
  const lines: string[] = [];
  for (let each: unknown = error; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
    lines.push(messageOf(each));
  }
  return lines.join('\n  because: ');
}
