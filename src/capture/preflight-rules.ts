/** Server-wide rules of the preflight; those of tables are in `preflight-table-rules.ts`. */
import type { PreflightFacts } from './preflight-facts.ts';
import {
  hours,
  LEAST_SECONDS,
  LEAST_SECONDS_OF_COPY,
  limitBytes,
  mebibytes,
  retentionSeconds,
} from './binlog-headroom.ts';
import { quoteAccount } from './preflight-finding.ts';
import { MARK_SCHEMA, MARK_TABLE } from './mark.ts';
import type { Finding, FindingCode } from './preflight-finding.ts';

const OLDEST = { mysql: [8, 0, 0], mariadb: [10, 6, 0] } as const;
const DAY_SECONDS = 86_400;
/** A limit below this is spent by one large transaction or an hour of load. */
const LEAST_BYTES = 10 * 2 ** 30;

export function judgeServer(facts: PreflightFacts, serverId: number): Finding[] {
  return [
    ...judgeVersion(facts),
    ...judgeGrants(facts),
    ...judgeBinlog(facts),
    ...judgeDurability(facts),
    ...judgeGtid(facts),
    ...judgeServerId(facts, serverId),
    ...judgeRetention(facts),
    ...judgeFilters(facts),
  ];
}

function judgeVersion({ flavour, release, version }: PreflightFacts): Finding[] {
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

function judgeGrants({ account, mayDump, mayMonitor, flavour }: PreflightFacts): Finding[] {
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

function judgeBinlog(facts: PreflightFacts): Finding[] {
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

/** What the source loses in a crash of its machine was ferried, and stays at the targets. */
function judgeDurability(facts: PreflightFacts): Finding[] {
  const rules = [
    // Its value is how many groups of commits share a write to the disk; 0 leaves that to the system.
    ['sync_binlog', ['1'], 'its binlog may lose'],
    // MariaDB's 3 writes to the disk even more often.
    ['innodb_flush_log_at_trx_commit', ['1', '3'], 'its tables may lose what its binlog holds:'],
  ] as const;
  return rules.flatMap(([variable, durable, loses]) => {
    const found = facts.variables.get(variable);
    if (found === undefined || durable.some((value) => value === found)) return [];
    return {
      level: 'warning',
      code: 'durability',
      what: `${variable} is ${found}: when the source's machine crashes, ${loses} commits that were ferried`,
      mend: setGlobal(facts, variable, '1'),
    };
  });
}

/** MariaDB always has GTIDs. */
function judgeGtid({ flavour, variables }: PreflightFacts): Finding[] {
  const mode = variables.get('gtid_mode')?.toUpperCase();
  if (flavour === 'mariadb' || mode === undefined || mode === 'ON') return [];
  return [
    {
      level: mode === 'OFF' ? 'warning' : 'error',
      code: 'gtid-mode',
      what:
        mode === 'OFF'
          ? 'gtid_mode is OFF: positions are files and offsets, which mean nothing on another server after a failover'
          : `gtid_mode is ${mode}: some transactions may have a GTID and some none, so no position holds them all`,
      mend: mendGtidMode(mode),
    },
  ];
}

/** The mode moves in single steps only. */
function mendGtidMode(mode: string): string {
  const steps = ['OFF', 'OFF_PERMISSIVE', 'ON_PERMISSIVE', 'ON'];
  const rest = steps.slice(steps.indexOf(mode) + 1).map((step) => `SET PERSIST gtid_mode = ${step};`);
  return ['SET PERSIST enforce_gtid_consistency = ON;', ...rest].join(' ');
}

function judgeServerId(facts: PreflightFacts, serverId: number): Finding[] {
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

function judgeRetention(facts: PreflightFacts): Finding[] {
  const findings: Finding[] = [];
  const seconds = retentionSeconds(facts.variables);
  if (seconds !== null && seconds < LEAST_SECONDS) {
    findings.push({
      level: 'warning',
      code: 'retention',
      what: `the binlog is kept for ${hours(seconds)}: a capture that stops for longer loses its place`,
      mend: setGlobal(facts, 'binlog_expire_logs_seconds', String(7 * DAY_SECONDS)),
    });
  }
  const bytes = limitBytes(facts.variables);
  if (bytes !== null && bytes < LEAST_BYTES) {
    const variable = facts.variables.has('max_binlog_total_size')
      ? 'max_binlog_total_size'
      : 'binlog_space_limit';
    findings.push({
      level: 'warning',
      code: 'retention',
      what: `${variable} keeps ${mebibytes(bytes)} of binlog: a capture that falls further behind loses its place`,
      mend: setGlobal(facts, variable, '0'),
    });
  }
  return findings;
}

/** The server drops what its own filters exclude before anyone can read it. */
function judgeFilters({ tables, doDb, ignoreDb }: PreflightFacts): Finding[] {
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

/** What copying tables needs: marks that can be written. No more than warnings: capture needs neither. */
export function judgeCopies(facts: PreflightFacts): Finding[] {
  const findings: Finding[] = [];
  const { account, markLacks = [], variables } = facts;
  if (markLacks.length > 0) {
    findings.push({
      level: 'warning',
      code: 'grant-mark',
      what: `${account} lacks ${markLacks.join(', ')} on ${MARK_SCHEMA}.${MARK_TABLE}, without which no table can be copied`,
      mend: `GRANT CREATE, SELECT, INSERT, UPDATE ON ${MARK_SCHEMA}.* TO ${quoteAccount(account)};`,
    });
  }
  const seconds = retentionSeconds(variables);
  if (seconds !== null && seconds >= LEAST_SECONDS && seconds < LEAST_SECONDS_OF_COPY) {
    findings.push({
      level: 'warning',
      code: 'retention',
      what: `the binlog is kept for ${hours(seconds)}: a capture that stops for longer in the midst of a copy loses the copy too`,
      mend: setGlobal(facts, 'binlog_expire_logs_seconds', String(7 * DAY_SECONDS)),
    });
  }
  if (variables.get('read_only') === 'ON') {
    findings.push({
      level: 'warning',
      code: 'read-only',
      what: 'the source is read-only, and copying tables writes marks into rowferry.mark',
      mend: 'capture from a server that takes writes, or set startFrom to now, earliest or a place',
    });
  }
  return findings;
}

/** What rowferry writes itself must come by: marks of copies, the heartbeat row. */
export function judgeOwnSchema({ doDb, ignoreDb }: PreflightFacts): Finding[] {
  if (!ignoreDb.includes(MARK_SCHEMA) && (doDb.length === 0 || doDb.includes(MARK_SCHEMA))) return [];
  return [
    {
      level: 'warning',
      code: 'binlog-filter',
      what: `the server keeps the schema ${MARK_SCHEMA} out of its binlog (binlog_do_db, binlog_ignore_db): marks of copies and the heartbeat row would never come by`,
      mend: `my.cnf: add binlog_do_db = ${MARK_SCHEMA}, or remove the filters, then restart the server`,
    },
  ];
}

/** MySQL keeps the value over a restart; MariaDB needs it in my.cnf too. */
function setGlobal({ flavour }: PreflightFacts, variable: string, value: string): string {
  return flavour === 'mysql'
    ? `SET PERSIST ${variable} = ${value};`
    : `SET GLOBAL ${variable} = ${value}; and in my.cnf: ${variable} = ${value}`;
}
