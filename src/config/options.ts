/**
 * The one declaration of every option of the configuration file. Checks, defaults, the manual's tables
 * (`option-table.ts`) and the JSON Schema (`json-schema.ts`) all come from here.
 */
import { z } from 'zod';
import { snapshotOptions as snapshot } from './snapshot-options.ts';
import { parseTablePattern } from '../model/table-filter.ts';
import { alertOptions } from './alert-options.ts';
import { parseDatabaseUrl } from './database-url.ts';
import { debeziumSourceOptions } from './debezium-options.ts';
import { duration, option, size, text, wholeNumber, yesNo } from './option-kinds.ts';
import { routeOptions } from './route-options.ts';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Names become parts of topic names, metric labels and file names. */
const NAME = /^[a-z][a-z0-9_-]{0,62}$/;
export const NAME_RULE = 'lower-case letters, digits, `-` and `_`, starting with a letter, at most 63';

const name = () => text({ type: 'name', pattern: NAME, what: `a name of ${NAME_RULE}` });
const nameKey = z.string().regex(NAME);
/** A name, or a range of names. */
const targetKey = z.string().regex(/^[a-z](?:[a-z0-9_-]|\{\d+\.\.\d+(?:\.\.\d+)?\}){0,80}$/);

const tlsFiles = z.strictObject({
  ca: text({ type: 'PEM text', what: 'PEM text' })
    .optional()
    .describe('Certificate authority that signed the server, usually `${file:/etc/…/ca.pem}`.'),
  cert: text({ type: 'PEM text', what: 'PEM text' }).optional().describe('Client certificate.'),
  key: text({ type: 'PEM text', what: 'PEM text' })
    .optional()
    .describe('Key of the client certificate; a secret.'),
  rejectUnauthorized: yesNo()
    .default(true)
    .describe('Refuse a server whose certificate does not prove its name.'),
});

const tls = () => z.union([yesNo(), tlsFiles]).default(false);

const databaseUrl = (role: 'source' | 'target') =>
  option(
    { type: 'URL', json: { type: 'string', pattern: '^(mysql|mariadb|postgres|postgresql)://|\\$\\{' } },
    (value) =>
      typeof value === 'string'
        ? parseDatabaseUrl(value, role)
        : { wrong: 'must be a URL such as mysql://user:password@host:3306/database' },
  );

const BROKER = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}$/;

const brokers = option(
  {
    type: 'list of `host:port`, or text with commas',
    json: { anyOf: [{ type: 'array', items: { type: 'string' }, minItems: 1 }, { type: 'string' }] },
  },
  (value) => {
    const list: unknown = typeof value === 'string' ? value.split(',').map((broker) => broker.trim()) : value;
    const wrong = 'must be a list of brokers such as ["127.0.0.1:9092"]';
    if (!Array.isArray(list) || list.length === 0) return { wrong };
    const good = list.filter((broker) => typeof broker === 'string').filter((broker) => BROKER.test(broker));
    if (good.length !== list.length) return { wrong: `${wrong}, each host:port` };
    return new Set(good).size === good.length ? { value: good } : { wrong: 'names a broker twice' };
  },
);

const kafka = z.strictObject({
  brokers: brokers.describe('Brokers to ask for the others.'),
  partitions: wholeNumber({ min: 1, max: 1024 })
    .default(8)
    .describe(
      'Partitions of each source’s topic: how many appliers can work at once. Fixed for the life of a topic.',
    ),
  replicationFactor: wholeNumber({ min: 1, max: 32 })
    .default(3)
    .describe('Copies of each partition. A single broker needs 1.'),
  format: z
    .enum(['chunk', 'row'])
    .default('chunk')
    .describe(
      '`chunk` packs many rows in a record and costs less; `row` is one Debezium envelope a row, for other readers.',
    ),
  compression: z
    .enum(['none', 'gzip', 'lz4'])
    .default('none')
    .describe('`lz4` needs the package `lz4-napi`.'),
  maxMessageBytes: size({ min: 64 * KiB, max: GiB })
    .default(1_000_000)
    .describe('Largest record batch that the topic takes (`max.message.bytes`).'),
  retentionMs: duration({ min: HOUR, max: 3650 * DAY }, { forever: true })
    .default(7 * DAY)
    .describe('How long changes are kept (`retention.ms`): how long a target may stand still.'),
  topicPrefix: text({
    type: 'topic name',
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/,
    what: 'the start of a topic name: letters, digits, `.`, `_` and `-`, at most 100, not `.` or `..`',
  })
    .optional()
    .describe('Start of every topic name. Default: `name`.'),
  sessionTimeoutMs: duration({ min: SECOND, max: 30 * MINUTE })
    .default(6 * SECOND)
    .describe('How soon the group gives away the partitions of a process that fell silent.'),
  tls: tls().describe('`true`, or the parts below.'),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How to log in.'),
      username: text({ what: 'a user name' }).describe('User.'),
      password: text({ what: 'a password' }).describe('Password; a secret.'),
    })
    .optional()
    .describe('Login at the brokers.'),
});

const tablePattern = option(
  { type: 'pattern', json: { type: 'string', pattern: '^!?/.+/$|^!?[^.]+\\.[^.]+$|\\$\\{' } },
  (value) => {
    const pattern = typeof value === 'string' ? parseTablePattern(value) : { wrong: 'a pattern in quotes' };
    return 'wrong' in pattern ? { wrong: `must be ${pattern.wrong}` } : { value: pattern.value.text };
  },
);

const gtid = text({
  type: 'GTID set',
  pattern: /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9A-Za-z_:,\s-]+$|^\d+-\d+-\d+(?:\s*,\s*\d+-\d+-\d+)*$/,
  max: 2 ** 20,
  what: 'a GTID set such as 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77 (MySQL) or 0-1-100 (MariaDB)',
});

const startFrom = z.union([
  z.enum(['snapshot', 'now', 'earliest']),
  z.strictObject({ gtid: gtid.describe('Everything in this set is taken as already ferried.') }),
  z.strictObject({
    file: text({
      type: 'binlog file',
      pattern: /^[^\s/]+\.\d{6,}$/,
      what: 'a binlog file name such as binlog.000042',
    }).describe('Binlog file to start in.'),
    position: wholeNumber({ min: 4, max: 2 ** 32 - 1 }).describe(
      'Byte offset in it, at a transaction’s start.',
    ),
  }),
]);

const keyColumns = option(
  {
    type: 'list of columns',
    json: { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true },
  },
  (value): { readonly value: readonly string[] } | { readonly wrong: string } => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [];
    const names = list.filter((name) => typeof name === 'string').filter((name) => name !== '');
    if (names.length === 0 || names.length !== list.length)
      return { wrong: 'must be a list of column names such as ["id", "kind"]' };
    const different = new Set(names.map((name) => name.toLowerCase()));
    return different.size === names.length ? { value: names } : { wrong: 'names a column twice' };
  },
);

const replicaOptions = z.strictObject({
  url: databaseUrl('source').describe('A replica of this source: `mysql://user:password@host:3306`.'),
  tls: tls().describe('`true`, or the parts below.'),
});

const heartbeatServer = z.strictObject({
  url: databaseUrl('source').describe(
    'Where to write it, when the source is a replica: its primary, `mysql://user:password@host:3306`. Lag then counts from there.',
  ),
  tls: tls().describe('`true`, or the parts below.'),
});

export const sourceOptions = z.strictObject({
  url: databaseUrl('source').describe(
    'MySQL or MariaDB server: `mysql://user:password@host:3306`, without a database.',
  ),
  tls: tls().describe('`true`, or the parts below.'),
  serverId: wholeNumber(
    { min: 1, max: 2 ** 32 - 1 },
    'choose one that no server and no other replica of this source uses',
  ).describe(
    'Replica server id, unique among all replicas of the source: two with one id throw each other out.',
  ),
  tables: z
    .array(tablePattern)
    .min(1)
    .refine((patterns) => patterns.length === 0 || patterns.some((pattern) => !pattern.startsWith('!')), {
      message: 'only excludes; add what is captured, such as "shop.*"',
    })
    .describe(
      'What is captured: `schema.table`, with `*` and `?` within a name; a leading `!` excludes and always wins.',
    ),
  keys: z
    .record(
      z.string().min(3),
      keyColumns.describe(
        'Table `schema.table`: the columns of a unique key, none of them NULL, that names its rows instead of a primary key. Never change it.',
      ),
    )
    .default({}),
  keyless: z
    .enum(['refuse', 'append'])
    .default('refuse')
    .describe(
      'What becomes of tables without a primary key and without a unique key that is never NULL. `refuse`: capture does not start. `append`: their rows are only ever added at the targets; a row that is changed or deleted stops its table.',
    ),
  startFrom: startFrom
    .default('snapshot')
    .describe(
      'Where the first start begins: `snapshot` copies what the tables hold, too; later starts go on where the last one ended.',
    ),
  heartbeatMs: duration({ min: 100, max: MINUTE })
    .default(SECOND)
    .describe('How often a marker travels the whole way, from which the lag is told.'),
  heartbeatRow: z
    .union([yesNo(), heartbeatServer])
    .default(false)
    .describe(
      'Write the time into `rowferry.heartbeat` of the source each `heartbeatMs`, and believe that nothing waits there only when it comes back by the binlog. `true`, or the parts below.',
    ),
  ddl: z
    .enum(['apply', 'stop', 'ignore'])
    .default('apply')
    .describe(
      'What becomes of a statement that changes a captured table. `apply`: columns and indexes that are added, and wider types, are added at the targets as well; anything else stops the table until `rowferry ddl ack`. `stop`: every statement stops its table. `ignore`: nothing stops, and the targets are not touched.',
    ),
  truncate: z
    .enum(['apply', 'stop', 'ignore'])
    .default('stop')
    .describe(
      'What becomes of TRUNCATE: `apply` empties the targets’ tables, in order with the rows; `stop` stops the table; `ignore` leaves the targets as they are.',
    ),
  replicas: z
    .record(nameKey, replicaOptions)
    .default({})
    .describe('Replicas of this source that must not fall behind while its tables are copied.'),
});

export const targetOptions = z.strictObject({
  url: databaseUrl('target').describe(
    'MySQL, MariaDB or PostgreSQL database: `mysql://…/shop`, `postgres://…/shop`.',
  ),
  tls: tls().describe('`true`, or the parts below.'),
  connections: wholeNumber({ min: 1, max: 256 })
    .default(4)
    .describe('Connections to hold: how many partitions can write at once.'),
});

const apply = z.strictObject({
  batchRows: wholeNumber({ min: 1, max: 100_000 }).default(2000).describe('A batch ends at so many rows …'),
  batchBytes: size({ min: 64 * KiB, max: GiB })
    .default(4 * MiB)
    .describe('… or so many bytes, whichever comes first.'),
  queueBytes: size({ min: MiB, max: 64 * GiB })
    .default(16 * MiB)
    .describe('Records that wait in memory, all partitions together; past it Kafka holds the rest.'),
  zeroDates: z
    .enum(['null', 'stop'])
    .default('stop')
    .describe('What becomes of `0000-00-00` at a PostgreSQL target, which has no such date.'),
  badRows: z
    .enum(['stop', 'park'])
    .default('stop')
    .describe('A row that a target can never take: stop its partition, or park the row and go on.'),
});

const capture = z.strictObject({
  chunkBytes: size({ min: KiB, max: GiB })
    .default(200_000)
    .describe('Size at which a chunk of rows becomes a record.'),
  queueBytes: size({ min: MiB, max: 64 * GiB })
    .default(8 * MiB)
    .describe('Changes that wait for Kafka in memory; past it the binlog link is paused.'),
  checkpointMs: duration({ min: 100, max: HOUR })
    .default(SECOND)
    .describe('How often the resume point is saved.'),
});

const retry = z.strictObject({
  maxMs: duration({ min: 4 * SECOND, max: HOUR })
    .default(30 * SECOND)
    .describe(
      'Longest wait between probes of a server that stays away: after three tries (1, 2 and 4 s) the part pauses, probes, and resumes by itself.',
    ),
});

const schema = z.strictObject({
  dir: text({ type: 'folder', what: 'a folder' })
    .optional()
    .describe('Folder of the SQL files, relative to this file. Default: `schema` beside it.'),
  indexes: z
    .enum(['before', 'after'])
    .default('before')
    .describe(
      'Secondary indexes that are not unique: made with the tables, or by a file of their own once the rows are copied.',
    ),
  types: z
    .record(
      z.string(),
      text({ type: 'SQL type', what: 'a type in quotes, such as numeric(20,4)' }).describe(
        'Source column `schema.table.column`, with wildcards in schema and table, for targets of one engine with a leading `mysql:` or `postgres:`: its type there. Of those that match the last counts.',
      ),
    )
    .default({}),
});

/** Tried first where the configuration says none. */
export const DEFAULT_HTTP_PORT = 8374;

const http = z.strictObject({
  enabled: yesNo().default(true).describe('Serve probes, metrics, status and actions.'),
  host: text({ type: 'address', pattern: /^[A-Za-z0-9.:_-]+$/, what: 'an address such as 127.0.0.1' })
    .default('127.0.0.1')
    .describe('Address to listen at. Any but the loopback needs `token`.'),
  port: wholeNumber({ min: 0, max: 65_535 })
    .default(DEFAULT_HTTP_PORT)
    .describe(
      'Port; 0 takes any free one, and so does the default on the loopback when it is in use. The log and `rowferry status` tell which.',
    ),
  token: text({ type: 'text of 16 or more', pattern: /^\S{16,512}$/, what: 'a text of 16 to 512 characters' })
    .optional()
    .describe(
      'What callers send as `Authorization: Bearer …`; a secret. Actions always need it, reading only when `host` is not the loopback.',
    ),
  rateLimit: wholeNumber({ min: 1, max: 1_000_000 })
    .default(600)
    .describe('Requests a minute that one address may make; probes do not count.'),
  stallMs: duration({ min: SECOND, max: HOUR })
    .default(MINUTE)
    .describe('`/readyz` fails when a part that has something to do makes no progress for so long.'),
});

const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least grave line that is written.'),
  format: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .describe('`auto` is `pretty` on a terminal, `json` elsewhere.'),
});

export const configOptions = z.strictObject({
  name: name().describe(
    'Name of the pipeline; part of topic names and of the watermarks at every target. Never change it.',
  ),
  kafka: kafka.describe('The log between capture and apply.'),
  sources: z
    .record(nameKey, z.union([sourceOptions, debeziumSourceOptions]))
    .refine((sources) => Object.keys(sources).length > 0, { message: 'needs at least one source' })
    .describe('What is read, by name: servers, or topics that Debezium writes (`debezium`).'),
  targets: z
    .record(targetKey, targetOptions)
    .refine((targets) => Object.keys(targets).length > 0, { message: 'needs at least one target' })
    .describe(
      'Databases to write, by name. A name such as `db_{00..15}` stands for many; `{}` in the URL’s database is its number.',
    ),
  routes: z.array(routeOptions).min(1).describe('Which table goes where.'),
  apply: apply.prefault({}).describe('Writing to targets.'),
  capture: capture.prefault({}).describe('Reading sources.'),
  snapshot: snapshot.prefault({}).describe('Copying what tables hold.'),
  retry: retry.prefault({}).describe('Getting back to servers that went away.'),
  schema: schema.prefault({}).describe('Making the tables of targets (`rowferry schema`).'),
  alerts: alertOptions.prefault({}).describe('Who is told when something goes wrong.'),
  http: http.prefault({}).describe('Probes, metrics, status and actions over HTTP.'),
  log: log.prefault({}).describe('Log lines.'),
  drainMs: duration({ min: 0, max: HOUR })
    .default(15 * SECOND)
    .describe('Time that SIGTERM gives to finish what is in flight.'),
  runDir: text({ type: 'folder', what: 'a folder' })
    .optional()
    .describe(
      'Folder for the status files, relative to this file. Default: `rowferry-<name>` in `$XDG_RUNTIME_DIR` or the temporary folder.',
    ),
});

export type ConfigOptions = z.output<typeof configOptions>;
export type SourceOptions = z.output<typeof sourceOptions>;
export type TargetOptions = z.output<typeof targetOptions>;
export type TlsOptions = SourceOptions['tls'];
