import { Kafka, logLevel } from 'kafkajs';
import mysql from 'mysql2/promise';
import { Client } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, SandboxError } from './sandbox-error.ts';
import type { ServerAddress, ServerKind } from './server.ts';

const CONNECT_TIMEOUT_MS = 3_000;

const PROBES: Readonly<Record<ServerKind, (url: string) => Promise<string>>> = {
  mysql: probeMysql,
  mariadb: probeMysql,
  postgres: probePostgres,
  kafka: probeKafka,
};

/** Connects once and returns the server's version; rejects when it does not answer properly. */
export function probeServer(kind: ServerKind, { url }: Pick<ServerAddress, 'url'>): Promise<string> {
  return PROBES[kind](url);
}

async function probeMysql(uri: string): Promise<string> {
  const connection = await mysql.createConnection({ uri, connectTimeout: CONNECT_TIMEOUT_MS });
  try {
    const [rows] = await connection.query<mysql.RowDataPacket[]>('SELECT VERSION() AS version');
    return String(rows[0]?.['version']);
  } finally {
    await connection.end();
  }
}

async function probePostgres(connectionString: string): Promise<string> {
  const client = new Client({ connectionString, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A server that is still starting may also cut the connection later; the failed query says so.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? 'unknown';
  } finally {
    await client.end();
  }
}

/** Kafka's protocol does not tell the version: "kafka" stands for one that answers. */
async function probeKafka(url: string): Promise<string> {
  const kafka = new Kafka({
    clientId: 'rowferry-sandbox',
    brokers: url.split(','),
    logLevel: logLevel.NOTHING,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: CONNECT_TIMEOUT_MS,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    if (cluster.brokers.length === 0 || cluster.controller === null) throw new Error('no broker yet');
    return 'kafka';
  } finally {
    await admin.disconnect();
  }
}

export interface ReadyOptions {
  readonly timeoutMs: number;
  /** Why waiting is pointless, e.g. that the process has ended; undefined while there is hope. */
  readonly givenUp?: () => string | undefined;
  /** What to show a person when it fails, e.g. the end of its log. */
  readonly details?: () => string;
}

/** Probes until the server answers and returns its version. */
export async function untilReady(
  kind: ServerKind,
  address: ServerAddress,
  options: ReadyOptions,
): Promise<string> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    try {
      return await probeServer(kind, address);
    } catch (error) {
      const lost =
        options.givenUp?.() ?? (Date.now() > deadline ? `no answer in ${options.timeoutMs} ms` : undefined);
      if (lost !== undefined) {
        throw new SandboxError(
          `${kind} on ${address.host}:${address.port} did not come up: ${lost} (last answer: ${messageOf(error)})`,
          options.details?.() ?? 'look at its log',
          error,
        );
      }
      await sleep(100);
    }
  }
}
