import { probeServer } from './probe-server.ts';
import { SandboxError } from './sandbox-error.ts';
import type {
  Offer,
  SandboxServer,
  ServerAddress,
  ServerKind,
  ServerProvider,
  ServerRequest,
} from './server.ts';

/**
 * Servers that someone else runs, named by `ROWFERRY_SANDBOX_MYSQL_URL`, `…_MARIADB_URL`, `…_POSTGRES_URL` (URLs with a
 * superuser, several separated by commas) and `…_KAFKA_URL` (the brokers of one cluster). A variable that is set must
 * serve every instance of its kind: falling back to another way would hide a mistake.
 */
export class EnvironmentProvider implements ServerProvider {
  readonly name = 'environment';
  readonly #env: NodeJS.ProcessEnv;
  readonly #given = new Map<ServerKind, number>();

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  async offer(request: ServerRequest): Promise<Offer> {
    const variable = `ROWFERRY_SANDBOX_${request.kind.toUpperCase()}_URL`;
    const value = this.#env[variable]?.trim();
    if (value === undefined || value === '') return { unavailable: `${variable} is not set` };
    const urls = request.kind === 'kafka' ? [value] : value.split(',').map((url) => url.trim());
    const index = this.#given.get(request.kind) ?? 0;
    this.#given.set(request.kind, index + 1);
    const url = urls[index];
    if (url === undefined) {
      throw new SandboxError(
        `${variable} names ${urls.length} server(s) and one more is needed (${request.name})`,
        `add it to ${variable}, separated by a comma, or unset the variable`,
      );
    }
    const address = parseAddress(variable, request.kind, url);
    const version = await probeServer(request.kind, address).catch((error: unknown) => {
      throw new SandboxError(
        `the server at ${address.host}:${address.port} from ${variable} does not answer`,
        `start it or unset ${variable}`,
        error,
      );
    });
    return { server: foreignServer(request, address, version, variable) };
  }
}

function parseAddress(variable: string, kind: ServerKind, text: string): ServerAddress {
  const url = kind === 'kafka' ? `kafka://${text.split(',')[0]}` : text;
  if (!URL.canParse(url) || new URL(url).hostname === '') {
    const example =
      kind === 'kafka'
        ? '127.0.0.1:9092'
        : `${kind === 'postgres' ? 'postgres' : 'mysql'}://root:secret@127.0.0.1:3306`;
    throw new SandboxError(`${variable} is no URL`, `write it like ${example}`);
  }
  const { hostname, port, username, password } = new URL(url);
  const usualPort = { mysql: 3306, mariadb: 3306, postgres: 5432, kafka: 9092 }[kind];
  return {
    url: text,
    host: hostname,
    port: port === '' ? usualPort : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}

function foreignServer(
  { kind, name }: ServerRequest,
  address: ServerAddress,
  version: string,
  variable: string,
): SandboxServer {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new SandboxError(
        `${kind} "${name}" comes from ${variable}: the sandbox does not stop servers of others`,
        'ask startSandbox for own servers (ownServers: true)',
      ),
    );
  const controls = {
    pause: refuse,
    resume: refuse,
    stop: refuse,
    kill: refuse,
    start: refuse,
    restart: refuse,
  };
  const dispose = (): Promise<void> => Promise.resolve();
  return {
    ...address,
    ...controls,
    kind,
    name,
    version,
    provider: 'environment',
    pid: undefined,
    dataDir: undefined,
    dispose,
  };
}
