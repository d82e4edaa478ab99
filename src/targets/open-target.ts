/** Makes the target that a database URL calls for. */
import type { DatabaseUrl } from '../config/config.ts';
import type { Log } from '../model/log.ts';
import { DatabaseTarget } from './database-target.ts';
import { mysqlEngine, openMysqlSessions, PATIENT_MYSQL } from './mysql-target.ts';
import { openPostgresSessions, PATIENT_POSTGRES, postgresEngine } from './postgres-target.ts';
import type { Target } from './target.ts';

export interface OpenTargetOptions {
  readonly name: string;
  /** Watermarks and parked rows of other pipelines in the same database are not seen. */
  readonly pipeline: string;
  readonly url: DatabaseUrl;
  /** Connections at most; also how many partitions write at once. */
  readonly connections: number;
  readonly zeroDates: 'null' | 'stop';
  readonly log: Log;
  /** How long a transaction is tried again inside before its error is given to the caller. */
  readonly retryBudgetMs?: number;
  readonly connectTimeoutMs?: number;
  readonly queryTimeoutMs?: number;
}

/** Shorter than the sessions' waits for locks, long enough for deadlocks that meet again. */
const RETRY_BUDGET_MS = 3_000;
/** A table of many rows is rebuilt for hours; a dead link is found by keep-alive. */
const CHANGE_TIMEOUT_MS = 24 * 60 * 60_000;

/** Connects to nothing yet: `Target.open` does. */
export function openTarget(options: OpenTargetOptions): Target {
  const { name, pipeline, url, connections, zeroDates, log } = options;
  const link = {
    url,
    where: { target: name },
    ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    ...(options.queryTimeoutMs === undefined ? {} : { queryTimeoutMs: options.queryTimeoutMs }),
  };
  const retryBudgetMs = options.retryBudgetMs ?? RETRY_BUDGET_MS;
  const patient = { ...link, queryTimeoutMs: CHANGE_TIMEOUT_MS };
  return url.engine === 'mysql'
    ? new DatabaseTarget({
        name,
        engine: mysqlEngine,
        pool: openMysqlSessions(link, pipeline, connections),
        patientPool: openMysqlSessions(patient, pipeline, 1, PATIENT_MYSQL),
        retryBudgetMs,
        log,
      })
    : new DatabaseTarget({
        name,
        engine: postgresEngine,
        pool: openPostgresSessions(link, pipeline, { zeroDates }, connections),
        patientPool: openPostgresSessions(patient, pipeline, { zeroDates }, 1, PATIENT_POSTGRES),
        retryBudgetMs,
        log,
      });
}
