import mysql from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
import type { SandboxServer } from '../../scripts/sandbox/server.ts';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start-sandbox.ts';
import { BinlogLink, type BinlogLinkOptions } from '../../src/drivers/binlog.ts';
import type { BinlogEvent, RowsEvent } from '../../src/drivers/binlog-event.ts';
import type { TestServer } from '../support/global-setup.ts';

export type BinlogServer = TestServer | SandboxServer;
type Event<K extends BinlogEvent['kind']> = Extract<BinlogEvent, { kind: K }>;

/** Above every server id that the sandbox gives, and another one for each link. */
let nextServerId = 50_000 + (process.pid % 10_000) * 10;

export function flavourOf(server: BinlogServer): 'mysql' | 'mariadb' {
  return server.kind === 'mariadb' ? 'mariadb' : 'mysql';
}

/** A MySQL and a MariaDB of a test file's own, whose binlogs nobody else writes to. */
export function ownServers(name: string): (flavour: 'mysql' | 'mariadb') => SandboxServer {
  let sandbox: Sandbox | undefined;
  beforeAll(async () => {
    sandbox = await startSandbox({ mysql: [name], mariadb: [name], ownServers: true });
  }, 120_000);
  afterAll(async () => {
    await sandbox?.stop();
  });
  return (flavour) => {
    const server = sandbox?.[flavour][0];
    if (server === undefined) throw new Error(`the sandbox has no ${flavour}`);
    return server;
  };
}

/** One connection that takes several statements at once, in UTC. */
export async function connectTo(server: BinlogServer, database?: string): Promise<mysql.Connection> {
  const connection = await mysql.createConnection({
    uri: server.url,
    ...(database === undefined ? {} : { database }),
    multipleStatements: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    timezone: 'Z',
  });
  await connection.query("SET time_zone = '+00:00'");
  return connection;
}

export interface BinlogPlace {
  readonly gtid: string;
  readonly file: string;
  readonly offset: number;
}

/** Where the server's binlog ends now. */
export async function currentPlace(server: BinlogServer): Promise<BinlogPlace> {
  const connection = await connectTo(server);
  try {
    const mariadb = flavourOf(server) === 'mariadb';
    const [status] = await rowsOf(connection, mariadb ? 'SHOW MASTER STATUS' : 'SHOW BINARY LOG STATUS');
    const [gtids] = await rowsOf(
      connection,
      mariadb ? 'SELECT @@global.gtid_binlog_pos AS gtid' : 'SELECT @@global.gtid_executed AS gtid',
    );
    return {
      gtid: String(gtids?.['gtid']).replace(/\s/g, ''),
      file: String(status?.['File']),
      offset: Number(status?.['Position']),
    };
  } finally {
    await connection.end();
  }
}

export async function rowsOf(
  connection: mysql.Connection,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const [rows] = await connection.query<mysql.RowDataPacket[]>(sql);
  return rows;
}

/** A link that is not open yet; by default it wants every table and reads in big bites. */
export function newLink(
  server: BinlogServer,
  start: BinlogLinkOptions['start'],
  options: Partial<BinlogLinkOptions> = {},
): BinlogLink {
  nextServerId += 1;
  return new BinlogLink({
    host: server.host,
    port: server.port,
    user: server.user,
    password: server.password,
    tls: null,
    serverId: nextServerId,
    flavour: flavourOf(server),
    start,
    heartbeatMs: 200,
    queueBytes: 4 * 1024 * 1024,
    wants: () => true,
    ...options,
  });
}

/** Opens the link and reads until `done` says so. The link is closed when this ends, whatever happens. */
export async function readUntil(
  link: BinlogLink,
  done: (event: BinlogEvent) => boolean,
): Promise<readonly BinlogEvent[]> {
  await link.open(AbortSignal.timeout(20_000));
  return await readOpenUntil(link, done);
}

/** Like `readUntil`, of a link that is open. */
export async function readOpenUntil(
  link: BinlogLink,
  done: (event: BinlogEvent) => boolean,
): Promise<readonly BinlogEvent[]> {
  const events: BinlogEvent[] = [];
  try {
    for (;;) {
      for (const event of await link.read()) {
        events.push(event);
        if (done(event)) return events;
      }
    }
  } finally {
    await link.close();
  }
}

/** The source stands at this place and has nothing more to say. */
export function standsAt({ file, offset }: BinlogPlace): (event: BinlogEvent) => boolean {
  return (event) => event.kind === 'heartbeat' && event.file === file && event.offset >= offset;
}

/** Everything from the link's start up to a place that the source has reached. */
export async function readAll(link: BinlogLink, place: BinlogPlace): Promise<readonly BinlogEvent[]> {
  return await readUntil(link, standsAt(place));
}

/** Runs statements on the server and answers the events that they made, of the tables of one schema. */
export async function eventsOf(
  server: BinlogServer,
  schema: string,
  statements: string,
  options: Partial<BinlogLinkOptions> = {},
): Promise<readonly BinlogEvent[]> {
  const before = await currentPlace(server);
  const connection = await connectTo(server, schema);
  try {
    await connection.query(statements);
  } finally {
    await connection.end();
  }
  const link = newLink(server, { gtid: before.gtid }, { wants: (name) => name === schema, ...options });
  return await readAll(link, await currentPlace(server));
}

export function only<K extends BinlogEvent['kind']>(events: readonly BinlogEvent[], kind: K): Event<K>[] {
  return events.filter((event): event is Event<K> => event.kind === kind);
}

/** All row images of the rows events. */
export function imagesOf(events: readonly BinlogEvent[]): RowsEvent['rows'][number][] {
  return only(events, 'rows').flatMap(({ rows }) => [...rows]);
}
