import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from './sandbox-error.ts';

const PING_TIMEOUT_MS = 2_000;

/**
 * Why no Docker engine can be used, or undefined when one answers. Asks it directly, because loading testcontainers only
 * to hear that there is none takes longer than starting a server.
 */
export async function dockerUnavailable(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (env['ROWFERRY_SANDBOX_DOCKER'] === 'off') return 'switched off by ROWFERRY_SANDBOX_DOCKER=off';
  const host = env['DOCKER_HOST'];
  if (host !== undefined && host !== '') return ping(host);
  const sockets = [
    '/var/run/docker.sock',
    ...(env['XDG_RUNTIME_DIR'] === undefined ? [] : [join(env['XDG_RUNTIME_DIR'], 'docker.sock')]),
    join(homedir(), '.docker', 'run', 'docker.sock'),
    join(homedir(), '.docker', 'desktop', 'docker.sock'),
  ].filter((path) => existsSync(path));
  let reason = 'no Docker engine: there is no docker.sock and DOCKER_HOST is not set';
  for (const path of sockets) {
    const failure = await ping(`unix://${path}`);
    if (failure === undefined) return undefined;
    reason = failure;
  }
  return reason;
}

async function ping(host: string): Promise<string | undefined> {
  const url = URL.canParse(host) ? new URL(host) : undefined;
  // Others (ssh, tls) are left to testcontainers, which knows how to open them.
  if (url?.protocol !== 'unix:' && url?.protocol !== 'tcp:' && url?.protocol !== 'http:') return undefined;
  const where =
    url.protocol === 'unix:'
      ? { socketPath: url.pathname }
      : { host: url.hostname, port: url.port === '' ? 2375 : Number(url.port) };
  try {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const ask = request({ ...where, path: '/_ping', timeout: PING_TIMEOUT_MS }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      ask.once('timeout', () => ask.destroy(new Error(`no answer in ${PING_TIMEOUT_MS} ms`)));
      ask.once('error', reject);
      ask.end();
    });
    return status === 200 ? undefined : `the Docker engine at ${host} answers with status ${status}`;
  } catch (error) {
    return `no Docker engine at ${host}: ${messageOf(error)}`;
  }
}
