import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers';
import { dockerUnavailable } from './docker-engine.ts';
import { freePort } from './free-port.ts';
import { KAFKA_PROPERTIES, KAFKA_VERSION } from './native-kafka.ts';
import { MYSQL_OPTIONS } from './native-mysql.ts';
import { POSTGRES_SETTINGS } from './native-postgres.ts';
import { notice } from './notice.ts';
import { untilReady } from './probe-server.ts';
import { messageOf } from './sandbox-error.ts';
import {
  localAddress,
  SANDBOX_PASSWORD,
  type Offer,
  type SandboxServer,
  type ServerAddress,
  type ServerKind,
  type ServerProvider,
  type ServerRequest,
} from './server.ts';

const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_SECONDS = 30;

/** What of an official image makes it the server that the native way would start. */
export interface ContainerPlan {
  readonly image: string;
  readonly port: number;
  readonly environment: Record<string, string>;
  readonly command: string[];
}

type EngineContainer = ReturnType<ContainerRuntimeClient['container']['getById']>;

/** Servers in containers of the official images, when a Docker engine answers; testcontainers removes them in any case. */
export class DockerProvider implements ServerProvider {
  readonly name = 'docker';
  readonly #env: NodeJS.ProcessEnv;
  #unavailable: Promise<string | undefined> | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  async offer(request: ServerRequest): Promise<Offer> {
    this.#unavailable ??= dockerUnavailable(this.#env);
    const reason = await this.#unavailable;
    if (reason !== undefined) return { unavailable: reason };
    try {
      return { server: await startContainer(request) };
    } catch (error) {
      const unavailable = `Docker answers, but could not start ${request.kind}: ${messageOf(error)}`;
      notice(unavailable);
      return { unavailable };
    }
  }
}

async function startContainer(request: ServerRequest): Promise<SandboxServer> {
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const runtime = await getContainerRuntimeClient();
  const { host } = runtime.info.containerRuntime;
  // A port of our choice: one chosen by the engine changes with every start.
  const port = await freePort();
  const local = localAddress(request.kind, port);
  const address = { ...local, host, url: local.url.replace(local.host, host) };
  const plan = planContainer(request, address);
  const started = await new GenericContainer(plan.image)
    .withExposedPorts({ container: plan.port, host: port })
    .withEnvironment(plan.environment)
    .withCommand(plan.command)
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  const server = new ContainerServer(request, address, started, runtime.container.getById(started.getId()));
  try {
    await server.awaitReady();
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return server;
}

export function planContainer(request: ServerRequest, address: ServerAddress): ContainerPlan {
  const { kind, flags, serverId } = request;
  if (kind === 'kafka') {
    const environment = kafkaEnvironment(address, flags);
    return { image: `apache/kafka:${KAFKA_VERSION}`, port: 9092, environment, command: [] };
  }
  if (kind === 'postgres') {
    const settings = [...POSTGRES_SETTINGS, ...flags].flatMap((setting) => ['-c', setting]);
    const environment = { POSTGRES_PASSWORD: SANDBOX_PASSWORD };
    return { image: 'postgres:18', port: 5432, environment, command: ['postgres', ...settings] };
  }
  return {
    image: kind === 'mysql' ? 'mysql:9' : 'mariadb:11.8',
    port: 3306,
    environment: { [`${kind.toUpperCase()}_ROOT_PASSWORD`]: SANDBOX_PASSWORD },
    command: [...MYSQL_OPTIONS[kind], `--server-id=${serverId}`, ...flags],
  };
}

/** Kafka's image takes a property from the variable of its name: `node.id` from `KAFKA_NODE_ID`. */
function kafkaEnvironment(address: ServerAddress, flags: readonly string[]): Record<string, string> {
  const properties: Record<string, string> = {
    ...KAFKA_PROPERTIES,
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': `PLAINTEXT://${address.host}:${address.port}`,
    'controller.quorum.voters': '1@localhost:9093',
  };
  for (const flag of flags) {
    const separator = flag.indexOf('=');
    properties[flag.slice(0, separator)] = flag.slice(separator + 1);
  }
  const variables = Object.entries(properties).map(([key, value]) => [
    `KAFKA_${key.toUpperCase().replaceAll('.', '_')}`,
    value,
  ]);
  return { KAFKA_HEAP_OPTS: '-Xms512m -Xmx512m', ...Object.fromEntries(variables) };
}

class ContainerServer implements SandboxServer {
  readonly provider = 'docker';
  readonly pid = undefined;
  readonly dataDir = undefined;
  readonly kind: ServerKind;
  readonly name: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly #started: StartedTestContainer;
  readonly #container: EngineContainer;
  #version = 'unknown';
  #state: 'running' | 'paused' | 'stopped' | 'disposed' = 'running';

  constructor(
    request: ServerRequest,
    address: ServerAddress,
    started: StartedTestContainer,
    container: EngineContainer,
  ) {
    this.kind = request.kind;
    this.name = request.name;
    this.url = address.url;
    this.host = address.host;
    this.port = address.port;
    this.user = address.user;
    this.password = address.password;
    this.#started = started;
    this.#container = container;
  }

  get version(): string {
    return this.#version;
  }

  async awaitReady(): Promise<void> {
    const details = (): string => `docker logs ${this.#started.getId().slice(0, 12)} says why`;
    const version = await untilReady(this.kind, this, { timeoutMs: START_TIMEOUT_MS, details });
    this.#version = this.kind === 'kafka' ? KAFKA_VERSION : version;
  }

  async pause(): Promise<void> {
    if (this.#state !== 'running') return;
    await this.#container.pause();
    this.#state = 'paused';
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return;
    await this.#container.unpause();
    this.#state = 'running';
  }

  async stop(): Promise<void> {
    await this.resume();
    if (this.#state !== 'running') return;
    await this.#container.stop({ t: STOP_TIMEOUT_SECONDS });
    this.#state = 'stopped';
  }

  async kill(): Promise<void> {
    await this.resume();
    if (this.#state !== 'running') return;
    await this.#container.kill();
    await this.#container.wait();
    this.#state = 'stopped';
  }

  async start(): Promise<void> {
    await this.resume();
    if (this.#state !== 'stopped') return;
    await this.#container.start();
    this.#state = 'running';
    await this.awaitReady();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async dispose(): Promise<void> {
    if (this.#state === 'disposed') return;
    this.#state = 'disposed';
    await this.#started.stop({ timeout: 0, removeVolumes: true });
  }
}
