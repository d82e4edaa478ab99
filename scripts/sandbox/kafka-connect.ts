import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { fetchJars, findJava, LOG4J_BINDING } from './java.ts';
import { KAFKA_VERSION } from './native-kafka.ts';
import { lastLines } from './run-command.ts';
import { messageOf, SandboxError } from './sandbox-error.ts';

export const DEBEZIUM_VERSION = '3.6.1.Final';

const ARTIFACTS = [
  `io.debezium:debezium-connector-mysql:${DEBEZIUM_VERSION}`,
  `org.apache.kafka:connect-runtime:${KAFKA_VERSION}`,
  `org.apache.kafka:connect-json:${KAFKA_VERSION}`,
  LOG4J_BINDING,
];

const READY_TIMEOUT_MS = 90_000;
const RUNNING = 'RUNNING';

export interface KafkaConnectOptions {
  /** Exists already; keeps properties, offsets, the connector's history and the log. */
  readonly folder: string;
  readonly brokers: readonly string[];
  /** Of the worker: converters and how often offsets are saved. */
  readonly worker: Readonly<Record<string, string>>;
  /** By name. */
  readonly connectors: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A worker of Kafka Connect in standalone mode as a child process that can be killed and started again. */
export class KafkaConnect {
  readonly logFile: string;
  /** Written at each save of offsets: what Debezium repeats after a kill begins there. */
  readonly offsetsFile: string;
  readonly #java: string;
  readonly #libraries: string;
  readonly #folder: string;
  readonly #url: string;
  readonly #connectors: readonly string[];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  private constructor(
    java: string,
    libraries: string,
    { folder, connectors }: KafkaConnectOptions,
    port: number,
  ) {
    this.#java = java;
    this.#libraries = libraries;
    this.#folder = folder;
    this.#url = `http://127.0.0.1:${port}`;
    this.#connectors = Object.keys(connectors);
    this.logFile = join(folder, 'connect.log');
    this.offsetsFile = join(folder, 'offsets');
  }

  /** Fetches what it needs (once) and writes its properties. */
  static async prepare(options: KafkaConnectOptions): Promise<KafkaConnect> {
    const { folder, brokers, worker, connectors } = options;
    const java = await findJava();
    const libraries = await fetchJars(
      `debezium-${DEBEZIUM_VERSION}`,
      `Debezium ${DEBEZIUM_VERSION}`,
      ARTIFACTS,
    ).catch((error: unknown) => {
      throw new SandboxError('Debezium could not be fetched by Maven', 'install Maven (mvn)', error);
    });
    const port = await freePort();
    const properties = {
      'bootstrap.servers': brokers.join(','),
      listeners: `http://127.0.0.1:${port}`,
      'offset.storage.file.filename': join(folder, 'offsets'),
      'plugin.discovery': 'service_load',
      ...worker,
    };
    await writeFile(join(folder, 'worker.properties'), propertiesText(properties));
    for (const [name, connector] of Object.entries(connectors)) {
      await writeFile(join(folder, `${name}.properties`), propertiesText({ name, ...connector }));
    }
    return new KafkaConnect(java, libraries, options, port);
  }

  /** Resolves when the tasks of all connectors run. */
  async start(): Promise<void> {
    this.#spawn();
    const deadline = Date.now() + READY_TIMEOUT_MS;
    let last = 'it does not answer';
    while (Date.now() < deadline && this.#child !== undefined) {
      try {
        last = await this.#state();
        if (last === RUNNING) return;
      } catch (error) {
        last = messageOf(error);
      }
      await sleep(100);
    }
    throw new SandboxError(
      `Kafka Connect does not run its connectors: ${last}`,
      `see the end of its log:\n${this.logTail()}`,
    );
  }

  /** The first state of a connector's task that is not RUNNING. */
  async #state(): Promise<string> {
    for (const name of this.#connectors) {
      const answer = await fetch(`${this.#url}/connectors/${name}/status`);
      const status = (await answer.json()) as {
        readonly tasks?: readonly { readonly state: string }[];
      };
      const state = status.tasks?.[0]?.state ?? `HTTP ${answer.status}`;
      if (state !== RUNNING) return `${name}: ${state}`;
    }
    return RUNNING;
  }

  #spawn(): void {
    const jvm = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
    const log = openSync(this.logFile, 'a');
    const child = spawn(
      this.#java,
      [
        ...jvm,
        '-Duser.timezone=UTC',
        '-Dlog4j2.level=WARN',
        '-cp',
        join(this.#libraries, '*'),
        'org.apache.kafka.connect.cli.ConnectStandalone',
        join(this.#folder, 'worker.properties'),
        ...this.#connectors.map((name) => join(this.#folder, `${name}.properties`)),
      ],
      { cwd: this.#folder, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    this.#child = child;
    // Nobody may outlive the run that started it.
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        process.off('exit', endWithUs);
        this.#child = undefined;
        resolve();
      };
      child.once('error', end);
      child.once('exit', end);
    });
  }

  /** As `kill -9`: offsets since the last save are forgotten. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  logTail(): string {
    try {
      return lastLines(readFileSync(this.logFile, 'utf8'), 30);
    } catch {
      return '(no log)';
    }
  }
}

function propertiesText(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}`);
  return `${lines.join('\n')}\n`;
}
