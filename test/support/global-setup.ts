import type { TestProject } from 'vitest/node';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';

/** How a test reaches a server; controlling one takes a sandbox of the test's own (`startSandbox({ ownServers: true })`). */
export type TestServer = Pick<
  SandboxServer,
  'kind' | 'name' | 'url' | 'host' | 'port' | 'user' | 'password' | 'version'
>;

/** The servers that all tests of a run share; tests keep apart by database and topic names of their own. */
export interface TestServers {
  /** MySQL with a binlog to capture. */
  readonly src: TestServer;
  /** A second MySQL. */
  readonly shard: TestServer;
  readonly mariadb: TestServer;
  readonly postgres: TestServer;
  readonly kafka: TestServer;
  readonly brokers: string[];
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
  }
}

interface SharedSandbox {
  users: number;
  readonly sandbox: Promise<Sandbox>;
}

// Every project loads this module anew, in one process: only the global object is common to them.
const shared = globalThis as { [SHARED]?: SharedSandbox | undefined };
const SHARED = Symbol.for('rowferry.test.sandbox');

/** Runs once per project that has tests to run; the first starts the servers, the last to end stops them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared[SHARED] ??= {
    users: 0,
    sandbox: startSandbox({
      mysql: ['src', 'shard'],
      mariadb: ['mariadb'],
      postgres: ['postgres'],
      kafka: true,
    }),
  };
  const { sandbox: starting } = shared[SHARED];
  const sandbox = await starting;
  shared[SHARED].users += 1;
  project.provide('servers', describeServers(sandbox));
  return async () => {
    const current = shared[SHARED];
    if (current === undefined) return;
    current.users -= 1;
    if (current.users > 0) return;
    shared[SHARED] = undefined;
    await sandbox.stop();
  };
}

function describeServers({ mysql, mariadb, postgres, kafka, brokers }: Sandbox): TestServers {
  return {
    src: describeServer(mysql[0]),
    shard: describeServer(mysql[1]),
    mariadb: describeServer(mariadb[0]),
    postgres: describeServer(postgres[0]),
    kafka: describeServer(kafka),
    brokers: [...brokers],
  };
}

/** Only what can be sent to the workers. */
function describeServer(server: SandboxServer | undefined): TestServer {
  if (server === undefined) throw new Error('the sandbox lacks a server that it was asked for');
  const { kind, name, url, host, port, user, password, version } = server;
  return { kind, name, url, host, port, user, password, version };
}
