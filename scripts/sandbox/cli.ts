/**
 * `npm run sandbox -- up|status|down`: servers to try things on, which stay until `down`.
 *
 * `up` leaves a keeper behind (this file again, with `keep`): it owns the servers, and they end with it.
 */
import { fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cacheDir } from './cache.ts';
import { probeServer } from './probe-server.ts';
import { isAlive } from './process-tree.ts';
import { lastLines } from './run-command.ts';
import { messageOf } from './sandbox-error.ts';
import type { SandboxServer } from './server.ts';
import { startSandbox } from './start-sandbox.ts';

type ServerLine = Pick<SandboxServer, 'kind' | 'name' | 'url' | 'version' | 'provider'>;

interface SandboxState {
  readonly keeperPid: number;
  readonly startedAt: string;
  readonly servers: readonly ServerLine[];
}

const STATE_FILE = join(cacheDir(), 'sandbox.json');
const LOG_FILE = join(cacheDir(), 'sandbox.log');
const STOP_TIMEOUT_MS = 60_000;

const verbs: Readonly<Record<string, () => Promise<number>>> = { up, status, down, keep };

async function up(): Promise<number> {
  const running = readState();
  if (running !== undefined) {
    console.log(`already running since ${running.startedAt}:`);
    printServers(running.servers);
    return 0;
  }
  mkdirSync(dirname(LOG_FILE), { recursive: true });
  const log = openSync(LOG_FILE, 'w');
  const keeper = fork(fileURLToPath(import.meta.url), ['keep'], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  // The keeper says so when the servers are up, and simply ends when they are not.
  const isUp = await new Promise<boolean>((resolve) => {
    keeper.once('message', () => resolve(true));
    keeper.once('exit', () => resolve(false));
  });
  if (!isUp) {
    console.error(`the sandbox did not start:\n${lastLines(readFileSync(LOG_FILE, 'utf8'), 40)}`);
    return 1;
  }
  keeper.disconnect();
  keeper.unref();
  printServers(readState()?.servers ?? []);
  console.log('stop them with: npm run sandbox -- down');
  return 0;
}

async function keep(): Promise<number> {
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  const sandbox = await startSandbox({
    mysql: ['source', 'shard'],
    mariadb: ['mariadb'],
    postgres: ['postgres'],
    kafka: true,
  });
  const { mysql, mariadb, postgres, kafka } = sandbox;
  const servers = [...mysql, ...mariadb, ...postgres, ...(kafka === undefined ? [] : [kafka])];
  const state: SandboxState = {
    keeperPid: process.pid,
    startedAt: new Date().toISOString(),
    servers: servers.map(({ kind, name, url, version, provider }) => ({
      kind,
      name,
      url,
      version,
      provider,
    })),
  };
  writeFileSync(STATE_FILE, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  process.send?.('up');
  const alive = setInterval(() => undefined, 60_000);
  await asked;
  clearInterval(alive);
  await sandbox.stop();
  rmSync(STATE_FILE, { force: true });
  return 0;
}

async function status(): Promise<number> {
  const state = readState();
  if (state === undefined) {
    console.log('not running; start it with: npm run sandbox -- up');
    return 1;
  }
  const answers = await Promise.all(
    state.servers.map((server) =>
      probeServer(server.kind, server).then(
        () => 'answers',
        (error: unknown) => `does not answer: ${messageOf(error)}`,
      ),
    ),
  );
  console.log(`running since ${state.startedAt}`);
  printServers(state.servers, answers);
  return answers.every((answer) => answer === 'answers') ? 0 : 1;
}

async function down(): Promise<number> {
  const state = readState();
  if (state === undefined) {
    console.log('not running');
    return 0;
  }
  process.kill(state.keeperPid, 'SIGTERM');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(state.keeperPid)) {
    if (Date.now() > deadline) {
      console.error(`process ${state.keeperPid} does not end; see ${LOG_FILE}`);
      return 1;
    }
    await sleep(50);
  }
  console.log('stopped');
  return 0;
}

/** The state of a sandbox that runs. One whose keeper was killed is gone with it: its guard has seen to that. */
function readState(): SandboxState | undefined {
  let text: string;
  try {
    text = readFileSync(STATE_FILE, 'utf8');
  } catch {
    return undefined;
  }
  const state = JSON.parse(text) as SandboxState;
  return isKeeper(state.keeperPid) ? state : undefined;
}

/** After a reboot the number may belong to another program. */
function isKeeper(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith('\0keep\0');
  } catch {
    return process.platform !== 'linux' && isAlive(pid);
  }
}

function printServers(servers: readonly ServerLine[], notes: readonly string[] = []): void {
  servers.forEach(({ kind, name, url, version, provider }, index) => {
    const line = [kind.padEnd(8), name.padEnd(8), url, `(${version}, ${provider})`, notes[index] ?? ''];
    console.log(line.join('  ').trimEnd());
  });
}

const verb = verbs[process.argv[2] ?? ''];
if (verb === undefined) {
  console.error('usage: npm run sandbox -- up|status|down');
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await verb();
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}
