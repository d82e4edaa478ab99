/**
 * The resolved configuration: what the wiring hands out to the parts in narrow pieces. Declared and documented for users in
 * `options.ts`; here every value is present, checked and frozen.
 */
import type { DeclaredKeys } from '../model/declared-key.ts';
import type { StartFrom } from '../model/position.ts';
import type { ReportedMetric } from '../observe/alerts/reported-metrics.ts';
import type { AlertRule, Level } from '../observe/alerts/rule.ts';
import type { ColumnSpec } from '../routing/columns.ts';
import type { DebeziumFormat } from '../wire/debezium-record.ts';
import type { LayoutSettings } from './route-rules.ts';
import type { Secret } from './secret.ts';

/** A database server or database, taken apart from its URL; the password never prints. */
export interface DatabaseUrl {
  readonly engine: 'mysql' | 'postgres';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  /** Empty for a source (which captures several schemas). */
  readonly database: string;
  readonly tls: TlsSettings | null;
}

export interface TlsSettings {
  /** PEM text of the certificate authority, client certificate and key. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: Secret;
  readonly rejectUnauthorized: boolean;
}

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly format: 'chunk' | 'row';
  readonly compression: 'none' | 'gzip' | 'lz4';
  /** Largest record and batch that the topic takes, bytes (`max.message.bytes`). */
  readonly maxMessageBytes: number;
  /** How long changes are kept, milliseconds (`retention.ms`); -1 keeps them for ever. */
  readonly retentionMs: number;
  readonly topicPrefix: string;
  readonly sessionTimeoutMs: number;
  readonly tls: TlsSettings | null;
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: Secret;
  } | null;
}

export interface SourceSettings {
  readonly name: string;
  readonly url: DatabaseUrl;
  readonly serverId: number;
  /** Include patterns and, with a leading `!`, exclude patterns: `schema.table`, `*` matches within a name. */
  readonly tables: readonly string[];
  /** What names the rows of tables without a primary key, by `schema.table`: columns of a unique key. */
  readonly keys: DeclaredKeys;
  /** What becomes of tables without a primary key and without a declared one. */
  readonly keyless: 'refuse' | 'append';
  readonly startFrom: StartFrom;
  readonly heartbeatMs: number;
  /** Where a row with the time is written each `heartbeatMs`; null where none is. */
  readonly heartbeatRow: HeartbeatRowSettings | null;
  /** What becomes of statements that change captured tables, and of TRUNCATE. */
  readonly ddl: 'apply' | 'stop' | 'ignore';
  readonly truncate: 'apply' | 'stop' | 'ignore';
  /** Servers that must not fall behind while tables of this source are copied. */
  readonly replicas: readonly ReplicaSettings[];
}

export interface HeartbeatRowSettings {
  readonly url: DatabaseUrl;
  /** It is not the source's own: the source replicates that server. */
  readonly isElsewhere: boolean;
}

export interface ReplicaSettings {
  readonly name: string;
  readonly url: DatabaseUrl;
}

/** A source that Debezium captures: its topics are read as they are. */
export interface DebeziumSettings extends DebeziumFormat {
  readonly name: string;
  /** Names and patterns (`topic-pattern.ts`). */
  readonly topics: readonly string[];
}

export interface TargetSettings {
  readonly name: string;
  readonly url: DatabaseUrl;
  /** Connections in the pool; also how many partitions write at once. */
  readonly connections: number;
}

export interface RouteSettings {
  /** Source table `schema.table`, or a pattern (`table-filter.ts`). */
  readonly from: string;
  /** Sources whose rows it takes; null for all that capture the table. */
  readonly sources: readonly string[] | null;
  /** Target table, names in braces not yet filled in; a schema may lead it for PostgreSQL. */
  readonly to: string;
  /** `targets` with one name: every row goes there. Several without `shards`: every row goes to each of them. */
  readonly layout: LayoutSettings;
  readonly columns: ColumnSettings | null;
  /** Tables that meet in one target table never hold the same key: the operator's promise. */
  readonly keysAreDisjoint: boolean;
  /** `file:line:column` of the route, for errors that only a server can reveal. */
  readonly place: string;
}

/** As `ColumnSpec`, its secret kept. */
export interface ColumnSettings extends Omit<ColumnSpec, 'hashKey'> {
  readonly hashKey: Secret | null;
}

interface ApplySettings {
  /** A batch ends at whichever comes first. */
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Bytes of records that wait in memory for each partition and for all together. */
  readonly queueBytes: number;
  readonly zeroDates: 'null' | 'stop';
  /** Rows that a target can never take (too long, NUL in PostgreSQL, NOT NULL …). */
  readonly badRows: 'stop' | 'park';
}

interface CaptureSettings {
  readonly chunkBytes: number;
  readonly queueBytes: number;
  readonly checkpointMs: number;
}

export interface SnapshotSettings {
  readonly readers: number;
  readonly chunkMs: number;
  readonly leastRows: number;
  readonly mostRows: number;
  readonly lagMs: number;
  /** Percent of the full speed that are left of a copy that is slowed most. */
  readonly leastPercent: number;
  readonly rowsPerSecond: number | null;
  readonly threadsRunning: number | null;
  readonly replicaLagMs: number;
  /** Minutes since midnight; the end may lie before the start. */
  readonly hours: { readonly from: number; readonly to: number } | null;
  /** `schema.table` -> SQL condition. */
  readonly where: Readonly<Record<string, string>>;
}

interface RetrySettings {
  /** Longest wait between probes of a server that stays away. */
  readonly maxMs: number;
}

/** How `rowferry schema` makes the targets' tables. */
export interface SchemaSettings {
  /** Folder of the SQL files. */
  readonly dir: string;
  readonly indexes: 'before' | 'after';
  /** In the order of the file. */
  readonly types: readonly TypeSettings[];
}

interface TypeSettings {
  /** `column-pattern.ts`. */
  readonly column: string;
  readonly type: string;
  /** `file:line:column`, for errors that only a server can reveal. */
  readonly place: string;
}

export interface HttpSettings {
  readonly enabled: boolean;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Null only when `host` is the loopback; then there are no actions. */
  readonly token: Secret | null;
  /** Requests a minute and address. */
  readonly rateLimit: number;
  readonly stallMs: number;
}

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'auto' | 'json' | 'pretty';
}

export interface AlertSettings {
  readonly rules: readonly AlertRule[];
  /** What other programs report. */
  readonly metrics: readonly ReportedMetric[];
  /** Folders whose disks are looked at besides that of `runDir`. */
  readonly disks: readonly string[];
  /** How often somebody is told again of an alert that goes on. */
  readonly repeatMs: number;
  readonly historySize: number;
  readonly channels: readonly AlertChannelSettings[];
}

interface AnyChannelSettings {
  readonly name: string;
  readonly leastLevel: Level;
}

export type AlertChannelSettings =
  LogChannelSettings | WebhookChannelSettings | EmailChannelSettings | CommandChannelSettings;

interface LogChannelSettings extends AnyChannelSettings {
  readonly type: 'log';
}

export interface WebhookChannelSettings extends AnyChannelSettings {
  readonly type: 'webhook';
  /** Often a secret by itself. */
  readonly url: Secret;
  /** Key of the signature; null for none. */
  readonly secret: Secret | null;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly timeoutMs: number;
}

export interface EmailChannelSettings extends AnyChannelSettings {
  readonly type: 'email';
  /** `smtp://user:password@host:port`. */
  readonly url: Secret;
  readonly from: string;
  readonly to: readonly string[];
  readonly timeoutMs: number;
}

export interface CommandChannelSettings extends AnyChannelSettings {
  readonly type: 'command';
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

export interface Config {
  readonly name: string;
  readonly kafka: KafkaSettings;
  /** Sources that rowferry captures. */
  readonly sources: readonly SourceSettings[];
  /** Sources whose rows Debezium brings. */
  readonly debezium: readonly DebeziumSettings[];
  readonly targets: readonly TargetSettings[];
  readonly routes: readonly RouteSettings[];
  readonly apply: ApplySettings;
  readonly capture: CaptureSettings;
  readonly snapshot: SnapshotSettings;
  readonly retry: RetrySettings;
  readonly schema: SchemaSettings;
  readonly alerts: AlertSettings;
  readonly http: HttpSettings;
  readonly log: LogSettings;
  /** Milliseconds that SIGTERM gives the daemon to finish what it holds. */
  readonly drainMs: number;
  /** Folder for the daemon's own small state (status file); never needed for correctness. */
  readonly runDir: string;
  /** The file that it came from. */
  readonly file: string;
}
