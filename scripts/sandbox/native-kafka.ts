import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, exists } from './cache.ts';
import { copyDataTemplate } from './data-template.ts';
import { freePort } from './free-port.ts';
import type { NativeBlueprint } from './native-server.ts';
import { notice } from './notice.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { messageOf, SandboxError } from './sandbox-error.ts';
import { serverIdentity } from './server-identity.ts';
import { localAddress, type ServerRequest } from './server.ts';

export const KAFKA_VERSION = '4.3.0';
const LOG4J_VERSION = '2.25.4';
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

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rowferry</groupId>
  <artifactId>sandbox-kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
    ${dependency('org.apache.kafka', 'kafka-tools', KAFKA_VERSION)}
    ${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', LOG4J_VERSION)}
  </dependencies>
</project>
`;

function dependency(group: string, artifact: string, version: string): string {
  return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
}

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

async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  const java = home === undefined || home === '' ? findOnPath('java') : join(home, 'bin', 'java');
  const remedy = 'install a Java 17 runtime or newer, start Docker, or set ROWFERRY_SANDBOX_KAFKA_URL';
  if (java === undefined) throw new SandboxError('Kafka needs Java and there is none on PATH', remedy);
  // "java.specification.version" prints on standard error, with everything else that this option shows.
  const version = await runCommand('/bin/sh', ['-c', '"$0" -XshowSettings:properties -version 2>&1', java]);
  const major = Number(/java\.specification\.version = (\d+)/.exec(version)?.[1] ?? 0);
  if (major < 17) throw new SandboxError(`Kafka needs Java 17 or newer; ${java} is ${major}`, remedy);
  return java;
}

/** The folder with Kafka's jars: from Maven, else those of an unpacked Kafka named by `KAFKA_HOME`. */
async function findLibraries(): Promise<string> {
  try {
    return join(await fetchLibraries(), 'libs');
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

function fetchLibraries(): Promise<string> {
  return cached(`maven-kafka-${KAFKA_VERSION}`, async (folder) => {
    if (findOnPath('mvn') === undefined) throw new Error('there is no mvn on PATH');
    notice(`fetching Kafka ${KAFKA_VERSION} (once)`);
    const pom = join(folder, 'pom.xml');
    await writeFile(pom, POM);
    await mkdir(join(folder, 'libs'));
    const goal = 'dependency:copy-dependencies';
    await runCommand('mvn', ['-q', '-B', '-f', pom, goal, `-DoutputDirectory=${join(folder, 'libs')}`]);
    await runCommand('chmod', ['-R', 'a+rX', folder]);
  });
}
