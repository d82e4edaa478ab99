import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './cache.ts';
import { copyDataTemplate } from './data-template.ts';
import { freePort } from './free-port.ts';
import { fetchJars, findJava, LOG4J_BINDING } from './java.ts';
import type { NativeBlueprint } from './native-server.ts';
import { notice } from './notice.ts';
import { runCommand } from './run-command.ts';
import { messageOf, SandboxError } from './sandbox-error.ts';
import { serverIdentity } from './server-identity.ts';
import { localAddress, type ServerRequest } from './server.ts';

export const KAFKA_VERSION = '4.3.0';
const CLUSTER_ID = 'rowferrySandboxKafka00';

/** Properties of every Kafka of the sandbox; the containers of `docker-provider.ts` get the same. */
export const KAFKA_PROPERTIES: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'auto.create.topics.enable': 'false',
  'offsets.topic.replication.factor': '1',
  // Few, so that the coordinators are ready at once.
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  // Fault tests want dead members to be noticed soon.
  'group.min.session.timeout.ms': '1000',
};

const ARTIFACTS = [
  `org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`,
  `org.apache.kafka:kafka-tools:${KAFKA_VERSION}`,
  LOG4J_BINDING,
];

/** Prepares a single-node Kafka (broker and controller in one) below `home`, which belongs to the servers' user. */
export async function prepareKafka(request: ServerRequest, home: string): Promise<NativeBlueprint> {
  const java = await findJava();
  const libraries = await findLibraries();
  const dataDir = join(home, 'data');
  await copyDataTemplate('kafka', [libraries, CLUSTER_ID], dataDir, (data, work) =>
    format(java, libraries, data, work),
  );
  const [port, controllerPort] = [await freePort(), await freePort()];
  const file = join(home, 'server.properties');
  await writeFile(file, properties(dataDir, port, controllerPort, request.flags), { mode: 0o644 });
  const jvm = ['-Xms512m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:-UsePerfData', '-Dlog4j2.level=WARN'];
  return {
    command: java,
    args: [...jvm, '-cp', join(libraries, '*'), 'kafka.Kafka', file],
    address: localAddress('kafka', port),
    dataDir,
    stopSignal: 'SIGTERM',
    version: KAFKA_VERSION,
  };
}

function properties(dataDir: string, port: number, controllerPort: number, extra: readonly string[]): string {
  const all: Record<string, string> = {
    ...KAFKA_PROPERTIES,
    'log.dirs': dataDir,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  return `${[...lines, ...extra].join('\n')}\n`;
}

// The quorum is a fixed list, not `--standalone`: that would write the controller's port into the data, which is copied.
async function format(java: string, libraries: string, dataDir: string, workDir: string): Promise<void> {
  const file = join(workDir, 'format.properties');
  await writeFile(file, properties(dataDir, 9092, 9093, []), { mode: 0o644 });
  await runCommand(
    java,
    [
      '-Xmx128m',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      join(libraries, '*'),
      'kafka.tools.StorageTool',
      'format',
      '--cluster-id',
      CLUSTER_ID,
      '--config',
      file,
    ],
    { identity: serverIdentity() },
  );
}

/** The folder with Kafka's jars: from Maven, else those of an unpacked Kafka named by `KAFKA_HOME`. */
async function findLibraries(): Promise<string> {
  try {
    return await fetchJars(`kafka-${KAFKA_VERSION}`, `Kafka ${KAFKA_VERSION}`, ARTIFACTS);
  } catch (error) {
    const home = process.env['KAFKA_HOME'];
    if (home !== undefined && (await exists(join(home, 'libs')))) {
      notice(`using the Kafka of KAFKA_HOME; Maven's could not be had: ${messageOf(error)}`);
      return join(home, 'libs');
    }
    throw new SandboxError(
      'no Kafka: its jars could not be fetched by Maven and KAFKA_HOME names no unpacked Kafka',
      'install Maven (mvn), set KAFKA_HOME, start Docker, or set ROWFERRY_SANDBOX_KAFKA_URL',
      error,
    );
  }
}
