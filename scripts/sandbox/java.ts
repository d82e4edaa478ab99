/** Java and jars from Maven, for servers that run on them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { notice } from './notice.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { SandboxError } from './sandbox-error.ts';

/** The binding that Kafka's programs log by. */
export const LOG4J_BINDING = 'org.apache.logging.log4j:log4j-slf4j-impl:2.25.4';

/** A Java of version 17 or newer. */
export async function findJava(): Promise<string> {
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

/**
 * The folder with the jars of `artifacts` (`group:name:version`) and all that they need, fetched once by Maven and kept in the
 * cache under `name`. `title` is how people call them.
 */
export async function fetchJars(name: string, title: string, artifacts: readonly string[]): Promise<string> {
  const folder = await cached(`maven-${name}`, async (draft) => {
    if (findOnPath('mvn') === undefined) throw new Error('there is no mvn on PATH');
    notice(`fetching ${title} (once)`);
    const pom = join(draft, 'pom.xml');
    await writeFile(pom, pomOf(name, artifacts));
    await mkdir(join(draft, 'libs'));
    const goal = 'dependency:copy-dependencies';
    await runCommand('mvn', ['-q', '-B', '-f', pom, goal, `-DoutputDirectory=${join(draft, 'libs')}`]);
    await runCommand('chmod', ['-R', 'a+rX', draft]);
  });
  return join(folder, 'libs');
}

function pomOf(name: string, artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rowferry</groupId>
  <artifactId>sandbox-${name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</project>
`;
}
