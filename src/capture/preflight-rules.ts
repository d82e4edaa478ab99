/** Server-wide rules of the preflight; those of tables are in `preflight-table-rules.ts`. */
import type { SourceFacts } from './preflight-facts.ts';
import { quoteName } from './preflight-facts.ts';
import { judgeTables } from './preflight-table-rules.ts';
import type { TablePattern } from './table-filter.ts';

/** Names of findings; they never change their meaning. */
export type FindingCode =
  | 'version'
  | 'log-bin'
  | 'binlog-format'
  | 'binlog-row-image'
  | 'binlog-row-metadata'
  | 'binlog-row-value-options'
  | 'binlog-transaction-compression'
  | 'binlog-order-commits'
  | 'gtid-mode'
  | 'server-id'
  | 'retention'
  | 'grant-replication'
  | 'grant-monitor'
  | 'grant-select'
  | 'binlog-filter'
  | 'no-table'
  | 'table-kind'
  | 'table-key'
  | 'table-engine'
  | 'column-type'
  | 'column-charset'
  | 'foreign-key-cascade';

export interface Finding {
  /** An error keeps the source from being captured; a warning will hurt some day. */
  readonly level: 'error' | 'warning';
  readonly code: FindingCode;
  readonly what: string;
  /** A statement for the source, a line for its my.cnf, or a line for rowferry's configuration. */
  readonly mend: string;
}

/** What the pipeline wants of the source. */
export interface Wanted {
  readonly serverId: number;
  readonly includes: readonly TablePattern[];
  /** Capture is to start at a GTID set. */
  readonly startsAtGtid: boolean;
}

const OLDEST = { mysql: [8, 0, 0], mariadb: [10, 6, 0] } as const;
const DAY_SECONDS = 86_400;

/** Judges the facts; pure. Errors first, each in the order in which an operator would mend them. */
export function evaluateSource(facts: SourceFacts, wanted: Wanted): Finding[] {
  const findings = [
    ...judgeVersion(facts),
    ...judgeGrants(facts),
    ...judgeBinlog(facts),
    ...judgeGtid(facts, wanted),
    ...judgeServerId(facts, wanted),
    ...judgeRetention(facts),
    ...judgeFilters(facts),
    ...judgeTables(facts, wanted),
  ];
  return findings.toSorted((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'));
}

function judgeVersion({ flavour, release, version }: SourceFacts): Finding[] {
  const oldest = OLDEST[flavour];
  const older = release.map((part, i) => part - (oldest[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
  if (older >= 0) return [];
  const name = flavour === 'mysql' ? 'MySQL' : 'MariaDB';
  return [
    {
      level: 'error',
      code: 'version',
      what: `version ${version} cannot write full row metadata to its binlog`,
      mend: `upgrade to ${name} ${oldest[0]}.${oldest[1]} or newer`,
    },
  ];
}

function judgeGrants({ account, mayDump, mayMonitor, flavour }: SourceFacts): Finding[] {
  const to = quoteAccount(account);
  const monitor = flavour === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR';
  const findings: Finding[] = [];
  if (!mayDump) {
    findings.push({
      level: 'error',
      code: 'grant-replication',
      what: `${account} may not read the binlog`,
      mend: `GRANT REPLICATION SLAVE ON *.* TO ${to};`,
    });
  }
  if (!mayMonitor) {
    findings.push({
      level: 'error',
      code: 'grant-monitor',
      what: `${account} may not ask for the binlog's files and position`,
      mend: `GRANT ${monitor} ON *.* TO ${to};`,
    });
  }
  return findings;
}

/** A variable, the value it must have, and why. */
const BINLOG_RULES = [
  ['binlog_format', 'ROW', 'changes would arrive as statements, without rows'],
  ['binlog_row_image', 'FULL', 'rows would arrive with columns missing'],
  ['binlog_row_metadata', 'FULL', 'rows would arrive without column names, types and keys'],
  ['binlog_row_value_options', '', 'JSON columns would arrive as differences'],
  ['binlog_transaction_compression', 'OFF', 'transactions would arrive compressed, which cannot be read'],
  [
    'binlog_order_commits',
    'ON',
    'transactions could become visible in another order than that of the binlog',
  ],
] as const;

function judgeBinlog(facts: SourceFacts): Finding[] {
  const findings: Finding[] = [];
  if (facts.variables.get('log_bin') !== 'ON') {
    findings.push({
      level: 'error',
      code: 'log-bin',
      what: 'the server writes no binlog',
      mend: 'my.cnf: log_bin = binlog, then restart the server',
    });
  }
  for (const [variable, value, why] of BINLOG_RULES) {
    const found = facts.variables.get(variable);
    // MariaDB lacks some of them and always does what they are wanted for.
    if (found === undefined || found.toUpperCase() === value) continue;
    findings.push({
      level: 'error',
      code: codeOf(variable),
      what: `${variable} is ${found}: ${why}`,
      mend: `${setGlobal(facts, variable, value === '' ? "''" : value)} -- sessions that are open keep the old value: reconnect them`,
    });
  }
  return findings;
}

function codeOf(variable: (typeof BINLOG_RULES)[number][0]): FindingCode {
  const codes = {
    binlog_format: 'binlog-format',
    binlog_row_image: 'binlog-row-image',
    binlog_row_metadata: 'binlog-row-metadata',
    binlog_row_value_options: 'binlog-row-value-options',
    binlog_transaction_compression: 'binlog-transaction-compression',
    binlog_order_commits: 'binlog-order-commits',
  } as const;
  return codes[variable];
}

/** MariaDB always has GTIDs. */
function judgeGtid(facts: SourceFacts, { startsAtGtid }: Wanted): Finding[] {
  const mode = facts.variables.get('gtid_mode')?.toUpperCase();
  if (facts.flavour === 'mariadb' || mode === undefined || mode === 'ON') return [];
  const mend =
    'SET PERSIST enforce_gtid_consistency = ON; then step by step SET PERSIST gtid_mode = OFF_PERMISSIVE; … = ON_PERMISSIVE; … = ON;';
  if (mode === 'OFF' && !startsAtGtid) {
    const what =
      'gtid_mode is OFF: positions are files and offsets, which mean nothing on another server after a failover';
    return [{ level: 'warning', code: 'gtid-mode', what, mend }];
  }
  const what =
    mode === 'OFF'
      ? 'gtid_mode is OFF, but `startFrom` names a GTID set'
      : `gtid_mode is ${mode}: some transactions have a GTID and some have none, so no position holds them all`;
  return [{ level: 'error', code: 'gtid-mode', what, mend }];
}

function judgeServerId(facts: SourceFacts, { serverId }: Wanted): Finding[] {
  const findings: Finding[] = [];
  const ours = 'choose another `serverId` in the configuration of this source';
  if (facts.serverId === 0) {
    const mend = setGlobal(facts, 'server_id', '1');
    findings.push({
      level: 'error',
      code: 'server-id',
      what: 'server_id is 0: the server refuses replicas',
      mend,
    });
  }
  if (facts.serverId === serverId) {
    const what = `server id ${serverId} is the source's own: it would send none of its own changes`;
    findings.push({ level: 'error', code: 'server-id', what, mend: ours });
  }
  if (facts.replicaIds?.includes(serverId) === true) {
    const what = `server id ${serverId} belongs to another replica of the source: the two would throw each other out`;
    findings.push({ level: 'error', code: 'server-id', what, mend: ours });
  }
  return findings;
}

function judgeRetention(facts: SourceFacts): Finding[] {
  const seconds = retentionSeconds(facts.variables);
  if (seconds === null || seconds >= DAY_SECONDS) return [];
  return [
    {
      level: 'warning',
      code: 'retention',
      what: `the binlog is kept for ${Math.round(seconds / 360) / 10} hours: a capture that stops for longer loses its place`,
      mend: setGlobal(facts, 'binlog_expire_logs_seconds', String(7 * DAY_SECONDS)),
    },
  ];
}

/** How long binlog files stay; null when nothing removes them. */
function retentionSeconds(variables: ReadonlyMap<string, string>): number | null {
  if (variables.get('binlog_expire_logs_auto_purge') === 'OFF') return null;
  const seconds = Number(variables.get('binlog_expire_logs_seconds') ?? 0);
  const days = Number(variables.get('expire_logs_days') ?? 0);
  if (seconds > 0) return seconds;
  return days > 0 ? days * DAY_SECONDS : null;
}

/** The server drops what its own filters exclude before anyone can read it. */
function judgeFilters({ tables, doDb, ignoreDb }: SourceFacts): Finding[] {
  const schemas = [...new Set(tables.map((table) => table.schema))];
  const lost = schemas.filter(
    (schema) => ignoreDb.includes(schema) || (doDb.length > 0 && !doDb.includes(schema)),
  );
  if (lost.length === 0) return [];
  return [
    {
      level: 'error',
      code: 'binlog-filter',
      what: `the server keeps changes of ${lost.join(', ')} out of its binlog (binlog_do_db, binlog_ignore_db)`,
      mend: `my.cnf: remove binlog_do_db and binlog_ignore_db${doDb.length > 0 ? `, or add binlog_do_db = ${lost.join(', binlog_do_db = ')}` : ''}, then restart the server`,
    },
  ];
}

/** MySQL keeps the value over a restart; MariaDB needs it in my.cnf too. */
function setGlobal({ flavour }: SourceFacts, variable: string, value: string): string {
  return flavour === 'mysql'
    ? `SET PERSIST ${variable} = ${value};`
    : `SET GLOBAL ${variable} = ${value}; and in my.cnf: ${variable} = ${value}`;
}

/** `rowferry@%` as SQL wants it. */
export function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@');
  return at < 0
    ? quoteName(account)
    : `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`;
}
