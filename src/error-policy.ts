/**
 * What each error of a database means to rowferry: one table from MySQL errno, SQLSTATE or socket error code to a fault, and
 * from the fault to the code and the operator's hint. Drivers classify by it; message texts are never read. Whatever the
 * table does not know is `unknown` and stops the part that met it (I-7).
 */
import type { ErrorCode } from './errors.ts';

export type DatabaseFault =
  /** Connection lost, server restarting, too many connections: try again. */
  | 'link'
  /** Lock wait, a statement that took too long: the server is there, try again. */
  | 'busy'
  /** Deadlock, serialisation: the loser of two tries again at once. */
  | 'deadlock'
  /** Read-only or full: try again, on a new connection, since after a failover the old one leads to the wrong server. */
  | 'refuses'
  /** User, password, grant. */
  | 'access'
  /** Table or column missing or of another kind. */
  | 'schema'
  /** Another row holds a unique value. */
  | 'conflict'
  /** A value or row that does not fit. */
  | 'data'
  | 'unknown';

interface ErrorPolicy {
  readonly code: ErrorCode;
  readonly hint: string;
}

/** Whether the database is one that rows are read from or written to. */
export type DatabaseSide = 'source' | 'target';

const TARGET_BUSY: ErrorPolicy = {
  code: 'ROWFERRY_TARGET_BUSY',
  hint: 'rowferry tries again by itself; if it lasts, look for a transaction at the target that holds a lock, and end it',
};

const SOURCE_BUSY: ErrorPolicy = {
  code: 'ROWFERRY_SOURCE_LINK',
  hint: 'rowferry tries again by itself; look for locks at the source if it lasts',
};

const TARGET_POLICY: Readonly<Record<DatabaseFault, ErrorPolicy>> = {
  link: {
    code: 'ROWFERRY_TARGET_LINK',
    hint: 'rowferry tries again by itself; look at the target server and the network if it lasts',
  },
  busy: TARGET_BUSY,
  deadlock: TARGET_BUSY,
  refuses: {
    code: 'ROWFERRY_TARGET_REFUSES',
    hint: 'make the target writable (read_only, failover), free disk space, mend its storage or raise its limit of open files; rowferry then goes on by itself',
  },
  access: {
    code: 'ROWFERRY_TARGET_ACCESS',
    hint: 'check user, password, database and TLS of the target, and its grants: rowferry check',
  },
  schema: {
    code: 'ROWFERRY_TARGET_SCHEMA',
    hint: 'bring the target table in line with the source table, rowferry then goes on by itself',
  },
  conflict: {
    code: 'ROWFERRY_TARGET_CONFLICT',
    hint: 'see the parked rows: they heal by themselves when the row in the way goes; otherwise remove that row',
  },
  data: {
    code: 'ROWFERRY_TARGET_DATA',
    hint: 'widen the target column (or relax its constraint), or set apply.badRows: park to go on without the row',
  },
  unknown: {
    code: 'ROWFERRY_TARGET_UNKNOWN',
    hint: 'look the code up in the manual of the server; rowferry stops rather than guess',
  },
};

const SOURCE_POLICY: Readonly<Record<DatabaseFault, ErrorPolicy>> = {
  ...TARGET_POLICY,
  link: {
    code: 'ROWFERRY_SOURCE_LINK',
    hint: 'rowferry tries again by itself; look at the source server and the network if it lasts',
  },
  busy: SOURCE_BUSY,
  deadlock: SOURCE_BUSY,
  refuses: {
    code: 'ROWFERRY_SOURCE_LINK',
    hint: 'the source is read-only, full or cannot use its files; rowferry tries again by itself',
  },
  access: {
    code: 'ROWFERRY_SOURCE_ACCESS',
    hint: 'check user, password and TLS of the source, and its grants: rowferry check',
  },
  schema: {
    code: 'ROWFERRY_SOURCE_SCHEMA',
    hint: 'a table or column of the source is not as rowferry expected; run rowferry check',
  },
  conflict: {
    code: 'ROWFERRY_SOURCE_QUERY',
    hint: 'the source refused a statement of rowferry; look the code up in its manual',
  },
  data: {
    code: 'ROWFERRY_SOURCE_QUERY',
    hint: 'the source refused a statement of rowferry; look the code up in its manual',
  },
  unknown: {
    code: 'ROWFERRY_SOURCE_QUERY',
    hint: 'the source refused a statement of rowferry; look the code up in its manual',
  },
};

/** What an `access` fault is about, where the server's number tells. */
type AccessCause = 'login' | 'grant' | 'database' | 'host' | 'password' | 'locked';

const ACCESS_HINTS: Readonly<Record<Exclude<AccessCause, 'grant'>, string>> = {
  login:
    'wrong user or password: correct `url`; some servers also refuse an account by the host that it comes from',
  database: 'the server has no database of this name: correct the end of `url`, or create the database',
  host: 'the server takes no login from this machine: make the account for its host, or for %',
  password: 'the password has expired: set a new one at the server and in `url`',
  locked: 'the account is locked: ALTER USER … ACCOUNT UNLOCK',
};

/** The lists of docs/operations.md (Grants), by side. */
const GRANT_HINTS: Readonly<Record<DatabaseSide, string>> = {
  source:
    'it needs REPLICATION SLAVE and REPLICATION CLIENT (MariaDB: REPLICATION SLAVE, BINLOG MONITOR, REPLICA MONITOR) on *.*, ' +
    'SELECT on the captured tables, and for copies CREATE, SELECT, INSERT, UPDATE on rowferry.* (tables without a key: LOCK TABLES)',
  target:
    'it needs SELECT, INSERT, UPDATE, DELETE and CREATE, and ALTER, INDEX and DROP to follow changes of tables (PostgreSQL: ' +
    'CREATE and USAGE on the schema, SELECT, INSERT, UPDATE, DELETE and TRUNCATE on the tables, which it must own to change them)',
};

/** MySQL errors and SQLSTATEs. 1044 comes also for a database that is not there: who has no grant on it may not know. */
const ACCESS_CAUSES: ReadonlyMap<string, AccessCause> = new Map<string, AccessCause>([
  ...['1045', '1698', '28P01', '28000'].map((code) => [code, 'login'] as const),
  ...['1044', '1142', '1143', '1227', '1370', '42501'].map((code) => [code, 'grant'] as const),
  ...['1049', '3D000'].map((code) => [code, 'database'] as const),
  ...['1130'].map((code) => [code, 'host'] as const),
  ...['1820', '1862'].map((code) => [code, 'password'] as const),
  ...['3118', '4151'].map((code) => [code, 'locked'] as const),
]);

/** Where more is to be done about an error number than the hint of its fault says. */
const OWN_HINTS: ReadonlyMap<string, string> = new Map([
  [
    '1129',
    'the server blocks this host after many broken connections: FLUSH HOSTS there (TRUNCATE performance_schema.host_cache), and find what breaks them; rowferry tries again by itself',
  ],
]);

/** MySQL and MariaDB error numbers. */
const MYSQL_FAULTS = index<number>({
  // Too many connections or threads, shutdown, packets out of order or cut, aborted, killed, gone away, a node of Galera that
  // has not caught up (1047), a host that is blocked (1129), offline mode, a server that cannot check logins yet (3168).
  // A proxy without a server behind it: 9001, 9002 and 9004 of ProxySQL, 9001, 9002, 9004 and 9005 of TiDB.
  link: [
    1040, 1042, 1043, 1047, 1053, 1080, 1129, 1135, 1152, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184,
    1203, 1226, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 3032, 3168, 3169, 4031, 9001, 9002, 9004, 9005,
  ],
  // Lock wait, statement interrupted or timed out, no memory for locks, too many transactions, NDB's passing errors.
  busy: [1180, 1205, 1206, 1297, 1317, 1613, 1637, 1969, 3024, 3170, 3572],
  // Of rows, of XA, of named locks; the conflict of group replication and of TiDB (9007).
  deadlock: [1213, 1614, 3058, 3101, 9007],
  // Disk or table full, --read-only, read-only transaction, table or server, tablespace full, group replication's fence; files
  // that cannot be opened, read or written, with what the system said in the text only (3, 20, 23, 24, 1016, 1030, 1878).
  refuses: [
    3, 20, 23, 24, 1016, 1021, 1023, 1024, 1026, 1030, 1036, 1037, 1038, 1041, 1114, 1290, 1792, 1836, 1874, 1878,
    1881, 3098, 3100, 3675,
  ],
  // Login, database, table, column and routine grants, locked account, expired password, unknown database.
  access: [
    1044, 1045, 1049, 1130, 1142, 1143, 1227, 1251, 1370, 1698, 1820, 1862, 3118, 3159, 3955, 4151,
  ],
  // Unknown table or column, no default for a column, column counts, generated columns, view, missing table space.
  schema: [1017, 1051, 1054, 1072, 1103, 1109, 1136, 1146, 1288, 1347, 1364, 1412, 1471, 1812, 1814, 1906, 3105],
  conflict: [1022, 1062, 1169, 1557, 1586, 1859],
  // NOT NULL, range, truncation, wrong value, too long, foreign key, check, JSON, row and packet size, no partition.
  data: [
    1048, 1118, 1153, 1162, 1216, 1217, 1264, 1265, 1292, 1300, 1366, 1367, 1406, 1411, 1416, 1439, 1441, 1451,
    1452, 1467, 1525, 1526, 1690, 1761, 1762, 3140, 3141, 3143, 3146, 3156, 3157, 3158, 3819, 3854, 3903, 4025,
    4078,
  ],
}); // prettier-ignore

/** SQLSTATEs of PostgreSQL: five characters name one, two a whole class; the longer wins. */
const SQLSTATE_FAULTS = index<string>({
  link: [
    '08', '53000', '53200', '53300', '57P01', '57P02', '57P03', '57P05', '25P03', '25P04', '26000', '58000',
  ],
  busy: ['55006', '55P03', '57014'],
  deadlock: ['40'],
  // Read-only, full, its storage in trouble (58P01: a file that should be there).
  refuses: ['25006', '53100', '53400', '58030', '58P01', '55P02'],
  // Also a database that was dropped while we were in it.
  access: ['28', '42501', '3D000', '57P04', '0P000', '0L', '0LP01'],
  schema: [
    '42P01', '42703', '42P10', '3F000', '42804', '42846', '42883', '42704', '42P02', '428C9', '42809', '0A000',
    '55000',
  ],
  conflict: ['23505', '23P01'],
  data: ['22', '23', '44000', '54000', '54001', '54011'],
}); // prettier-ignore

/** Codes that the clients themselves raise, most of them Node's. */
const SOCKET_FAULTS = index<string>({
  link: [
    'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH',
    'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL', 'ENOENT', 'PROTOCOL_CONNECTION_LOST',
    'PROTOCOL_SEQUENCE_TIMEOUT', 'PROTOCOL_UNEXPECTED_PACKET', 'PROTOCOL_PACKETS_OUT_OF_ORDER',
    'PROTOCOL_INCORRECT_PACKET_SEQUENCE', 'EPROTO', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END',
    'ERR_SOCKET_CLOSED',
  ],
  access: [
    'HANDSHAKE_NO_SSL_SUPPORT', 'HANDSHAKE_SSL_ERROR', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID', 'AUTH_SWITCH_PLUGIN_ERROR',
  ],
}); // prettier-ignore

/** What a MySQL or MariaDB error number means. */
export function mysqlFault(errno: number): DatabaseFault {
  return MYSQL_FAULTS.get(errno) ?? 'unknown';
}

/** What a SQLSTATE of PostgreSQL means. */
export function sqlStateFault(state: string): DatabaseFault {
  return SQLSTATE_FAULTS.get(state) ?? SQLSTATE_FAULTS.get(state.slice(0, 2)) ?? 'unknown';
}

/** What a code raised on this side of the wire means. */
export function socketFault(code: string): DatabaseFault {
  return SOCKET_FAULTS.get(code) ?? 'unknown';
}

/** `code` is the server's errno or SQLSTATE, `lacking` the privileges that it named. */
export function policyOf(
  fault: DatabaseFault,
  side: DatabaseSide,
  code?: string,
  lacking: readonly string[] = [],
): ErrorPolicy {
  const policy = side === 'target' ? TARGET_POLICY[fault] : SOURCE_POLICY[fault];
  const own = code === undefined ? undefined : OWN_HINTS.get(code);
  if (own !== undefined) return { code: policy.code, hint: own };
  const cause = fault === 'access' && code !== undefined ? ACCESS_CAUSES.get(code) : undefined;
  if (cause === undefined) return policy;
  if (cause !== 'grant') return { code: policy.code, hint: ACCESS_HINTS[cause] };
  const what = lacking.length === 0 ? 'a grant' : lacking.join(', ');
  return { code: policy.code, hint: `the account lacks ${what}: ${GRANT_HINTS[side]}` };
}

function index<K>(table: Partial<Record<DatabaseFault, readonly K[]>>): ReadonlyMap<K, DatabaseFault> {
  const faults = new Map<K, DatabaseFault>();
  for (const [fault, codes] of Object.entries(table)) {
    for (const code of codes) faults.set(code, fault as DatabaseFault);
  }
  return faults;
}
