/**
 * The connection that carries a binlog: zongji's handshake, checksum and capability negotiation and dump commands of both
 * flavours. The events themselves are taken from it before it reads them. The only importer of zongji.
 */
import ZongJi from '@vlasky/zongji';
import type { TlsSettings } from '../config/config.ts';
import { RowferryError } from '../errors.ts';
import { describeLinkFailure, type LinkFailure } from './binlog-errors.ts';

export interface BinlogDumpOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly tls: TlsSettings | null;
  /** Unique among all replicas and readers of the source. */
  readonly serverId: number;
  readonly flavour: 'mysql' | 'mariadb';
  /** Executed GTID set (MySQL) or GTID position (MariaDB); or the offset of the first event to read. */
  readonly start: { readonly gtid: string } | { readonly file: string; readonly offset: number };
  /** How often the source shows that it lives while it has nothing to say. */
  readonly heartbeatMs: number;
}

interface DumpListener {
  /** One event, header included. The bytes stay as they are. */
  event(bytes: Buffer): void;
  /** The link has ended. Called once, and never after `stop`. */
  failed(error: RowferryError): void;
}

/** What a mysql2 connection has beyond its types. `buffer[offset]` of a packet is 0 for an event, then its header follows. */
interface DumpConnection {
  addCommand(command: DumpCommand): unknown;
  query(sql: string, done: (error: LinkFailure | null, rows: unknown) => void): unknown;
  pause(): void;
  resume(): void;
}

interface DumpCommand {
  execute(packet: DumpPacket | undefined, connection: unknown): boolean;
  on(event: 'error' | 'eof', listener: (error?: LinkFailure) => void): unknown;
}

interface DumpPacket {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly end: number;
}

const EVENT_MARKER = 0;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 10_000;
/** The server waits so long for a reader that holds back before it gives up; a paused link must outlive `net_write_timeout`. */
const NET_TIMEOUT_S = 3600;
/** The connection beside the dump is silent until the end. */
const IDLE_TIMEOUT_S = 2_147_483;
const ASK_TIMEOUT_MS = 2_000;

export class BinlogDump {
  readonly #options: BinlogDumpOptions;
  readonly #listener: DumpListener;
  readonly #zongji: ZongJi;
  #state: 'new' | 'running' | 'ended' = 'new';

  constructor(options: BinlogDumpOptions, listener: DumpListener) {
    this.#options = options;
    this.#listener = listener;
    const { host, port, user, password, tls } = options;
    const ssl =
      tls === null ? undefined : { ...withoutUndefined(tls), verifyIdentity: tls.rejectUnauthorized };
    this.#zongji = new ZongJi({
      host,
      port,
      user,
      password,
      ...(ssl === undefined ? {} : { ssl }),
      charset: 'utf8mb4',
      connectTimeout: CONNECT_TIMEOUT_MS,
      enableKeepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
      connectAttributes: { program_name: 'rowferry' },
    });
  }

  start(): void {
    this.#state = 'running';
    const { serverId, start } = this.#options;
    this.#zongji.on('error', (error: unknown) => this.#fail(error));
    this.#zongji.on('ready', () => this.#prepare());
    this.#zongji.start({
      serverId,
      // MariaDB leaves them out otherwise, and offsets inside a transaction would fall behind the file's by their size.
      requestAnnotateRows: true,
      ...('gtid' in start ? { gtidSet: start.gtid } : { filename: start.file, position: start.offset }),
    });
  }

  pause(): void {
    this.#connection()?.pause();
  }

  /** May hand over events before it returns. */
  resume(): void {
    this.#connection()?.resume();
  }

  /** Rows of a query on the connection beside the dump; undefined when there is no answer. */
  async ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[] | undefined> {
    const beside = this.#zongji.ctrlConnection as unknown as DumpConnection | null;
    if (beside === null) return undefined;
    return await new Promise((resolve) => {
      const timer = setTimeout(resolve, ASK_TIMEOUT_MS, undefined);
      beside.query(sql, (error, rows) => {
        clearTimeout(timer);
        resolve(error === null && Array.isArray(rows) ? rows : undefined);
      });
    });
  }

  /** Idempotent. The server has ended the dump when this resolves, unless it does not answer. */
  async stop(): Promise<void> {
    if (this.#state !== 'running' && this.#zongji.connection === null) return;
    this.#state = 'ended';
    await new Promise<void>((resolve) => {
      this.#zongji.once('stopped', resolve);
      this.#zongji.stop();
    });
  }

  #connection(): DumpConnection | null {
    return this.#zongji.connection as unknown as DumpConnection | null;
  }

  /** zongji is connected and adds the dump command right after this returns, so what is queued here runs before it. */
  #prepare(): void {
    const connection = this.#connection();
    if (connection === null || this.#state !== 'running') return;
    const { heartbeatMs, flavour } = this.#options;
    if (this.#zongji.isMariaDb !== (flavour === 'mariadb')) {
      this.#fail(
        new RowferryError('ROWFERRY_SOURCE_PREFLIGHT', `the source is no ${flavour} server any more`, {
          hint: 'another server answers at its address: start with a new epoch',
        }),
      );
      return;
    }
    this.#tap(connection);
    const heartbeatNs = heartbeatMs * 1_000_000;
    const set =
      `SET @master_heartbeat_period = ${heartbeatNs}, @source_heartbeat_period = ${heartbeatNs}, ` +
      // Only says that checksums are understood: events come as the file has them.
      `@master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32', ` +
      `SESSION net_write_timeout = ${NET_TIMEOUT_S}, SESSION net_read_timeout = ${NET_TIMEOUT_S}`;
    connection.query(set, (error) => error !== null && this.#fail(error));
    void this.ask(`SET SESSION wait_timeout = ${IDLE_TIMEOUT_S}`);
  }

  /**
   * Takes the events of the dump command that zongji is about to add. They never reach zongji, whose reading of rows is slow
   * and not exact; its command still sends the request and sees the packets that are no events (errors, the end). This relies
   * on mysql2's `addCommand` and `execute`: the versions are pinned, and the integration tests fail when no event arrives.
   */
  #tap(connection: DumpConnection): void {
    const addCommand = connection.addCommand.bind(connection);
    connection.addCommand = (command) => {
      // Queries go through here too; zongji's is the one that is a dump.
      if (!('binlogData' in command)) return addCommand(command);
      const execute = command.execute.bind(command);
      command.on('error', (error) => this.#fail(error));
      command.on('eof', () =>
        this.#fail({ message: 'the source ended the stream', code: 'PROTOCOL_CONNECTION_LOST' }),
      );
      command.execute = (packet, owner) => {
        if (packet?.buffer[packet.offset] !== EVENT_MARKER) return execute(packet, owner);
        if (this.#state === 'running') {
          this.#listener.event(packet.buffer.subarray(packet.offset + 1, packet.end));
        }
        return false;
      };
      return addCommand(command);
    };
  }

  #fail(thrown: unknown): void {
    if (this.#state !== 'running') return;
    this.#state = 'ended';
    this.#listener.failed(thrown instanceof RowferryError ? thrown : this.#describe(thrown));
  }

  #describe(thrown: unknown): RowferryError {
    const { start } = this.#options;
    const asked = 'gtid' in start ? `gtid ${start.gtid}` : `${start.file}:${start.offset}`;
    const failure =
      thrown instanceof Error || isFailure(thrown) ? (thrown as LinkFailure) : { message: String(thrown) };
    return describeLinkFailure(failure, asked);
  }
}

function isFailure(thrown: unknown): thrown is LinkFailure {
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown;
}

function withoutUndefined(tls: TlsSettings): {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
} {
  const { ca, cert, key, rejectUnauthorized } = tls;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key.reveal() }),
    rejectUnauthorized,
  };
}
