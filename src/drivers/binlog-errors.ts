/** What ends a binlog link, as rowferry's own errors. */
import { mysqlFault, policyOf, socketFault } from '../error-policy.ts';
import { RowferryError, type ErrorCode } from '../errors.ts';

/** An error as mysql2 reports it: `errno` and `sqlState` come from the server, `code` alone from the socket. */
export interface LinkFailure {
  readonly message: string;
  readonly code?: string | undefined;
  readonly errno?: number | undefined;
  readonly sqlState?: string | undefined;
}

/** MySQL and MariaDB put nearly everything that can go wrong with a dump under this number. */
const ER_MASTER_FATAL_ERROR_READING_BINLOG = 1236;
const ER_MASTER_HAS_PURGED_REQUIRED_GTIDS = 1789;
const ER_GTID_POSITION_NOT_FOUND_IN_BINLOG = 1945;
const ER_GTID_POSITION_NOT_FOUND_IN_BINLOG2 = 1955;
const ER_REPLICA_HAS_MORE_GTIDS_THAN_SOURCE = 3546;
const ER_SLAVE_SAME_ID = 4052;

interface Verdict {
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

const POSITION_LOST: Verdict = {
  code: 'ROWFERRY_SOURCE_POSITION_LOST',
  what: 'the source cannot read its binlog from the saved position',
  hint: 'fill emptied targets by a pipeline with a new "name"; keep binlogs longer (binlog_expire_logs_seconds)',
};
const POSITION_UNKNOWN: Verdict = {
  code: 'ROWFERRY_SOURCE_POSITION_LOST',
  what: 'the source has never been at the saved position: it was restored, reset, or is another server',
  hint: 'connect to the server that the position is from, or fill emptied targets by a pipeline with a new "name"',
};
const SERVER_ID_TAKEN: Verdict = {
  code: 'ROWFERRY_SOURCE_SERVER_ID_TAKEN',
  what: 'another reader with the same server id took the place of this one',
  hint: 'give every reader of the source a server id of its own, replicas included',
};
const UNREADABLE: Verdict = {
  code: 'ROWFERRY_SOURCE_DECODE',
  what: 'the source cannot read its own binlog',
  hint: 'check its error log and disk; what it cannot read is lost to every reader',
};
const NOT_PREPARED: Verdict = {
  code: 'ROWFERRY_SOURCE_PREFLIGHT',
  what: 'the source cannot serve its binlog in this way',
  hint: 'check log_bin, server_id and gtid_mode of the source',
};

const VERDICTS: ReadonlyMap<number, Verdict> = new Map([
  [ER_MASTER_HAS_PURGED_REQUIRED_GTIDS, POSITION_LOST],
  [ER_GTID_POSITION_NOT_FOUND_IN_BINLOG, POSITION_UNKNOWN],
  [ER_GTID_POSITION_NOT_FOUND_IN_BINLOG2, POSITION_UNKNOWN],
  [ER_REPLICA_HAS_MORE_GTIDS_THAN_SOURCE, POSITION_UNKNOWN],
  [ER_SLAVE_SAME_ID, SERVER_ID_TAKEN],
]);

/**
 * The only place where rowferry reads a server's message: error 1236 covers everything and its text alone tells what. The
 * texts are literals in the servers' code (never translated); what is not among them stops the capture.
 */
const FATAL_TEXTS: readonly (readonly [RegExp, Verdict])[] = [
  [/same server_uuid\/server_id/, SERVER_ID_TAKEN],
  [/purged required binary logs|has purged binary logs|binary log.* have been purged/, POSITION_LOST],
  [/Could not find first log file name|Could not find GTID state requested/, POSITION_LOST],
  [/start replication from (impossible position|position > file size)/, POSITION_LOST],
  [/has more GTIDs than the (master|source)|requested to start from GTID/, POSITION_UNKNOWN],
  [
    /bogus data|could not find next log|truncated in the middle|event entry exceeded|I\/O error|checksum/i,
    UNREADABLE,
  ],
  [/Binary log is not open|server id was not set|Misconfigured|AUTO_POSITION|GTID_MODE/i, NOT_PREPARED],
];

/** `asked` is the position that the link started from. */
export function describeLinkFailure(failure: LinkFailure, asked: string): RowferryError {
  const { errno, sqlState, code, message } = failure;
  const where = { position: asked };
  if (errno !== undefined && errno > 0 && sqlState !== undefined) {
    const verdict = VERDICTS.get(errno) ?? verdictOfText(errno, message);
    if (verdict !== undefined) {
      // These messages hold file names, positions and GTIDs only.
      return new RowferryError(verdict.code, `${verdict.what} (MySQL error ${errno}: ${oneLine(message)})`, {
        where,
        hint: verdict.hint,
      });
    }
    const { code: own, hint } = policyOf(mysqlFault(errno), 'source', String(errno));
    return new RowferryError(
      own,
      `the source refused the binlog link: MySQL error ${errno} (${code ?? ''})`,
      {
        where,
        hint,
      },
    );
  }
  const fault = code === undefined ? 'unknown' : socketFault(code);
  const { code: own, hint } = policyOf(fault, 'source');
  return new RowferryError(own, `the binlog link failed (${code ?? oneLine(message)})`, { where, hint });
}

function verdictOfText(errno: number, message: string): Verdict | undefined {
  if (errno !== ER_MASTER_FATAL_ERROR_READING_BINLOG) return undefined;
  for (const [text, verdict] of FATAL_TEXTS) {
    if (text.test(message)) return verdict;
  }
  return {
    code: 'ROWFERRY_SOURCE_QUERY',
    what: 'the source ended the binlog link',
    hint: 'its error log may say more; rowferry does not know this reason and stops',
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 400);
}
