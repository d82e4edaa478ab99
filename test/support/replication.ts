/** Statements that make a server a replica, by kind. */
import type { SandboxServer } from '../../scripts/sandbox/server.ts';

export const FOLLOW = {
  mysql: ({ host, port, user, password }: SandboxServer) =>
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_PORT = ${port}, SOURCE_USER = '${user}',
     SOURCE_PASSWORD = '${password}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1`,
  mariadb: ({ host, port, user, password }: SandboxServer) =>
    `CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_PORT = ${port}, MASTER_USER = '${user}',
     MASTER_PASSWORD = '${password}', MASTER_USE_GTID = slave_pos`,
} as const;

/** While it does not replicate. */
export const DELAY = {
  mysql: (seconds: number) => `CHANGE REPLICATION SOURCE TO SOURCE_DELAY = ${seconds}`,
  mariadb: (seconds: number) => `CHANGE MASTER TO MASTER_DELAY = ${seconds}`,
} as const;
