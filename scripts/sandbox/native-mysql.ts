import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copyDataTemplate } from './data-template.ts';
import { bundledProgram, debianPackage } from './debian-packages.ts';
import { freePort } from './free-port.ts';
import type { NativeBlueprint } from './native-server.ts';
import { notice } from './notice.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { messageOf, SandboxError } from './sandbox-error.ts';
import { serverIdentity } from './server-identity.ts';
import { localAddress, SANDBOX_PASSWORD, type ServerRequest } from './server.ts';

type MysqlKind = 'mysql' | 'mariadb';

/** A server program with the options that make it find its own files. */
interface Distribution {
  readonly command: string;
  readonly args: readonly string[];
  readonly shareDir: string;
  readonly version: string;
}

const CREATE_ROOT_MYSQL = `CREATE USER root@'%' IDENTIFIED BY '${SANDBOX_PASSWORD}';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
`;

// MariaDB's bootstrap mode has no CREATE USER; what it makes of this table is the same.
const CREATE_ROOT_MARIADB = `USE mysql;
DELETE FROM global_priv WHERE User <> 'mariadb.sys';
DELETE FROM proxies_priv;
INSERT INTO global_priv VALUES ('%', 'root', JSON_OBJECT('access', 18446744073709551615,
  'plugin', 'mysql_native_password', 'authentication_string', PASSWORD('${SANDBOX_PASSWORD}')));
`;

const MARIADB_BOOTSTRAP = [
  'mariadb_system_tables.sql',
  'mariadb_performance_tables.sql',
  'mariadb_system_tables_data.sql',
  'maria_add_gis_sp_bootstrap.sql',
  'mariadb_sys_schema.sql',
];

const COMMON_OPTIONS = [
  '--skip-name-resolve',
  '--secure-file-priv=',
  '--character-set-server=utf8mb4',
  '--max-allowed-packet=64M',
  '--max-connections=300',
  '--innodb-buffer-pool-size=256M',
  '--performance-schema=OFF',
  '--log-bin=binlog',
  '--binlog-format=ROW',
  '--binlog-row-image=FULL',
  '--binlog-row-metadata=FULL',
  // The sandbox's data is worth nothing after a crash of the machine.
  '--sync-binlog=0',
  '--innodb-flush-log-at-trx-commit=2',
];

/** What each kind adds; the containers of `docker-provider.ts` get the same. */
export const MYSQL_OPTIONS: Readonly<Record<MysqlKind, readonly string[]>> = {
  mysql: [
    ...COMMON_OPTIONS,
    '--gtid-mode=ON',
    '--enforce-gtid-consistency=ON',
    '--binlog-transaction-compression=OFF',
    '--mysqlx=OFF',
  ],
  mariadb: [...COMMON_OPTIONS, '--gtid-strict-mode=ON'],
};

/** Prepares a MySQL or MariaDB server below `home`, which belongs to the servers' user. */
export async function prepareMysql(request: ServerRequest, home: string): Promise<NativeBlueprint> {
  const kind = request.kind as MysqlKind;
  const distribution = await findDistribution(kind);
  const dataDir = join(home, 'data');
  const recipe = [...distribution.args, distribution.command, distribution.version];
  await copyDataTemplate(kind, recipe, dataDir, (data, work) =>
    kind === 'mysql' ? initialiseMysql(distribution, data, work) : bootstrapMariadb(distribution, data, work),
  );
  const port = await freePort();
  return {
    command: distribution.command,
    args: [
      ...distribution.args,
      ...MYSQL_OPTIONS[kind],
      `--datadir=${dataDir}`,
      `--tmpdir=${home}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      // Relative to the data folder: an absolute path may be longer than a socket's name can be.
      '--socket=server.sock',
      '--pid-file=server.pid',
      `--server-id=${request.serverId}`,
      ...request.flags,
    ],
    address: localAddress(kind, port),
    dataDir,
    stopSignal: 'SIGTERM',
  };
}

async function findDistribution(kind: MysqlKind): Promise<Distribution> {
  try {
    return await debianDistribution(kind);
  } catch (error) {
    const installed = await installedDistribution(kind);
    if (installed !== undefined) {
      notice(`using the installed ${kind}; Debian's could not be had: ${messageOf(error)}`);
      return installed;
    }
    throw new SandboxError(
      `no ${kind} server: Debian's ${kind}-server-core could not be fetched and none is on PATH`,
      `install ${kind === 'mysql' ? 'mysqld (MySQL 8.0 or newer)' : 'mariadbd (MariaDB 10.6 or newer)'}, start Docker, or set ROWFERRY_SANDBOX_${kind.toUpperCase()}_URL`,
      error,
    );
  }
}

async function debianDistribution(kind: MysqlKind): Promise<Distribution> {
  const root = await debianPackage(`${kind}-server-core`);
  const program = kind === 'mysql' ? 'usr/sbin/mysqld' : 'usr/sbin/mariadbd';
  const [command, ...loaderArgs] = await bundledProgram(root, program);
  const shareDir = join(root, 'usr', 'share', kind);
  const args = [
    ...loaderArgs,
    '--no-defaults',
    `--basedir=${join(root, 'usr')}`,
    `--lc-messages-dir=${shareDir}`,
    `--character-sets-dir=${join(shareDir, 'charsets')}`,
    `--plugin-dir=${join(root, 'usr', 'lib', 'mysql', 'plugin')}`,
  ];
  return { command, args, shareDir, version: root };
}

async function installedDistribution(kind: MysqlKind): Promise<Distribution | undefined> {
  for (const name of kind === 'mysql' ? ['mysqld'] : ['mariadbd', 'mysqld']) {
    const command = findOnPath(name);
    if (command === undefined) continue;
    const version = await runCommand(command, ['--no-defaults', '--version']);
    // MariaDB installs a mysqld too.
    if (version.includes('MariaDB') !== (kind === 'mariadb')) continue;
    const prefix = dirname(dirname(command));
    return { command, args: ['--no-defaults'], shareDir: join(prefix, 'share', kind), version };
  }
  return undefined;
}

async function initialiseMysql(mysql: Distribution, dataDir: string, workDir: string): Promise<void> {
  const initFile = join(workDir, 'init.sql');
  await writeFile(initFile, CREATE_ROOT_MYSQL, { mode: 0o644 });
  await runCommand(
    mysql.command,
    [
      ...mysql.args,
      `--datadir=${dataDir}`,
      '--initialize-insecure',
      `--init-file=${initFile}`,
      // Small, for the copies; a running server grows it by itself.
      '--innodb-redo-log-capacity=16M',
    ],
    { identity: serverIdentity() },
  );
  // Holds the server's UUID, which copies must not share.
  await rm(join(dataDir, 'auto.cnf'), { force: true });
}

async function bootstrapMariadb(mariadb: Distribution, dataDir: string, workDir: string): Promise<void> {
  const tables = await Promise.all(
    MARIADB_BOOTSTRAP.map((file) => readFile(join(mariadb.shareDir, file), 'utf8')),
  );
  const sqlFile = join(workDir, 'bootstrap.sql');
  const sql = ['CREATE DATABASE mysql;\nUSE mysql;\n', ...tables, CREATE_ROOT_MARIADB].join('\n');
  await writeFile(sqlFile, sql, { mode: 0o644 });
  await runCommand(
    mariadb.command,
    [
      ...mariadb.args,
      `--datadir=${dataDir}`,
      '--bootstrap',
      '--enforce-storage-engine=',
      '--max-allowed-packet=8M',
      '--net-buffer-length=16K',
      '--innodb-log-file-size=16M',
    ],
    { stdinFile: sqlFile, identity: serverIdentity() },
  );
}
