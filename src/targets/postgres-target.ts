/** PostgreSQL behind the Target port. */
import { ConnectionPool } from '../drivers/connection-pool.ts';
import { PostgresConnection } from '../drivers/postgres.ts';
import type { PostgresOptions } from '../drivers/postgres.ts';
import type { ValueOptions } from '../model/value-types.ts';
import { postgresColumn } from '../model/values.ts';
import { ControlSql } from './control-sql.ts';
import { POSTGRES_SESSION, PostgresSession } from './postgres-session.ts';
import { postgresControl } from './postgres-sql.ts';
import type { Engine, Session } from './session.ts';

export const postgresEngine: Engine = {
  kind: 'postgres',
  sameColumn: (source, target) => source === target,
  canWrite: (type, column) => postgresColumn(type, column, { zeroDates: 'stop' }) !== undefined,
};

const MAX_IDLE_MS = 60_000;

/** Waits for a table's lock stay short: all others wait behind it. */
export const PATIENT_POSTGRES = ['SET statement_timeout = 0'];

export function openPostgresSessions(
  options: Omit<PostgresOptions, 'session' | 'side'>,
  pipeline: string,
  values: ValueOptions,
  size: number,
  more: readonly string[] = [],
): ConnectionPool<Session> {
  const control = new ControlSql(postgresControl, pipeline);
  const plans = new WeakMap();
  return new ConnectionPool<Session>({
    size,
    maxIdleMs: MAX_IDLE_MS,
    connect: async () => {
      const connection = await PostgresConnection.connect({
        ...options,
        side: 'target',
        session: [...POSTGRES_SESSION, ...more],
      });
      return new PostgresSession(connection, control, values, plans);
    },
  });
}
